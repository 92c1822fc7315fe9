"""Every time-out is finite, and what is inside gives up before what is around it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tierkeeper.base.errors import SettingInvalid
from tierkeeper.settings.order import ATTEMPTS, S3_DEFAULTS, chains, copy_waits
from tierkeeper.settings.settings import Settings, load
from tierkeeper.stores.base import StoreConfig
from tierkeeper.stores.s3 import clients
from worker.config import celery_settings

COLD = {"cold": {"url": "s3://bucket"}}


def loaded(tmp_path: Path, **given: Any) -> Settings:  # noqa: ANN401  settings
    """Settings of nothing but what is given."""
    return load(environ={}, home=tmp_path, **given)


def test_the_defaults_are_in_order(tmp_path: Path) -> None:
    """S3 before the lease, the lease before the redelivery, and that before a signature is too old."""
    settings = loaded(tmp_path, tiers=COLD, broker={"url": "redis://broker/0"})
    found = list(
        chains(broker=settings.broker, engine=settings.engine, messages=settings.messages, tiers=settings.tiers)
    )
    assert all(inner.value < outer.value for inner, outer in found)
    names = [(inner.name, outer.name) for inner, outer in found]
    assert ("tiers.cold.url's read_timeout", "engine.lease") in names
    assert ("engine.lease", "broker.visibility_timeout") in names
    conf = celery_settings(settings)
    assert (
        settings.engine.task_seconds < conf["task_time_limit"] < conf["broker_transport_options"]["visibility_timeout"]
    )
    assert conf["worker_soft_shutdown_timeout"] > settings.engine.task_seconds
    catalog = settings.catalog
    assert catalog.timeout < catalog.lock_timeout < catalog.statement_timeout <= settings.engine.lease
    assert catalog.statement_timeout < catalog.idle_timeout


def test_a_copy_has_time_for_its_size() -> None:
    """The time-out of a copy grows with its size, and the largest of one call is within the default order."""
    options = clients.parse(StoreConfig("cold", "s3://bucket"))
    gib = 1024**3
    assert [options.copy_seconds(size) for size in (0, 4 << 20, 5 << 20, gib // 4, 5 * gib)] == [31, 31, 32, 94, 2078]
    assert options.copy_threshold == gib // 4
    assert [copy_waits(size, read_timeout=30, attempts=5) for size in (gib // 4, 5 * gib)] == [477, 6429]
    load(environ={}, tiers={"cold": {"url": "s3://bucket?copy_threshold=5GiB"}})


def test_the_order_knows_the_adapter() -> None:
    """What the order takes for S3's time-outs where a tier does not say is what the adapter takes."""
    options = clients.parse(StoreConfig("cold", "s3://bucket"))
    assert {name: getattr(options, name) for name in S3_DEFAULTS} == {
        name: value.total_seconds() for name, value in S3_DEFAULTS.items()
    }
    assert options.attempts == ATTEMPTS


@pytest.mark.parametrize(
    ("given", "name", "fix"),
    [
        ({"tiers": COLD, "engine": {"lease": "30s"}}, "engine.lease", "read_timeout"),
        ({"tiers": {"cold": {"url": "s3://bucket?read_timeout=2m"}}}, "engine.lease", "tiers.cold"),
        ({"tiers": {"cold": {"url": "s3://bucket", "options": {"connect_timeout": "90s"}}}}, "engine.lease", "connect"),
        ({"tiers": COLD, "engine": {"lease_cap": "90s"}}, "engine.lease_cap", "copy_threshold"),
        ({"tiers": COLD, "engine": {"lease_cap": "7m"}}, "engine.lease_cap", "copy_threshold"),
        (
            {"tiers": {"cold": {"url": "s3://bucket?attempts=20"}}, "engine": {"lease_cap": "10m"}},
            "engine.lease_cap",
            "copy_threshold",
        ),
        (
            {"tiers": {"cold": {"url": "s3://b?copy_threshold=3GiB"}}, "engine": {"lease_cap": "10m"}},
            "engine.lease_cap",
            "copy_threshold",
        ),
        ({"broker": {"visibility_timeout": "1m"}}, "broker.visibility_timeout", "engine.lease"),
        ({"broker": {"visibility_timeout": "50s"}}, "broker.visibility_timeout", "engine.task_seconds"),
        ({"messages": {"max_age": "1h"}}, "messages.max_age", "broker.visibility_timeout"),
        ({"catalog": {"timeout": "0s"}}, "catalog.timeout", ""),
        ({"catalog": {"lock_timeout": "0s"}}, "catalog.lock_timeout", ""),
        ({"catalog": {"idle_timeout": "0s"}}, "catalog.idle_timeout", ""),
        ({"health": {"stalled": "0s"}}, "health.stalled", ""),
    ],
)
def test_what_is_out_of_order_is_refused(tmp_path: Path, given: dict[str, Any], name: str, fix: str) -> None:
    """A configuration whose time-outs are out of order, or endless, names the setting and what to do."""
    with pytest.raises(SettingInvalid) as caught:
        loaded(tmp_path, **given)
    assert caught.value.data["name"] == name
    assert fix in caught.value.data["fix"]


def test_a_short_s3_fits_a_short_lease(tmp_path: Path) -> None:
    """Where the calls are shorter, the lease may be."""
    where = "s3://bucket?read_timeout=2s&connect_timeout=1s"
    settings = loaded(
        tmp_path, tiers={"cold": {"url": where}}, engine={"lease": "3s", "renew_every": "1s", "task_seconds": 5}
    )
    assert settings.engine.lease == timedelta(seconds=3)
