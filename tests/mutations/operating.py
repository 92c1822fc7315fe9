"""What an operator relies on, broken one at a time: the brake, reconcile's quarantine and order, a restored catalog."""

from mutations.mutant import Edit, Mutant
from mutations.places import COLLECT, PERMISSION

DELETION = "tierkeeper/engine/reconcile/orphans.py"
LOOK = "tierkeeper/engine/reconcile/comparison.py"
QUARANTINE = "tierkeeper/catalog/quarantine.py"

ENGINE = "tests/integration/engine/"
ORPHANS = f"{ENGINE}reconcile/test_orphans.py::"
BRAKE = "tests/integration/engine/gates/test_brake.py::"

_RECONCILE = (
    Mutant(
        "R4",
        "reconcile looks the catalog up before it lists",
        (
            Edit(
                LOOK,
                "        listing = self._store.list()\n",
                "        with self._engine.catalog.reading() as connection:\n"
                "            early = inventory.page(\n"
                "                connection, self.tier, before=self.began, after=UUID(int=0), limit=100000\n"
                "            )\n        rows = {copy.location: copy for copy in early}\n"
                "        listing = self._store.list()\n",
            ),
            Edit(LOOK, "inventory.at(connection, self.tier, {each.location for each in objects})", "rows"),
        ),
        (f"{ENGINE}reconcile/test_order.py::test_what_is_stored_before_the_listing_is_no_orphan",),
    ),
    Mutant(
        "R4",
        "what was not listed is not looked for again",
        (
            Edit(
                LOOK,
                "            if row is None or not row.expects_bytes:\n                continue\n",
                "            row = copy\n",
            ),
        ),
        (f"{ENGINE}reconcile/test_order.py::test_what_goes_after_it_was_missed_is_not_missing",),
    ),
    Mutant(
        "quarantine",
        "an orphan goes when it is seen for the first time",
        (
            Edit(
                QUARANTINE,
                "        AND first_seen <= :before\n        AND seen_again >= :since\n",
                "        AND coalesce(first_seen <= :before, seen_again >= :since, true) IS NOT NULL\n",
            ),
            Edit(DELETION, "if orphan not in placed and comparison.is_ripe(orphan, now)", "if orphan not in placed"),
        ),
        (f"{ORPHANS}test_an_orphan_is_deleted_when_it_was_seen_twice",),
    ),
    Mutant(
        "quarantine",
        "an orphan is not looked up right before its delete",
        (
            Edit(
                DELETION,
                "[orphan for orphan in locked if not without_placement(orphan, copies.get(orphan.location))]",
                "[orphan for orphan in locked if orphan.location in copies and orphan.location == '']",
            ),
        ),
        (f"{ORPHANS}test_a_row_that_comes_before_the_delete_keeps_it",),
    ),
    Mutant(
        "deletes_enabled",
        "reconcile deletes although deletes are switched off",
        (Edit(DELETION, "    permission.require(connection)\n", ""),),
        (f"{ORPHANS}test_deletes_that_are_switched_off",),
    ),
    Mutant(
        "limits",
        "reconcile does not stop when too much differs",
        (
            Edit(
                "tierkeeper/engine/reconcile/reconcile.py",
                "            if (limit := self._limits.of(one) +",
                "            if 0 * (limit := self._limits.of(one) +",
            ),
        ),
        (f"{ENGINE}reconcile/test_stops.py::test_too_many_orphans_stop_it",),
    ),
)

_WITHOUT = "return orphan.version is not None and copy.expects_bytes and copy.version not in {None, orphan.version}"
_TABLE = "tests/unit/engine/reconcile/test_orphans.py::test_without_placement"
_PICKED = "tests/integration/catalog/test_quarantine.py::test_only_what_was_seen_twice_is_picked"
_KEPT = f"{ORPHANS}test_an_orphan_whose_quarantine_began_again_is_kept"


def _orphan(how: str, file: str, old: str, new: str, test: str) -> Mutant:
    return Mutant("quarantine", how, (Edit(file, old, new),), (test,))


