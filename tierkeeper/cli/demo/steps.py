"""The steps of the demo: each sends real tasks to a real worker, waits for their effect in the catalog and shows it."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from tierkeeper.base import callers, clock
from tierkeeper.base.quantities import format_count, format_duration
from tierkeeper.base.states import ArtifactState, RunKind, RunState
from tierkeeper.cli.demo import content
from tierkeeper.cli.demo.content import DemoFile
from tierkeeper.cli.support import messages
from tierkeeper.cli.support.content_types import guess_type
from tierkeeper.cli.support.eventlog import event_table
from tierkeeper.cli.support.explanation import print_explanation
from tierkeeper.cli.support.homelock import HomeLock
from tierkeeper.cli.support.programs import celery
from tierkeeper.cli.support.session import Session
from tierkeeper.cli.support.statistics import tier_table
from tierkeeper.cli.support.supervisor import Program, Supervisor
from tierkeeper.embedded.process import private_file
from tierkeeper.settings.settings import Settings
from tierkeeper.values.artifacts import Filter, Ref
from tierkeeper.values.tiers import TierStats
from tierkeeper_client import TierkeeperClient
from tierkeeper_client.client import Handle
from tierkeeper_client.contract import (
    ArchiveArgs,
    PurgeArgs,
    RestoreArgs,
    TaskName,
    UndeleteArgs,
    VerbArgs,
    validated,
)
from tierkeeper_client.errors import TierkeeperError

PATIENCE: Final = 120.0  # seconds for one step; all of the demo takes half a minute
POLL: Final = 0.2
BEAT: Final = 2.0  # seconds between two sweeps while something is due; Beat's are a minute apart
SOME: Final = 3  # number of artifacts restored, and of those purged by hand
RESTORED_DAYS: Final = 3.0


class DemoFailed(TierkeeperError):  # noqa: N818  named by the fact, as all our errors
    """The demo failed: {what}. The worker's log is {log}."""


def own_broker(session: Session) -> Settings:
    """Return the settings with a database of the embedded Valkey that only the demo uses and no other worker sees."""
    resolved = session.resolved
    if session.settings.broker.url is not None:
        return resolved
    url = str(resolved.broker.url).replace("virtual_host=0", "virtual_host=1")
    return resolved.replaced({"broker.url": url, "results.url": url}, source="demo")


def log_file(settings: Settings) -> Path:
    """Return the log file of the demo's worker."""
    return settings.home / "demo-worker.log"


@contextmanager
def worker(session: Session, resolved: Settings, lock: HomeLock) -> Iterator[None]:
    """Run a real worker with a grace of seconds until the block ends."""
    program = celery(session, "worker", "--concurrency", "2", "--hostname", "demo@%h")
    environment = {**program.environment, "TIERKEEPER_ENGINE__GRACE": format_duration(content.GRACE)}
    if session.settings.broker.url is None:
        environment["TIERKEEPER_BROKER__URL"] = str(resolved.broker.url)
    handle = private_file(log_file(session.settings), os.O_WRONLY | os.O_TRUNC)
    with os.fdopen(handle, "w", encoding="utf-8") as log:
        console = Console(file=log, width=240)
        supervisor = Supervisor([Program("worker", program.command, environment)], console, patience=20, lock=lock)
        supervisor.start()
        watcher = Thread(target=supervisor.watch)
        watcher.start()
        try:
            yield
        finally:
            supervisor.stop()
            watcher.join()
            supervisor.close()


