"""The client library with which an application enqueues work for tierkeeper.

``contract`` holds the names, queues and argument models and imports no Celery; ``TierkeeperClient`` is loaded on
first use, so that ``import tierkeeper_client.contract`` stays light, and so is what ``from tierkeeper_client import
contract`` gives.
"""

from typing import TYPE_CHECKING, Any

from tierkeeper_client import lazy

if TYPE_CHECKING:
    from tierkeeper_client.client import TierkeeperClient

__all__ = ["TierkeeperClient"]

_submodule = lazy.submodules(__name__, "contract", "mac")


def __getattr__(name: str) -> Any:  # noqa: ANN401  a module's __getattr__ returns any type
    """Import the client, and with it Celery, on first access; a submodule on the first access to something of it."""
    if name == "TierkeeperClient":
        from tierkeeper_client.client import TierkeeperClient  # noqa: PLC0415  lazy on purpose, see above

        return TierkeeperClient
    return _submodule(name)
