"""What an artifact and a message may carry, and which characters."""

from dataclasses import replace
from typing import Any

import pytest

from tierkeeper.base.callers import Caller
from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.contract import PurgeArgs, StoreArgs, StoreManyArgs, StoreManyMessage, check_key, validated
from tierkeeper_client.errors import InvalidInput
from tierkeeper_client.limits import DEFAULT, Bounds

NAMED = {"tenant": "acme", "workflow": "w", "name": "a"}
GOOD = {**NAMED, "content": {"kind": "inline", "data": ""}}
ESCAPES = ["\x1b[2J", "\x9b2J", "\u202e", "a\rb", "a\nb", "\x7f", "\0"]


def nested(levels: int) -> Any:  # noqa: ANN401  any JSON
    """Metadata of so many levels."""
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 and level < levels - 1 else {"a": value}
    return value


def metadata(size: int) -> dict[str, str]:
    """Metadata of so many bytes as JSON."""
    return {"a": "é" * ((size - 8) // 2) + "x" * ((size - 8) % 2)}


@pytest.mark.parametrize(
    ("field", "most", "more"),
    [
        ("metadata", metadata(DEFAULT.metadata), metadata(DEFAULT.metadata + 1)),
        ("metadata", nested(DEFAULT.depth), nested(DEFAULT.depth + 1)),
        ("metadata", {"n": 10**308 - 1}, {"n": 10**308}),
        ("tags", {f"{n}": "" for n in range(DEFAULT.tags)}, {f"{n}": "" for n in range(DEFAULT.tags + 1)}),
        ("tags", {"é" * 64: "x"}, {"é" * 64 + "x": "x"}),
        ("tags", {"x": "é" * 128}, {"x": "é" * 128 + "x"}),
        ("content_type", "x" * 255, "x" * 256),
    ],
)
def test_the_bounds_of_a_store(field: str, most: Any, more: Any) -> None:  # noqa: ANN401  any value
    """The largest is taken, one more is refused by the name of its field."""
    assert getattr(validated(StoreArgs, {**GOOD, field: most}), field) == most
    with pytest.raises(InvalidInput) as caught:
        validated(StoreArgs, {**GOOD, field: more})
    assert caught.value.data["field"].startswith(field)


@pytest.mark.parametrize("levels", [300, 100_000])
def test_deep_metadata_are_a_typed_error(levels: int) -> None:
    """Nothing recurses into metadata before their depth is known."""
    with pytest.raises(InvalidInput, match="deeper than 32"):
        validated(StoreArgs, {**GOOD, "metadata": nested(levels)})


def test_a_reason_a_version_a_source_and_a_batch() -> None:
    """The other texts and collections have bounds as well, and a worker's settings change them for it."""
    with pytest.raises(InvalidInput, match="1001 characters"):
        validated(PurgeArgs, {**NAMED, "reason": "x" * 1001})
    with pytest.raises(InvalidInput, match="version"):
        validated(PurgeArgs, {**NAMED, "version": 2**31})
    with pytest.raises(InvalidInput, match="url"):
        validated(StoreArgs, {**GOOD, "content": {"kind": "source", "url": "s3://" + "x" * 2048}})
    for model in (StoreManyArgs, StoreManyMessage):
        with pytest.raises(InvalidInput, match="1001 items"):
            validated(model, {"items": [GOOD] * 1001})
    own = replace(DEFAULT, reason=2000, depth=1)
    validated(PurgeArgs, {**NAMED, "reason": "x" * 1001}, within=own)
    with pytest.raises(InvalidInput, match="deeper than 1"):
        validated(StoreArgs, {**GOOD, "metadata": {"a": {}, "b": {"c": {"d": 1}}}}, within=own)


@pytest.mark.parametrize("text", ESCAPES)
def test_what_drives_a_terminal_is_refused(text: str) -> None:
    """Content types, tags, reasons, sources, keys, actors and correlations are plain text."""
    for fields in (
        {"content_type": text},
        {"tags": {"a": text}},
        {"tags": {text: "a"}},
        {"content": {"kind": "source", "url": f"s3://{text}"}},
    ):
        with pytest.raises(InvalidInput):
            validated(StoreArgs, {**GOOD, **fields})
    with pytest.raises(InvalidInput):
        validated(PurgeArgs, {**NAMED, "reason": text})
    with pytest.raises(InvalidInput):
        check_key(text)
    for caller in ({"actor": text}, {"actor": "a", "correlation": text}):
        with pytest.raises(InvalidInput):
            Caller(**caller)
    with pytest.raises(InvalidInput):
        TierkeeperClient("memory://", actor=text)
    with pytest.raises(InvalidInput), TierkeeperClient("memory://") as client:
        client.send("tierkeeper.canary", correlation=text)  # type: ignore[arg-type]  # a name
    assert not set(text) & set(Caller.stored(f"shop{text}").actor) - set("[2Jab")


def test_a_producer_has_the_workers_limits() -> None:
    """A client that was told other limits refuses by them, before anything is sent."""
    with (
        TierkeeperClient("memory://", limits=Bounds(tags=1)) as client,
        pytest.raises(InvalidInput, match="2 tags, over the limit of 1"),
    ):
        client.store(b"", tenant="acme", workflow="w", name="a", tags={"a": "1", "b": "2"})
