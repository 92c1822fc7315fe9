"""The moment of a decision: PostgreSQL's time in the transaction that decides, the policies active then, the limits.

Only this module of the engine calls ``policy/decide.py``: a new input of a decision is read in :meth:`Moment.read`,
kept in :class:`Limits` and passed on here. What concerns a single artifact comes from its row: for a hypothetical
decision, pass a changed row (``dataclasses.replace(row, …)``).

A transaction reads its moment after its locks, so that it decides by no time at which it still waited. Only the brake's
locks of tenants come after it (R14), as the decisions say whose they are; what others deleted meanwhile is counted by
then. Each step that decides again (R9) reads a new one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.engine.active_policies import ActivePolicies
from tierkeeper.engine.context import Engine
from tierkeeper.policy import decide
from tierkeeper.policy.decision import Decision, Facts
from tierkeeper.policy.durations import Duration
from tierkeeper.policy.rules import Policy


@dataclass(frozen=True, slots=True)
class Limits:
    """The inputs of a decision besides the row, the policies and the time.

    ``undo``: the undo window where a policy has none (setting ``engine.undo``).
    """

    undo: Duration


@dataclass(frozen=True, slots=True)
class Moment:
    """The inputs of decisions about artifacts except their rows; the same for all rows of a transaction."""

    now: datetime
    policies: ActivePolicies
    limits: Limits

    @classmethod
    def read(cls, connection: sa.Connection, engine: Engine) -> "Moment":
        """Read the moment at which this transaction decides; call it after taking the locks."""
        policies, now = engine.book.read(connection)
        return cls(now, policies, Limits(undo=Duration.of(engine.settings.engine.undo)))

    def under(self, policies: Iterable[Policy]) -> "Moment":
        """Return this moment with these policies active as well, each replacing the active one of its name."""
        given = tuple(policies)
        names = {policy.name for policy in given}
        others = (policy for policy in self.policies if policy.name not in names)
        return replace(self, policies=ActivePolicies((*others, *given)))

    def decide(self, row: ArtifactRow) -> Decision:
        """Return what the governing policy wants of an artifact now."""
        return self.coming(row, self.now)

    def coming(self, row: ArtifactRow, at: datetime) -> Decision:
        """Return what will be wanted of an artifact ``at`` a later time, if nothing else changes until then."""
        return self._decision(row.facts(at), self.policies.governing(row.subject), at)

    def judged(self, row: ArtifactRow) -> tuple[Decision, tuple[str, ...]]:
        """Return what :meth:`decide` and :meth:`protects` return, from one reading of the row's facts."""
        facts, policy = row.facts(self.now), self.policies.governing(row.subject)
        return self._decision(facts, policy, self.now), decide.protects(facts, policy, self.now)

    def protects(self, row: ArtifactRow) -> tuple[str, ...]:
        """Return why the content of an artifact may not be destroyed now; empty if it may."""
        return decide.protects(row.facts(self.now), self.policies.governing(row.subject), self.now)

    def retained_until(self, row: ArtifactRow) -> datetime | None:
        """Return the end of an artifact's retention: its own or its policy's, whichever is later."""
        return decide.retained_until(row.facts(self.now), self.policies.governing(row.subject))

    def next_phase(self, row: ArtifactRow) -> datetime | None:
        """Return when an artifact's next phase begins (a purge is one), None if none does."""
        return decide.next_phase_start(self.policies.governing(row.subject), row.facts(self.now), self.now)

    def undo_end(self, row: ArtifactRow) -> datetime:
        """Return when the undo window of an artifact that is deleted now ends."""
        undo = self.policies.governing(row.subject).undo or self.limits.undo
        return undo.after(self.now)

    def _decision(self, facts: Facts, policy: Policy, at: datetime) -> Decision:
        return decide.decide(facts, policy, now=at, default_undo=self.limits.undo)
