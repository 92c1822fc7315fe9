"""Counts of effects by SQL, exact: what was stored is there once, under one version, told once, moved once."""

import hashlib
from collections.abc import Mapping

from faults.crew import Crew


def digests(sent: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of what was sent, by name."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sent.items()}


def check_stored_once(crew: Crew, sent: Mapping[str, bytes]) -> None:
    """Every name has exactly one version, with what was sent under it, one command and one ``stored`` event."""
    rows = crew.house.sql(
        "SELECT n.name, a.version, encode(a.sha256, 'hex') AS sha256, a.state"
        " FROM artifacts a JOIN names n ON n.id = a.name_id"
    )
    assert len(rows) == len(sent), f"{len(rows)} versions of {len(sent)} names"
    assert {row.name: row.sha256 for row in rows} == digests(sent)
    assert {(row.version, row.state) for row in rows} == {(1, "live")}
    assert crew.count("commands") == len(sent)
    assert crew.count("events", "type = 'stored'") == len(sent)
    assert crew.count("blobs") == len(set(sent.values()))


def check_moved_once(crew: Crew, sent: Mapping[str, bytes], *, tier: str) -> None:
    """Every name came to be wanted in ``tier`` alone exactly once, and lies there and nowhere else."""
    arrived = f"type = 'moved' AND after -> 'wanted' = '[\"{tier}\"]'"
    assert crew.count("events", arrived) == len(sent)
    assert crew.house.sql(f"SELECT count(DISTINCT subject) FROM events WHERE {arrived}")[0][0] == len(sent)  # noqa: S608  as above
    assert crew.count("placements") == crew.count("placements", f"tier = '{tier}' AND state = 'present'")
    assert crew.count("placements") == len(set(sent.values()))
