"""The active policies as values, read again when they change."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from threading import Lock

import sqlalchemy as sa

from tierkeeper.catalog import policies
from tierkeeper.policy import document, match
from tierkeeper.policy.rules import Policy

_REMEMBERED = 50_000  # subjects; a batch has some hundred, names of one workflow mostly share one


class ActivePolicies:
    """The policies active at one time, and which of them governs a subject."""

    def __init__(self, active: Iterable[Policy]) -> None:
        self._active = match.PolicySet(active)
        self._remembered: dict[match.Subject, Policy] = {}

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._active)

    def governing(self, subject: match.Subject) -> Policy:
        """Return the policy that governs this subject; raises PolicyNotFound where none matches."""
        policy = self._remembered.get(subject)
        if policy is None:
            policy = self._active.governing(subject)
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[subject] = policy
        return policy


class PolicyBook:
    """Reads the active policies when their edition changes. One per process, safe to use from many threads."""

    def __init__(self) -> None:
        self._edition = ""
        self._policies = ActivePolicies(())
        self._lock = Lock()

    def read(self, connection: sa.Connection) -> tuple[ActivePolicies, datetime]:
        """Return the policies that are active now, and PostgreSQL's time of that query."""
        edition, now = policies.edition(connection)
        with self._lock:
            if edition != self._edition:
                self._policies = ActivePolicies(read(row) for row in policies.active(connection))
                self._edition = edition
            return self._policies, now


def read(row: policies.PolicyRow) -> Policy:
    """Return the policy of a catalog row."""
    return document.from_document(row.document, name=row.name, version=row.version, id=row.id, built_in=row.built_in)
