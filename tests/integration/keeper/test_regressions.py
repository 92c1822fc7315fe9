"""Faults that a review found; each was shown by its test before it was mended."""

import errno
import io
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, ClassVar
from uuid import UUID

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.copy_files import file_of, flip
from support.house import House, OpenHouse
from support.locking import wait_for_a_lock
from support.reconciling import CONTENT

from tierkeeper.base import callers
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CommandConflict, NoReadableCopy
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import ArtifactState
from tierkeeper.catalog import artifacts, schedule
from tierkeeper.engine.context import Worker
from tierkeeper.engine.converge import converge
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Store, Stored
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StoreError
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper_client import contract
from tierkeeper_client.errors import InvalidInput

WEEK = timedelta(days=8)  # old enough for warm, by the default policy
HOT_ONLY = "name: kept\nmatch: {tenant: acme}\nphases: [{after: 0d, in: [hot]}]\nundo: 0s\n"


class Faulty(FilesystemStore):
    """A place where no copy succeeds."""

    error: ClassVar[type[StoreError]]

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        stored = super().copy(source, key, location, info)
        raise self.error(tier=self.config.tier, location=stored.location, reason="other bytes arrived")


class Mangling(Faulty):
    """A place on the way to which bytes get lost."""

    error = ContentMismatch


class Forgetful(Faulty):
    """A place where a copy is collected before its maker, who paused for long, looks at it again."""

    error = ObjectNotFound


class Slow(FilesystemStore):
    """A place that copies on its own side for longer than a lease, and says nothing meanwhile."""

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        time.sleep(2.5)
        return super().copy(source, key, location, info)


def serve(house: House, tier: str, kind: type[FilesystemStore]) -> None:
    """Let another adapter serve a tier."""
    stores: Any = house.keeper.engine.stores
    stores[tier] = kind.from_url(stores[tier].config)


def worker() -> Worker:
    """Return somebody who converges."""
    return Worker(new_id(), TESTER)


@pytest.mark.parametrize("kind", [Mangling, Forgetful])
def test_a_targets_fault_is_not_blamed_on_the_source(house: House, kind: type[FilesystemStore]) -> None:
    """A copy that fails at its target leaves its source undamaged and readable."""
    house.store(content=CONTENT, age=WEEK)
    serve(house, "warm", kind)
    house.turn()
    (copy,) = [p for p in house.show().placements if p.tier == "hot"]
    assert copy.damaged_at is None
    assert house.read() == CONTENT


def test_a_doomed_copy_known_to_be_bad_is_not_rescued(open_house: OpenHouse) -> None:
    """A doomed copy of which a reader found the bytes bad is never made present again."""
    house = open_house(engine={"grace": "1h"})
    house.store(content=CONTENT, age=WEEK)
    house.turn()
    (doomed,) = [p for p in house.show().placements if p.tier == "hot"]
    flip(Path(house.settings.tiers["hot"].url.removeprefix("file://")) / doomed.location)
    warm = file_of(house, "warm")
    warm.rename(warm.with_suffix(".away"))
    with pytest.raises(Exception, match="SHA-256"):
        house.read()
    warm.with_suffix(".away").rename(warm)
    house.sql("UPDATE placements SET damaged_at = NULL WHERE tier = 'warm'")
    house.promote("a", "hot")
    house.turn()
    assert house.tiers() == {"hot"}
    assert house.read() == CONTENT


def test_a_version_that_becomes_surplus_while_it_converges_stays_due(house: House) -> None:
    """A store that makes an older version surplus is not forgotten by a commit of that version at the same time."""
    house.policy(HOT_ONLY + "versions: {keep: 1}")
    house.store("a", b"1")
    first = house.show("a").id
    house.due(first)
    engine = house.keeper.engine
    zealous = worker()
    converge.step_1_claim(engine, zealous, ids=[first])
    database = engine.catalog.engine
    with ThreadPoolExecutor() as threads, database.connect() as gate, database.connect() as looking:
        # the store waits here with its last step, after it has made version 1 due
        gate.execute(
            sa.text(
                "INSERT INTO commands (tenant, key, item, verb, arguments_hash, result)"
                " VALUES ('acme', 'second', 0, 'store', '', '{}')"
            )
        )
        storing = threads.submit(
            house.keeper.artifacts.store, house.args("a", b"2"), caller=Caller("tester", key="second")
        )
        wait_for_a_lock(looking, storing)
        committing = threads.submit(converge.step_5_commit, engine, zealous, [first], [], set())
        wait_for_a_lock(looking, storing, committing, number=2)
        gate.rollback()
        storing.result()
        committing.result()
    house.settle()
    assert house.show("a", 1).state is ArtifactState.PURGED


