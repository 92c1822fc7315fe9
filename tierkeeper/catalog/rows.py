"""Rows of artifacts and placements, as the engine reads and inserts them, and the facts of a decision from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from models.artifact import ARTIFACT_TIMES
from tierkeeper.base.clock import Outside
from tierkeeper.base.content import Content, Encoding, StoredForm
from tierkeeper.base.states import ArtifactState, CopyStanding, OverrideKind, PlacementState, Vouched
from tierkeeper.catalog.json_values import UnreadableJson
from tierkeeper.policy.decision import Facts, Override
from tierkeeper.policy.match import Subject
from tierkeeper.values.artifacts import Ref
from tierkeeper_client import times


@dataclass(slots=True)
class ArtifactRow:
    """One artifact with its name, its active holds and how many live versions are newer (as far as a policy asks)."""

    id: UUID
    name_id: UUID
    tenant: str
    workflow: str
    name: str
    version: int
    blob_id: UUID | None
    sha256: bytes
    size: int
    content_type: str
    metadata: Mapping[str, Any]
    tags: Mapping[str, str]
    created_at: datetime
    stored_at: datetime
    accessed_at: datetime | None
    policy_id: UUID | None
    state: ArtifactState
    wanted: frozenset[str]
    # from here on: the defaults are those of a new artifact
    deleted_at: datetime | None = None
    purge_at: datetime | None = None
    purged_at: datetime | None = None
    retain_until: datetime | None = None
    retain_mode: str | None = None
    archived_tiers: frozenset[str] | None = None
    override_kind: str | None = None
    override_tiers: frozenset[str] | None = None
    override_until: datetime | None = None
    not_before: datetime | None = None
    revision: int = 1
    holds: tuple[str, ...] = ()
    newer_live: int = 0
    deleted_by: str | None = None  # the policy that deleted it; None after a purge or an approved deletion

    def changed(self, **values: Any) -> "ArtifactRow":  # noqa: ANN401  any field's
        """Return the row with other values of some fields: ``dataclasses.replace`` takes four times as long."""
        made = ArtifactRow(*_values(self))
        for name, value in values.items():
            setattr(made, name, value)
        return made

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The columns that stand-ins were read for: times outside the gate, and JSON that is none of an artifact's."""
        times_outside = (name for name in ARTIFACT_TIMES if isinstance(getattr(self, name), Outside))
        return (*times_outside, *self.opaque)

    @property
    def opaque(self) -> tuple[str, ...]:
        """The columns that cannot be read and that policies match, so that what protects the artifact is not known."""
        if not isinstance(self.metadata, UnreadableJson) and not isinstance(self.tags, UnreadableJson):
            return ()  # nearly all, for each decision
        return tuple(name for name in ("metadata", "tags") if isinstance(getattr(self, name), UnreadableJson))

    @property
    def ref(self) -> Ref:
        """The artifact by name and version."""
        return Ref(self.tenant, self.workflow, self.name, self.version)

    @property
    def content(self) -> Content:
        """The artifact's bytes."""
        return Content(self.sha256, self.size)

    @property
    def subject(self) -> Subject:
        """Return the subject that policies are matched against."""
        return Subject(
            tenant=self.tenant,
            workflow=self.workflow,
            name=self.name,
            tags=tuple(sorted(self.tags.items())),
            content_type=self.content_type,
            size=self.size,
        )

    @property
    def counted(self) -> bool:
        """True if its wishes count for its blob: live, or deleted and not yet purged (R7)."""
        return self.state is not ArtifactState.PURGED

    def facts(self, now: datetime) -> Facts:
        """Return the facts that the decision needs, as of ``now``.

        What cannot be read protects: an unknown age begins when the artifact was stored, a read at an unknown time was
        just now, an unknown end does not come.
        """
        stored_at = now if isinstance(self.stored_at, Outside) else self.stored_at
        opaque = self.opaque
        return Facts(
            id=self.id,
            state=self.state,
            created_at=stored_at if isinstance(self.created_at, Outside) else self.created_at,
            accessed_at=now if isinstance(self.accessed_at, Outside) else self.accessed_at,
            metadata=self.metadata,
            wanted=self.wanted,
            purge_at=_never(self.purge_at),
            not_before=_never(self.not_before),
            retain_until=_never(self.retain_until),
            override=self._override(now),
            holds=self.holds + tuple(f"its {name} cannot be read" for name in opaque) if opaque else self.holds,
            newer_live=self.newer_live,
        )

    def _override(self, now: datetime) -> Override | None:
        """The verbs' wishes as one override: an archive lasts beneath a restore or a promote that ends."""
        timed = self.override_tiers is not None and (self.override_until is None or self.override_until > now)
        if timed and self.override_tiers is not None and self.override_kind is not None:
            kind, tiers = OverrideKind(self.override_kind), self.override_tiers
            if kind is OverrideKind.ADD and self.archived_tiers is not None:
                kind, tiers = OverrideKind.REPLACE, tiers | self.archived_tiers
            return Override(kind=kind, tiers=tiers, until=self.override_until)
        if self.archived_tiers is not None:
            return Override(kind=OverrideKind.REPLACE, tiers=self.archived_tiers, until=None)
        return None


