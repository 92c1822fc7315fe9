"""The groups of the settings: names, types, defaults, limits."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tierkeeper.base.quantities import Unusable, format_duration, parse_duration, parse_size
from tierkeeper.base.secrets import masked_url
from tierkeeper.base.states import Temperature
from tierkeeper_client import mac, service_urls
from tierkeeper_client.errors import InvalidInput
from tierkeeper_client.limits import DEFAULT, INLINE_LIMIT, MOST_DEPTH, Bounds
from tierkeeper_client.urls import UnusableUrl

_STAGING = ("file", "s3")
_BARE_NUMBER = re.compile(r"[+-]?[0-9.]+")


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _texts(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {str(k): str(v).lower() if isinstance(v, bool) else str(v) for k, v in value.items()}


def _days(value: object) -> object:
    if isinstance(value, str) and not _BARE_NUMBER.fullmatch(value.strip()):
        days, rest = divmod(parse_duration(value), timedelta(days=1))
        if rest:
            raise Unusable(f"{value!r} is not a whole number of days.", "Write a number of days, such as 30.")
        return days
    return value


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        try:
            service_urls.check(value, schemes=schemes)
        except UnusableUrl as error:
            raise Unusable(error.problem, error.fix) from None
        return value

    return AfterValidator(check)


def _tier_url(value: str) -> str:
    if not re.match(r"[a-z][a-z0-9+.-]*:", value):
        raise Unusable(
            f"{masked_url(value)!r} is not a URL.",
            "Write it like file:///srv/hot, s3://bucket/prefix or postgres: for records.",
        )
    return value


def _staging_url(value: str) -> str:
    if value.partition(":")[0] not in _STAGING:
        raise Unusable("the URL's scheme is not one that works here.", f"Begin it with {', '.join(_STAGING)}.")
    return value


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


def _message_keys(value: str) -> str:
    try:
        mac.KeyRing.parse(value)
    except InvalidInput as error:
        raise Unusable(f"{error.data['problem']}.", error.data["fix"]) from None
    return value


TimeSpan = Annotated[timedelta, BeforeValidator(parse_duration)]
Positive = Annotated[TimeSpan, Field(gt=timedelta(0))]
Size = Annotated[int, BeforeValidator(parse_size)]
Days = Annotated[int, BeforeValidator(_days), Field(ge=0, le=36500)]
Folder = Annotated[Path, AfterValidator(_absolute)]
CatalogUrl = Annotated[str, _url(*service_urls.POSTGRES)]
BrokerUrl = Annotated[str, _url(*service_urls.BROKERS)]
ResultsUrl = Annotated[str, _url(*service_urls.RESULTS)]
StagingUrl = Annotated[str, AfterValidator(_staging_url)]


class Group(BaseModel):
    """The base of all groups: unknown names are refused, instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CatalogSettings(Group):
    """The catalog's PostgreSQL. ``url`` None: the embedded one. TLS is configured in the URL (``?sslmode=…``)."""

    url: CatalogUrl | None = Field(default=None, repr=False)
    pool_size: Annotated[int, Field(ge=1)] = 5
    pool_overflow: Annotated[int, Field(ge=0)] = 10
    timeout: Positive = timedelta(seconds=10)  # to connect, and to get a connection from the pool
    statement_timeout: Positive = timedelta(seconds=60)
    lock_timeout: Positive = timedelta(seconds=30)  # for a row that another transaction holds
    idle_timeout: Positive = timedelta(minutes=2)  # after which the server ends an idle transaction


class BrokerSettings(Group):
    """Celery's broker. ``url`` None: the embedded Valkey; ``queue_type`` None: the default of the virtual host."""

    url: BrokerUrl | None = Field(default=None, repr=False)
    visibility_timeout: Positive = timedelta(hours=1)
    queue_type: Literal["classic", "quorum"] | None = None


class ResultsSettings(Group):
    """Where a verb's result waits for its producer. ``url`` None: the broker, if that is Redis."""

    url: ResultsUrl | None = Field(default=None, repr=False)
    expires: Positive = timedelta(hours=1)


class MessagesSettings(Group):
    """The checks of a message before a worker parses it. ``keys`` None: messages are not signed.

    ``ID:BASE64,ID:BASE64,…``: the first signs, all verify.
    """

    keys: Annotated[str, AfterValidator(_message_keys)] | None = Field(default=None, repr=False)
    max_age: Positive = timedelta(days=7)  # since it was signed; has to exceed a message's wait for a worker
    max_bytes: Annotated[Size, Field(ge=128 * 1024)] = 100 * 1024 * 1024  # store_many with 1000 full inline contents


class LimitsSettings(Group):
    """The bounds of what an artifact and a message carry; larger ones from before stay readable."""

    metadata: Size = DEFAULT.metadata  # bytes of JSON
    depth: Annotated[int, Field(ge=1, le=MOST_DEPTH)] = DEFAULT.depth
    tags: Annotated[int, Field(ge=0)] = DEFAULT.tags
    tag_key: Size = DEFAULT.tag_key
    tag_value: Size = DEFAULT.tag_value
    reason: Annotated[int, Field(ge=1)] = DEFAULT.reason  # characters
    store_many: Annotated[int, Field(ge=1)] = DEFAULT.items

    @property
    def bounds(self) -> Bounds:
        """The same as producers check."""
        values = self.model_dump()
        return Bounds(items=values.pop("store_many"), **values)