def test_a_copy_that_tells_nothing_keeps_its_lease(open_house: OpenHouse) -> None:
    """A copy on the stores' own side may take longer than a lease, and collect leaves it alone."""
    house = open_house(engine={"lease": "1s", "renew_every": "300ms"})
    house.store(content=CONTENT, age=WEEK)
    serve(house, "warm", Slow)
    turning = threading.Thread(target=house.turn)
    turning.start()
    while turning.is_alive():
        house.collect()
        time.sleep(0.1)
    turning.join()
    assert house.tiers() == {"warm"}


def test_a_read_brings_back_what_ages_by_its_last_access(house: House) -> None:
    """Reading an artifact whose clock is its last access makes it due, and it returns to where its new age belongs."""
    phases = "phases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}]"
    house.policy(f"name: idle\nmatch: {{tenant: acme}}\nclock: accessed\n{phases}")
    house.store(content=CONTENT)
    house.pass_time(WEEK)
    house.settle()
    assert house.tiers() == {"warm"}
    house.read()
    house.keeper._access.flush()  # by itself it writes half a minute later
    house.settle()
    assert house.tiers() == {"hot"}


def test_healing_unparks(house: House) -> None:
    """An artifact that was given up for want of a readable copy goes on when its content is stored again."""
    house.store(content=CONTENT)
    flip(file_of(house, "hot"))
    house.keeper.sweeps.verify(caller=callers.BEAT)
    for _ in range(8):
        house.turn()
        house.pass_time(timedelta(minutes=10))
    assert "no readable copy" in (house.show().parked_reason or "")
    assert house.store(content=CONTENT).outcome == "unchanged"
    house.pass_time(WEEK)
    house.settle()
    assert house.tiers() == {"warm"}


def test_a_healed_copy_leaves_the_path_with_its_name(house: House) -> None:
    """A copy that was made anew by storing the same again carries the name of the artifact, and goes with it."""
    house.policy(HOT_ONLY)
    house.store("a", CONTENT)
    flip(file_of(house, "hot"))
    house.keeper.sweeps.verify(caller=callers.BEAT)
    house.store("a", CONTENT)
    house.store("b", CONTENT)
    house.settle()
    house.purge("a")
    house.settle()
    assert [location for location in house.everything() if "/a/" in location] == []
    assert house.read("b") == CONTENT


def test_one_key_with_other_given_content_is_refused(house: House) -> None:
    """A key that was used for some bytes is not answered with their result when other bytes come with it."""
    caller = TESTER.keyed()
    first = house.keeper.artifacts.store(house.args(), caller=caller, content=io.BytesIO(b"one"))
    assert house.keeper.artifacts.store(house.args(), caller=caller, content=io.BytesIO(b"one")) == first
    with pytest.raises(CommandConflict):
        house.keeper.artifacts.store(house.args(), caller=caller, content=io.BytesIO(b"two"))


def test_given_content_begins_where_its_file_stands(house: House) -> None:
    """A file that was read from already is stored from its position on."""
    file: BinaryIO = io.BytesIO(b"header" + CONTENT)
    file.seek(len(b"header"))
    house.keeper.artifacts.store(house.args(), caller=TESTER, content=file)
    assert house.read() == CONTENT


@pytest.mark.parametrize("days", [1e9, float("inf")])
def test_a_restore_without_end_is_refused(days: float) -> None:
    """A number of days that no calendar holds is an error of the arguments."""
    with pytest.raises(InvalidInput):
        contract.validated(contract.RestoreArgs, {"tenant": "t", "workflow": "w", "name": "n", "days": days})


