"""Items of a batch that one question answers: only what is clearly there unchanged; all else takes every step."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import TENANT, WORKFLOW, House
from support.leading import away

from tierkeeper.base.callers import Caller
from tierkeeper.catalog import recordset, unchanged
from tierkeeper.catalog.statements import typed
from tierkeeper.catalog.unchanged import AskedItem
from tierkeeper.stores.base import Store
from tierkeeper.values.artifacts import ItemError, ItemResult, StoreResult
from tierkeeper_client.contract import StoreArgs

#: what may be wrong with an artifact in hot that is stored again; the statement makes it so
DOUBTS = {
    "its copy is damaged": "UPDATE placements SET damaged_at = now()",
    "its copy was not found": "UPDATE placements SET missed_at = now()",
    "nobody vouches for its copy": "UPDATE placements SET vouched = NULL, pin = NULL, verified_at = NULL",
    "its copy is doomed": "UPDATE placements SET state = 'doomed', doomed_at = now(), delete_after = now()",
    "its copy lies under a purged name": """
        UPDATE placements SET artifact_id = (SELECT id FROM artifacts WHERE state = 'purged')
    """,
    "a wanted copy is not made yet": "UPDATE artifacts SET wanted = '{hot,cold}' WHERE state = 'live'",
    "it wants nothing": "UPDATE artifacts SET wanted = '{}' WHERE state = 'live'",
    "no active policy decided about it": "UPDATE artifacts SET policy_id = NULL WHERE state = 'live'",
    "its tenant's scope is another": "UPDATE tenants SET scope = 'other'",
}
OTHERS: dict[str, dict[str, Any]] = {
    "tags": {"tags": {"kind": "other"}},
    "metadata": {"metadata": {"number": 2}},
    "content type": {"content_type": "text/html"},
    "forced": {"force": True},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another checksum": ({"sha256": "0" * 64}, "ContentDiffers"),
    "made in the future": ({"created": datetime.now(UTC) + timedelta(days=1)}, "InvalidInput"),
}


class Pipe(io.BytesIO):
    """Content that can be read once."""

    def seekable(self) -> bool:
        return False


def _same(pipe: BinaryIO) -> BinaryIO:
    return pipe


def again(
    house: House,
    *names: str,
    content: bytes = b"content",
    caller: Caller = TESTER,
    **more: Any,  # noqa: ANN401  fields of the arguments
) -> list[ItemResult]:
    """Store these names in one batch, with the content beside the arguments."""
    items: list[StoreArgs | ItemError] = [house.args(name, b"", **more) for name in names]
    contents = dict.fromkeys(range(len(names)), partial(io.BytesIO, content))
    return house.keeper.artifacts.store_many(items, caller=caller, contents=contents)


def stepped(house: House) -> int:
    """Return how many items took every step: each left its result for a second delivery."""
    return int(house.sql("SELECT count(*) FROM commands")[0][0])


def outcomes(results: list[ItemResult]) -> list[str]:
    """Return the outcome of each item, of a refused one its error."""
    return [str(r.error["error"]) if isinstance(r, ItemError) else r.outcome for r in results]


def test_what_is_there_is_answered_and_nothing_is_written(house: House) -> None:
    """The answer is that of the commit, but for the row of its delivery; an item beside it that is new is stored."""
    (first,) = again(house, "a", metadata={"number": 1}, tags={"kind": "x"}, content_type="text/plain")
    before, events = stepped(house), house.sql("SELECT count(*) FROM events")
    (second,) = again(house, "a", metadata={"number": 1}, tags={"kind": "x"}, content_type="text/plain")
    assert isinstance(first, StoreResult)
    assert second == replace(first, outcome="unchanged")
    assert (stepped(house), house.sql("SELECT count(*) FROM events")) == (before, events)
    (keyed,) = again(house, "a", metadata={"number": 1}, tags={"kind": "x"}, content_type="text/plain", caller=KEYED)
    assert keyed == second
    again(house, "b", "c")
    before = stepped(house)
    assert outcomes(again(house, "b", "d", "c")) == ["unchanged", "deduplicated", "unchanged"]
    assert stepped(house) == before + 1


KEYED = Caller("tester", key="given")


def test_a_delivery_with_a_key_finds_its_answer_again(house: House) -> None:
    """Its second delivery is answered as the first was, whatever was stored under the name in between."""
    again(house, "a")
    (first,) = again(house, "a", caller=KEYED)
    assert outcomes([first]) == ["unchanged"]
    again(house, "a", content=b"newer")
    assert again(house, "a", caller=KEYED) == [first]
    assert house.read("a") == b"newer"


@pytest.mark.parametrize("why", DOUBTS)
def test_what_is_in_doubt_takes_every_step(house: House, why: str) -> None:
    """The catalog's word for an artifact is not enough where anything of it or its copies is not as it should be."""
    house.store("purged", b"other")
    house.purge("purged")
    house.pass_time(timedelta(days=400))
    house.settle()
    again(house, "a")
    before = stepped(house)
    assert outcomes(again(house, "a")) == ["unchanged"]
    assert stepped(house) == before
    house.sql(DOUBTS[why])
    again(house, "a")
    assert stepped(house) == before + 1
    house.sql("UPDATE tenants SET scope = id")
    house.sql("UPDATE artifacts SET wanted = '{hot}' WHERE state = 'live'")


