"""Whether a delete is allowed, told from the design alone: this file shares no code with the engine.

It stands beside every COMMIT and sees, inside the transaction, what is about to be decided: which artifacts begin
their undo window, which are purged, which copies go to ``deleting`` (the decision point of a delete). Each is judged
by age, retention, hold, undo window and last copy; bytes are judged by reading them. At the stores it sees every
delete call, and asks that it was decided, committed and allowed.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO, TypeVar, cast
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg.rows import dict_row
from support.around import Around
from support.house import House

from tierkeeper.stores.base import DeleteResult, ObjectInfo, ObjectKey, Store, Stored

_ARTIFACTS = (
    "SELECT a.*, n.name, EXISTS (SELECT FROM holds h WHERE h.artifact_id = a.id AND h.released_at IS NULL) AS held,"
    " (SELECT count(*) FROM artifacts b WHERE b.name_id = a.name_id AND b.state = 'live' AND b.version > a.version)"
    " AS newer FROM artifacts a JOIN names n ON n.id = a.name_id"
)
_PLACEMENTS = "SELECT p.*, b.sha256 FROM placements p JOIN blobs b ON b.id = p.blob_id"
_NOW = "SELECT clock_timestamp() AS now"
Row = dict[str, Any]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Rules:
    """A policy as the oracle understands it: tiers by age in days, everything else in days too."""

    phases: tuple[tuple[int, str], ...] = ((0, "hot"), (7, "warm"), (30, "cold"))
    purge: int | None = 90
    undo: int = 7
    retention: int | None = None
    keep: int | None = None

    def document(self) -> str:
        """The same, as a policy document."""
        phases = [f"{{after: {age}d, in: [{tier}]}}" for age, tier in self.phases]
        phases += [] if self.purge is None else [f"{{after: {self.purge}d, in: []}}"]
        lines = ["name: judged", "match: {tenant: acme}", f"phases: [{', '.join(phases)}]", f"undo: {self.undo}d"]
        if self.retention is not None:
            lines.append(f"retention: {{mode: governance, for: {self.retention}d, in: [cold]}}")
        if self.keep is not None:
            lines.append(f"versions: {{keep: {self.keep}}}")
        return "\n".join(lines)

    def tier(self, age: timedelta) -> str:
        """The tier of an age."""
        return [tier for day, tier in self.phases if age >= timedelta(days=day)][-1]


@dataclass(slots=True)
class Oracle:
    """Judges; ``wrong`` is what must stay empty. ``asked``: the names that somebody asks to purge at this moment."""

    house: House
    look: psycopg.Connection[Row]  # what is committed
    rules: Rules = field(default_factory=Rules)
    watches: bool = True
    asked: set[str] = field(default_factory=set)
    floor: dict[UUID, timedelta] = field(default_factory=dict)  # by artifact: the retention that it was stored under
    undo: dict[UUID, timedelta] = field(default_factory=dict)  # by artifact: of the window that runs
    judged: int = 0
    deleted: int = 0
    wrong: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Empty the house, and forget everything."""
        self.watches = False
        self.house.reset()
        self.watches = True
        self.asked.clear()
        self.floor.clear()
        self.undo.clear()
        self.wrong.clear()

    # -- at a commit

    def at_commit(self, connection: sa.Connection) -> None:
        """Judge what this transaction decides, just before it does."""
        if not self.watches:
            return
        ask = _asking(connection)
        now: datetime = ask(_NOW)[0]["now"]
        before = {row["id"]: row for row in self.look.execute(_ARTIFACTS)}
        rows = {row["id"]: row for row in ask(_ARTIFACTS)}
        for row in rows.values():
            was = before.get(row["id"])
            if was is None:  # what it was stored under can't be taken back by an edit
                self.floor[row["id"]] = timedelta(days=self.rules.retention or 0)
            elif was["state"] != row["state"]:
                self._judge_state(was, row, now)
        known = {row["id"]: row for row in self.look.execute(_PLACEMENTS)}
        copies = ask(_PLACEMENTS)
        for copy in copies:
            was = known.get(copy["id"])
            if copy["state"] == "deleting" and was is not None and was["state"] != "deleting":
                self._judge_delete(was, [r for r in rows.values() if r["blob_id"] == copy["blob_id"]], copies, now)
        gone = set(known) - {copy["id"] for copy in copies}
        self._say(
            f"the row of {known[placement]['location']} goes though it was not being deleted"
            for placement in gone
            if known[placement]["state"] != "deleting"
        )

    def _judge_state(self, was: Row, row: Row, now: datetime) -> None:
        what = f"{row['name']} v{row['version']}: {was['state']} to {row['state']}"
        self.judged += 1
        match was["state"], row["state"]:
            case "live", "deleted":
                self.undo[row["id"]] = timedelta(days=self.rules.undo)
                by_rule = self._past_purge(was, now) and (was["not_before"] is None or was["not_before"] <= now)
                if not by_rule and row["name"] not in self.asked:
                    self.wrong.append(f"{what}: nobody asked for it and it is {now - was['created_at']} old")
                if was["held"] or self._retained(was, now):
                    self.wrong.append(f"{what}: it is protected")
            case "deleted", "purged":
                if was["deleted_at"] + self.undo[row["id"]] > now:
                    self.wrong.append(f"{what}: its undo window runs until {was['deleted_at'] + self.undo[row['id']]}")
                if was["held"] or self._retained(was, now):
                    self.wrong.append(f"{what}: it is protected")
            case "live", "purged":  # in one commit: two steps, each judged as one
                between = {**row, "state": "deleted"}
                self._judge_state(was, between, now)
                self._judge_state(between, row, now)
            case "deleted", "live":
                pass
            case _:
                self.wrong.append(f"{what}: no such way")

    def _judge_delete(self, copy: Row, owners: Sequence[Row], copies: Sequence[Row], now: datetime) -> None:
        """Judge a copy that goes to ``deleting``; ``copies`` are as they will be after this commit."""
        what = f"delete of {copy['tier']}/{copy['location']} ({copy['state']})"
        self.judged += 1
        settings = self.house.settings.engine
        if copy["state"] == "copying":
            if copy["lease_until"] + settings.lease > now:
                self.wrong.append(f"{what}: its maker may still write it")
            return
        if copy["state"] != "doomed" or copy["doomed_at"] + settings.grace > now:
            self.wrong.append(f"{what}: it is not doomed, or its grace is not over")
        others = [c for c in copies if c["blob_id"] == copy["blob_id"] and c["state"] == "present"]
        good = {c["tier"] for c in others if c["vouched"] is not None and self._reads(c)}
        required: set[str] = set()
        for row in owners:
            required |= self._required(row, now)
        if not required <= good:
            self.wrong.append(f"{what}: it must be in {sorted(required)} and is well in {sorted(good)}")
        if any(row["held"] or self._retained(row, now) for row in owners) and not good:
            self.wrong.append(f"{what}: it is the last copy of protected content")

    # -- what the rules say

    def _past_purge(self, row: Row, now: datetime) -> bool:
        old = self.rules.purge is not None and now - row["created_at"] >= timedelta(days=self.rules.purge)
        return old or (self.rules.keep is not None and row["newer"] >= self.rules.keep)

    def _retained(self, row: Row, now: datetime) -> bool:
        own = row["retain_until"]
        periods = [self.floor.get(row["id"], timedelta(0)), timedelta(days=self.rules.retention or 0)]
        return row["created_at"] + max(periods) > now or (own is not None and own > now)

    def _required(self, row: Row, now: datetime) -> set[str]:
        """The tiers in which an artifact must be: frozen when it is deleted, and when the policy may delete it."""
        if row["state"] == "purged":
            return set()
        pinned = row["not_before"] is not None and row["not_before"] > now
        free = not (row["held"] or self._retained(row, now) or pinned)
        if row["state"] == "deleted" or (self._past_purge(row, now) and free):
            return set(row["wanted"])
        base = set(row["archived_tiers"] or [self.rules.tier(now - row["created_at"])])
        if row["override_kind"] is None or (row["override_until"] is not None and row["override_until"] <= now):
            return base
        wished = set(row["override_tiers"])
        return wished if row["override_kind"] == "replace" else base | wished

    def _reads(self, copy: Row) -> bool:
        store = self.house.keeper.engine.store(copy["tier"])
        digest = hashlib.sha256()
        try:
            with store.open(ObjectKey(copy["location"], copy["store_version"])) as chunks:
                for chunk in chunks:
                    digest.update(chunk)
        except Exception:  # noqa: BLE001  whatever keeps it from being read
            return False
        return digest.digest() == bytes(copy["sha256"])

    # -- at the stores

    def at_delete(self, tier: str, keys: Sequence[ObjectKey]) -> None:
        """Judge a delete call: every key was decided and committed, and nobody counts on it."""
        found = {(c["tier"], c["location"]): c["state"] for c in self.look.execute(_PLACEMENTS)}
        self.deleted += len(keys)
        self._say(
            f"{tier}/{key.location} is deleted as {found.get((tier, key.location), 'nothing that is known')}"
            for key in keys
            if found.get((tier, key.location)) != "deleting"
        )

    def at_put(self, tier: str, location: str) -> None:
        """Judge a write: its intent is committed, and its place was never used."""
        found = {(c["tier"], c["location"]): c["state"] for c in self.look.execute(_PLACEMENTS)}
        state = found.get((tier, location))
        if state != "copying":
            self.wrong.append(f"{tier}/{location} is written as {state or 'nothing that is known'}")

    def _say(self, words: Iterator[str]) -> None:
        self.wrong.extend(words)


