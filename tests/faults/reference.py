"""What tierkeeper should do, in the fewest words: one tenant, whole days, no copies, no faults.

Written from the design alone; it shares no code with the engine.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

PIN = 30


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy's numbers, in days: when each tier begins, when it purges, what it retains, keeps and lets undo."""

    warm: int = 7
    cold: int = 30
    purge: int = 90
    retention: int | None = None
    keep: int | None = None
    undo: int = 7

    def tier(self, age: int) -> str:
        """Where something of this age belongs."""
        return "cold" if age >= self.cold else "warm" if age >= self.warm else "hot"

    def next_phase(self, age: int) -> int | None:
        """The age at which the next phase begins; a purge is one."""
        return min((begin for begin in (self.warm, self.cold, self.purge) if begin > age), default=None)

    def document(self) -> str:
        """The policy as a user writes it."""
        phases = f"{{after: 0d, in: [hot]}}, {{after: {self.warm}d, in: [warm]}}, {{after: {self.cold}d, in: [cold]}}"
        lines = [
            "name: reference",
            "match: {tenant: acme}",
            f"phases: [{phases}, {{after: {self.purge}d, in: []}}]",
            f"undo: {self.undo}d",
        ]
        if self.retention is not None:
            lines.append(f"retention: {{mode: governance, for: {self.retention}d, in: [cold]}}")
        if self.keep is not None:
            lines.append(f"versions: {{keep: {self.keep}}}")
        return "\n".join(lines) + "\n"


POLICIES = (
    Policy(),
    Policy(warm=3, cold=14, purge=60),
    Policy(warm=20, cold=50, purge=200, undo=2),
    Policy(keep=1),
    Policy(undo=0),
    Policy(retention=45),
    Policy(warm=3, cold=14, purge=90, retention=80, keep=2),
)


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
    held: bool = False
    retained_until: int = 0

    def tiers(self, policy: Policy, today: int) -> frozenset[str]:
        """Where it belongs today."""
        base = frozenset({"cold"} if self.archived else {policy.tier(today - self.created)})
        if self.override is None or (self.override[2] is not None and self.override[2] <= today):
            return base
        kind, tier, _ = self.override
        return frozenset({tier}) if kind == "replace" else base | {tier}


@dataclass(slots=True)
class Reference:
    """All names and their versions, the policy, and today."""

    today: int = 0
    policy: Policy = POLICIES[0]
    names: dict[str, list[Version]] = field(default_factory=dict)

    # -- what users do; a verb is about the latest version

    def store(self, name: str, content: bytes, age: int) -> None:
        """Store; the same content as the latest live version changes nothing."""
        versions = self.names.setdefault(name, [])
        if versions and versions[-1].state == "live" and versions[-1].content == content:
            return
        version = Version(content, self.today - age)
        self._retain(version)
        versions.append(version)

    def promote(self, name: str, tier: str) -> None:
        """To one tier, until the next phase."""
        version = self.names[name][-1]
        begins = self.policy.next_phase(self.today - version.created)
        version.override = ("replace", tier, None if begins is None else version.created + begins)
        self.look([version])

    def archive(self, name: str) -> None:
        """To cold, for good."""
        version = self.names[name][-1]
        if version.archived and version.override is None:
            return  # a verb with nothing to do looks at nothing: what is due meanwhile is the sweep's
        version.archived, version.override = True, None
        self.look([version])

    def restore(self, name: str, days: int | None) -> None:
        """In hot too, until a day or for good."""
        version = self.names[name][-1]
        version.override = ("add", "hot", None if days is None else self.today + days)
        self.look([version])

    def purge(self, name: str) -> None:
        """Delete: the undo window begins, the tiers stay."""
        version = self.names[name][-1]
        version.state, version.purge_at = "deleted", self.today + self.policy.undo
        self.look([version])

    def undelete(self, name: str) -> None:
        """Live again, and pinned."""
        version = self.names[name][-1]
        version.state, version.pinned_until = "live", self.today + PIN
        self.look([version])

    # -- what the rules do

    def turn(self) -> None:
        """Look at everything; and again, for undo windows of nothing end in the same turn."""
        self.look(list(self.versions()))
        self.look(list(self.versions()))

    def look(self, versions: list[Version]) -> None:
        """Do what the rules say today of these versions: decide about all of them, then do it."""
        ending = [v for v in versions if v.state == "deleted" and v.purge_at <= self.today and not self.protected(v)]
        going = [v for v in versions if v.state == "live" and self._expires(v)]
        for version in versions:
            if version.state != "purged":
                self._retain(version)
            if version in ending:
                version.state, version.wanted = "purged", frozenset()
            elif version in going:
                version.state, version.purge_at = "deleted", self.today + self.policy.undo
            elif version.state == "live":
                version.wanted = version.tiers(self.policy, self.today)

    def protected(self, version: Version) -> bool:
        """Whether a hold or retention, noted or of the policy of now, keeps it."""
        return version.held or self._retained_until(version) > self.today

    def _expires(self, version: Version) -> bool:
        old = self.today - version.created >= self.policy.purge
        surplus = self.policy.keep is not None and self._newer(version) >= self.policy.keep
        return (old or surplus) and version.pinned_until <= self.today and not self.protected(version)

    def _newer(self, version: Version) -> int:
        for versions in self.names.values():
            for place, other in enumerate(versions):
                if other is version:
                    return sum(newer.state == "live" for newer in versions[place + 1 :])
        raise AssertionError

    def _retained_until(self, version: Version) -> int:
        period = self.policy.retention
        return version.retained_until if period is None else max(version.retained_until, version.created + period)

    def _retain(self, version: Version) -> None:
        version.retained_until = self._retained_until(version)

    # -- what is then to be seen

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