def test_a_copy_of_another_item_makes_none_unchanged(house: House) -> None:
    """A tier with a copy of one item of a batch has none of another for that."""
    house.store("b", b"archived")
    house.archive("b")
    house.settle()
    [tier] = house.tiers("b")
    again(house, "a")
    house.sql(f"UPDATE artifacts SET wanted = '{{hot,{tier}}}' WHERE sha256 = sha256('content')")  # noqa: S608  a test's own
    before = stepped(house)
    items: list[StoreArgs | ItemError] = [house.args(name, b"") for name in ("a", "b")]
    contents = {0: partial(io.BytesIO, b"content"), 1: partial(io.BytesIO, b"archived")}
    results = house.keeper.artifacts.store_many(items, caller=TESTER, contents=contents)
    assert outcomes(results) == ["unchanged", "unchanged"]
    assert stepped(house) == before + 1


@pytest.mark.parametrize("what", OTHERS)
def test_what_differs_is_a_new_version(house: House, what: str) -> None:
    """Other tags, metadata or another type are another version; so is what is forced."""
    given: dict[str, Any] = {"metadata": {"number": 1}, "tags": {"kind": "x"}}
    again(house, "a", **given)
    assert outcomes(again(house, "a", **given | OTHERS[what])) == ["deduplicated"]
    assert house.show("a").ref.version == 2
    assert outcomes(again(house, "b", content=b"newer")) == ["stored"]
    assert outcomes(again(house, "b")) == ["deduplicated"]


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_refused_again(house: House, what: str) -> None:
    """Arguments that step 1 refuses are refused although the content is there."""
    more, error = REFUSED[what]
    again(house, "a")
    assert outcomes(again(house, "a", **more)) == [error]


def test_a_policy_that_cannot_read_the_metadata_refuses(house: House) -> None:
    """A policy that came later counts from a field that the artifact has not: it is refused as it would be new."""
    again(house, "a")
    house.policy("name: dated\nmatch: {name: a}\nclock: metadata:signed\nphases: [{after: 0d, in: [hot]}]\n")
    assert outcomes(again(house, "a")) == ["UnreadableClock"]
    house.keeper.policies.remove("dated", caller=TESTER)


def test_what_was_purged_is_stored_again(house: House) -> None:
    """An artifact in its undo window is not there: the same content under its name is its next version."""
    again(house, "a")
    house.purge("a")
    assert outcomes(again(house, "a")) == ["deduplicated"]
    assert house.show("a").ref.version == 2


def test_a_name_that_comes_twice_is_stored_in_the_order_of_the_batch(house: House) -> None:
    """The second of two items with one name is compared with the first, not with what was there before."""
    again(house, "a")
    items: list[StoreArgs | ItemError] = [house.args("a", b""), house.args("a", b"")]
    contents: dict[int, Callable[[], BinaryIO]] = {
        0: partial(io.BytesIO, b"newer"),
        1: partial(io.BytesIO, b"content"),
    }
    assert outcomes(house.keeper.artifacts.store_many(items, caller=TESTER, contents=contents)) == [
        "stored",
        "deduplicated",
    ]
    assert house.read("a") == b"content"
    assert house.show("a").ref.version == 3


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_copy_in_a_tier_that_is_away_is_not_answered_for(house: House, how: str) -> None:
    """What rests on a tier whose mark cannot be read now is refused, as new bytes are; then it is unchanged."""
    again(house, "a")
    with away(house, "hot", how):
        assert outcomes(again(house, "a")) == ["TierNotOurs"]
    before = stepped(house)
    assert outcomes(again(house, "a")) == ["unchanged"]
    assert stepped(house) == before


