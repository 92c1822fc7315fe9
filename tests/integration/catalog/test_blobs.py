"""Blob rows: whoever decides about content has its row locked, whether it was there or is made for this."""

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from uuid import UUID

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House

from tierkeeper.catalog import blobs

Content = tuple[str, bytes, int]


@pytest.fixture
def content(house: House) -> Content:
    """What the artifact has, as :func:`blobs.take` is asked for it."""
    [row] = house.sql("SELECT scope, sha256, size FROM blobs")
    return row.scope, bytes(row.sha256), row.size


def taken(house: House, *contents: Content) -> dict[tuple[str, bytes], UUID]:
    """Take these rows in a transaction of their own."""
    return house.keeper.engine.catalog.run(TESTER, blobs.take, contents)


def test_what_is_there_is_locked_and_not_written(house: House, content: Content) -> None:
    """A row that exists is locked as it is: nobody else gets it meanwhile, and the table does not grow."""
    [before] = house.sql("SELECT id, xmin::text FROM blobs")
    new = content[0], b"\0" * 32, 5
    with house.keeper.engine.catalog.engine.begin() as mine:
        assert blobs.take(mine, [content, new])[content[:2]] == before.id
        with house.keeper.engine.catalog.engine.connect() as other, pytest.raises(sa.exc.OperationalError):
            other.execute(sa.text("SELECT 1 FROM blobs WHERE id = :id FOR UPDATE NOWAIT"), {"id": before.id})
    assert taken(house, content)[content[:2]] == before.id
    assert house.sql("SELECT id, xmin::text FROM blobs WHERE id = :id", id=before.id) == [before]


def test_what_goes_between_two_statements_is_made_anew(house: House) -> None:
    """A row that somebody deletes while it is waited for is no row: another one is made."""
    content = "a scope", b"\0" * 32, 5
    before = taken(house, content)
    with ThreadPoolExecutor(1) as threads, house.keeper.engine.catalog.engine.connect() as other:
        blobs.drop_unused(other, before.values())
        waiting: Future[dict[tuple[str, bytes], UUID]] = threads.submit(taken, house, content)
        with pytest.raises(NotYet):
            waiting.result(timeout=0.5)
        other.commit()
        found = waiting.result(timeout=10)
    assert set(found.values()).isdisjoint(before.values())
    assert [row.id for row in house.sql("SELECT id FROM blobs WHERE scope = 'a scope'")] == list(found.values())
    house.sql("DELETE FROM blobs WHERE scope = 'a scope'")