class Watched(Around):
    """A store whose every write and delete is told to the oracle first, and fails where the test says so."""

    def __init__(self, inner: Store, oracle: Oracle) -> None:
        super().__init__(inner)
        self.oracle = oracle
        self.fault: Callable[[str], None] | None = None  # called before and after each write and delete

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        self.oracle.at_put(self.config.tier, location)
        return self._tried(lambda: self.inner.put(location, content, info), "write")

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        self.oracle.at_put(self.config.tier, location)
        origin = source.inner if isinstance(source, Watched) else source
        return self._tried(lambda: self.inner.copy(origin, key, location, info), "write")

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        self.oracle.at_delete(self.config.tier, keys)
        return self._tried(lambda: self.inner.delete(keys), "delete")

    def _tried(self, act: Callable[[], R], what: str) -> R:
        if self.fault is not None:
            self.fault(f"before {what}")
        result = act()
        if self.fault is not None:
            self.fault(f"after {what}")
        return result


@contextmanager
def watching(house: House, rules: Rules) -> Iterator[Oracle]:
    """Have an oracle stand at every commit of the house's keeper and in front of its stores."""
    url = house.settings.catalog.url
    assert url is not None
    engine = house.keeper.engine
    stores = cast("dict[str, Store]", engine.stores)
    kept = dict(stores)
    options = "-c lock_timeout=5s -c timezone=UTC"
    with psycopg.connect(str(url), autocommit=True, row_factory=dict_row, options=options) as look:
        oracle = Oracle(house, look, rules)
        for tier, inner in kept.items():
            stores[tier] = Watched(inner, oracle)
        sa.event.listen(engine.catalog.engine, "commit", oracle.at_commit)
        try:
            yield oracle
        finally:
            sa.event.remove(engine.catalog.engine, "commit", oracle.at_commit)
            stores.update(kept)


def _asking(connection: sa.Connection) -> Callable[[str], list[Row]]:
    """Ask inside the transaction that is about to commit, by the driver: SQLAlchemy is in the middle of its commit."""
    driver = connection.connection.driver_connection
    assert driver is not None

    def ask(statement: str) -> list[Row]:
        with driver.cursor(row_factory=dict_row) as cursor:
            return list(cursor.execute(statement).fetchall())

    return ask
