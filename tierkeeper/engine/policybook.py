"""The active policies, as values, read again when they change."""

from collections.abc import Sequence
from datetime import datetime
from threading import Lock

import sqlalchemy as sa

from models import PolicyVersion
from tierkeeper.catalog import policies
from tierkeeper.policy import document, match
from tierkeeper.policy.rules import Policy

_REMEMBERED = 50_000  # subjects; a batch has some hundred, names of one workflow mostly share one


class PolicyBook:
    """Knows which policy governs an artifact. One per process, safe to use from many threads."""

    def __init__(self) -> None:
        self._edition = ""
        self._policies: tuple[Policy, ...] = ()
        self._governing: dict[match.Subject, Policy] = {}
        self._lock = Lock()

    def refresh(self, connection: sa.Connection) -> "Governance":
        """Return the policies that are active now; asked in every transaction that decides."""
        edition, now = policies.edition(connection)
        with self._lock:
            if edition != self._edition:
                self._policies = tuple(read(row) for row in policies.active(connection))
                self._governing = {}
                self._edition = edition
            return Governance(self._policies, self._governing, now)


class Governance:
    """The policies at one moment, ``now``, by PostgreSQL's clock."""

    def __init__(self, active: Sequence[Policy], remembered: dict[match.Subject, Policy], now: datetime) -> None:
        self.policies, self.now = active, now
        self._remembered = remembered

    def of(self, subject: match.Subject) -> Policy:
        """Return the one policy that governs this subject."""
        found = self._remembered.get(subject)
        if found is None:
            found = match.governing(self.policies, subject)
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[subject] = found
        return found


def read(row: PolicyVersion) -> Policy:
    """Return a row of the catalog as a value."""
    return document.from_document(row.document, name=row.name, version=row.version, id=row.id, built_in=row.built_in)
