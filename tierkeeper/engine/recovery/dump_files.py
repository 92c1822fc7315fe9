"""The files of a catalog dump, and their locations in the coldest tier.

``.tierkeeper/dumps/<time>-<epoch>-<id>/`` has one file per table, and the manifest under a name with its SHA-256. Once
all of them and the dump's segment were read back it has ``manifest.json`` too, with the same content: a dump without it
was interrupted, or was not what was written, and does not count. The newest dump is the one of the highest epoch, as
the time is that of a clock that may have been ahead.

``.tierkeeper/events/<line>/`` has the events in segments, each from one transaction to another in the order of events
(R33). Events are append-only, so a dump adds a segment with the new ones and names the earlier segments. A segment has
an object beside it, ``<id>.read-back``, once a dump that counts names it; one without it, or of another size than its
name says, is in no chain. So a listing tells what counts, of storage classes too that must be thawed to be read. A line
of segments ends where the catalog's line does (:class:`tierkeeper.catalog.epochs.Epoch`). Tables and segments are
gzipped text as COPY writes it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from tierkeeper.base.errors import DumpMissing, DumpUnusable
from tierkeeper.catalog.events import Horizon
from tierkeeper.engine.trust import own_objects
from tierkeeper.stores.base import ObjectKey, Store

FORMAT = 1
FOLDER = f"{own_objects.PREFIX}dumps/"
EVENTS_FOLDER = f"{own_objects.PREFIX}events/"
MANIFEST = "manifest.json"
GZIP = "application/gzip"
_ID_LENGTH = 36  # of a segment's id, with which its name ends
_TIME = "%Y%m%d%H%M%S%f"
#: the release before wrote names without an epoch: those are older than any with one
_DUMP = re.compile(
    re.escape(FOLDER) + r"(?P<name>(?P<time>\d{20})-(?:(?P<epoch>\d{1,18})-)?[0-9a-f-]{36})/(?P<file>.+)"
)
#: the release before wrote the manifest under its one name, before it read the dump back: such a dump counts as it did
_SEALED = re.compile(r"manifest-(?P<sha256>[0-9a-f]{64})\.json")
#: releases before bounded segments by times, ``v2-`` or without a version; no chain includes them, so the first dump
#: after the upgrade has all events
_SEGMENT = re.compile(r"v3-(\w+-\d+)-(\d{1,20})-(\d{1,20})-(\d+)-(\d+)-([0-9a-f]{64})-[0-9a-f-]{36}")


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
    """One file of events: those of ``cluster`` from the transaction ``start`` on, of all clusters where that is 0.

    It has every one of a transaction before ``end``, and those of later ones that had committed; ``size`` in bytes. The
    release before named no cluster, no transactions and no size: such a segment is loaded, and begins no chain.
    """

    location: str
    rows: int
    sha256: str
    cluster: str = ""
    start: int = 0
    end: int = 0
    size: int = 0


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
    epoch: int | None  # none in a dump of the release before
    complete: bool
    size: int


def located(name: str, file: str) -> str:
    """Return the location of a file of a dump."""
    return f"{FOLDER}{name}/{file}"


def named(at: datetime, epoch: int, mark: UUID) -> str:
    """Return the name of a dump."""
    return f"{at.astimezone(UTC).strftime(_TIME)}-{epoch}-{mark}"


def segment_located(line: UUID, segment: EventSegment, mark: UUID) -> str:
    """Return the location of a segment; its name carries every field, so that a listing is enough to know it."""
    bounds = f"{segment.cluster}-{segment.start}-{segment.end}"
    return f"{EVENTS_FOLDER}{line}/v3-{bounds}-{segment.rows}-{segment.size}-{segment.sha256}-{mark}"


def read_back_located(location: str) -> str:
    """Return the location of the object by which the segment at ``location`` counts."""
    folder, _, name = location.rpartition("/")
    return f"{folder}/{name[-_ID_LENGTH:]}.read-back"


def sealed(content: bytes) -> str:
    """Return the name of a manifest's file by which its content is known to be right."""
    return f"manifest-{sha256(content).hexdigest()}.json"


def listed(store: Store) -> list[DumpView]:
    """Return the dumps in a store, newest first: by their epoch, those of one epoch by their time."""
    found: dict[str, DumpView] = {}
    for stored in store.list(FOLDER):
        match = _DUMP.fullmatch(stored.location)
        if match is not None:
            name, epoch = match["name"], match["epoch"]
            at = datetime.strptime(match["time"], _TIME).replace(tzinfo=UTC)
            known = found.get(name, DumpView(name, at, int(epoch) if epoch else None, complete=False, size=0))
            complete = known.complete or match["file"] == MANIFEST
            found[name] = replace(known, complete=complete, size=known.size + stored.size)
    return sorted(found.values(), key=lambda view: (view.epoch or 0, view.name), reverse=True)


