"""Policies: apply, import, show, remove and test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tierkeeper.base.callers import Caller
from tierkeeper.base.errors import InvalidInput, PolicyNotFound
from tierkeeper.engine.context import Engine
from tierkeeper.engine.moment import Moment
from tierkeeper.engine.policies import imports, in_force, recompute
from tierkeeper.policy import document, match
from tierkeeper.policy.s3.lifecycle import import_lifecycle
from tierkeeper.values.policies import PolicyChange, PolicyImport, PolicyView


@dataclass(frozen=True, slots=True)
class Policies:
    """The resource ``keeper.policies``."""

    engine: Engine

    def apply(self, text: str, *, source: str, caller: Caller, dry_run: bool = False) -> list[PolicyChange]:
        """Activate the policies in ``text`` (YAML or JSON). Raises PolicyInvalid and PolicyTie, and changes nothing."""
        parsed = document.parse(text, source=source, tiers=self.engine.tiers)
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
        remove_missing: bool = False,
        tier_of_class: Mapping[str, str] | None = None,
    ) -> PolicyImport:
        """Apply an S3 lifecycle configuration, which replaces the one that was imported under this name before.

        ``tier_of_class``: the tier of storage classes, beside those that the URLs of tiers name. Raises PolicyInvalid
        for a rule that no policy can express, and PoliciesLeftOver where the former one made policies that are not in
        this one, but for ``remove_missing``, which removes them.
        """
        tiers = self.engine.tiers
        given = dict(tier_of_class or {})
        for storage_class, tier in given.items():
            if tier not in {one.name for one in tiers}:
                raise InvalidInput(
                    field="class",
                    value=f"{storage_class}={tier}",
                    problem=f"there is no tier {tier!r}",
                    fix=f"Tiers are: {', '.join(one.name for one in tiers)}.",
                )
        imported = import_lifecycle(
            text,
            name=name,
            source=source,
            tiers=tiers,
            tier_of_class={**in_force.tier_of_class(self.engine), **given},
            tenant=tenant,
            workflow=workflow,
        )
        of = imports.Import(name, source, tenant, remove_missing=remove_missing)
        edit = in_force.apply(self.engine.catalog, imported.policies, caller=caller, dry_run=dry_run, of=of)
        missing = [f"{source}: no longer in the file: {c.name}" for c in edit.changes if c.change == "removed"]
        replaced = [
            f"policy {c.name} is of an earlier release's import: the file's rule for the same artifacts replaces it"
            for c in edit.changes
            if c.change == "replaced"
        ]
        changes = self._followed(edit)
        return PolicyImport(tuple(changes), (*imported.remarks, *missing, *replaced, *self._named_alike(name, changes)))

    def _named_alike(self, name: str, changes: Sequence[PolicyChange]) -> list[str]:
        """Return a remark for each policy of no import with such a name: an earlier release may have imported it."""
        touched = {change.name for change in changes}
        return [
            f"policy {view.name} is not in the file, and stays in force: it is named as one of this import, but not"
            f" known to be one. `tierkeeper policy remove {view.name}` ends it; what it governs falls to another then."
            for view in self.known()
            if view.imported_as is None
            and not view.built_in
            and view.name not in touched
            and (view.name == name or view.name.startswith(f"{name}-"))
        ]

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
