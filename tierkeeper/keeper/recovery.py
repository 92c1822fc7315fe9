"""Recovery of the catalog as a whole: dump it, rebuild it, examine it, accept a restore."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tierkeeper.base.callers import Caller
from tierkeeper.engine.context import Engine
from tierkeeper.engine.recovery import accept, doctor, dump, dump_files, mend, rebuild
from tierkeeper.values.progress import ProgressCallback
from tierkeeper.values.recovery import Acceptance, Approved, Checkup, Mended, RebuildResult
from tierkeeper.values.runs import SweepResult


@dataclass(frozen=True, slots=True)
class Recovery:
    """The resource ``keeper.recovery``."""

    engine: Engine

    def dump(self, *, caller: Caller, progress: ProgressCallback | None = None) -> SweepResult:
        """Write the catalog and its new events into the coldest tier."""
        return dump.dump(self.engine, caller=caller, progress=progress)

    def dumps(self) -> "list[dump_files.DumpView]":
        """Return the existing dumps, newest first."""
        return dump.listed(self.engine)

    def rebuild(
        self,
        *,
        caller: Caller,
        dump: str | None = None,
        objects_only: bool = False,
        dry_run: bool = False,
        progress: ProgressCallback | None = None,
    ) -> RebuildResult:
        """Rebuild an empty catalog from a dump and the stores, or continue an interrupted rebuild."""
        return rebuild.rebuild(
            self.engine, caller=caller, dump=dump, objects_only=objects_only, dry_run=dry_run, progress=progress
        )

    def approve(self, *, caller: Caller, reason: str, dry_run: bool = False) -> Iterator[Approved]:
        """Release the holds on artifacts that a rebuild found only in the stores."""
        return accept.approve(self.engine.catalog, caller=caller, reason=reason, dry_run=dry_run)

    def accept_restore(
        self, *, caller: Caller, reason: str, dry_run: bool = False, progress: ProgressCallback | None = None
    ) -> Acceptance:
        """Compare a restored or rebuilt catalog with the stores, then mark it as trusted."""
        return accept.accept(self.engine, caller=caller, reason=reason, dry_run=dry_run, progress=progress)

    def mend(self, *, caller: Caller, reason: str, dry_run: bool = False) -> Iterator[Mended]:
        """Mend artifacts whose rows cannot be read; yield each."""
        return mend.mend(self.engine.catalog, caller=caller, reason=reason, dry_run=dry_run)

    def clear_future(self, *, caller: Caller, reason: str, dry_run: bool = False) -> Mapping[str, int]:
        """Clear times that were written by a clock which was ahead; return how many by table and column."""
        return mend.clear_future(self.engine, caller=caller, reason=reason, dry_run=dry_run)

    def examine(self, *, everything: bool = False) -> Iterator[Checkup]:
        """Check the catalog's invariants; yield one result per check."""
        return doctor.examine(self.engine, everything=everything)
