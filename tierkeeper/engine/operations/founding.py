"""Create a catalog with its tiers and policies, or upgrade it: `init`, and the start of an embedded catalog."""

from functools import partial

import sqlalchemy as sa

from tierkeeper.base.callers import Caller
from tierkeeper.catalog import identity, migrate, revisions
from tierkeeper.catalog.database import catalog_now
from tierkeeper.engine.context import Engine
from tierkeeper.engine.ingest import sources
from tierkeeper.engine.operations.months import make_partitions
from tierkeeper.engine.operations.probing import ask_all
from tierkeeper.engine.policies import in_force, recompute
from tierkeeper.engine.trust import places
from tierkeeper.stores.errors import StoreError, StoreTransient


def init(engine: Engine, *, caller: Caller) -> list[str]:
    """Create or upgrade the catalog, create and mark every tier, write the built-in policies; return what was made.

    Raises TierNotOurs, once all else is done, where a tier has no mark, or one that is not its own, and may not get
    one.
    """
    created = _catalog(engine, caller)
    return created + _places(engine, places.mark_all(engine, make=True, caller=caller), caller=caller)


def start(engine: Engine, *, caller: Caller) -> list[str]:
    """Create or upgrade an embedded catalog; return what was made.

    Only the first start creates places: those of file tiers below its home or ``base_path``, and of its own records. An
    interrupted first start is repeated by the next one, until every place is made and the catalog has recorded that.
    The first start of this version on a catalog of the release before marks the places that were prepared then. Raises,
    once the rest is done, the error that keeps a tier from being used; a later start waits ``health.probe`` for all.
    """
    created = _catalog(engine, caller)
    known = engine.marks.read_identity()
    if known is not None and known.founded:
        created += _policies(engine)
        _confirm(engine)
        return created
    return created + _places(engine, places.mark_own(engine, caller=caller), caller=caller)


def _catalog(engine: Engine, caller: Caller) -> list[str]:
    catalog = engine.catalog
    with catalog.reading() as connection:
        is_current = revisions.current(connection) == revisions.head()
    created = [] if is_current else migrate.upgrade(engine.settings.catalog.url or "")  # Alembic takes long to load
    created += [f"partition {name}" for name in catalog.run(caller, make_partitions)]
    catalog.run(caller, _ensure_identity, by=caller.actor)
    return created


def _ensure_identity(connection: sa.Connection, *, by: str) -> None:
    identity.ensure(connection, by=by, now=catalog_now(connection))


def _places(engine: Engine, marked: places.PlacesMade, *, caller: Caller) -> list[str]:
    created = [*marked.made, *(f"staging: {what}" for what in sources.prepare_staging(engine.settings))]
    try:
        created += _policies(engine)
    except StoreError:
        if not marked.refused:
            raise
    marked.check()
    engine.catalog.run(caller, identity.mark_founded, by=caller.actor)
    engine.marks.refresh()
    return created


def _confirm(engine: Engine) -> None:
    """Raise what keeps tiers from being used; every command starts so, most of which need few of the tiers."""
    within = engine.settings.health.probe
    questions = {tier: partial(engine.marks.confirm, store, bound=True) for tier, store in engine.stores.items()}
    refused: list[StoreError] = []
    for tier, error in ask_all(questions, within=within).items():
        if isinstance(error, TimeoutError):
            refused.append(StoreTransient(tier=tier, reason=str(error)))
        elif isinstance(error, StoreError):
            refused.append(error)
        else:
            raise error
    places.PlacesMade(refused=refused).check()


def _policies(engine: Engine) -> list[str]:
    edit = in_force.ensure_built_in(engine)
    recompute.in_foreground(engine, edit.recompute)
    left = [recompute.LEFT] if recompute.is_left(engine) else []
    changed = [change for change in edit.changes if change.change != "unchanged"]
    return [*(f"policy {c.name} v{c.version} ({c.change})" for c in changed), *left]
