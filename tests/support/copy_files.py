"""The files of copies in tiers that are folders, and what happens to their bytes."""

from pathlib import Path

from support.house import House


def file_of(house: House, tier: str, name: str = "a") -> Path:
    """The file of an artifact's copy."""
    (copy,) = [p for p in house.show(name).placements if p.tier == tier]
    return Path(house.settings.tiers[tier].url.removeprefix("file://")) / copy.location


def flip(file: Path) -> None:
    """Change one bit, and nothing else."""
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
