"""Fixtures of S3 stores: a server that answers some calls with pages of a test's own."""

from collections.abc import Iterator
from typing import cast
from uuid import uuid4

import pytest
from support import paging
from support.paging import Paging
from support.s3_answers import KEYS
from support.stored_objects import MakeStore

from tierkeeper.stores.s3.store import S3Store


@pytest.fixture
def front(moto_endpoint: str) -> Iterator[Paging]:
    """What stands before moto."""
    with paging.before(moto_endpoint) as found:
        yield found


@pytest.fixture
def store(front: Paging, make_store: MakeStore) -> S3Store:
    """A tier on it, whose client has asked nothing of its bucket yet."""
    return cast("S3Store", make_store(f"s3://paged-{uuid4().hex[:20]}?endpoint={front.endpoint}&{KEYS}&attempts=1"))