class TierSettings(Group):
    """One tier: its store by URL, what the store needs beyond it, and how near the tier is."""

    url: Annotated[str, AfterValidator(_tier_url), Field(repr=False)]
    temperature: Temperature
    options: Annotated[dict[str, str], BeforeValidator(_texts), Field(repr=False)] = Field(default_factory=dict)


class EngineSettings(Group):
    """How the engine works; the numbers are those of the design's "Numbers"."""

    lease: Positive = timedelta(seconds=60)
    renew_every: Positive = timedelta(seconds=20)
    lease_cap: Positive = timedelta(hours=2)
    grace: TimeSpan = timedelta(hours=1)  # from doomed to collected; has to exceed the longest copy or read
    undo: TimeSpan = timedelta(days=7)  # for policies without an undo window
    batch: Annotated[int, Field(ge=1, le=10_000)] = 500
    attempts: Annotated[int, Field(ge=1)] = 5  # after which an item is parked
    io_threads: Annotated[int, Field(ge=1, le=256)] = 16
    inline_limit: Size = INLINE_LIMIT  # bytes
    spool_limit: Size = 8 * 1024 * 1024  # bytes; above, content is spooled to disk
    undelete_pin: TimeSpan = timedelta(days=30)
    brake_share: Annotated[float, Field(ge=0, le=1)] = 0.05  # of a tenant's artifacts; 1: no brake
    brake_count: Annotated[int, Field(ge=0)] = 1000  # the larger of both is the limit
    brake_window: Positive = timedelta(days=1)  # in which deletions are counted together
    task_seconds: Annotated[float, Field(gt=0)] = 50  # after which converge_due hands over to its successor
    parallel: Annotated[int, Field(ge=1, le=64)] = 2  # converge_due tasks that one rotate sends

    @model_validator(mode="after")
    def _leases(self) -> "EngineSettings":
        if self.renew_every >= self.lease:
            raise Unusable(
                f"it is not shorter than the lease, {format_duration(self.lease)}, which would end before that.",
                "Make it a third of engine.lease.",
                name="engine.renew_every",
            )
        if self.lease > self.lease_cap:
            raise Unusable(
                f"it is longer than engine.lease_cap, {format_duration(self.lease_cap)}.",
                "Raise engine.lease_cap, or shorten the lease.",
                name="engine.lease",
            )
        return self


class ReconcileSettings(Group):
    """How the catalog and the stores are compared, and when a reconcile stops itself."""

    quarantine: TimeSpan = timedelta(hours=24)  # from an orphan's first sighting to the one that deletes it
    stop_share: Annotated[float, Field(ge=0, le=1)] = 0.01  # of a tier; 1: it never stops itself
    stop_floor: Annotated[int, Field(ge=0)] = 10  # findings in a tier that never stop it


class VerifySettings(Group):
    """``share`` of all copies that the daily verify reads, doubtful ones first."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.034  # so each is read about once a month


class RetentionSettings(Group):
    """The built-in policies' ages in days, and the years for which records are locked (None: they are not)."""

    hot_days: Days = 7
    warm_days: Days = 30
    cold_days: Days = 90
    record_hot_days: Days = 90
    record_years: Annotated[int, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _ascending(self) -> "RetentionSettings":
        for earlier, later in (("hot_days", "warm_days"), ("warm_days", "cold_days")):
            first, second = getattr(self, earlier), getattr(self, later)
            if second <= first:
                raise Unusable(
                    f"{second} days is not after {earlier}, which is {first}.",
                    "These are ages since creation: make hot_days < warm_days < cold_days.",
                    name=f"retention.{later}",
                )
        return self


class DumpSettings(Group):
    """How many dumps of the catalog are kept in the coldest tier."""

    keep: Annotated[int, Field(ge=1, le=1000)] = 7


class StagingSettings(Group):
    """Where producers leave content that is too large for a message."""

    url: Annotated[StagingUrl, Field(repr=False)]
    ttl: Positive = timedelta(hours=24)


class SourceSettings(Group):
    """The places from which ``store`` may fetch by URL; none by default. Several are separated by commas."""

    allowed_roots: Annotated[list[Folder], BeforeValidator(_listed)] = Field(default_factory=list)
    allowed_buckets: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)


class LogSettings(Group):
    """Logs go to standard error. ``dir``: where events are exported as ``lifecycle_events.jsonl``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"  # auto: console on a terminal
    dir: Folder | None = None

    @model_validator(mode="before")
    @classmethod
    def _lower(cls, data: Any) -> Any:  # noqa: ANN401  pydantic passes on the raw input
        if isinstance(data, dict) and isinstance(data.get("level"), str):
            return {**data, "level": data["level"].lower()}
        return data


class HealthSettings(Group):
    """Bounds from which `tierkeeper health` reports a vital as bad; after ``stalled`` a worker is started again."""

    overdue: Positive = timedelta(minutes=15)  # the oldest due item without a lease
    canary: Positive = timedelta(minutes=5)  # a message through a queue
    beat: Positive = timedelta(minutes=5)  # the last sign of Beat
    stalled: Annotated[TimeSpan, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)  # takes no waiting message
    probe: Positive = timedelta(seconds=5)  # for a tier's answer


class FlowerSettings(Group):
    """Flower's port on 127.0.0.1 and its login; without one `tierkeeper up` makes a password."""

    port: Annotated[int, Field(ge=1, le=65535)] = 5555
    user: str | None = None
    password: str | None = Field(default=None, repr=False)
    read_only: bool = False
