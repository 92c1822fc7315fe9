"""Old months of the audit log: what was done now, as if it had been done long ago."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from support.callers import TESTER
from support.house import House
from tierkeeper.catalog import partitions
from tierkeeper.engine.recovery import dump
from tierkeeper.values.detaching import DetachedMonth

#: far enough back for months that are over, whatever day it is
LONG_AGO = timedelta(days=100)


def this_month() -> datetime:
    """Return the beginning of the month that is long enough over for all before it to go."""
    return partitions.Month.of(datetime.now(UTC) - timedelta(days=2)).since


def make(house: House, when: datetime) -> None:
    """Make the partition of a month."""
    house.keeper.engine.catalog.run(TESTER, partitions.make_ahead, now=when)


def age(house: House, length: timedelta = LONG_AGO) -> None:
    """Let all that happened so far have happened so long ago, events too."""
    make(house, datetime.now(UTC) - length)
    house.pass_time(length)
    with house.keeper.engine.catalog.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))  # the log is append-only
        connection.execute(sa.text("UPDATE events SET at = at - CAST(:length AS interval)"), {"length": length})


def old(house: House) -> list[tuple[str, int]]:
    """Return every event in the catalog that can go, by subject and revision, in the order of the files."""
    found = "SELECT subject, revision FROM events WHERE at < :end ORDER BY at, subject, revision"
    return [(str(row.subject), row.revision) for row in house.sql(found, end=this_month())]


def files(folder: Path) -> list[Path]:
    """Return the files of months, the oldest first."""
    return sorted(folder.glob("lifecycle_events-*.jsonl.gz"))


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return what the files have."""
    return [json.loads(line) for file in files(folder) for line in gzip.decompress(file.read_bytes()).splitlines()]


def written(folder: Path) -> list[tuple[str, int]]:
    """Return every event in the files, by subject and revision."""
    return [(line["subject"], line["revision"]) for line in lines(folder)]


def tables(house: House) -> list[str]:
    """Return the tables of months that can go."""
    name = f"events_{this_month():%Y_%m}"
    found = "SELECT tablename FROM pg_tables WHERE tablename BETWEEN 'events_0' AND :last AND tablename <> :last"
    return [row.tablename for row in house.sql(found, last=name)]


def dumped(house: House) -> None:
    """Make a dump: months that are in none stay."""
    dump.dump(house.keeper.engine, caller=TESTER)


def detach(house: House, folder: Path, *, dry_run: bool = False) -> list[DetachedMonth]:
    """Detach all months that can go."""
    return list(house.keeper.events.detach(before=this_month(), folder=folder, caller=TESTER, dry_run=dry_run))
