"""The order of the time-outs: an inner operation gives up before the outer one that contains it.

An S3 call ends before the lease that covers it, a lease before the broker redelivers the message, so that a second
worker never begins work that the first still waits for. See ``docs/explanation/time-outs.md``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tierkeeper.base.backoff import Backoff
from tierkeeper.base.quantities import Unusable, format_duration, parse_duration, parse_size
from tierkeeper.settings.groups import BrokerSettings, EngineSettings, MessagesSettings, ResultsSettings, TierSettings
from tierkeeper_client import urls

COPY_THRESHOLD: Final = 256 * 1024 * 1024  # bytes: the S3 adapter's default
COPY_RATE: Final = 4 * 1024 * 1024  # bytes a second of the slowest server-side copy that is waited for
SOON: Final = 0.25  # of a copy's time: a copy that failed sooner is not under way on the server
COPY_PAUSES: Final = Backoff(first=1.0, cap=20.0, least=0.0)  # between two attempts of a copy, as botocore's
ATTEMPTS: Final = 5  # the S3 adapter's default
#: the S3 adapter's defaults (see its options)
S3_DEFAULTS: Final[Mapping[str, timedelta]] = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=30),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """One time-out by the name of its setting."""

    name: str
    value: timedelta


def unbroken(broker: BrokerSettings) -> timedelta:
    """Return the longest time between two canaries of an unbroken series: what a long task may hold its queue up for.

    Beat sends one a minute, and no message is with a worker for longer than the broker waits for it.
    """
    return max(timedelta(minutes=10), broker.visibility_timeout)


def copy_seconds(size: int, *, read_timeout: float) -> float:
    """Return the limit in seconds of one server-side copy of ``size`` bytes.

    The size is rounded up to :data:`COPY_RATE` times a power of two, because each limit needs an S3 client of its own.
    """
    step = COPY_RATE
    while step < size:
        step *= 2
    return read_timeout + step / COPY_RATE


def copy_waits(size: int, *, read_timeout: float, attempts: int) -> float:
    """Return the longest total wait in seconds for one server-side copy.

    It is the sum of attempts that fail soon, with their pauses, then one that takes all of its time and whose result is
    looked for as long again. The last look may be as slow as any call.
    """
    seconds = copy_seconds(size, read_timeout=read_timeout)
    pauses = sum(COPY_PAUSES.longest(tries) for tries in range(1, attempts))
    return (attempts - 1) * SOON * seconds + pauses + 2 * seconds + (attempts + 1) * read_timeout


def chains(
    *,
    broker: BrokerSettings,
    engine: EngineSettings,
    messages: MessagesSettings,
    tiers: Mapping[str, TierSettings],
) -> Iterator[tuple[Limit, Limit]]:
    """Yield pairs (inner, outer) of time-outs; the inner one has to be the shorter."""
    lease = Limit("engine.lease", engine.lease)
    cap = Limit("engine.lease_cap", engine.lease_cap)
    visibility = Limit("broker.visibility_timeout", broker.visibility_timeout)
    yield Limit("engine.task_seconds", timedelta(seconds=engine.task_seconds)), visibility
    yield lease, visibility
    yield visibility, Limit("messages.max_age", messages.max_age)
    for name, tier in tiers.items():
        for option, value in _s3(tier):
            yield Limit(f"tiers.{name}.url's {option}", value), lease
        for copying in _copies(tier):
            yield Limit(f"a copy of the size of tiers.{name}.url's copy_threshold", copying), cap


def memory(
    *, messages: MessagesSettings, results: ResultsSettings, commands_kept: timedelta
) -> Iterator[tuple[Limit, Limit]]:
    """Yield pairs (inner, outer): the time in which a message may come again, and that for which its answer is kept."""
    kept = Limit("commands_kept", commands_kept)
    yield Limit("messages.max_age", messages.max_age), kept
    yield Limit("results.expires", results.expires), kept


def check(pairs: Iterable[tuple[Limit, Limit]]) -> None:
    """Raise Unusable for the first pair whose inner time-out is not shorter than the outer one."""
    for inner, outer in pairs:
        if inner.value >= outer.value:
            raise Unusable(
                f"{format_duration(outer.value)} is not longer than {inner.name}, {format_duration(inner.value)}, "
                "which has to be over first.",
                f"Raise it, or lower {inner.name}.",
                name=outer.name,
            )


def _copies(tier: TierSettings) -> Iterator[timedelta]:
    """Yield the longest wait for the largest copy in one S3 call, with the adapter's retries; nothing if not S3."""
    try:
        place = urls.parse(tier.url)
        given = {**place.options, **tier.options}
        size = parse_size(given.get("copy_threshold") or COPY_THRESHOLD)
        attempts = int(given.get("attempts") or ATTEMPTS)
    except (urls.UnusableUrl, Unusable, ValueError):
        return  # the store reports it with a better message
    if place.scheme == "s3":
        read = dict(_s3(tier)).get("read_timeout", S3_DEFAULTS["read_timeout"])
        yield timedelta(seconds=copy_waits(size, read_timeout=read.total_seconds(), attempts=attempts))


def _s3(tier: TierSettings) -> Iterator[tuple[str, timedelta]]:
    try:
        place = urls.parse(tier.url)
    except urls.UnusableUrl:
        return  # the store reports it with a better message
    if place.scheme == "s3":
        given = {**place.options, **tier.options}
        for option, default in S3_DEFAULTS.items():
            try:
                yield option, parse_duration(given[option]) if given.get(option) else default
            except Unusable:
                continue  # the adapter reports it with a better message
