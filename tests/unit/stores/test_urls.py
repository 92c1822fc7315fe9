"""Every door through which a URL with options comes in reads the same secret and the same folder out of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from tierkeeper import connections
from tierkeeper.base.states import Temperature
from tierkeeper.engine.ingest.sources import staging_store
from tierkeeper.settings import order
from tierkeeper.settings import settings as settings_module
from tierkeeper.settings.groups import TierSettings
from tierkeeper.stores import factory
from tierkeeper.stores.errors import BadTierUrl
from tierkeeper.stores.postgres.store import PostgresStore
from tierkeeper.stores.s3.store import S3Store
from tierkeeper_client.errors import InvalidInput
from tierkeeper_client.staging import open_staging
from tierkeeper_client.staging_s3 import S3Staging

ENDPOINT = "endpoint=http://127.0.0.1:1&access_key=a"
SECRETS = ["wJalr+XUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "+", "a+b/c=d", "100%25+", "with blank+plus", "ü+é"]


def tier(url: str, *, catalog_url: str | None = None) -> Any:  # noqa: ANN401  whichever the scheme finds
    """Make the tier's store."""
    return factory.make(
        "hot", TierSettings(url=url, temperature=Temperature.HOT), io_threads=2, catalog_url=catalog_url
    )


def by_tier(secret: str) -> str | None:
    """As a tier's adapter reads it."""
    store = cast("S3Store", tier(f"s3://bucket?{ENDPOINT}&secret_key={secret}"))
    store.close()
    return store.place.options.secret_key


def by_workers_staging(secret: str) -> str | None:
    """As the worker reads its staging area's."""
    settings = settings_module.load(environ={}, staging={"url": f"s3://bucket?{ENDPOINT}&secret_key={secret}"})
    store = cast("S3Store", staging_store(settings))
    store.close()
    return store.place.options.secret_key


def by_clients_staging(secret: str) -> str | None:
    """As a producer reads its staging area's."""
    staging = cast("S3Staging", open_staging(f"s3://bucket?{ENDPOINT}&secret_key={secret}"))
    signer = cast("Any", staging)._client._request_signer
    return cast("str", signer._credentials.secret_key)


def by_database_tier(secret: str) -> str | None:
    """As a database store reads its password."""
    store = cast("PostgresStore", tier(f"postgres://host/db?password={secret}"))
    store.close()
    return cast("str", conninfo_to_dict(store._conninfo)["password"])


def by_catalog(secret: str) -> str | None:
    """As the catalog's own connection reads it."""
    return connections.parameters(f"postgresql+psycopg://host/db?password={secret}", connect_timeout=1)["password"]


DOORS = [by_tier, by_workers_staging, by_clients_staging, by_database_tier, by_catalog]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_read_as_it_is(door: Callable[[str], str | None], secret: str) -> None:
    """A secret with a plus is the same by every door, written as it is or with percent codes."""
    as_it_is = secret.replace("%", "%25").replace(" ", "%20")
    assert door(as_it_is) == secret
    assert door(quote(secret, safe="")) == secret
    assert door(quote(secret, safe="+/=")) == secret


def test_time_outs_are_read_where_they_stand() -> None:
    """The order of the time-outs sees an option that is written with percent codes."""
    tiers = {"hot": TierSettings(url="s3://bucket?read%5Ftimeout=%37m", temperature=Temperature.HOT)}
    settings = settings_module.load(environ={})
    found = order.chains(broker=settings.broker, engine=settings.engine, messages=settings.messages, tiers=tiers)
    limits = {inner.name: inner.value.total_seconds() for inner, _ in found}
    assert limits["tiers.hot.url's read_timeout"] == 420


def test_clients_and_workers_stage_in_one_place(tmp_path: Path) -> None:
    """A prefix or a folder with blanks and pluses is the same one to the producer and to the worker."""
    url = f"s3://bucket/a%20b+c?{ENDPOINT}&secret_key=s"
    staging = cast("Any", open_staging(url))
    store = cast("S3Store", tier(url))
    store.close()
    assert staging._prefix == store.place.options.prefix == "a b+c/"
    folder = tmp_path / "a b+c"
    assert cast("Any", open_staging(folder.as_uri()))._folder == folder
    made = tier(folder.as_uri())
    made.prepare()
    assert folder.is_dir()


@pytest.mark.parametrize("query", ["secret_key=ab#cd", "secret_key=a&secret_key=b", "secret_key=%ff"])
def test_what_could_be_read_in_two_ways_is_refused(query: str) -> None:
    """A '#', an option twice and codes that are no text are errors by both doors, and none of them shows the secret."""
    for door, error in ((tier, BadTierUrl), (open_staging, InvalidInput)):
        with pytest.raises(error) as caught:
            door(f"s3://bucket?{ENDPOINT}&{query}")
        assert "cd" not in str(caught.value)
        assert "secret_key=" not in str(caught.value)
