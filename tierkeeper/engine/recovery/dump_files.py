"""The files of a catalog dump, and their locations in the coldest tier.

``.tierkeeper/dumps/<time>-<id>/`` has one file per table and, written last, ``manifest.json``: a dump without it was
interrupted and does not count. ``.tierkeeper/events/<line>/`` has the events in segments, each from one moment to
another. Events are append-only, so a dump adds a segment with the new ones and names the earlier segments. A line of
segments ends where the catalog's line does (:class:`tierkeeper.catalog.epochs.Epoch`). Tables and segments are gzipped
text as COPY writes it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tierkeeper.base.errors import DumpMissing, DumpUnusable
from tierkeeper.engine.trust import own_objects
from tierkeeper.stores.base import ObjectKey, Store

FORMAT = 1
FOLDER = f"{own_objects.PREFIX}dumps/"
EVENTS_FOLDER = f"{own_objects.PREFIX}events/"
MANIFEST = "manifest.json"
GZIP = "application/gzip"
_DUMP = re.compile(re.escape(FOLDER) + r"(?P<name>(?P<time>\d{20})-[0-9a-f-]{36})/(?P<file>.+)")
#: the release before wrote segments without ``v2``, whose events lack cluster and transaction (R33); no chain includes
#: them, so the first dump after the upgrade has all events with both
_SEGMENT = re.compile(r"v2-(\d{20})-(\d{20})-(\d+)-([0-9a-f]{64})-[0-9a-f-]{36}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: an event's time is taken in its transaction, and lies at most this long before its commit
_OVERLAP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Part:
    """The file of one table: ``size`` in bytes and ``sha256`` in hexadecimal, both of the gzipped file."""

    table: str
    columns: tuple[str, ...]
    location: str
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class EventSegment:
    """One file of events: those from ``since`` on that were committed at ``until``."""

    location: str
    since: datetime
    until: datetime
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of one complete dump."""

    name: str
    taken_at: datetime
    revision: str  # of the catalog's schema
    epoch: int
    line: str
    parts: tuple[Part, ...]
    event_columns: tuple[str, ...]
    events: tuple[EventSegment, ...]

    def as_json(self) -> bytes:
        """Return the content of ``manifest.json``."""
        return json.dumps({"format": FORMAT, **asdict(self)}, default=str, indent=1).encode()


@dataclass(frozen=True, slots=True)
class DumpView:
    """One dump, as users see it; ``size`` in bytes, without the events."""

    name: str
    at: datetime
    complete: bool
    size: int


def located(name: str, file: str) -> str:
    """Return the location of a file of a dump."""
    return f"{FOLDER}{name}/{file}"


def named(at: datetime, mark: UUID) -> str:
    """Return the name of a dump."""
    return f"{_digits(at)}-{mark}"


def segment_located(line: UUID, segment: EventSegment, mark: UUID) -> str:
    """Return the location of a segment; its name carries every field, so that a listing is enough to know it."""
    times = f"{_digits(segment.since)}-{_digits(segment.until)}"
    return f"{EVENTS_FOLDER}{line}/v2-{times}-{segment.rows}-{segment.sha256}-{mark}"


def listed(store: Store) -> list[DumpView]:
    """Return the dumps in a store, newest first."""
    sizes: dict[str, int] = {}
    complete = set()
    for stored in store.list(FOLDER):
        match = _DUMP.fullmatch(stored.location)
        if match is not None:
            sizes[match["name"]] = sizes.get(match["name"], 0) + stored.size
            if match["file"] == MANIFEST:
                complete.add(match["name"])
    return [DumpView(name, _time(name[:20]), name in complete, sizes[name]) for name in sorted(sizes, reverse=True)]


def files_of(store: Store, name: str) -> list[ObjectKey]:
    """Return every file of a dump; the manifest first, so that a half deleted dump does not count."""
    locations = [stored.location for stored in store.list(f"{FOLDER}{name}/")]
    return [ObjectKey(location) for location in sorted(locations, key=lambda place: not place.endswith(MANIFEST))]


def chain(store: Store, line: UUID) -> list[EventSegment]:
    """Return segments that together have all events of a line, without a gap, up to the end of the last."""
    found = []
    for stored in store.list(f"{EVENTS_FOLDER}{line}/"):
        match = _SEGMENT.fullmatch(stored.location.rpartition("/")[2])
        if match is not None:
            found.append(EventSegment(stored.location, _time(match[1]), _time(match[2]), int(match[3]), match[4]))
    chosen: list[EventSegment] = []
    reached = _EPOCH
    while True:
        further = [s for s in found if s.until > reached and (s.since <= reached - _OVERLAP or s.since == _EPOCH)]
        if not further:
            return chosen
        best = max(further, key=lambda segment: segment.until)
        chosen.append(best)
        reached = best.until


def next_start(segments: Sequence[EventSegment]) -> datetime:
    """Return the start of the next segment: ``_OVERLAP`` before the end of the last one."""
    return segments[-1].until - _OVERLAP if segments else _EPOCH


def read_manifest(store: Store, tier: str, name: str | None) -> Manifest:
    """Return the manifest of the dump ``name``, or of the newest complete dump; raises DumpMissing, DumpUnusable."""
    complete = [dump.name for dump in listed(store) if dump.complete and name in {None, dump.name}]
    if not complete:
        raise DumpMissing(tier=tier, named="" if name is None else f" {name!r}")
    with store.open(ObjectKey(located(complete[0], MANIFEST))) as chunks:
        content = b"".join(chunks)
    try:
        return _manifest(json.loads(content))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DumpUnusable(name=complete[0], problem="its manifest cannot be read") from error


def _manifest(document: dict[str, Any]) -> Manifest:
    parts = [Part(**{**part, "columns": tuple(part["columns"])}) for part in document["parts"]]
    times = ("since", "until")
    events = [
        EventSegment(**{**segment, **{name: datetime.fromisoformat(segment[name]) for name in times}})
        for segment in document["events"]
    ]
    return Manifest(
        name=document["name"],
        taken_at=datetime.fromisoformat(document["taken_at"]),
        revision=document["revision"],
        epoch=document["epoch"],
        line=document["line"],
        parts=tuple(parts),
        event_columns=tuple(document["event_columns"]),
        events=tuple(events),
    )


def _digits(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S%f")


def _time(digits: str) -> datetime:
    return datetime.strptime(digits, "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
