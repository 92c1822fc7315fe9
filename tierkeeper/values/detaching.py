"""What becomes of months of the audit log that are to be detached."""

from dataclasses import dataclass

from tierkeeper.base.states import Outcome


@dataclass(frozen=True, slots=True)
class DetachedMonth:
    """What became of a month, such as ``2026-03``, that was to be detached; ``sha256`` is the file's, in hexadecimal.

    ``outcome`` is done, or refused where it stays, with the reason in ``detail``.
    """

    month: str
    outcome: Outcome
    events: int
    file: str
    detail: str
    size: int | None = None  # bytes of the file
    sha256: str | None = None
    dry_run: bool = False
