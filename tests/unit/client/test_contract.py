from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tierkeeper_client import contract
from tierkeeper_client.contract import InlineContent, PromoteArgs, RefuseArgs, RunArgs, StoreArgs, TaskName, validated
from tierkeeper_client.errors import InvalidInput, InvalidName

GOOD = {"tenant": "acme", "workflow": "weekly", "name": "2026/47.md"}
INLINE = {"kind": "inline", "data": "YWJj"}


def test_every_task_has_a_queue_and_a_model() -> None:
    """The contract says of every task where it goes and what it takes."""
    assert set(contract.QUEUE_OF) == set(TaskName)
    assert set(contract.ARGS) == set(TaskName)


def test_content_survives_the_message() -> None:
    """Inline content is the same bytes after it was a message."""
    sent = StoreArgs(**GOOD, content=InlineContent.of(b"\x00\xff"), created=datetime(2026, 1, 1, tzinfo=UTC))
    received = validated(StoreArgs, sent.model_dump(mode="json", exclude_none=True))
    assert received == sent
    assert isinstance(received.content, InlineContent)
    assert received.content.content() == b"\x00\xff"


@pytest.mark.parametrize(
    ("model", "arguments", "field"),
    [
        # something is missing
        (StoreArgs, GOOD, "content"),
        # an unknown field
        (StoreArgs, {**GOOD, "content": INLINE, "colour": "red"}, "colour"),
        # content of no kind, and of an unknown one
        (StoreArgs, {**GOOD, "content": {"data": "YWJj"}}, "content"),
        (StoreArgs, {**GOOD, "content": {"kind": "telepathy"}}, "content"),
        # not base64
        (StoreArgs, {**GOOD, "content": {"kind": "inline", "data": "é"}}, "content.inline.data"),
        # a staged name that is a path
        (StoreArgs, {**GOOD, "content": {"kind": "staged", "name": "../../etc/passwd"}}, "content.staged.name"),
        (StoreArgs, {**GOOD, "content": {"kind": "staged", "name": "-" * 36}}, "content.staged.name"),
        # a time without its zone
        (StoreArgs, {**GOOD, "content": INLINE, "created": "2026-01-01T00:00:00"}, "created"),
        # two ways of saying which version
        (PromoteArgs, {**GOOD, "to_tier": "cold", "version": 1, "all_versions": True}, "the arguments"),
        (RunArgs, {"run": "yesterday"}, "run"),
    ],
)
def test_bad_arguments_name_the_field(model: type[contract.Message], arguments: dict[str, Any], field: str) -> None:
    """Arguments that do not fit are one InvalidInput that names the field and says what to do."""
    with pytest.raises(InvalidInput) as caught:
        validated(model, arguments)
    assert caught.value.data["field"] == field
    assert model.__name__ in str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        {"tenant": "a/b"},
        {"workflow": ".."},
        {"name": "/etc/passwd"},
        {"name": "a/../b"},
        {"name": "nul\x00"},
        {"name": "e\u0301.md"},
        {"name": "x" * 701},
        {"name": "what?.md"},
    ],
)
def test_unsafe_names_are_refused(names: dict[str, str]) -> None:
    """A name that is unsafe on any store is refused before anything is sent, and again by the worker."""
    with pytest.raises(InvalidName):
        validated(StoreArgs, {**GOOD, "content": INLINE, **names})


def test_errors_do_not_carry_content() -> None:
    """An error about large arguments stays small: it travels through the broker."""
    with pytest.raises(InvalidInput) as caught:
        validated(StoreArgs, {**GOOD, "content": {"kind": "inline", "data": "é" * 100_000}})
    assert len(str(caught.value)) < 400


def test_a_run_is_named_by_its_id() -> None:
    """A run's id travels as text and arrives as a UUID."""
    run = uuid4()
    assert validated(RunArgs, {"run": str(run)}).run == run


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"a": ["x\0"]}},
        {"metadata": {"a\0": 1}},
        {"metadata": {"a": {"b": "\ud800"}}},
        {"metadata": {"a": float("nan")}},
        {"metadata": {"a": datetime(2026, 1, 1, tzinfo=UTC)}},
        {"metadata": {"a": [{"b"}]}},
        {"metadata": {"a": {1: "b"}}},
        {"tags": {"a": "x\0"}},
        {"tags": {"a\0": "x"}},
        {"content_type": "text/\0"},
    ],
)
def test_what_the_catalog_cannot_hold_is_refused(fields: dict[str, Any]) -> None:
    """A NUL, a lone surrogate or no number in metadata, tags or type is bad input, not a failure of the worker."""
    with pytest.raises(InvalidInput, match=next(iter(fields))):
        validated(StoreArgs, {**GOOD, "content": INLINE, **fields})


def test_a_refused_segment_is_named() -> None:
    """The error says which of tenant and workflow is at fault; a missing field is not shown as the whole message."""
    with pytest.raises(InvalidName, match="workflow 'a:b' is refused: it has ':'"):
        validated(StoreArgs, {**GOOD, "workflow": "a:b", "content": INLINE})
    with pytest.raises(InvalidInput, match="content None is not usable: Field required"):
        validated(StoreArgs, GOOD)


@pytest.mark.parametrize("raw", ["A", "!!!!", "é", "QQ==QQ"])
def test_a_made_up_refusal_is_a_typed_error(raw: str) -> None:
    """Whoever may send messages may send this one too: what is no base64 is refused, and not kept as something else."""
    fields = {"size": 1, "sha256": "00" * 32, "reason": "r", "broker": "b", "queue": "q", "task": "t"}
    with pytest.raises(InvalidInput, match="raw"):
        validated(RefuseArgs, {**fields, "raw": raw})
    assert validated(RefuseArgs, {**fields, "raw": "QQ=="}).raw == "QQ=="
