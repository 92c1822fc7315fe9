"""Opens what a command works with: settings, services, keeper, client. Loaded when a command runs, not for its help."""

from typing import TYPE_CHECKING, Any

import tierkeeper_client
from tierkeeper.base import log
from tierkeeper.base.callers import Caller
from tierkeeper.cli.support.state import State
from tierkeeper.embedded import services
from tierkeeper.keeper import Keeper
from tierkeeper.settings.gather import dotenv_value
from tierkeeper.settings.settings import Settings, effective, load
from tierkeeper.stores.errors import StoreError

if TYPE_CHECKING:
    from tierkeeper_client import TierkeeperClient

__all__ = ["Keeper", "Settings", "StoreError", "client_of", "dotenv_value", "effective", "services", "settings_of"]


def settings_of(state: State) -> Settings:
    """Return the settings as they were given, and configure logs by them. Raises SettingInvalid."""
    overrides: dict[str, Any] = {} if state.home is None else {"home": str(state.home)}
    loaded = load(config=state.config, **overrides)
    log.configure(loaded.log.level if state.output.verbose else "warning", loaded.log.format)
    return loaded


def client_of(settings: Settings, *, caller: Caller) -> "TierkeeperClient":
    """Return a client of these settings, as an application would make it."""
    return tierkeeper_client.TierkeeperClient(  # it loads Celery, which few commands need
        str(settings.broker.url),
        settings.results.url,
        settings.staging.url,
        inline_limit=settings.engine.inline_limit,
        actor=caller.actor,
        keys=settings.messages.keys,
        queue_type=settings.broker.queue_type,
        limits=settings.limits.bounds,
    )
