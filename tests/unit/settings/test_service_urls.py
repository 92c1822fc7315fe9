"""The URL of a service is refused where libraries would read it differently, and no error shows a value of it."""

import pytest

from tierkeeper.base.errors import SettingInvalid
from tierkeeper.settings.settings import effective, load
from tierkeeper_client.client import TierkeeperClient
from tierkeeper_client.errors import InvalidInput

NAMES = {"catalog.url": "TIERKEEPER_CATALOG__URL", "broker.url": "TIERKEEPER_BROKER__URL"}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://:hu/sh@cache/0", "an '@' is not where"),
        ("redis://:12/sh@cache/0", "an '@' is not where"),
        ("redis://:hu?sh@cache/0", "an '@' is not where"),
        ("redis://:12?a=sh@cache/0", "an '@' is not where"),
        ("redis://:hu#sh@cache/0", "it has a '#'"),
        ("redis://:hu sh@cache/0", "it has a blank"),
        ("redis://:hush@cache/0\n", "it has a blank"),
        ("redis://:hush%@cache/0", "a '%' is not followed"),
        ("redis://:hush@@cache/0", "an '@' is not where"),
        ("redis://:hush@cache:63x9/0", "its port is not a number"),
        ("redis://:hush@cache:0/0", "its port is not a number"),
        ("redis://:hush@cache:70000/0", "its port is not a number"),
        ("redis://:hush@cache:/0", "its port is not a number"),
        ("redis://:hush@cache:\u0667/0", "its port is not a number"),
        ("redis://:hush@[::1/0", "its host cannot be read"),
        ("redis://:hush@::1/0", "its port is not a number"),
        ("redis://:hush@cache/0?a", "is not NAME=VALUE"),
        ("redis:/:hush@cache/0", "redis: is not followed by //"),
        ("redis::hush@cache/0", "redis: is not followed by //"),
        ("redis//:hush@cache/0", "scheme is not one"),
        ("rediss//cache", "scheme is not one"),
        ("hush", "scheme is not one"),
        ("redis+socket://hush/run/valkey.sock", "it names no socket"),
        ("redis+socket:///run/valkey.sock?virtual_host=hush", "its database is not a number"),
        ("redis://cache/hush", "its database is not a number"),
        ("redis://cache/0/hush", "its database is not a number"),
        ("redis://cache/-1", "its database is not a number"),
        ("redis://cache/\u0663", "its database is not a number"),
        ("redis://cache/0;redis://cache/hush", "its database is not a number"),
        ("rediss://cache/0?ssl_cert_reqs=hush", "its ssl_cert_reqs is not known"),
        ("amqp://u:hush@one;amqp://u:hu/sh@two", "an '@' is not where"),
        ("postgresql://u:hu/sh@db/x", "an '@' is not where"),
        ("postgresql://u:hush@db:54x2/x", "its port is not a number"),
        ("postgresql://u:hush@one:5432,two:x/x", "its port is not a number"),
        ("postgresql://u:hush@db/x?sslmode", "is not NAME=VALUE"),
        ("postgresql//u:hush@db/x", "scheme is not one"),
        ("postgresql:u:hush@db/x", "postgresql: is not followed by //"),
        ("host=db password=hush", "scheme is not one"),
    ],
)
def test_a_url_that_is_in_doubt(url: str, problem: str) -> None:
    """The error names the setting that has the URL, and the client its argument."""
    name = "catalog.url" if url.startswith(("postgres", "host")) else "broker.url"
    with pytest.raises(SettingInvalid) as caught:
        load(environ={NAMES[name]: url})
    assert str(caught.value).startswith(f"Setting {name} (env {NAMES[name]}): ")
    told = [str(caught.value)]
    if url.startswith(("redis:", "amqp:")):
        results = [("redis://cache", url)] if url.startswith("redis:") and ";" not in url else []
        for urls in [(url, None), *results]:
            with pytest.raises(InvalidInput) as refused:
                TierkeeperClient(*urls)
            told.append(str(refused.value))
    for text in told:
        assert problem in text
        assert not {"hu", "sh", "hush"} & set(text.replace("'", " ").replace("/", " ").replace("@", " ").split())


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hush@cache:6379/0",
        "redis://:hu%2Fsh@cache:6379/0",
        "redis://cache",
        "redis://cache/",
        "redis://cache//15",
        "redis://one/1;redis://two/1",
        "rediss://cache/0",
        "rediss://u:a:b@cache/0?ssl_cert_reqs=required",
        "redis+socket:///home/me@corp/valkey.sock?virtual_host=0",
        "amqp://u:p@rabbit//",
        "amqp://u:p@[::1]:5672/tierkeeper",
        "amqp://u:p@one;amqp://u:p@two:5672//",
    ],
)
def test_a_broker_that_is_clear(url: str) -> None:
    """What works stays as it is."""
    assert load(environ={"TIERKEEPER_BROKER__URL": url}).broker.url == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://cache/hush", "its database is not a number"),
        ("redis://one/0;redis://two/0", "its database is not a number"),
        ("rediss://cache/0", "does not say how certificates are checked"),
        ("redis://cache/0?ssl_cert_reqs=required", "has options of TLS"),
    ],
)
def test_results_that_celery_cannot_read(url: str, problem: str) -> None:
    """A result store's URL is judged as Celery's result backend reads it, which is not how the broker's is read."""
    with pytest.raises(SettingInvalid, match=problem) as caught:
        load(environ={"TIERKEEPER_RESULTS__URL": url})
    assert "hush" not in str(caught.value)
    with pytest.raises(InvalidInput, match=problem):
        TierkeeperClient("redis://cache", url)


