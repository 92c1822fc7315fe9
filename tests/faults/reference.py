"""What tierkeeper should do, in the fewest words: one tenant, whole days, no copies, no faults.

Written from the design alone; it shares no code with the engine.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

PHASES = ((0, "hot"), (7, "warm"), (30, "cold"))
PURGE_AGE, UNDO, PIN = 90, 7, 30
POLICY = """
name: reference
match: {tenant: acme}
phases: [{after: 0d, in: [hot]}, {after: 7d, in: [warm]}, {after: 30d, in: [cold]}, {after: 90d, in: []}]
undo: 7d
"""


@dataclass(slots=True)
class Version:
    """One version: what a user knows of it, and the tiers it wants since somebody last looked."""

    content: bytes
    created: int  # day
    state: str = "live"
    wanted: frozenset[str] = frozenset({"hot"})
    purge_at: int = 0
    pinned_until: int = 0
    archived: bool = False
    override: tuple[str, str, int | None] | None = None  # kind, tier, until (None: for good)

    def look(self, today: int) -> None:
        """Do what the rules say today."""
        if self.state == "deleted" and self.purge_at <= today:
            self.state, self.wanted = "purged", frozenset()
        if self.state != "live":
            return
        if today - self.created >= PURGE_AGE and today >= self.pinned_until:
            self.delete(today)
            return
        self.wanted = self._tiers(today)

    def delete(self, today: int) -> None:
        """Begin the undo window; the tiers stay."""
        self.state, self.purge_at = "deleted", today + UNDO

    def next_phase(self, today: int) -> int | None:
        """The day on which the next phase begins."""
        coming = [self.created + age for age in (*(age for age, _ in PHASES), PURGE_AGE) if self.created + age > today]
        return coming[0] if coming else None

    def _tiers(self, today: int) -> frozenset[str]:
        base = frozenset({[tier for age, tier in PHASES if today - self.created >= age][-1]})
        if self.archived:
            base = frozenset({"cold"})
        if self.override is None or (self.override[2] is not None and self.override[2] <= today):
            return base
        kind, tier, _ = self.override
        return frozenset({tier}) if kind == "replace" else base | {tier}


@dataclass(slots=True)
class Reference:
    """All names and their versions, and today."""

    today: int = 0
    names: dict[str, list[Version]] = field(default_factory=dict)

    def store(self, name: str, content: bytes, age: int) -> None:
        """Store; the same content as the latest live version changes nothing."""
        versions = self.names.setdefault(name, [])
        if not versions or versions[-1].state != "live" or versions[-1].content != content:
            versions.append(Version(content, self.today - age))

    def promote(self, name: str, tier: str) -> None:
        """To one tier, until the next phase."""
        version = self.names[name][-1]
        version.override = ("replace", tier, version.next_phase(self.today))
        version.look(self.today)

    def archive(self, name: str) -> None:
        """To cold, for good."""
        version = self.names[name][-1]
        if version.archived and version.override is None:
            return  # a verb with nothing to do looks at nothing: what is due meanwhile is the sweep's
        version.archived, version.override = True, None
        version.look(self.today)

    def restore(self, name: str, days: int | None) -> None:
        """In hot too, until a day or for good."""
        version = self.names[name][-1]
        version.override = ("add", "hot", None if days is None else self.today + days)
        version.look(self.today)

    def purge(self, name: str) -> None:
        """Delete."""
        self.names[name][-1].delete(self.today)

    def undelete(self, name: str) -> None:
        """Live again, and pinned."""
        version = self.names[name][-1]
        version.state, version.pinned_until = "live", self.today + PIN
        version.look(self.today)

    def turn(self) -> None:
        """Look at everything; what is deleted with a window of nothing is looked at again."""
        for version in self.versions():
            version.look(self.today)

    def versions(self) -> Iterator[Version]:
        """Every version of every name."""
        for versions in self.names.values():
            yield from versions

    def wanted(self, content: bytes) -> set[str]:
        """The tiers in which a content must be: wherever any version of it that is not purged wants it."""
        found: set[str] = set()
        for version in self.versions():
            if version.content == content and version.state != "purged":
                found |= version.wanted
        return found
