"""Every error class that a user can meet, and one error of each."""

import string

import tierkeeper.base.errors
import tierkeeper.embedded.errors
import tierkeeper.stores.errors
import tierkeeper_client.errors
from tierkeeper_client.errors import TaskRefused, TierkeeperError

MODULES = (
    tierkeeper_client.errors,
    tierkeeper.base.errors,
    tierkeeper.stores.errors,
    tierkeeper.embedded.errors,
)
KINDS = [
    kind
    for module in MODULES
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, TierkeeperError) and kind.__module__ == module.__name__
]


def template(kind: type[TierkeeperError]) -> str:
    """The message of an error, with the names of its data."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def made(kind: type[TierkeeperError]) -> TierkeeperError:
    """One of them, with data for each name of its message."""
    names = {name for _, name, _, _ in string.Formatter().parse(template(kind)) if name is not None}
    data = {name: f"some {name}" for name in names}
    return kind(**data, error="Odd") if kind is TaskRefused else kind(**data)
