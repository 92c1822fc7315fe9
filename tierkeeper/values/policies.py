"""Values of policies: views, and the changes of an apply."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """The change by an apply: ``new``, ``changed``, ``unchanged`` or ``removed``, and the live artifacts it matches.

    By an import also ``replaced``: a policy of another name has its place.
    ``at_least``: there are more, as only the first that could match were looked at.
    """

    name: str
    version: int
    change: str
    matched: int
    diff: str
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class PolicyImport:
    """The result of an import: the policies, and remarks on what S3 does otherwise or what needs no rule here."""

    policies: tuple[PolicyChange, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PolicyView:
    """One version of a policy, as users see it."""

    name: str
    version: int
    active_from: datetime
    removed_at: datetime | None
    built_in: bool
    document: Mapping[str, Any]
    yaml: str
    imported_as: str | None
