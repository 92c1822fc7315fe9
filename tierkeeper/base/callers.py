"""Who asks: the value that every call which changes something is given, and the callers that the house has itself."""

from dataclasses import dataclass, replace
from typing import Final, Self
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: ``actor`` is who events and runs name, ``correlation`` ties together what one request caused.

    ``key`` makes a second delivery of a store or a verb return the first result; without one each call is its own.
    A caller says nothing of tenants: where a tenant's rows are to be filtered, in ``catalog/database.py``, it arrives
    together with the code that filters them (ADR 19).
    """

    actor: str
    correlation: str = ""
    key: str = ""

    def keyed(self) -> Self:
        """Return this caller with a key: a fresh one, where it has none."""
        return self if self.key else replace(self, key=str(uuid4()))

    def of_run(self) -> Self:
        """Return this caller as it works for a run: its events are found by the run, not by a correlation."""
        return replace(self, correlation="", key="")


INIT: Final = Caller("init")  # makes the catalog and the places where nobody says who does
SETTINGS: Final = Caller("settings")  # what the settings say is written as policies
BEAT: Final = Caller("beat")  # the sweeps
PRODUCER: Final = Caller("producer")  # a message that does not say who sent it
WORKER: Final = Caller("worker")  # what a worker decides about a message
READER: Final = Caller("reader")  # what is noticed while an artifact is read
TIERKEEPER: Final = Caller("tierkeeper")  # what is noted of bytes by themselves, whoever read them
DEMO: Final = Caller("demo")


def on_command_line(login: str, *, correlation: str) -> Caller:
    """Return the one who gave a command, by the operating system's login."""
    return Caller(f"cli:{login}", correlation)
