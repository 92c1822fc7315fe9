"""What a dump of the catalog is made of, and where its files lie in the coldest tier.

``.tierkeeper/dumps/<time>-<id>/`` has a file a table and, written last, ``manifest.json``: a dump without one was
interrupted and does not count. ``.tierkeeper/events/<line>/`` has the events as segments, each from a moment on up to
another: they are append-only, so that a dump adds what is new and names those that are there. A line of segments ends
where the catalog's own does (:class:`tierkeeper.catalog.epochs.Epoch`). All are gzipped text as COPY writes it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tierkeeper.base.errors import DumpMissing
from tierkeeper.engine.trust import reserved
from tierkeeper.stores.base import ObjectKey, Store

FORMAT = 1
FOLDER = f"{reserved.PREFIX}dumps/"
EVENTS_FOLDER = f"{reserved.PREFIX}events/"
MANIFEST = "manifest.json"
GZIP = "application/gzip"
_DUMP = re.compile(re.escape(FOLDER) + r"(?P<name>(?P<time>\d{20})-[0-9a-f-]{36})/(?P<file>.+)")
#: the release before wrote segments without ``v2``, of events without cluster and transaction (R33): these are in no
#: chain, so that the first dump after the upgrade has all events with both
_SEGMENT = re.compile(r"v2-(\d{20})-(\d{20})-(\d+)-([0-9a-f]{64})-[0-9a-f-]{36}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: an event's time is taken in its transaction, and lies at most this long before its commit
_OVERLAP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Part:
    """One file: a table's rows, with the hash of its bytes."""

    table: str
    columns: tuple[str, ...]
    location: str
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of events; those from ``since`` on that had committed at ``until``."""

    location: str
    since: datetime
    until: datetime
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one complete dump is."""

    name: str
    taken_at: datetime
    revision: str  # of the catalog's schema
    epoch: int
    line: str
    parts: tuple[Part, ...]
    event_columns: tuple[str, ...]
    events: tuple[Segment, ...]

    def as_json(self) -> bytes:
        """Return the file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, default=str, indent=1).encode()


@dataclass(frozen=True, slots=True)
class DumpView:
    """One dump, as users see it; ``size`` in bytes, without the events."""

    name: str
    at: datetime
    complete: bool
    size: int


def located(name: str, file: str) -> str:
    """Return where a file of a dump lies."""
    return f"{FOLDER}{name}/{file}"


def named(at: datetime, mark: UUID) -> str:
    """Return the name of a dump."""
    return f"{_digits(at)}-{mark}"


def segment_located(line: UUID, segment: Segment, mark: UUID) -> str:
    """Return where a segment lies; its name says all there is to know of it, so that a listing is enough."""
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
    """Return every file of a dump; the manifest first, so that what is half deleted does not count."""
    found = [stored.location for stored in store.list(f"{FOLDER}{name}/")]
    return [ObjectKey(location) for location in sorted(found, key=lambda place: not place.endswith(MANIFEST))]


def chain(store: Store, line: UUID) -> list[Segment]:
    """Return the segments that together have all events of a line up to the last one's end, without a gap."""
    found = []
    for stored in store.list(f"{EVENTS_FOLDER}{line}/"):
        match = _SEGMENT.fullmatch(stored.location.rpartition("/")[2])
        if match is not None:
            found.append(Segment(stored.location, _time(match[1]), _time(match[2]), int(match[3]), match[4]))
    chosen: list[Segment] = []
    reached = _EPOCH
    while True:
        further = [s for s in found if s.until > reached and (s.since <= reached - _OVERLAP or s.since == _EPOCH)]
        if not further:
            return chosen
        best = max(further, key=lambda segment: segment.until)
        chosen.append(best)
        reached = best.until


def next_start(segments: Sequence[Segment]) -> datetime:
    """Return from when on the next segment has the events: a while before the last one's end."""
    return segments[-1].until - _OVERLAP if segments else _EPOCH


def read_manifest(store: Store, tier: str, name: str | None) -> Manifest:
    """Return the manifest of a dump, of the newest complete one without a name; raises DumpMissing."""
    complete = [dump.name for dump in listed(store) if dump.complete and name in {None, dump.name}]
    if not complete:
        raise DumpMissing(tier=tier, named="" if name is None else f" {name!r}")
    with store.open(ObjectKey(located(complete[0], MANIFEST))) as chunks:
        return _manifest(json.loads(b"".join(chunks)))


def _manifest(document: dict[str, Any]) -> Manifest:
    parts = [Part(**{**part, "columns": tuple(part["columns"])}) for part in document["parts"]]
    times = ("since", "until")
    events = [
        Segment(**{**segment, **{name: datetime.fromisoformat(segment[name]) for name in times}})
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