_ORPHANS = (
    _orphan("an orphan is picked that is too young", QUARANTINE, "        AND first_seen <= :before\n", "", _PICKED),
    _orphan(
        "an orphan is picked that was not seen again", QUARANTINE, "        AND seen_again >= :since\n", "", _PICKED
    ),
    _orphan(
        "an orphan that began again since it was picked goes",
        LOOK,
        "return orphan.first_seen <= until and orphan.seen_again",
        "return orphan.seen_again",
        _KEPT,
    ),
    _orphan(
        "an orphan goes that was not seen again when its row is locked",
        LOOK,
        "orphan.seen_again is not None and orphan.seen_again >= self.began",
        "(orphan.seen_again or self.began) >= self.began",
        _KEPT,
    ),
    _orphan(
        "an orphan goes that was seen again by an earlier comparison",
        LOOK,
        " and orphan.seen_again >= self.began",
        "",
        _KEPT,
    ),
    _orphan(
        "an orphan goes by the clocks of before its lock",
        LOOK,
        "min(self.ripe, self._ripe_by(now))",
        "self.ripe",
        f"{ORPHANS}test_a_clock_that_is_put_back_meanwhile_deletes_nothing",
    ),
    _orphan(
        "an orphan's second sighting may be before the end of its quarantine",
        LOOK,
        "min(self.ripe, self._ripe_by(now))",
        "self._ripe_by(now)",
        f"{ORPHANS}test_an_orphan_is_seen_again_after_its_quarantine",
    ),
    _orphan(
        "deletes that are off by the time an orphan is locked do not matter",
        DELETION,
        "    locked = quarantine.lock(connection, tier, picked)\n    permission.require(connection)\n",
        "    permission.require(connection)\n    locked = quarantine.lock(connection, tier, picked)\n",
        f"{ORPHANS}test_what_is_decided_while_a_delete_waits_counts",
    ),
    _orphan(
        "an orphan's row is not locked",
        QUARANTINE,
        "    ORDER BY q.location, q.store_version FOR UPDATE OF q\n",
        "    ORDER BY q.location, q.store_version\n",
        f"{ORPHANS}test_what_is_decided_while_a_delete_waits_counts",
    ),
    _orphan(
        "a deletion is told by its row alone",
        DELETION,
        "[marked.get((row.location, row.version), row) for row in forgotten]",
        "list(forgotten)",
        f"{ORPHANS}test_a_deletion_is_told_though_its_row_began_again",
    ),
    _orphan(
        "a key without a version beside a placement goes",
        DELETION,
        _WITHOUT,
        _WITHOUT.replace("orphan.version is not None and ", ""),
        _TABLE,
    ),
    _orphan(
        "a version beside a placement without bytes goes",
        DELETION,
        _WITHOUT,
        _WITHOUT.replace("copy.expects_bytes and ", ""),
        _TABLE,
    ),
    _orphan(
        "a version beside one that is not known goes",
        DELETION,
        _WITHOUT,
        _WITHOUT.replace("not in {None, orphan.version}", "!= orphan.version"),
        _TABLE,
    ),
)

_RESTORED = (
    Mutant(
        "epoch",
        "collect deletes by a restored catalog",
        (Edit(COLLECT, "    permission.require(connection)\n", ""),),
        (f"{ENGINE}trust/test_epoch.py::test_a_catalog_behind_its_twin_is_recognised",),
    ),
    Mutant(
        "epoch",
        "reconcile deletes by a restored catalog",
        (
            Edit(
                PERMISSION, "return None if distrusted is None else CatalogRestored(reason=distrusted)", "return None"
            ),
            Edit(
                "tierkeeper/engine/reconcile/reconcile.py",
                "        if restored is not None:\n",
                "        if False:\n",
            ),
        ),
        (f"{ORPHANS}test_a_restored_catalog_only_quarantines",),
    ),
)

_BRAKE = (
    Mutant(
        "brake",
        "nothing is ever too much",
        (
            Edit(
                "tierkeeper/engine/gates/brake.py",
                "        return self.limit is not None and self.pending + self.recent > self.limit\n",
                "        return False\n",
            ),
        ),
        (f"{BRAKE}test_one_more_stops_before_the_first",),
    ),
    Mutant(
        "brake",
        "what went lately does not count",
        (
            Edit(
                "tierkeeper/engine/gates/brake.py",
                "        return self.limit is not None and self.pending + self.recent > self.limit\n",
                "        return self.limit is not None and self.pending > self.limit\n",
            ),
        ),
        (f"{BRAKE}test_many_small_runs_are_one",),
    ),
    Mutant(
        "brake",
        "a commit does not ask",
        (
            Edit(
                "tierkeeper/engine/converge/commit.py",
                "    items = _braked(connection, settings, moment, items, held, worker)\n",
                "",
            ),
        ),
        (f"{BRAKE}test_a_claim_of_before_does_not_slip_past",),
    ),
    Mutant(
        "brake",
        "what a commit stops is in nobody's count",
        (
            Edit(
                "tierkeeper/engine/converge/commit.py",
                "    elif item.stopped and retry.unforeseen:\n",
                "    elif item.stopped and retry.unforeseen and retry.lost:\n",
            ),
        ),
        (f"{BRAKE}test_stopped_at_the_commit_it_waits_and_counts",),
    ),
)

OPERATING = (*_RECONCILE, *_ORPHANS, *_RESTORED, *_BRAKE)
