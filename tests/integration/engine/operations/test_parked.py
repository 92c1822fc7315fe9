"""What is stuck and what an operator decides about it, in the catalog."""

import json
import zlib
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from support import invariants
from support.callers import TESTER
from support.house import LEASES_END, TENANT, WORKFLOW, House

from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import ParkedNotFound
from tierkeeper.engine.context import Worker
from tierkeeper.engine.converge import converge
from tierkeeper.engine.operations import deliveries
from tierkeeper.engine.operations.deliveries import Deliveries
from tierkeeper.values.parking import Sent, StuckFilter, StuckKind, StuckState

STAGED = uuid4()


def sent(key: str = "the-key", **more: Any) -> Sent:  # noqa: ANN401  any argument
    """A store's message."""
    content = {"kind": "staged", "name": str(STAGED)}
    named = {"tenant": TENANT, "workflow": WORKFLOW, "name": "m", "content": content}
    return Sent("tierkeeper.store", key, {**named, **more}, {"tierkeeper_actor": "shop"})


def kept(house: House) -> Deliveries:
    """What is known of messages."""
    return house.keeper.deliveries


def row(house: House, key: str = "the-key") -> Any:  # noqa: ANN401  a row
    """The one row of a message."""
    (found,) = house.sql("SELECT * FROM deliveries WHERE key = :key", key=key)
    return found


def told(house: House, subject: UUID) -> list[tuple[int, str]]:
    """The revisions and types of a subject's events, oldest first."""
    return [(e.revision, e.type) for e in house.keeper.events.select(newest_first=False) if e.subject == subject]


def silence(house: House) -> None:
    """Let every attempt at what is due end in silence, until it is parked."""
    for _ in range(5):
        converge.step_1_claim(house.keeper.engine, Worker(token=uuid4(), caller=Caller("silent")), ids=None)
        house.pass_time(LEASES_END)
    house.turn()


def test_an_attempt_is_counted_and_given_back(house: House) -> None:
    """Each delivery again counts, of the same message only; an outcome gives all of it back."""
    assert [kept(house).count(sent()).attempts for _ in range(3)] == [1, 2, 3]
    assert kept(house).count(sent(name="other")).attempts == 1
    assert kept(house).count(Sent("tierkeeper.purge", "the-key", sent().arguments)).attempts == 1
    kept(house).answered(sent())
    assert kept(house).count(sent()).attempts == 1
    assert list(house.keeper.parked.select(StuckFilter(state=None))) == []


def test_a_parked_message_is_kept_whole(house: House) -> None:
    """Parking keeps arguments, headers and what is staged, once; further deliveries change nothing."""
    kept(house).count(sent())
    for _ in range(2):
        kept(house).park(sent(), reason="given up")
    assert kept(house).count(sent()).parked_reason == "given up"
    kept(house).wait(sent(), reason="away")
    found = row(house)
    assert (json.loads(zlib.decompress(found.arguments)), found.headers) == (sent().arguments, sent().headers)
    assert (found.attempts, found.staged, found.due_at) == (1, [STAGED], None)
    assert told(house, found.id) == [(1, "delivery parked")]
    assert list(kept(house).due()) == []


def test_a_retried_message_is_sent_as_it_was(house: House) -> None:
    """A retry makes it due at once, with its own key; what waits for its lease is not sent twice."""
    kept(house).park(sent(), reason="given up")
    keeper = house.keeper
    (tried,) = keeper.parked.retry(StuckFilter(item="the-key"), caller=Caller("kim"), dry_run=True)
    assert (tried.outcome, tried.dry_run, list(kept(house).due())) == ("retried", True, [])
    (done,) = keeper.parked.retry(StuckFilter(item=str(row(house).id)), caller=Caller("kim"))
    assert done.outcome == "retried"
    assert list(kept(house).due()) == [sent()]
    assert list(kept(house).due()) == []
    assert told(house, row(house).id) == [(1, "delivery parked"), (2, "delivery retried")]
    assert kept(house).count(sent()).attempts == 1


BAD = {
    "other bytes": b"no zlib",
    "half": zlib.compress(b'{"a": 1}')[:-6],
    "no JSON": zlib.compress(b"{"),
    "deep": zlib.compress(b"[" * 100_000),
    "a list": zlib.compress(b"[1]"),
    "nothing": None,
}


