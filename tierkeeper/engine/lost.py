"""Content that is lost: when its copies in the catalog say so, and what is told of it then."""

from collections.abc import Container, Iterable
from typing import Final

from tierkeeper.base.states import PlacementState
from tierkeeper.catalog.rows import PlacementRow

BLOCKED: Final = (
    "the content is lost, every copy was found damaged or is gone: `tierkeeper reconcile` reads them once more;"
    " otherwise only storing it again brings the content back"
)
STEP: Final = "no readable copy: `tierkeeper reconcile` reads them once more, else store it again"


def is_lost(copies: Iterable[PlacementRow], tiers: Container[str]) -> bool:
    """Whether every copy was found damaged or is gone; not where one is being written, or its tier is none of ours."""
    return not any(
        copy.state is PlacementState.COPYING or copy.readable or (copy.kept and copy.tier not in tiers)
        for copy in copies
    )
