"""Policies: apply, import, show, remove and test."""

from dataclasses import dataclass

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import PolicyNotFound
from tierkeeper.engine.context import Engine
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.policies import in_force, recompute
from tierkeeper.policy import document, match
from tierkeeper.policy.s3.lifecycle import import_lifecycle
from tierkeeper.values.policies import PolicyChange, PolicyImport, PolicyView


@dataclass(frozen=True, slots=True)
class Policies:
    """The resource ``keeper.policies``."""

    engine: Engine

    def apply(self, text: str, *, source: str, caller: Caller, dry_run: bool = False) -> list[PolicyChange]:
        """Activate the policies in ``text`` (YAML or JSON). Raises PolicyInvalid and PolicyTie, and changes nothing."""
        parsed = document.parse(text, source=source, tiers=self.engine.asked_tiers())
        return self._followed(in_force.apply(self.engine.catalog, parsed, caller=caller, dry_run=dry_run))

    def import_s3(
        self,
        text: str,
        *,
        name: str,
        source: str,
        caller: Caller,
        tenant: str | None = None,
        workflow: str | None = None,
        dry_run: bool = False,
    ) -> PolicyImport:
        """Apply an S3 lifecycle configuration. Raises PolicyInvalid for a rule that no policy can express."""
        imported = import_lifecycle(
            text,
            name=name,
            source=source,
            tiers=self.engine.asked_tiers(),
            tier_of_class=in_force.tier_of_class(self.engine),
            tenant=tenant,
            workflow=workflow,
        )
        edit = in_force.apply(self.engine.catalog, imported.policies, caller=caller, dry_run=dry_run)
        return PolicyImport(tuple(self._followed(edit)), imported.remarks)

    def known(self, *, all_versions: bool = False) -> list[PolicyView]:
        """Return the active policies, or all versions of all policies."""
        return in_force.views(self.engine.catalog, all_versions=all_versions)

    def get(self, name: str, version: int | None = None) -> PolicyView:
        """Return one version of a policy, by default the newest. Raises PolicyNotFound."""
        found = [v for v in in_force.views(self.engine.catalog, name=name) if version in {None, v.version}]
        if not found:
            raise PolicyNotFound(name=f"{name} v{version}")
        return found[-1]

    def remove(self, name: str, *, caller: Caller) -> PolicyChange:
        """Remove a policy; the artifacts that it governed fall to the next policy that matches."""
        return self._followed(in_force.remove(self.engine.catalog, name, caller=caller))[0]

    def test(self, subject: match.Subject) -> tuple[match.MatchResult, ...]:
        """Return the verdict of every active policy about a subject, the governing policy first."""
        with self.engine.catalog.reading() as connection:
            return match.why(Moment.read(connection, self.engine).policies, subject)

    def remark(self) -> str | None:
        """Return what a user is told who changed policies: that workers have artifacts left to look at; None if not."""
        return recompute.LEFT if recompute.is_left(self.engine) else None

    def _followed(self, edit: in_force.Edit) -> list[PolicyChange]:
        recompute.in_foreground(self.engine, edit.recompute)
        return edit.changes
