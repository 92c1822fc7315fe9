"""Imports of S3 lifecycle files: which policies in force are an import's, and which of them it replaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tierkeeper.base.errors import InvalidInput
from tierkeeper.catalog import policies
from tierkeeper.policy.rules import Policy


@dataclass(frozen=True, slots=True)
class Import:
    """The file that policies are imported from, and the name of the import, which its policies keep.

    As a bucket's configuration, an import replaces the one before of its name. The policies that the former one made
    and this one does not are removed with ``remove_missing`` only: what they govern falls to another policy.
    """

    name: str
    source: str
    tenant: str | None
    remove_missing: bool = False


def missing(active: Mapping[str, policies.PolicyRow], names: set[str], of: Import) -> list[policies.PolicyRow]:
    """Return the policies of the import that are not among ``names``. InvalidInput where it would take another's."""
    former = [row for row in active.values() if row.imported_as == of.name]
    for row in former:
        if row.tenant != of.tenant:
            raise InvalidInput(
                field="name",
                value=of.name,
                problem=f"the import of this name is for {_whose(row.tenant)}, this one for {_whose(of.tenant)}",
                fix="Give each its own name, or remove the policies of the other one first.",
            )
    for name in sorted(names & active.keys()):
        other = active[name].imported_as
        if other not in {None, of.name}:
            raise InvalidInput(
                field="policy",
                value=name,
                problem=f"the import {other!r} made it",
                fix="Give this import another name.",
            )
    return [row for row in former if row.name not in names]


def renamed(
    active: Mapping[str, policies.PolicyRow], known: Mapping[str, Policy], new: Sequence[Policy], of: Import
) -> list[str]:
    """Return the policies that an earlier release imported under other names, of which no import was noted.

    They are those called as of this import that match what a policy of it does: that one takes their place within the
    transaction, so that nothing they govern falls to another policy.
    """
    names, matches = {policy.name for policy in new}, {policy.match for policy in new}
    return [
        name
        for name, row in active.items()
        if row.imported_as is None
        and not row.built_in
        and name not in names
        and (name == of.name or name.startswith(f"{of.name}-"))
        and known[name].match in matches
    ]


def _whose(tenant: str | None) -> str:
    return "all tenants" if tenant is None else f"tenant {tenant}"
