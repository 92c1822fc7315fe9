"""The client library with which an application enqueues work for tierkeeper.

``contract`` holds the names, queues and argument models and imports no Celery; ``TierkeeperClient`` is loaded on
first use, so that ``import tierkeeper_client.contract`` stays light.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tierkeeper_client.client import TierkeeperClient

__all__ = ["TierkeeperClient"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  a module's __getattr__ returns any type
    """Import the client, and with it Celery, on first access."""
    if name == "TierkeeperClient":
        from tierkeeper_client.client import TierkeeperClient  # noqa: PLC0415  lazy on purpose, see above

        return TierkeeperClient
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
