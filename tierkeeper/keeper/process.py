"""The process's own keeper, made after a fork."""

from tierkeeper.engine.operations import broker
from tierkeeper.keeper.facade import Keeper
from tierkeeper.settings.settings import Settings

_process: list[Keeper] = []


def configure(settings: Settings) -> Keeper:
    """Make the process's keeper; called by the worker's signals after fork."""
    _process[:] = [Keeper.open(settings)]
    return _process[0]


def current() -> Keeper:
    """Return the process's keeper; RuntimeError if :func:`configure` was not called."""
    if not _process:
        msg = "no keeper is configured in this process; call tierkeeper.keeper.configure(settings)"
        raise RuntimeError(msg)
    return _process[0]


def refuse_clusters(settings: Settings) -> None:
    """Raise BrokerUnsupported if the broker or the result store is a Redis cluster; called before a worker forks."""
    broker.refuse_clusters(settings)