#: the values of all fields, in their order
_values: Callable[[ArtifactRow], tuple[Any, ...]] = attrgetter(*ArtifactRow.__dataclass_fields__)


def _never(end: datetime | None) -> datetime | None:
    return times.LAST if isinstance(end, Outside) else end


@dataclass(frozen=True, slots=True)
class EndedArtifact:
    """A purged artifact that lost its content, as its receipt tells it."""

    id: UUID
    tenant: str
    workflow: str
    name: str
    version: int
    sha256: bytes
    size: int
    created_at: datetime
    revision: int


@dataclass(slots=True)
class PlacementRow(CopyStanding):
    """One copy. ``name_purged``: its readable location carries the name of an artifact that was purged.

    ``vouched`` None: its bytes are not vouched for, and it counts for nothing until they were read (R15). ``pin`` names
    these bytes and no others, None where that is not known (R16). ``missed_at``: since when it is a suspect (R20).
    """

    id: UUID
    blob_id: UUID
    artifact_id: UUID | None
    tier: str
    location: str
    state: PlacementState
    token: UUID | None
    lease_until: datetime | None
    store_version: str | None
    stored_size: int | None
    stored_sha256: bytes | None
    cipher: str | None
    wrapped_key: bytes | None
    key_id: str | None
    compression: str | None
    locked_until: datetime | None
    placed_by: str | None
    made_at: datetime
    damaged_at: datetime | None
    doomed_at: datetime | None
    delete_after: datetime | None
    name_purged: bool
    vouched: Vouched | None
    pin: str | None
    missed_at: datetime | None

    @property
    def form(self) -> StoredForm:
        """The copy's bytes in the tier's store, and their encoding."""
        return StoredForm(
            self.location, self.store_version, self.pin, self.stored_size, self.stored_sha256, self.encoding
        )

    @property
    def encoding(self) -> Encoding:
        """The transformation of the content before it was stored."""
        return Encoding(self.cipher, self.wrapped_key, self.key_id, self.compression)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlacement:
    """The first columns of a placement to insert; ``artifact_id``: whose name a readable location carries.

    :class:`PlacementRow` repeats them: it is mutable and made by position, once per copy of a batch.
    """

    id: UUID
    blob_id: UUID
    artifact_id: UUID | None
    tier: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent(NewPlacement):
    """A copy that is about to be written by the maker with this token; ``placed_by``: the rule that wants it."""

    token: UUID
    lease_until: datetime
    placed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCopy(NewPlacement):
    """A copy that was found in a store: present, or doomed with the time after which it may be deleted."""

    state: PlacementState
    store_version: str | None
    stored_size: int
    stored_sha256: bytes
    placed_by: str
    made_at: datetime
    vouched: Vouched | None
    pin: str | None
    verified_at: datetime
    doomed_at: datetime | None
    delete_after: datetime | None
