"""From a tier's settings to its store; nothing is connected."""

import os
import socket
from contextlib import nullcontext
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest

from tierkeeper.base.states import Temperature
from tierkeeper.settings.groups import TierSettings
from tierkeeper.stores import factory
from tierkeeper.stores.base import Store, StoreConfig
from tierkeeper.stores.errors import BadTierUrl, UnknownScheme
from tierkeeper.stores.filesystem.store import FilesystemStore
from tierkeeper.stores.postgres.store import PostgresStore
from tierkeeper.stores.s3.store import S3Store


def make(url: str, *, catalog_url: str | None = None, **options: str) -> Store:
    """Make the store of the tier `hot`."""
    settings = TierSettings(url=url, temperature=Temperature.HOT, options=options)
    return factory.make("hot", settings, io_threads=4, catalog_url=catalog_url)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("file:///srv/hot", FilesystemStore),
        ("s3://bucket/prefix?endpoint=http://127.0.0.1:9000&access_key=a&secret_key=b", S3Store),
        ("postgres://host/database", PostgresStore),
    ],
)
def test_the_scheme_finds_the_adapter(url: str, kind: type[Store], tmp_path: Path) -> None:
    """Each scheme has its adapter, which gets its tier and its number of threads."""
    store = make(url)
    assert type(store) is kind
    assert (store.config.tier, store.config.io_threads) == ("hot", 4)
    assert "?" not in store.config.url
    store.close()


def test_an_unknown_scheme() -> None:
    """A scheme that nobody serves names the setting and those there are."""
    with pytest.raises(UnknownScheme) as caught:
        make("ftp://host/x")
    assert "TIERKEEPER_TIERS__HOT__URL has the scheme 'ftp'" in str(caught.value)
    assert "file, postgres, s3" in str(caught.value)


def test_options_come_from_both_places() -> None:
    """Options of the URL and those beside it are one; said twice differently is an error that shows neither."""
    store = make("s3://bucket?endpoint=http://h&access_key=a&class=COLD", secret_key="b", access_key="a")
    assert cast("S3Store", store).place.options.storage_class == "COLD"
    store.close()
    with pytest.raises(BadTierUrl, match="secret_key is given twice") as caught:
        make("s3://bucket?access_key=a&secret_key=first", secret_key="second")
    assert "second" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "file:relative/path",
        "file://host/path",
        "file:///x?layout=flat",
        "file:///x?fsync=maybe",
        "file:///x?y=1",
        "file:///x#1",
    ],
)
def test_unusable_folders(url: str) -> None:
    """A folder must be absolute and local, its options known."""
    with pytest.raises(BadTierUrl, match="TIERKEEPER_TIERS__HOT__URL"):
        make(url)


@pytest.mark.parametrize(
    "url",
    [
        "s3:///prefix",
        "s3://key:secret@bucket/prefix",
        "s3://b%C3%BCro/prefix",
        "s3://my bucket",
        "s3://bucket?endpoint=localhost:9000",
        "s3://bucket?access_key=a",
        "s3://bucket?access_key=a&secret_key=b&profile=c",
        "s3://bucket?multipart_chunk=1MiB",
        "s3://bucket?checksums=never",
        "s3://bucket?profile=no-such-profile",
        "s3://bucket?Class=COLD",
    ],
)
def test_unusable_buckets(url: str) -> None:
    """A bucket's URL and options are checked when the store is made, not at its first use."""
    with pytest.raises(BadTierUrl, match="TIERKEEPER_TIERS__HOT__URL"):
        make(url)


def test_defaults_of_a_bucket() -> None:
    """A server of one's own gets path addressing and only the checksums that are needed; AWS gets its own ways."""
    own = cast("S3Store", make("s3://b/p/?endpoint=http://h:1&access_key=a&secret_key=b")).place
    aws = cast("S3Store", make("s3://b?region=eu-central-1&access_key=a&secret_key=b")).place
    assert (own.options.addressing, own.options.checksums, own.options.prefix) == ("path", "when_required", "p/")
    assert (aws.options.addressing, aws.options.checksums, aws.options.prefix) == ("auto", "when_supported", "")
    assert own.client.meta.region_name == "us-east-1"
    assert aws.client.meta.region_name == "eu-central-1"
    config: Any = own.client.meta.config  # the stubs leave out what it has
    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (5, 30, 12)
    own.client.close()
    aws.client.close()


