"""The PostgreSQL store: the contract, and what is its own."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from integration.stores.contract import StoreContract
from integration.stores.contract_marks import MarkContract
from support import services
from support.stored_objects import MakeStore, info_of, put, read

from tierkeeper.embedded.postgres import Postgres
from tierkeeper.stores.base import DeleteState, ObjectKey, Store
from tierkeeper.stores.errors import BadTierUrl, ObjectNotFound, StorePermanent, StoreTransient, TierNotOurs


@pytest.fixture
def store(postgres_url: str, make_store: MakeStore) -> Store:
    """A store on the catalog's server."""
    return make_store("postgres:?limit=64MiB", tier="records", catalog_url=postgres_url)


class TestPostgres(StoreContract, MarkContract):
    """The contract."""

    @pytest.fixture
    def sibling(self, postgres_url: str, make_store: MakeStore) -> Store:
        return make_store("postgres:?limit=64MiB", tier="records", catalog_url=postgres_url)

    no_marks = (b"null", b"[1]", b"{}", b'{"format": 2}')

    def spoil(self, store: Store, content: bytes) -> None:  # noqa: ARG002  the table is always the same
        with psycopg.connect(self.url) as connection:
            connection.execute("DELETE FROM tierkeeper_records.tier_mark")
            connection.execute("INSERT INTO tierkeeper_records.tier_mark (mark) VALUES (%s)", [content.decode()])

    @pytest.fixture(autouse=True)
    def _url(self, postgres_url: str) -> None:
        self.url = postgres_url

    def overwrite(self, store: Store, key: ObjectKey, content: bytes) -> None:  # noqa: ARG002  there is one
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "UPDATE tierkeeper_records.records SET content = %(c)s, sha256 = sha256(%(c)s::bytea)"
                " WHERE placement = %(p)s",
                {"c": content, "p": key.location.rpartition("/")[2]},
            )


def rows(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask the database itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query, values).fetchall()


def document(url: str, key: ObjectKey) -> object:
    """The queryable form of a record."""
    return rows(
        url, "SELECT document FROM tierkeeper_records.records WHERE placement = %s", key.location.rpartition("/")[2]
    )[0][0]


def put_json(store: Store, content: bytes, content_type: str = "application/json") -> ObjectKey:
    """Put a record."""
    return put(store, content, info_of(content, content_type=content_type))[0]