def misleading(dumps: Iterable[DumpView], newest: DumpView) -> list[DumpView]:
    """Return the complete dumps with a later time than the newest one.

    A clock was ahead when they were made, or they are of an older copy of the catalog.
    """
    return [dump for dump in dumps if dump.complete and dump.at > newest.at]


def files_of(store: Store, name: str) -> list[ObjectKey]:
    """Return every file of a dump; the manifest first, so that a half deleted dump does not count."""
    locations = [stored.location for stored in store.list(f"{FOLDER}{name}/")]
    return [ObjectKey(location) for location in sorted(locations, key=lambda place: not place.endswith(f"/{MANIFEST}"))]


def segments(store: Store, line: UUID) -> list[EventSegment]:
    """Return the segments of a line that have positions, were read back, and are still as large as they were."""
    sizes = {stored.location: stored.size for stored in store.list(f"{EVENTS_FOLDER}{line}/")}
    found = []
    for location, size in sizes.items():
        match = _SEGMENT.fullmatch(location.rpartition("/")[2])
        if match is not None and read_back_located(location) in sizes:
            cluster, start, end, rows, length, digest = match.groups()
            segment = EventSegment(location, int(rows), digest, cluster, int(start), int(end), int(length))
            if segment.size == size:
                found.append(segment)
    return found


def chain(found: Sequence[EventSegment], now: Horizon) -> list[EventSegment]:
    """Return segments that together have all events before the end of the last one, without a gap.

    They are of the server that writes now: another one's transactions have another order. Nor are they a chain where
    they end after the horizon, which this server has not reached.
    """
    own = [segment for segment in found if segment.cluster == now.cluster and segment.end <= now.xid]
    chosen: list[EventSegment] = []
    while further := [segment for segment in own if segment.start <= end_of(chosen) < segment.end]:
        chosen.append(max(further, key=lambda segment: segment.end))
    return chosen


def end_of(chained: Sequence[EventSegment]) -> int:
    """Return the transaction before which a chain has every event, where the next segment starts."""
    return chained[-1].end if chained else 0


def chosen(dumps: Sequence[DumpView], tier: str, name: str | None) -> DumpView:
    """Return the complete dump ``name``, or the newest complete one; raises DumpMissing."""
    complete = [dump for dump in dumps if dump.complete and name in {None, dump.name}]
    if not complete:
        raise DumpMissing(tier=tier, named="" if name is None else f" {name!r}")
    return complete[0]


def read_manifest(store: Store, name: str) -> Manifest:
    """Return the manifest of the dump ``name``; raises DumpUnusable where it cannot be read, or is damaged."""
    location, expected = _manifest_of(store, name)
    with store.open(ObjectKey(location)) as chunks:
        content = b"".join(chunks)
    if expected not in {None, sha256(content).hexdigest()}:
        raise DumpUnusable(name=name, problem="the bytes of its manifest are not those that it was made with")
    try:
        return _manifest(json.loads(content))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DumpUnusable(name=name, problem="its manifest cannot be read") from error


def _manifest_of(store: Store, name: str) -> tuple[str, str | None]:
    """Return the location of a dump's manifest with the SHA-256 of its content, None in one of the release before."""
    for key in files_of(store, name):
        match = _SEALED.fullmatch(key.location.rpartition("/")[2])
        if match is not None:
            return key.location, match["sha256"]
    return located(name, MANIFEST), None


def _manifest(document: dict[str, Any]) -> Manifest:
    parts = [Part(**{**part, "columns": tuple(part["columns"])}) for part in document["parts"]]
    return Manifest(
        name=document["name"],
        taken_at=datetime.fromisoformat(document["taken_at"]),
        revision=document["revision"],
        epoch=document["epoch"],
        line=document["line"],
        parts=tuple(parts),
        event_columns=tuple(document["event_columns"]),
        events=tuple(map(_segment, document["events"])),
    )


def _segment(document: Mapping[str, Any]) -> EventSegment:
    """Return a segment; one of the release before has times for its bounds, which nothing asks for."""
    return EventSegment(**{name: value for name, value in document.items() if name not in {"since", "until"}})