def test_verify_passes_over_what_it_cannot_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies in a tier that is not configured don't keep the others from being verified."""
    monkeypatch.setattr("tierkeeper.engine.reconcile.verify._BATCH", 1)
    for number in range(3):
        house.store(f"n{number}", b"%d" % number)
    blob = house.sql("SELECT blob_id FROM artifacts LIMIT 1")[0].blob_id
    house.sql("UPDATE placements SET tier = 'gone', verified_at = made_at - interval '1 d' WHERE blob_id = :b", b=blob)
    assert house.keeper.sweeps.verify(share=1.0, caller=callers.BEAT).counts == {"verified": 2}
    house.sql("UPDATE placements SET tier = 'hot'")


def test_a_removed_policy_is_gone_whatever_the_servers_clock(house: House) -> None:
    """A process notices that a policy ended even if the server's clock was set back since it was applied."""
    house.policy(HOT_ONLY)
    house.sql("UPDATE policies SET active_from = active_from + interval '1 h'")
    house.store()
    house.keeper.policies.remove("kept", caller=TESTER)
    assert "default" in house.keeper.artifacts.explain(house.ref()).rule


def test_what_kills_its_worker_takes_nobody_with_it(house: House) -> None:
    """Of a batch whose worker dies again and again only the one that kills it is parked."""
    names = [f"n{number}" for number in range(10)]
    for name in names:
        house.store(name, name.encode(), age=WEEK)
    engine = house.keeper.engine
    limit = house.settings.engine.attempts
    poison = house.show("n4").id

    def kills(claimed: list[schedule.Claimed]) -> bool:
        return any(c.artifact == poison and c.attempts <= limit for c in claimed)

    mortal = worker()
    while claimed := converge.claim_due(engine, mortal, tenant=None):
        if kills(claimed):
            house.pass_time(timedelta(minutes=2))  # its leases end
        else:
            converge.converge(engine, mortal, claimed)
        mortal = worker()
    assert [name for name in names if house.show(name).parked_reason] == ["n4"]
    assert house.tiers("n5") == {"warm"}


def test_a_stale_mount_says_nothing_of_what_is_below(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read from a network mount that went stale fails, and no copy is taken for lost."""
    house.store(content=CONTENT)
    root = house.settings.tiers["hot"].url.removeprefix("file://")
    opened: Callable[..., int] = os.open

    def stale(path: Any, *args: Any, **more: Any) -> int:  # noqa: ANN401  as the system's
        if str(path) == root:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return opened(path, *args, **more)

    monkeypatch.setattr(os, "open", stale)
    with pytest.raises(NoReadableCopy):
        house.read()
    monkeypatch.undo()
    assert house.show().placements[0].damaged_at is None


def test_old_versions_count_the_newer_ones_only_as_far_as_asked(house: House) -> None:
    """How many live versions are newer is counted up to what a policy keeps, so that many versions cost no more."""
    house.policy(HOT_ONLY + "versions: {keep: 2}")
    house.store("a", b"0")
    name: UUID = house.sql("SELECT id FROM names")[0].id
    house.sql(
        "INSERT INTO artifacts (id, name_id, tenant, version, blob_id, sha256, size, content_type, created_at, wanted)"
        " SELECT gen_random_uuid(), name_id, tenant, n, blob_id, sha256, size, content_type, created_at, wanted"
        " FROM artifacts, generate_series(2, 40) AS n"
    )
    house.sql("UPDATE names SET latest_version = 40 WHERE id = :name", name=name)
    house.sql(
        "INSERT INTO events (subject, revision, type, actor) SELECT id, 1, 'stored', 'tester' FROM artifacts"
        " WHERE version > 1"
    )
    with house.keeper.engine.catalog.reading() as connection:
        found = artifacts.load(connection, [r.id for r in house.sql("SELECT id FROM artifacts")])
    assert {row.version: row.newer_live for row in found} == dict.fromkeys(range(1, 39), 2) | {39: 1, 40: 0}
