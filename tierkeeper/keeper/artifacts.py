"""Artifacts: store, read, select, explain, and the verbs that move, delete and undelete them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tierkeeper.base.callers import Caller
from tierkeeper.catalog import browse
from tierkeeper.engine.context import Engine
from tierkeeper.engine.gates import bulk
from tierkeeper.engine.ingest import foresight, ingest
from tierkeeper.engine.ingest.gathering import Gathering
from tierkeeper.engine.read import reader, views
from tierkeeper.engine.read.access_times import AccessLog
from tierkeeper.engine.verbs import verbs
from tierkeeper.values.artifacts import (
    ArtifactView,
    ContentOpening,
    Explanation,
    Filter,
    ItemError,
    ItemResult,
    Ref,
    StoreResult,
    VerbResult,
)
from tierkeeper.values.progress import ProgressCallback
from tierkeeper_client import contract


@dataclass(frozen=True, slots=True)
class OpenedArtifact:
    """An artifact being read from ``tier``; its bytes are verified while ``chunks`` is consumed."""

    view: ArtifactView
    tier: str
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The resource ``keeper.artifacts``; ``access`` collects the times of reads, ``gathering`` stores that wait."""

    engine: Engine
    access: AccessLog
    gathering: Gathering

    # -- store and read

    def store(self, args: "contract.StoreArgs", *, caller: Caller, content: BinaryIO | None = None) -> StoreResult:
        """Store one artifact; callers in this process may pass ``content`` instead of ``args.content``."""
        if content is None:
            return self.gathering.store(args, caller=caller)
        return ingest.store(self.engine, args, caller=caller, content=content)

    def store_many(
        self,
        items: "Sequence[contract.StoreArgs | ItemError]",
        *,
        caller: Caller,
        contents: Mapping[int, ContentOpening] | None = None,
    ) -> list[ItemResult]:
        """Store small artifacts; return one outcome each, in their order. An item that is an ItemError stays one.

        Callers in this process may open ``contents`` of items, by position, instead of those in their arguments.
        """
        return ingest.store_many(self.engine, items, caller=caller, contents=contents)

    def past_purge(self, items: "Sequence[tuple[contract.StoreArgs, int]]", *, caller: Caller) -> list[bool]:
        """Return for each item, with its bytes, True if its policy would delete it as soon as it is stored."""
        return foresight.past_purge(self.engine, items, caller=caller)

    @contextmanager
    def open(
        self, ref: Ref, *, deleted: bool = False, offset: int = 0, length: int | None = None
    ) -> Iterator[OpenedArtifact]:
        """Open the hottest copy that answers, for streaming. A read of the whole content is verified before its end."""
        row = reader.find(self.engine.catalog, ref, deleted=deleted)
        with reader.opened(self.engine, row, offset=offset, length=length) as opened:
            self.access.note(row.id)
            yield OpenedArtifact(self.show(row.ref), opened.tier, opened.chunks)

    def fetch(
        self, ref: Ref, target: Path, *, deleted: bool = False, progress: ProgressCallback | None = None
    ) -> ArtifactView:
        """Write an artifact to the file ``target``, which appears only whole and verified; return the artifact."""
        return self.show(self.write(ref, target, deleted=deleted, progress=progress))

    def write(self, ref: Ref, target: Path, *, deleted: bool = False, progress: ProgressCallback | None = None) -> Ref:
        """As :meth:`fetch`, for many artifacts: return only the reference with its version."""
        row = reader.find(self.engine.catalog, ref, deleted=deleted)
        reader.fetch(self.engine, row, target, progress=progress)
        self.access.note(row.id)
        return row.ref

    # -- query

    def show(self, ref: Ref) -> ArtifactView:
        """Return one artifact in any state."""
        return views.show(self.engine, ref)

    def select(self, filter: Filter, *, limit: int | None = None) -> Iterator[ArtifactView]:  # noqa: A002  the word of the CLI
        """Yield the matching artifacts, ordered by tenant, workflow, name and version."""
        return views.select(self.engine, filter, limit=limit)

    def count(self, filter: Filter) -> int:  # noqa: A002  as select
        """Return the number of matching artifacts."""
        with self.engine.catalog.reading() as connection:
            return browse.count(connection, filter)

    def explain(self, ref: Ref) -> Explanation:
        """Return why an artifact is where it is, its next step and when that is due; or how the artifact ended."""
        return views.explain(self.engine, ref)

    # -- verbs

    def promote(self, args: "contract.PromoteArgs", *, caller: Caller, dry_run: bool = False) -> list[VerbResult]:
        """Move artifacts to one tier, in either direction, until the next phase of their policy begins."""
        return verbs.promote(self.engine, args, caller=caller, dry_run=dry_run)

    def archive(self, args: "contract.ArchiveArgs", *, caller: Caller, dry_run: bool = False) -> list[VerbResult]:
        """Move artifacts to the coldest tier, for good."""
        return verbs.archive(self.engine, args, caller=caller, dry_run=dry_run)

    def restore(self, args: "contract.RestoreArgs", *, caller: Caller, dry_run: bool = False) -> list[VerbResult]:
        """Add a copy in the hottest tier, for a time or for good."""
        return verbs.restore(self.engine, args, caller=caller, dry_run=dry_run)

    def purge(self, args: "contract.PurgeArgs", *, caller: Caller, dry_run: bool = False) -> list[VerbResult]:
        """Delete artifacts now; they are destroyed after the undo window."""
        return verbs.purge(self.engine, args, caller=caller, dry_run=dry_run)

    def undelete(self, args: "contract.UndeleteArgs", *, caller: Caller, dry_run: bool = False) -> list[VerbResult]:
        """Make deleted artifacts live again, while the undo window lasts."""
        return verbs.undelete(self.engine, args, caller=caller, dry_run=dry_run)

    def ask(self, args: "contract.VerbArgs", *, caller: Caller) -> list[VerbResult]:
        """Write a verb's effect on the wanted tiers into the catalog and leave the copying to the next sweep."""
        return verbs.ask(self.engine, args, caller=caller)

    def braked_purge(self, counts: Mapping[str, int], *, described: str) -> dict[str, int]:
        """Return the brake's limit of each tenant for which :meth:`allow_purge` would raise; nothing is written."""
        return bulk.foreseen(self.engine, counts, described=described)

    def allow_purge(self, counts: Mapping[str, int], *, described: str, samples: Sequence[str], caller: Caller) -> None:
        """Raise BrakeOn if a purge by filter selects more artifacts of a tenant than the brake allows at once.

        ``counts`` is the number of artifacts by tenant; ``described`` and ``samples`` are kept for the approval.
        """
        bulk.allow(self.engine, counts, described=described, samples=samples, caller=caller)
