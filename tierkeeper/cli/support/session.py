"""The resources of a command, each opened on first access and closed when the command ends."""

import functools
import getpass
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast
from uuid import uuid4

import click

from tierkeeper.base import callers
from tierkeeper.base.errors import UnknownTier
from tierkeeper.cli.support import opening
from tierkeeper.cli.support.state import State
from tierkeeper_client.identifiers import check_text

if TYPE_CHECKING:
    from tierkeeper.cli.support.output import Output
    from tierkeeper.embedded.shared import Membership
    from tierkeeper.keeper import Keeper
    from tierkeeper.settings.settings import Settings
    from tierkeeper_client import TierkeeperClient

T = TypeVar("T")


class Session:
    """Settings, services, keeper and client of one command."""

    def __init__(self, state: State) -> None:
        self.state = state
        #: its correlation marks everything that this command does or sends
        self.caller = callers.on_command_line(_login(), correlation=str(uuid4()))
        self._stack = ExitStack()
        self._untold: Path | None = None  # the home, if there was none when the command began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._tell_new_home()

    @property
    def output(self) -> "Output":
        """The output of this command."""
        return self.state.output

    @functools.cached_property
    def settings(self) -> "Settings":
        """The settings as they were given; URLs of embedded services are None here. Raises SettingInvalid."""
        loaded = opening.settings_of(self.state)
        self._untold = None if _is_there(loaded.home) else loaded.home
        return loaded

    @property
    def resolved(self) -> "Settings":
        """The settings with every URL filled in; embedded services run from here to the end of the command."""
        return self._used[0]

    @property
    def embedded(self) -> "Sequence[Membership]":
        """The embedded services that this command uses."""
        return self._used[1]

    @functools.cached_property
    def _used(self) -> "tuple[Settings, Sequence[Membership]]":
        used = self._stack.enter_context(opening.services.using(self.settings))
        self._tell_new_home()
        return used

    def _tell_new_home(self) -> None:
        """Tell, once, that this command made the home: it may be the wrong folder, or mistyped."""
        if self._untold is not None and _is_there(self._untold):
            self.output.say(f"made a new home at {self._untold}; --home or TIERKEEPER_HOME names another")
            self._untold = None

    @functools.cached_property
    def keeper(self) -> "Keeper":
        """The keeper. The first access makes and upgrades an embedded catalog, which no administrator maintains.

        A tier that does not answer then affects only operations that need it.
        """
        self.start()
        return self._opened

    def start(self) -> list[str]:
        """Make or upgrade an embedded catalog, whose first start makes its own tiers; return in words what was made."""
        if self.settings.catalog.url is not None:
            return []
        try:
            return self._opened.start(caller=self.caller)
        except opening.StoreError as error:
            if not self._opened.policies.known():
                raise
            self.output.warn(f"not prepared: {error}")
            return []

    def reach(self) -> None:
        """Raise unless the catalog answers at the revision of this code and the broker accepts a connection."""
        self.keeper.runs.latest(limit=1)
        self.keeper.health.ask_broker()

    def initialize(self) -> list[str]:
        """Make or upgrade the catalog, make and mark the tiers; return what was made, in words."""
        return self._opened.init(caller=self.caller)

    def downgrade(self, revision: str) -> str:
        """Bring the catalog back to an earlier revision, and upgrade no embedded one before; return its own."""
        return self._opened.downgrade(revision)

    def take_over(self, tier: str, *, reason: str, lost: bool) -> None:
        """Adopt a tier's place, whatever mark it has."""
        self._opened.tiers.take_over(tier, caller=self.caller, reason=reason, lost=lost)

    @functools.cached_property
    def _opened(self) -> "Keeper":
        return self._stack.enter_context(opening.Keeper.open(self.resolved))

    @functools.cached_property
    def client(self) -> "TierkeeperClient":
        """A client for these settings, as an application would make it."""
        return self._stack.enter_context(opening.client_of(self.resolved, caller=self.caller))

    def check_tier(self, name: str | None) -> None:
        """Raise UnknownTier if ``name`` is no tier of the settings; None is accepted."""
        known = self.settings.tiers
        if name is not None and name not in known:
            raise UnknownTier(tier=name, known=", ".join(known))

    def check_reason(self, reason: str) -> None:
        """Raise InvalidInput for a reason that is longer than ``limits.reason``."""
        check_text(reason, field="reason", longest=self.settings.limits.reason)

    def closed_at_end(self, rows: Iterator[T]) -> Iterator[T]:
        """Return ``rows``; if not exhausted, they are closed, with their connection, before the services stop."""
        self._stack.callback(cast("Generator[T, None, None]", rows).close)
        return rows


def pass_session(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``command`` a session as its first argument, closed when it returns; judge the reason that it is given."""

    @click.pass_obj
    @functools.wraps(command)
    def wrapped(state: State, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  whatever click gives
        with Session(state) as session:
            if (reason := kwargs.get("reason")) is not None:
                session.check_reason(reason)
            return command(session, *args, **kwargs)

    return wrapped


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # denied: the error is told where it is opened
        return False


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no account for this number, as in containers
        return str(os.getuid())
