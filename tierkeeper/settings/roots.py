"""The folders and buckets that sources may come from lie apart from tierkeeper's own.

Below a root that overlaps the home, a folder tier or staging, and in the bucket of a tier or of staging, a producer
could name the copies of another tenant, or the files of the home, as the content to store.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tierkeeper.base.quantities import Unusable
from tierkeeper.settings.groups import TierSettings
from tierkeeper_client import files, urls


def check(roots: list[Path], *, home: Path, tiers: Mapping[str, TierSettings], staging: str) -> None:
    """Raise Unusable for a root that lies in one of tierkeeper's folders, or one of them in it, links followed.

    Also for one whose name is another one by the locale of this process.
    """
    for root in roots:
        if not str(root).isascii() and not files.utf8_names():
            raise Unusable(
                f"{root} is not ASCII, and the locale of this process is not UTF-8: it would name another folder.",
                "Give the process a UTF-8 locale, such as LC_ALL=C.UTF-8.",
                name="sources.allowed_roots",
            )
        real = _real(root)
        for what, folder in own_folders(home, tiers, staging):
            other = _real(folder)
            if real.is_relative_to(other) or other.is_relative_to(real):
                elsewhere = " Or say where the home is: --home, TIERKEEPER_HOME." if folder == home else ""
                raise Unusable(
                    f"{root} overlaps {what}, {folder}: whoever may name a source could read what is there.",
                    f"Name folders that hold nothing but what is to be stored.{elsewhere}",
                    name="sources.allowed_roots",
                )


def check_buckets(buckets: list[str], *, tiers: Mapping[str, TierSettings], staging: str) -> None:
    """Raise Unusable for a bucket of a tier or of staging, whatever the prefix: a source may be any key of a bucket.

    The same name at another endpoint counts too: credentials and the environment decide which one a source is.
    """
    for what, place in _places(tiers, staging):
        for bucket in buckets:
            if place.scheme == "s3" and place.host.casefold() == bucket.casefold():
                raise Unusable(
                    f"{bucket} is the bucket of {what}: whoever may name a source could read what is there.",
                    "Name buckets that hold nothing but what is to be stored, named like none of ours at any endpoint.",
                    name="sources.allowed_buckets",
                )


def _real(folder: Path) -> Path:
    return Path(os.path.realpath(folder))  # Path.resolve raises RuntimeError for links in a circle


def own_folders(home: Path, tiers: Mapping[str, TierSettings], staging: str) -> Iterator[tuple[str, Path]]:
    """Yield tierkeeper's own folders, each with what it is: the home, folder tiers, staging."""
    yield "the home folder", home
    for what, place in _places(tiers, staging):
        if place.scheme == "file" and place.path.startswith("/"):
            yield what, Path(place.path)


def _places(tiers: Mapping[str, TierSettings], staging: str) -> Iterator[tuple[str, urls.PlaceUrl]]:
    for what, url in (*((f"tier {name}", tier.url) for name, tier in tiers.items()), ("staging", staging)):
        try:
            yield what, urls.parse(url)
        except urls.UnusableUrl:
            continue  # whoever makes the store says what is wrong with it