@pytest.mark.parametrize(
    ("urls", "field"),
    [
        (("redis://cache/0?socket_timeout=hush", None), "broker_url"),
        (("redis://cache/0?virtual_host=hush", None), "broker_url"),
        (("redis://cache", "redis://cache/0?socket_timeout=hush"), "result_url"),
        (("redis://cache", "redis+socket:///x?db=hush"), "result_url"),
    ],
)
def test_options_that_a_library_cannot_read(urls: tuple[str, str | None], field: str) -> None:
    """The client's error says which of its URLs it is, and shows no value of it."""
    with pytest.raises(InvalidInput, match="its options cannot be read") as caught:
        TierkeeperClient(*urls)
    assert caught.value.data["field"] == field
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db:5432/x?sslmode=require",
        "postgresql+psycopg://u:p%40@db/x",
        "postgres://u:p@one:5432,two:5433/x?target_session_attrs=read-write",
        "postgresql:///x?host=/run/postgresql",
        "postgresql://",
        "postgresql://u@/x?host=/run&options=-csearch_path%3Dtierkeeper",
        "postgresql://u@[::1]/x",
    ],
)
def test_a_catalog_that_is_clear(url: str) -> None:
    """What works stays as it is."""
    assert load(environ={"TIERKEEPER_CATALOG__URL": url}).catalog.url == url


@pytest.mark.parametrize(
    "environ",
    [
        {"TIERKEEPER_CATALOG__URL": "postgresql://u:hush@[db/x"},
        {"TIERKEEPER_TIERS__WARM__URL": "/u:hush@bucket"},
        {"TIERKEEPER_CATALOG": '"postgresql://u:hush@db/x"'},
        {"TIERKEEPER_CATALOG": '{"url": ["postgresql://u:hush@db/x"]}'},
        {"TIERKEEPER_ENGINE__LEASE": "redis://:hu sh@cache password=hush"},
        {"TIERKEEPER_LOG__LEVEL": "redis://:hush@cache"},
        {"CELERY_BROKER_URL": "redis://:hush@a", "TIERKEEPER_BROKER__URL": "redis://:hush@b"},
    ],
)
def test_a_value_in_an_error(environ: dict[str, str]) -> None:
    """What an error quotes of a value has no password in it."""
    with pytest.raises(SettingInvalid) as caught:
        load(environ=environ)
    assert "hush" not in str(caught.value)


def test_a_tier_with_a_login_is_shown_without_it() -> None:
    """A tier's URL is not checked before its adapter is asked, and masked all the same."""
    url = "postgres://u:hush hush/hush@db/x"
    shown = effective(load(environ={"TIERKEEPER_TIERS__RECORDS__URL": url}))
    assert "hush" not in str(shown)