def test_json_is_queryable(store: Store, postgres_url: str) -> None:
    """A JSON document is found by what it says, with an index, and keeps its exact bytes."""
    content = b'{ "amount": 12.50, "lines": [{"sku": "a-1"}], "when": "2024-05-17" , "amount": 13.0 }'
    key = put_json(store, content, "application/json; charset=utf-8")
    put_json(store, b'{"lines": [{"sku": "b-2"}]}')
    found = rows(
        postgres_url,
        "SELECT placement, document->>'amount', metadata->>'team', name FROM tierkeeper_records.records"
        " WHERE document @> %s",
        json.dumps({"lines": [{"sku": "a-1"}]}),
    )
    assert [(str(p), amount) for p, amount, _, _ in found] == [(key.location.rpartition("/")[2], "13.0")]
    assert found[0][2:] == ("fi\u2013nance", "weekly/report.md")
    assert read(store, key) == content
    assert store.is_database
    assert rows(postgres_url, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%%USING gin (document%%'") != [(0,)]


@pytest.mark.parametrize(
    "content",
    [
        b'{"broken": ',
        b'{"nul": "\\u0000"}',
        b'"\x00"',
        b"\xff\xfe{}",
        b"NaN",
        b"\xef\xbb\xbf{}",
        b'{"half": "\\ud800"}',
        b"[" * 200_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"",
    ],
    ids=range(10),
)
def test_what_only_looks_like_json(store: Store, postgres_url: str, content: bytes) -> None:
    """What PostgreSQL cannot hold as jsonb is stored byte for byte all the same, without a document."""
    key = put_json(store, content)
    assert read(store, key) == content
    assert document(postgres_url, key) is None


def test_other_content_has_no_document(store: Store, postgres_url: str) -> None:
    """Only content that says it is JSON becomes a document."""
    assert document(postgres_url, put_json(store, b"{}", "text/plain")) is None
    assert document(postgres_url, put_json(store, b"{}")) == {}


def test_the_day_is_that_of_creation_in_utc(store: Store, postgres_url: str) -> None:
    """A record lies in the partition of the day on which it was created, counted in UTC."""
    eastern = timezone(timedelta(hours=-5))
    info = dataclasses.replace(info_of(b"x"), created=datetime(2024, 2, 28, 22, 0, tzinfo=eastern))
    assert store.location(info) == f"records/2024-02-29/{info.placement}"
    put(store, b"x", info)
    found = rows(postgres_url, "SELECT tableoid::regclass::text, day::text FROM tierkeeper_records.records")
    assert found == [("tierkeeper_records.records_20240229", "2024-02-29")]


def test_many_make_the_same_partitions(store: Store) -> None:
    """Threads that meet new days at the same moment all succeed, and each record is in its day."""

    def work(n: int) -> ObjectKey:
        created = datetime(2023, 1, 1 + n % 5, tzinfo=UTC)
        return put(store, b"%d" % n, dataclasses.replace(info_of(b"%d" % n), created=created))[0]

    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(work, range(60)))
    assert [len(list(store.list(f"records/2023-01-0{day}/"))) for day in range(1, 6)] == [12] * 5
    assert {r.state for r in store.delete(keys)} == {DeleteState.DELETED}
    assert list(store.list()) == []


def test_lists_have_all_pages(store: Store, postgres_url: str) -> None:
    """More records than one page holds are all listed, once each."""
    put(store, b"x")
    rows(
        postgres_url,
        "INSERT INTO tierkeeper_records.records (placement, day, tenant, workflow, name, version, content,"
        " content_type, sha256, size, created, metadata) SELECT gen_random_uuid(), day, tenant, workflow, name,"
        " version, content, content_type, sha256, size, created, metadata"
        " FROM tierkeeper_records.records, generate_series(1, 2100) RETURNING 1",
    )
    found = [each.location for each in store.list()]
    assert len(found) == len(set(found)) == 2101


@pytest.mark.parametrize("location", ["records/2024-02-30/" + "0" * 36, "records/x/y", "acme/w/n/1-x", ""])
def test_locations_of_others(store: Store, location: str) -> None:
    """A location that is none of this store's is refused, and never spoils a bulk delete."""
    with pytest.raises(StorePermanent):
        store.head(ObjectKey(location))
    assert store.delete([ObjectKey(location)])[0].state is DeleteState.FAILED


def test_a_record_over_the_limit(postgres_url: str, make_store: MakeStore) -> None:
    """A record over the limit is refused with what to do; the limit is at most 64 MiB."""
    store = make_store("postgres:", catalog_url=postgres_url, limit="1KiB")
    put(store, bytes(1024))
    with pytest.raises(StorePermanent, match="over the limit of 1 KiB"):
        put(store, bytes(1025))
    with pytest.raises(BadTierUrl, match="limit"):
        make_store("postgres:", catalog_url=postgres_url, limit="65MiB")


def test_a_store_of_its_own(postgres_server: Postgres, postgres_url: str, make_store: MakeStore) -> None:
    """A URL of its own and a schema of its own make a store apart from others in the same server."""
    one = make_store("postgres:", catalog_url=postgres_url)
    other = make_store("postgres:", catalog_url=postgres_url, schema="archive_2024")
    assert one.realm != other.realm
    key, _, _ = put(one, b"x")
    with pytest.raises(ObjectNotFound):
        other.head(key)
    with pytest.raises(StorePermanent, match="cannot copy"):
        other.copy(one, key, key.location, info_of(b"x"))
    with services.fresh_database(postgres_server) as url:
        query = url.partition("?")[2]
        path = url.partition("?")[0].partition("://")[2]
        apart = make_store(f"postgres://{path}?{query}")
        assert list(apart.list()) == []
        put(apart, b"y")
        apart.close()
    assert len(list(one.list())) == 1


def test_a_table_that_is_not_there(postgres_url: str, make_store: MakeStore) -> None:
    """Before it is prepared the store says what to do; preparing makes the table, once."""
    store = make_store("postgres:", catalog_url=postgres_url, prepared=False)
    for call in (store.check, lambda: put(store, b"x"), lambda: store.head(ObjectKey(store.location(info_of(b"x"))))):
        with pytest.raises(TierNotOurs, match="tierkeeper init"):
            call()
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: store.prepare(), range(4)))
    assert sorted(made) == [[], [], [], ["table tierkeeper_records.records"]]


def test_a_server_that_is_away(make_store: MakeStore) -> None:
    """Nobody listening is transient within the time-out, and a delete answers for each key."""
    store = make_store("postgres://127.0.0.1:1/x?timeout=1s", prepared=False)
    with pytest.raises(StoreTransient):
        store.check()
    key = ObjectKey(store.location(info_of(b"x")))
    assert store.delete([key])[0].state is DeleteState.FAILED


def test_unusable_urls(make_store: MakeStore) -> None:
    """Unknown options, a bad schema and a missing catalog are errors that name the setting."""
    for url, catalog in [
        ("postgres://h/d?bogus=1", None),
        ("postgres:?schema=Bad-Name", "postgresql://h/d"),
        ("postgres:", None),
    ]:
        with pytest.raises(BadTierUrl, match="TIERKEEPER_TIERS__RECORDS__URL"):
            make_store(url, tier="records", catalog_url=catalog, prepared=False)
