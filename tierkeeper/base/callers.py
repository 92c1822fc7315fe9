"""The caller of a change, an argument of every call that changes something, and tierkeeper's own callers."""

from dataclasses import dataclass, replace
from typing import Final, Self
from uuid import uuid4

from tierkeeper_client import texts
from tierkeeper_client.identifiers import MAX_HEADER, check_text


@dataclass(frozen=True, slots=True)
class Caller:
    """The origin of a change: events and runs name its ``actor``; ``correlation`` ties together one request's effects.

    ``key`` is the idempotency key: a second delivery of a store or a verb under the same key returns the first result;
    without a key each call counts as a new one. A caller carries no tenant: that field arrives together with the code
    in ``catalog/database.py`` that filters a tenant's rows (ADR 19).
    """

    actor: str
    correlation: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        """Raise InvalidInput for an actor or a correlation that would drive an operator's terminal, or a long one."""
        for field in ("actor", "correlation"):
            check_text(getattr(self, field), field=field, longest=MAX_HEADER)

    @classmethod
    def stored(cls, actor: str) -> Self:
        """Return the caller that a row names, which may be older than the gate."""
        return cls(texts.plain(actor).replace("\n", " ").replace("\t", " ")[:MAX_HEADER])

    def keyed(self) -> Self:
        """Return this caller with its key, or with a fresh one where it has none."""
        return self if self.key else replace(self, key=str(uuid4()))

    def of_run(self) -> Self:
        """Return this caller for work within a run, whose events are found by the run and not by a correlation."""
        return replace(self, correlation="", key="")


INIT: Final = Caller("init")  # creates the catalog and the places of tiers where no other caller is given
SETTINGS: Final = Caller("settings")  # writes the built-in policies that follow from the settings
BEAT: Final = Caller("beat")  # default of the sweeps
PRODUCER: Final = Caller("producer")  # default of verbs: a message without an actor header
WORKER: Final = Caller("worker")  # decisions of a worker about a message
READER: Final = Caller("reader")  # findings about a copy while an artifact is read; the dry run of a preview
TIERKEEPER: Final = Caller("tierkeeper")  # findings about bytes that hold for every reader
DEMO: Final = Caller("demo")


def on_command_line(login: str, *, correlation: str) -> Caller:
    """Return the caller of a CLI command, named after the operating system's ``login``."""
    return Caller(f"cli:{login}", correlation)
