"""What an operator relies on, broken one at a time: the brake, reconcile's quarantine and order, a restored catalog."""

from mutations.mutant import Edit, Mutant
from mutations.places import COLLECT

ACT = "tierkeeper/engine/reconcile/act.py"
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
        ),
        (f"{ORPHANS}test_an_orphan_is_deleted_when_it_was_seen_twice",),
    ),
    Mutant(
        "quarantine",
        "an orphan is not looked up right before its delete",
        (
            Edit(
                ACT,
                "[orphan for orphan in locked if _without_placement(orphan, copies.get(orphan.location))]",
                "list(locked)",
            ),
        ),
        (f"{ORPHANS}test_a_row_that_comes_before_the_delete_keeps_it",),
    ),
    Mutant(
        "deletes_enabled",
        "reconcile deletes although deletes are switched off",
        (
            Edit(
                ACT,
                "    if refused is not None:\n        raise DeletesDisabled",
                "    if False:\n        raise DeletesDisabled",
            ),
        ),
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

_RESTORED = (
    Mutant(
        "epoch",
        "collect deletes by a restored catalog",
        (Edit(COLLECT, "    epoch.require_trusted(connection)\n", ""),),
        (f"{ENGINE}trust/test_epoch.py::test_a_catalog_behind_its_twin_is_recognised",),
    ),
    Mutant(
        "epoch",
        "reconcile deletes by a restored catalog",
        (
            Edit(ACT, "    epoch.require_trusted(connection)\n", ""),
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
                "    items = _braked(connection, engine.settings, moment, items, held, worker)\n",
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

OPERATING = (*_RECONCILE, *_RESTORED, *_BRAKE)
