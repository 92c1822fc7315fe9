"""The demo's content: real files, an age for each, the policy that moves them, and the tiers where they must end."""

import random
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from tierkeeper.base.states import PlacementState
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.settings.groups import RetentionSettings
from tierkeeper.values.artifacts import ArtifactView, PlacementView, Ref
from tierkeeper.values.tiers import TierStats
from tierkeeper_client.errors import InvalidInput, InvalidName
from tierkeeper_client.identifiers import check_name

UNDO: Final = timedelta(seconds=4)
GRACE: Final = timedelta(seconds=1)
LARGEST: Final = 4 * 1024 * 1024  # bytes; larger files only slow the demo down
OLDEST: Final = 4 / 3  # times the purge age: a quarter of the files is older than it
LEFT_OUT: Final = frozenset({"__pycache__", "site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class DemoFile:
    """One file to store, and the age that its artifact gets."""

    path: Path
    ref: Ref
    size: int
    age: timedelta


def items(
    folder: Path | None, *, count: int, tenant: str, workflow: str, aged: bool, days: RetentionSettings
) -> list[DemoFile]:
    """Return up to ``count`` files, evenly from the whole of ``folder`` (None: this Python's standard library).

    ``aged``: ages from zero to a third beyond the purge age, in random but reproducible order.
    """
    root = Path(sysconfig.get_paths()["stdlib"]) if folder is None else folder
    paths = list(_files(root, "*.py" if folder is None else "*"))
    if not paths:
        raise InvalidInput(
            field="--from", value=str(root), problem="there is no file to store in it", fix="Give another folder."
        )
    step = max(1.0, len(paths) / count)
    chosen = [paths[int(at * step)] for at in range(min(count, len(paths)))]
    ages = list(_ages(len(chosen), days)) if aged else [timedelta(0)] * len(chosen)
    random.Random(len(chosen)).shuffle(ages)  # noqa: S311  an order, no secret
    return [
        DemoFile(path, Ref(tenant, workflow, path.relative_to(root).as_posix(), 1), path.stat().st_size, age)
        for path, age in zip(chosen, ages, strict=True)
    ]


def _files(root: Path, pattern: str) -> Iterator[Path]:
    for path in sorted(root.rglob(pattern)):
        if LEFT_OUT.intersection(path.parts) or path.is_symlink() or not path.is_file():
            continue
        if not 0 < path.stat().st_size <= LARGEST:
            continue
        try:
            check_name(path.relative_to(root).as_posix())
        except InvalidName:
            continue
        yield path


def _ages(count: int, days: RetentionSettings) -> Iterator[timedelta]:
    oldest = timedelta(days=days.cold_days * OLDEST)
    return islice((oldest * at / max(1, count - 1) for at in range(count)), count)


def policy_text(name: str, tenant: str, days: RetentionSettings) -> str:
    """Return the demo's policy: the default's phases, for one tenant, with an undo window of seconds."""
    return f"""\
name: {name}
match: {{tenant: "{tenant}", workflow: "demo-*"}}
phases:
  - {{after: 0d, in: [hot]}}
  - {{after: {days.hot_days}d, in: [warm]}}
  - {{after: {days.warm_days}d, in: [cold]}}
  - {{after: {days.cold_days}d, in: []}}
undo: {UNDO.seconds}s
brake: off
"""


def expected_tier(age: timedelta, days: RetentionSettings) -> str | None:
    """Return the tier of an artifact of ``age``, computed independently of the engine; None if it is to be purged."""
    for tier, until in (("hot", days.hot_days), ("warm", days.warm_days), ("cold", days.cold_days)):
        if age < timedelta(days=until):
            return tier
    return None


def by_tier(found: Sequence[DemoFile], days: RetentionSettings) -> dict[str | None, list[DemoFile]]:
    """Return the items by the tier they belong to."""
    sorted_out: dict[str | None, list[DemoFile]] = {"hot": [], "warm": [], "cold": [], None: []}
    for item in found:
        sorted_out[expected_tier(item.age, days)].append(item)
    return sorted_out


def tier_stats(tiers: Sequence[TierInfo], views: Iterable[ArtifactView]) -> list[TierStats]:
    """Return the number of copies of the artifacts in ``views`` by tier; a shared copy counts once."""
    copies = {copy.location: (view.ref.tenant, copy) for view in views for copy in view.placements}
    return [_stats(tier, [both for both in copies.values() if both[1].tier == tier.name]) for tier in tiers]


def _stats(tier: TierInfo, copies: Sequence[tuple[str, PlacementView]]) -> TierStats:
    present = [copy for _tenant, copy in copies if copy.state is PlacementState.PRESENT]
    doomed = [copy for _tenant, copy in copies if copy.state in {PlacementState.DOOMED, PlacementState.DELETING}]
    return TierStats(
        tier=tier.name,
        temperature=tier.temperature.value,
        present=len(present),
        present_bytes=sum(copy.stored_size or 0 for copy in present),
        doomed=len(doomed),
        doomed_bytes=sum(copy.stored_size or 0 for copy in doomed),
        tenants=len({tenant for tenant, _one in copies}),
        unvouched=sum(copy.in_doubt for _tenant, copy in copies),
        missed=sum(copy.suspect for _tenant, copy in copies),
    )


def workflow_name(now: datetime) -> str:
    """Return a workflow name for one demo; each demo has its own, so that it can be run again."""
    return f"demo-{now:%Y%m%d-%H%M%S}"