@pytest.mark.parametrize("why", ["away", "not configured"])
def test_one_of_two_tiers_that_is_not_there_is_not_named(house: House, why: str) -> None:
    """With a wanted copy in such a tier every step is taken, and the answer names the other tier alone."""
    house.store("a", b"content")
    house.archive("a")
    house.settle()
    house.restore("a")
    house.settle()
    (last,) = house.tiers("a") - {"hot"}
    before = stepped(house)
    (both,) = again(house, "a")
    assert isinstance(both, StoreResult)
    assert (set(both.tiers), stepped(house)) == ({"hot", last}, before)
    stores = cast("dict[str, Store]", house.keeper.engine.stores)
    if why == "away":
        with away(house, last, "empty"):
            (one,) = again(house, "a")
    else:
        gone = stores.pop(last)
        (one,) = again(house, "a")
        stores[last] = gone
    assert isinstance(one, StoreResult)
    assert (one.tiers, one.outcome, stepped(house)) == (("hot",), "unchanged", before + 1)


def test_what_cannot_be_read_twice_or_at_once_takes_every_step(house: House, tmp_path: Path) -> None:
    """Pipes, large content and files that are gone: each is stored, found unchanged or refused as ever."""
    large = bytes(300 * 1024)
    names = ("pipe", "large", "gone", "large pipe")
    items: list[StoreArgs | ItemError] = [house.args(name, b"") for name in names]
    for expected in ("stored", "unchanged"):
        pipe = Pipe(large[1:])
        contents: dict[int, Callable[[], BinaryIO]] = {
            0: partial(Pipe, b"piped"),
            1: partial(io.BytesIO, large),
            2: (tmp_path / "gone").open,  # type: ignore[dict-item]  # opens nothing
            3: partial(_same, pipe),  # opened again it goes on where it was
        }
        results = house.keeper.artifacts.store_many(items, caller=TESTER, contents=contents)
        assert outcomes(results) == [expected, expected, "InvalidInput", expected]
    assert house.read("pipe") == b"piped"
    assert house.read("large pipe") == large[1:]
    assert house.read("large") == large


@pytest.mark.parametrize("key", ["", "key"], ids=["asked", "committed"])
def test_true_is_another_metadata_than_1(house: House, key: str) -> None:
    """The question and the commit compare alike: what is stored over a number is a new version, not lost."""
    results = [
        house.keeper.artifacts.store(
            house.args(metadata={"flag": flag}), caller=Caller("shop", key=key and f"{key}-{n}")
        )
        for n, flag in enumerate((1, True, True))
    ]
    assert [result.outcome for result in results] == ["stored", "deduplicated", "unchanged"]
    assert house.show().metadata == {"flag": True}


def test_a_catalog_that_nobody_analysed_costs_no_more(house: House) -> None:
    """Each item takes its own rows by their indexes, and none of the other items', before there are statistics too."""
    count = 400
    items: list[StoreArgs | ItemError] = [house.args(f"{n}", b"") for n in range(count)]
    contents = {n: partial(io.BytesIO, b"%d" % n) for n in range(count)}
    house.keeper.artifacts.store_many(items, caller=TESTER, contents=contents)
    asked = [
        AskedItem(n, TENANT, WORKFLOW, f"{n}", hashlib.sha256(b"%d" % n).digest(), "application/octet-stream", {}, {})
        for n in range(count)
    ]
    (rows,) = recordset.parts([recordset.columns(item) for item in asked])
    policies = [row[0] for row in house.sql("SELECT id FROM policies")]
    explain = sa.text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {unchanged._FIND.text}").bindparams(
        *typed(policies="uuid[]")
    )
    with house.keeper.engine.catalog.reading() as connection:
        plan = connection.execute(explain, {"rows": rows, "policies": policies}).scalar_one()[0]["Plan"]
    assert plan["Actual Rows"] == count
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 30 * count