class Demo:
    """One demo: the items, the expected tiers of each, and the steps shown."""

    def __init__(self, session: Session, client: TierkeeperClient, items: Sequence[DemoFile]) -> None:
        self._session = session
        self._keeper = session.keeper
        self._client = client
        self._items = items
        self._tenant = items[0].ref.tenant
        self._workflow = items[0].ref.workflow
        self._mine = Filter(tenant=self._tenant, workflow=self._workflow, state=None)
        self._days = session.settings.retention
        self._expected: dict[DemoFile, set[str]] = {item: self._by_age(item) for item in items}
        self._steps: list[dict[str, Any]] = []

    def run(self) -> None:
        """Carry out every step. Raises DemoFailed if a state differs from the expected one."""
        started = time.monotonic()
        text = content.policy_text(f"demo-{self._tenant}", self._tenant, self._days)
        self._keeper.policies.apply(text, source="the demo's policy", caller=callers.DEMO)
        self._store()
        self._sweep()
        self._show("rotate: every artifact goes where its age wants it; the copies it left are doomed")
        self._collect()
        self._show("collect: doomed copies are deleted; what is too old waits for the end of its undo window")
        restored = self._restore()
        self._purge_and_undelete(keep=restored)
        self._end_of_undo()
        verified = self._verify()
        self._tell(restored, verified, time.monotonic() - started)

    def _by_age(self, item: DemoFile) -> set[str]:
        tier = content.expected_tier(item.age, self._days)
        return set() if tier is None else {tier}

    def _store(self) -> None:
        now = clock.now()
        sent: list[tuple[Ref, Handle | TierkeeperError]] = []
        with self._session.output.progress("sending files", total=len(self._items)) as advance:
            for item in self._items:
                handle = self._client.store(
                    item.path,
                    tenant=self._tenant,
                    workflow=self._workflow,
                    name=item.ref.name,
                    content_type=guess_type(item.ref.name),
                    created=now - item.age,
                    correlation=self._session.caller.correlation,
                )
                sent.append((item.ref, handle))
                advance(1)
        self._answers(sent, "storing")
        self._show(f"store: {format_count(len(sent), 'file')}, each first in hot, whatever its age")

    def _sweep(self) -> None:
        """Send `rotate` as Beat would, until nothing of the tenant is due and no run is under way."""
        with self._session.output.progress("rotate", total=self._due()) as advance:
            before = self._due()
            sent = 0.0
            for _ in self._waiting("the sweep did not end"):
                due = self._due()
                advance(max(0, before - due))
                before = min(before, due)
                if not due and not any(
                    r.state is RunState.RUNNING for r in self._keeper.runs.latest(kind=RunKind.ROTATE)
                ):
                    return
                if due and time.monotonic() - sent > BEAT:
                    self._client.send(TaskName.ROTATE, correlation=self._session.caller.correlation)
                    sent = time.monotonic()

    def _collect(self) -> None:
        """Send `collect` as Beat would, until no doomed copy is left."""
        with self._session.output.progress("collect", total=self._doomed()) as advance:
            before = self._doomed()
            sent = 0.0
            for _ in self._waiting("doomed copies were not collected"):
                doomed = self._doomed()
                advance(max(0, before - doomed))
                before = min(before, doomed)
                if not doomed:
                    return
                if time.monotonic() - sent > BEAT:
                    self._client.send(TaskName.COLLECT, correlation=self._session.caller.correlation)
                    sent = time.monotonic()

    def _restore(self) -> list[DemoFile]:
        """Restore some artifacts to hot for three days; if all are young, archive some first."""
        away = [item for item, tiers in self._expected.items() if tiers in ({"cold"}, {"warm"})][:SOME]
        if not away:
            away = [item for item, tiers in self._expected.items() if tiers][:SOME]
            self._verb(TaskName.ARCHIVE, ArchiveArgs, away)
            for item in away:
                self._expected[item] = {"cold"}
        self._verb(TaskName.RESTORE, RestoreArgs, away, days=RESTORED_DAYS)
        for item in away:
            self._expected[item] |= {"hot"}
        self._show(f"restore: {len(away)} are in hot too, for three days")
        return away

    def _purge_and_undelete(self, *, keep: Sequence[DemoFile]) -> None:
        """Purge some artifacts by hand, and undelete one of them."""
        doomed = [item for item, tiers in self._expected.items() if tiers and item not in keep][:SOME]
        if not doomed:
            return
        self._verb(TaskName.PURGE, PurgeArgs, doomed[1:], reason="the demo purges some")
        # purged last and undeleted at once, so that its undo window of seconds is not over on a slow machine
        self._verb(TaskName.PURGE, PurgeArgs, doomed[:1], reason="the demo purges one too many")
        self._verb(TaskName.UNDELETE, UndeleteArgs, doomed[:1], reason="the demo takes one back")
        for item in doomed[1:]:
            self._expected[item] = set()
        self._show(f"purge: {len(doomed)} by hand, and undelete: one of them is taken back")

    def _end_of_undo(self) -> None:
        """Wait for the end of the last undo window, then let the workers destroy the content."""
        ends = [
            view.purge_at for view in self._keeper.artifacts.select(self._mine) if view.purge_at and not view.purged_at
        ]
        remaining = max(((end - clock.now()).total_seconds() for end in ends), default=0)
        if remaining > 0:
            self._session.output.say(f"the undo windows end in {remaining:.0f} s")
            time.sleep(remaining)
        self._sweep()
        self._collect()
        self._show("undo windows over: what was purged is gone for good")

    def _verify(self) -> int:
        """Compare every artifact with its expected tiers and file; return how many are live. Raises DemoFailed."""
        problems = []
        with self._session.output.progress("comparing with the files", total=len(self._items)) as advance:
            for item, tiers in self._expected.items():
                problem = self._problem(item, tiers)
                if problem is not None:
                    problems.append(f"{item.ref} {problem}")
                advance(1)
        if problems:
            more = f" and {len(problems) - SOME} more" if len(problems) > SOME else ""
            raise self._failed(f"{'; '.join(problems[:SOME])}{more}")
        return sum(1 for tiers in self._expected.values() if tiers)

    def _problem(self, item: DemoFile, tiers: set[str]) -> str | None:
        view = self._keeper.artifacts.show(item.ref)
        if not tiers:
            return None if view.state is ArtifactState.PURGED else f"is {view.state}, not purged"
        if view.state is not ArtifactState.LIVE:
            return f"is {view.state}, not live"
        if set(view.wanted) != tiers or not tiers <= set(view.tiers):
            return f"is in {'+'.join(view.tiers)}, not in {'+'.join(sorted(tiers))}"
        with self._keeper.artifacts.open(item.ref) as reading, item.path.open("rb") as file:
            same = all(file.read(len(chunk)) == chunk for chunk in reading.chunks) and not file.read(1)
        return None if same else "does not have the bytes of its file"

    def _verb(self, task: TaskName, model: type[VerbArgs], items: Sequence[DemoFile], **extra: object) -> None:
        sent: list[tuple[Ref, Handle | TierkeeperError]] = []
        for item in items:
            fields = {"tenant": self._tenant, "workflow": self._workflow, "name": item.ref.name, **extra}
            handle = self._client.send(task, validated(model, fields), correlation=self._session.caller.correlation)
            sent.append((item.ref, handle))
        self._answers(sent, task.value.removeprefix("tierkeeper."))

    def _answers(self, sent: Sequence[tuple[Ref, Handle | TierkeeperError]], label: str) -> None:
        wait = timedelta(seconds=PATIENCE)
        for ref, answer in messages.results(self._session, sent, wait=wait, label=label):
            if isinstance(answer, TierkeeperError):
                raise self._failed(f"{label} {ref}: {answer}")

    def _due(self) -> int:
        return self._keeper.sweeps.due(tenant=self._tenant)

    def _doomed(self) -> int:
        return sum(tier.doomed for tier in self._stats())

    def _stats(self) -> list[TierStats]:
        return content.tier_stats(self._keeper.tiers.known(), self._keeper.artifacts.select(self._mine))

    def _waiting(self, problem: str) -> Iterator[None]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            yield
            time.sleep(POLL)
        raise self._failed(problem)

    def _failed(self, what: str) -> DemoFailed:
        return DemoFailed(what=what, log=log_file(self._session.settings))

    def _show(self, title: str) -> None:
        stats = self._stats()
        self._steps.append({"step": title, "tiers": stats})
        if not self._session.output.as_json:
            self._session.output.print(Text(f"\n{len(self._steps)}. {title}", style="bold"), tier_table(stats))

    def _tell(self, restored: Sequence[DemoFile], verified: int, seconds: float) -> None:
        gone = len(self._items) - verified
        if self._session.output.as_json:
            summary = {"live_and_verified": verified, "gone": gone, "seconds": round(seconds, 1)}
            self._session.output.document({"workflow": self._workflow, "steps": self._steps, **summary})
            return
        show = self._session.output.print
        show(
            Text("\nThe latest events", style="bold"),
            event_table(self._keeper.events.select(tenant=self._tenant, limit=8)),
        )
        if restored:
            show(Text(f"\ntierkeeper explain {restored[0].ref}", style="bold"))
            print_explanation(self._session, self._keeper.artifacts.explain(restored[0].ref))
        sentence = f"{verified} live artifacts are byte for byte their files, {gone} are gone for good; {seconds:.0f} s"
        show(Text(f"\n{sentence}", style="bold green"), f"Look around: tierkeeper ls {self._tenant}/{self._workflow}")
