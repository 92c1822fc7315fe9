"""Compare the catalog and the stores both ways: look at every tier, judge, and only then act.

Comparing (:mod:`tierkeeper.engine.reconcile.comparison`) changes only the quarantine, which remembers orphans. Then the
run stops itself where a tier has more differences than can be true: a folder that is not mounted, a wrong prefix, an
older catalog. It awaits approval; once approved, the next reconcile acts: it reports bad copies, so that converge makes
them again from another tier (:mod:`tierkeeper.engine.reconcile.repair`), and deletes orphans that were first seen long
enough ago (:mod:`tierkeeper.engine.reconcile.orphans`).

A dry run does the same without the quarantine and the acting. A crash leaves a run without an end, an error a failed
one; in both cases what was reported and deleted so far stays, and the next reconcile looks at everything again.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from uuid import UUID

import sqlalchemy as sa

from tierkeeper.audit.runs import RunBraked, StoppedReconcile
from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import CatalogRestored, DeletesDisabled, SweepAtWork
from tierkeeper.base.states import RunKind, RunState
from tierkeeper.catalog import epochs, events, refusals, runs
from tierkeeper.catalog.database import Database, catalog_now
from tierkeeper.catalog.runs import ApprovalRun
from tierkeeper.engine import run_life
from tierkeeper.engine.context import Engine
from tierkeeper.engine.reconcile import orphans, repair
from tierkeeper.engine.reconcile.comparison import Comparison
from tierkeeper.engine.run_life import Job
from tierkeeper.engine.trust import epoch
from tierkeeper.values.findings import Finding, FindingKind, ReconcileLimits, ReconcileResult, TierFindings
from tierkeeper.values.progress import ProgressCallback

_log = log.get(__name__)

_SAMPLES = 20  # findings that a result carries


def require_none(catalog: Database) -> None:
    """Raise SweepAtWork where a reconcile is at work: a message delivered twice starts no second."""
    with catalog.reading() as connection:
        working = runs.busy(connection, RunKind.RECONCILE, tenant=None, silence=run_life.SILENCE)
    if working is not None:
        raise SweepAtWork(kind=RunKind.RECONCILE.value, run=str(working))


def reconcile(
    engine: Engine,
    *,
    caller: Caller,
    tiers: Sequence[str] = (),
    dry_run: bool = False,
    found: Callable[[Finding], None] | None = None,
    progress: ProgressCallback | None = None,
) -> ReconcileResult:
    """Reconcile these tiers, or all; ``found`` gets each finding, ``progress`` the number of objects listed.

    Raises UnknownTier.
    """
    chosen = [tier.name for tier in engine.tiers if not tiers or tier.name in tiers]
    for tier in tiers:
        engine.store(tier)  # raises UnknownTier
    part = runs.PartArguments() if len(chosen) < len(engine.tiers) else None
    with (
        run_life.running(engine, RunKind.RECONCILE, caller=caller, arguments=part, dry_run=dry_run) as work,
        ExitStack() as stack,
    ):
        sweep = _Reconcile(engine, work, caller, found=found, progress=progress)
        comparisons = []
        for tier in chosen:
            comparison = sweep.comparison(tier)
            stack.callback(comparison.close)
            comparisons.append((comparison, comparison.take()))
        return sweep.act(comparisons)


class _Reconcile:
    """One reconcile: its limits, its reason to distrust the catalog, and samples of its findings so far."""

    def __init__(
        self,
        engine: Engine,
        work: Job,
        caller: Caller,
        *,
        found: Callable[[Finding], None] | None,
        progress: ProgressCallback | None,
    ) -> None:
        self.engine, self.caller, self.dry_run = engine, caller, work.run is None
        self._work, self._run = work, work.run  # the run named in the result; `_stop` may replace it by a waiting one
        self._found, self._move = found, work.moved(progress)
        self._samples: list[Finding] = []
        numbers = engine.settings.reconcile
        self._limits = ReconcileLimits(numbers.quarantine, numbers.stop_share, numbers.stop_floor)
        self._distrust: str | None = None
        if self.dry_run:
            with engine.catalog.reading() as connection:
                self._distrust = epochs.distrusted(connection)
        else:
            self._distrust = epoch.advance(engine, caller=caller)

    def comparison(self, tier: str) -> Comparison:
        """Return a comparison of one tier, not begun yet."""
        return Comparison(
            self.engine,
            tier,
            caller=self.caller,
            limits=self._limits,
            record=not self.dry_run,
            found=self._note,
            progress=self._move,
        )

    def act(self, comparisons: Sequence[tuple[Comparison, TierFindings]]) -> ReconcileResult:
        """Judge the findings, and act on them or return why not."""
        seen = [findings for _, findings in comparisons]
        counts = _counts(seen)
        errors = sum(findings.unanswered + (findings.away is not None) for findings in seen)
        if not self.dry_run:
            for findings in seen:
                if findings.away is not None and findings.refused is None:
                    continue  # it was not asked, so what is known stays
                self.engine.catalog.run(
                    self.caller, refusals.note_sweep, findings.tier, RunKind.RECONCILE.value, findings.refused
                )
        self._ask_strangers(seen)
        waiting, approved = self._judged()
        reason = self._too_many(seen, approved=approved)
        run = self._run
        if run is None:
            return self._result(RunState.DONE, seen, counts, errors, reason or self._distrust)
        if reason is not None:
            self._stop(run, seen, counts, errors, reason)
            return self._result(RunState.AWAITING_APPROVAL, seen, counts, errors, reason)
        self._use_up(waiting, {findings.tier for findings in seen if findings.away is None})
        held_back = self._act([comparison for comparison, findings in comparisons if findings.away is None], counts)
        errors += counts["orphans not deleted"]
        self._work.add(counts, errors=errors)
        return self._result(RunState.DONE, seen, counts, errors, held_back)

    def _ask_strangers(self, seen: Sequence[TierFindings]) -> None:
        """Distrust a catalog whose tiers have objects that it never knew of: it may be an older copy of itself."""
        strangers = {one.tier: count for one in seen if (count := one.found.get(FindingKind.STRANGER, 0))}
        if strangers and self._distrust is None:
            listed = ", ".join(f"{count} in {tier}" for tier, count in strangers.items())
            self._distrust = f"there are objects that it never knew of: {listed}"
            if not self.dry_run:
                epoch.recognise(self.engine.catalog, self._distrust, caller=self.caller)

    def _judged(self) -> tuple[list[ApprovalRun], dict[str, int]]:
        """Return the runs that await approval or have it, and by tier the largest approved number of findings."""
        with self.engine.catalog.reading() as connection:
            waiting = runs.judged(connection, RunKind.RECONCILE, RunState.AWAITING_APPROVAL, RunState.APPROVED)
        approved: Counter[str] = Counter()
        for run in waiting:
            if run.state is RunState.APPROVED:
                approved |= Counter(run.arguments["findings"])
        return waiting, approved

    def _use_up(self, waiting: Sequence[ApprovalRun], answered: Collection[str]) -> None:
        """End approved runs, as an approval is good for one reconcile, and waiting ones that need none any more.

        A tier that left the settings is asked by no reconcile, so it keeps none waiting.
        """
        for run in waiting:
            if run.arguments["findings"].keys() & self.engine.stores.keys() <= set(answered):
                self.engine.catalog.run(self.caller, runs.used, run.id)

    def _act(self, comparisons: Sequence[Comparison], counts: Counter[str]) -> str | None:
        """Repair copies and delete orphans; return why not all of it was done, None if it was."""
        with self.engine.catalog.reading() as connection:
            restored = epochs.distrusted(connection)
        if restored is not None:
            return f"nothing is repaired or deleted: {restored}"
        for comparison in comparisons:
            orphans.forget_gone(self.engine.catalog, comparison, caller=self.caller, run=self._run)
            counts.update(repair.repair(self.engine, comparison, caller=self.caller, progress=self._move))
        if self._distrust is not None:
            return f"no orphans are deleted: {self._distrust}"
        try:
            counts.update(
                orphans.delete_orphans(
                    self.engine,
                    comparisons,
                    caller=self.caller,
                    run=self._run,
                    progress=self._move,
                )
            )
        except (DeletesDisabled, CatalogRestored) as refused:
            return f"no orphans are deleted: {refused}"
        return None

    def _too_many(self, seen: Sequence[TierFindings], *, approved: Mapping[str, int]) -> str | None:
        """Return why there are too many differences, None if not; ``approved``: differences approved, by tier."""
        excess = [
            f"in {one.tier} {one.differences} of {max(one.listed, one.known)}, where the limit is {limit}"
            for one in seen
            if (limit := self._limits.of(one) + approved.get(one.tier, 0)) < one.differences
        ]
        return f"too much differs to be true: {'; '.join(excess)}" if excess else None

    def _stop(self, run: UUID, seen: Sequence[TierFindings], counts: Counter[str], errors: int, reason: str) -> None:
        """Make the run await approval, with reason and samples; where one waits already, that one gets the numbers."""
        findings = {one.tier: one.differences for one in seen if one.differences}
        samples = [f"{f.kind}: {f.tier}/{f.location}: {f.reason}" for f in self._samples]
        stopped = StoppedReconcile(reason=reason, findings=findings, samples=samples)
        self._run = self.engine.catalog.run(
            self.caller, _await_approval, run, stopped, counts=+counts, errors=errors, caller=self.caller
        )
        _log.error("reconcile stopped itself", run=str(self._run), reason=reason)

    def _result(
        self, state: RunState, seen: Sequence[TierFindings], counts: Counter[str], errors: int, held_back: str | None
    ) -> ReconcileResult:
        for one in seen:
            if one.lost:
                _log.error("content is lost: none of its copies can be read", tier=one.tier, copies=one.lost)
            if one.away is not None:
                _log.warning("a tier could not be reconciled", tier=one.tier, reason=one.away)
        return ReconcileResult(
            run=self._run,
            state=state,
            tiers=tuple(seen),
            counts=dict(+counts),
            errors=errors,
            held_back=held_back,
            findings=tuple(self._samples),
        )

    def _note(self, finding: Finding) -> None:
        if len(self._samples) < _SAMPLES:
            self._samples.append(finding)
        if self._found is not None:
            self._found(finding)


def _await_approval(
    connection: sa.Connection,
    run: UUID,
    stopped: StoppedReconcile,
    *,
    counts: Mapping[str, int],
    errors: int,
    caller: Caller,
) -> UUID:
    """Make the run await approval, or end it and give its numbers to one that waits; return the one that waits."""
    found = runs.judged(connection, RunKind.RECONCILE, RunState.AWAITING_APPROVAL)
    runs.add(connection, run, counts=counts, errors=errors)
    if found and found[0].id != run and runs.tell(connection, found[0].id, counts=counts, arguments=stopped):
        runs.finish(connection, run)
        return found[0].id
    if runs.finish(connection, run, RunState.AWAITING_APPROVAL):
        runs.tell(connection, run, counts=counts, arguments=stopped)
        payload = RunBraked(after=stopped)
        line = events.Line(subject=run, revision=1, payload=payload, actor=caller.actor, run=run)
        events.append(connection, [line], at=catalog_now(connection))
    return run


def _counts(seen: Sequence[TierFindings]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in seen:
        counts["listed"] += one.listed
        counts["known damaged"] += one.known_damaged
        counts["lost"] += one.lost
        counts["tiers away"] += one.away is not None
        for kind, number in one.found.items():
            counts[kind.value] += number
    return counts