def test_a_message_that_cannot_be_unpacked_stops_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is parked again with the reason and its event; those behind it are sent."""
    monkeypatch.setattr(deliveries, "_BATCH", 3)
    names = [*BAD, "headers", "good"]
    for key in names:
        kept(house).park(sent(key), reason="given up")
    for key, arguments in BAD.items():
        house.sql("UPDATE deliveries SET arguments = :arguments WHERE key = :key", arguments=arguments, key=key)
    house.sql("UPDATE deliveries SET headers = '[1]' WHERE key = 'headers'")
    house.keeper.parked.retry(StuckFilter(), caller=Caller("kim"))
    assert list(kept(house).due()) == [sent("good")]
    stuck = {item.key: item.reason for item in house.keeper.parked.select(StuckFilter(state=StuckState.PARKED))}
    assert stuck.keys() == {*BAD, "headers"}
    assert stuck["other bytes"].startswith("what was kept of it cannot be unpacked: ")
    assert told(house, row(house, "half").id)[-1] == (3, "delivery parked")


def test_a_skipped_message_stays(house: House) -> None:
    """A skip leaves it where it is, out of the list; a second one finds nothing, a retry by name takes it up."""
    kept(house).park(sent(), reason="given up")
    keeper = house.keeper
    assert keeper.parked.skip(StuckFilter(), caller=Caller("kim"))[0].outcome == "skipped"
    with pytest.raises(ParkedNotFound, match="given up"):
        keeper.parked.skip(StuckFilter(reason="given up"), caller=Caller("kim"))
    assert [one.key for one in keeper.parked.select(StuckFilter(state=StuckState.SKIPPED))] == ["the-key"]
    assert kept(house).count(sent()).parked_reason == "given up"
    keeper.parked.retry(StuckFilter(item="the-key", state=None), caller=Caller("kim"))
    assert list(kept(house).due()) == [sent()]


def test_what_waits_backs_off(house: House) -> None:
    """A message whose store is away waits longer each time, at most five minutes; only the first time is an event."""
    waits = []
    for _ in range(8):
        kept(house).wait(sent(), reason="away")
        (found,) = house.sql("SELECT extract(epoch FROM due_at - clock_timestamp()) AS seconds FROM deliveries")
        waits.append(float(found.seconds))
    assert waits[0] <= deliveries.PAUSES.first < waits[2]
    assert deliveries.PAUSES.cap * 0.7 < waits[-1] <= deliveries.PAUSES.cap
    assert told(house, row(house).id) == [(1, "delivery waits")]
    (hastened,) = house.keeper.parked.retry(StuckFilter(state=StuckState.WAITING), caller=Caller("kim"))
    assert hastened.outcome == "retried"
    kept(house).wait(sent(), reason="away again")
    assert told(house, row(house).id) == [(1, "delivery waits"), (2, "delivery retried"), (3, "delivery waits")]


def test_the_waiting_can_be_ended(house: House) -> None:
    """A skip of a message that waits keeps it, and it is not sent again until somebody retries it."""
    kept(house).wait(sent(), reason="away")
    (skipped,) = house.keeper.parked.skip(StuckFilter(item="the-key", state=None), caller=Caller("kim"))
    assert skipped.outcome == "skipped"
    house.sql("UPDATE deliveries SET due_at = due_at - interval '1 hour'")
    assert list(kept(house).due()) == []
    (found,) = house.keeper.parked.select(StuckFilter(state=None))
    assert (found.state, found.reason) == (StuckState.SKIPPED, "away")
    house.keeper.parked.retry(StuckFilter(item="the-key", state=None), caller=Caller("kim"))
    assert list(kept(house).due()) == [sent()]


def test_what_the_broker_does_not_take_stays_due(house: House) -> None:
    """Sending that stops in the middle leaves the rest to the next one."""
    for key in ("a", "b", "c"):
        kept(house).park(sent(key), reason="given up")
    house.keeper.parked.retry(StuckFilter(), caller=Caller("kim"))
    due = kept(house).due()
    first = next(due).key
    next(due)
    due.close()
    assert {one.key for one in kept(house).due()} == {"a", "b", "c"} - {first}


def test_maintain_forgets_what_is_over(house: House) -> None:
    """What was counted long ago, and what its producer carried out after all, is forgotten; the rest is kept."""
    for key in ("lost", "done", "stuck"):
        kept(house).count(sent(key))
    for key in ("done", "stuck"):
        kept(house).park(sent(key), reason="given up")
    house.keeper.artifacts.store(house.args("m"), caller=TESTER)
    house.sql("UPDATE commands SET key = 'done', at = clock_timestamp()")
    house.keeper.sweeps.maintain(caller=callers.BEAT)
    assert [r.key for r in house.sql("SELECT key FROM deliveries ORDER BY key")] == ["lost", "stuck"]
    house.sql("UPDATE deliveries SET last_at = last_at - interval '8 days'")
    house.keeper.sweeps.maintain(caller=callers.BEAT)
    assert [r.key for r in house.sql("SELECT key FROM deliveries")] == ["stuck"]


def test_a_retried_artifact_goes_on(house: House) -> None:
    """A parked artifact that is retried is due now, with a clean slate, and ends where it is wanted."""
    house.store(age=timedelta(days=8))
    silence(house)
    (item,) = house.keeper.parked.select(StuckFilter(kind=StuckKind.ARTIFACT))
    assert (item.ref, item.attempts) == (house.ref(version=1), 6)
    (done,) = house.keeper.parked.retry(StuckFilter(name="a"), caller=Caller("kim"))
    assert (done.outcome, done.detail) == ("retried", "due now")
    house.settle()
    assert house.tiers() == {"warm"}
    assert house.events() == ["stored", "parked", "retried", "moved"]


def test_a_skipped_artifact_waits_for_its_next_phase(house: House) -> None:
    """A skip leaves an artifact where it is until its next phase, which then brings it where it belongs."""
    house.store(age=timedelta(days=8))
    silence(house)
    (done,) = house.keeper.parked.skip(StuckFilter(tenant=TENANT), caller=Caller("kim"))
    assert "until its next step" in done.detail
    house.turn()
    assert house.tiers() == {"hot"}
    assert house.read() == b"content"
    house.days_pass(23)
    house.settle()
    assert house.tiers() == {"cold"}
    assert house.events() == ["stored", "parked", "skipped", "moved"]


def test_a_skipped_artifact_without_another_phase_waits_for_a_verb(house: House) -> None:
    """Where no phase comes any more nothing happens by itself; nothing is deleted, and a verb takes it up."""
    house.policy("{name: p, match: {tenant: acme}, phases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}]}")
    house.store(age=timedelta(days=8))
    silence(house)
    (done,) = house.keeper.parked.skip(StuckFilter(), caller=Caller("kim"))
    assert "until a verb" in done.detail
    house.days_pass(3000)
    assert house.turn() == {}
    assert house.read() == b"content"
    invariants.check(house.keeper)
    house.restore()
    house.settle()
    assert house.tiers() == {"hot", "warm"}


def test_a_verb_is_faster_than_the_operator(house: House) -> None:
    """What is no longer parked when the decision is made is left as it is."""
    artifact = house.store(age=timedelta(days=8)).artifact
    silence(house)
    keeper, found = house.keeper, []
    for one in keeper.parked.select(StuckFilter()):
        house.restore()
        found.append(one)
    with pytest.raises(ParkedNotFound):
        keeper.parked.skip(StuckFilter(item=str(artifact)), caller=Caller("kim"))
    assert len(found) == 1
    house.settle()


def test_maintain_keeps_a_message_that_was_done_in_part(house: House) -> None:
    """A parked batch that comes once more and of which only some items can be stored is not forgotten."""
    for key in ("waits", "breaks"):
        kept(house).park(sent(key), reason="given up")
        house.keeper.artifacts.store(house.args(key), caller=Caller("shop", key=key))  # an item of it
    kept(house).wait(sent("waits"), reason="the tier of another item is away")
    kept(house).park(sent("breaks"), reason="another item breaks it")
    house.keeper.sweeps.maintain(caller=callers.BEAT)
    assert [r.key for r in house.sql("SELECT key FROM deliveries ORDER BY key")] == ["breaks", "waits"]
    assert row(house, "waits").parked_reason == "given up"
