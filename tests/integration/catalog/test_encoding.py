"""Databases whose encoding is not UTF-8."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from tierkeeper.base.errors import CatalogEncoding
from tierkeeper.catalog import migrate
from tierkeeper.catalog.database import Database
from tierkeeper.embedded.postgres import Postgres
from tierkeeper.settings.groups import CatalogSettings


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def url(request: pytest.FixtureRequest, postgres_server: Postgres) -> Iterator[str]:
    """An empty database of another encoding."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0")
        yield postgres_server.url(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_that_cannot_hold_every_name_is_refused(url: str) -> None:
    """It is told with its encoding and what to do, before a table is made, and at every connection."""
    with pytest.raises(CatalogEncoding, match="UTF8") as refused:
        migrate.upgrade(url)
    assert refused.value.exit_code == 4
    catalog = Database(CatalogSettings(url=url))
    with pytest.raises(CatalogEncoding), catalog.reading():
        pass
    catalog.close()