def test_who_can_copy_from_whom() -> None:
    """Buckets of one server and one account share a realm; other servers, accounts and roles do not."""
    keys = "access_key=a&secret_key=b"
    urls = [
        f"s3://one?endpoint=http://h&{keys}",
        f"s3://two/x?endpoint=http://h&{keys}&class=COLD&region=eu-central-1",
        f"s3://one?endpoint=http://other&{keys}",
        "s3://one?endpoint=http://h&access_key=c&secret_key=b",
        f"s3://one?endpoint=http://h&{keys}&role=arn:aws:iam::1:role/keeper",
        f"s3://one?{keys}",
    ]
    stores = [make(url) for url in urls]
    realms = [store.realm for store in stores]
    assert realms[0] == realms[1]
    assert len(set(realms)) == len(urls) - 1
    assert not any(realm.endswith("|b") or "|b|" in realm for realm in realms)
    for store in stores:
        store.close()


def test_records_beside_the_catalog() -> None:
    """`postgres:` is the catalog's server, whatever SQLAlchemy calls its URL; a password shows nowhere."""
    store = make("postgres:?schema=mine", catalog_url="postgresql+psycopg://u:secret@db:5433/tk?sslmode=require")
    assert store.realm == "postgres:|db|5433|tk|mine"
    assert store.is_database
    store.close()


#: none that the AWS client can make anything of
NO_ENDPOINTS = [
    "localhost:9000",
    "http://",
    "https:///p",
    "http://h x",
    "http://h:abc",
    "http://x:99999",
    "http://x:0",
    "http://[::1",
    "http://-x",
    "ftp://h",
]


@pytest.mark.parametrize("endpoint", NO_ENDPOINTS)
def test_an_unusable_endpoint(endpoint: str) -> None:
    """What cannot be an endpoint is refused when the store is made."""
    with pytest.raises(BadTierUrl, match="option endpoint is"):
        make(f"s3://bucket?endpoint={endpoint}")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:///srv/hot?layout=cas", None),
        ("s3://bucket/prefix", None),
        ("s3://bucket?role=arn:aws:iam::1:role/x", None),
        ("s3://bucket?profile=nobodys", "The config profile .nobodys. could not be found"),
        ("postgres:", None),
        ("file:///srv/hot?fsnc=no", "unknown option fsnc"),
        ("s3://bucket?attempts=many", "option attempts is 'many'"),
        *((f"s3://bucket?endpoint={endpoint}", "option endpoint is") for endpoint in NO_ENDPOINTS),
        ("s3://bucket?endpoint=http://s3.internal:9000/base", None),
        ("s3://bucket?endpoint=https://[2001:db8::1]:9000", None),
        ("postgres://h:99999/db", "port is not a number from 1 to 65535"),
        ("postgres://h,g/db?port=1,0", "port is not a number from 1 to 65535"),
        ("postgres:?limit=9TiB", "option limit is"),
        ("s4://bucket", "has the scheme 's4'"),
    ],
)
def test_a_url_is_judged_without_a_server(url: str, problem: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be said of a URL is said without a connection, not even to where credentials come from."""
    asked: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _socket, address: asked.append(address))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    settings = TierSettings(url=url, temperature=Temperature.HOT)
    with nullcontext() if problem is None else pytest.raises((BadTierUrl, UnknownScheme), match=problem):
        factory.check("hot", settings, catalog_url="postgresql:")
    assert asked == []


def test_an_adapter_that_is_a_function_is_judged_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter of a package may be any callable: its store is made and closed."""

    def adapter(config: StoreConfig) -> Store:
        return FilesystemStore.from_url(config)

    monkeypatch.setattr(EntryPoint, "load", lambda _entry: adapter)
    settings = TierSettings(url="file:///srv/hot?fsnc=no", temperature=Temperature.HOT)
    with pytest.raises(BadTierUrl, match="unknown option fsnc"):
        factory.check("hot", settings, catalog_url="postgresql:")
