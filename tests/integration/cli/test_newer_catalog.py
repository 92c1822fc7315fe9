"""A catalog that a newer version has upgraded, as every door of this version meets it."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from integration.cli.terminal import Tierkeeper

from tierkeeper.base import callers
from tierkeeper.base.errors import CatalogNotReady
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import load


@pytest.fixture
def newer(tk: Tierkeeper, database_url: str) -> Tierkeeper:
    """Runs `tierkeeper …` on a catalog at a revision of the future."""
    engine = sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    return tk


@pytest.mark.parametrize(
    "command",
    ["init", "up --no-flower", "ls", "explain a/b/c", "lifecycle run", "health", "doctor"],
)
def test_a_command_says_that_it_is_too_old(newer: Tierkeeper, command: str) -> None:
    """It is one line that says which version is the older one and what to do, and exit code 6."""
    refused = newer("-o", "json", *command.split())
    assert refused.code == 6
    assert '"error": "CatalogNotReady"' in refused.err
    assert "at revision 9999, which a newer version wrote" in refused.err
    assert "Upgrade tierkeeper" in refused.err
    assert "tierkeeper init" not in refused.err


@pytest.mark.parametrize(
    "use",
    [
        lambda keeper: keeper.init(caller=callers.INIT),
        lambda keeper: keeper.start(caller=callers.INIT),  # of an embedded catalog, which every command upgrades
        lambda keeper: keeper.artifacts,
    ],
    ids=["init", "start", "artifacts"],
)
def test_the_keeper_refuses_it(newer: Tierkeeper, use: Callable[[Keeper], object]) -> None:
    """The keeper's error has a type, however the keeper is used first."""
    with Keeper.open(load()) as keeper, pytest.raises(CatalogNotReady, match="9999, which a newer version wrote"):
        use(keeper)
