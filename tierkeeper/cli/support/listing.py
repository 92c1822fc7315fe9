"""Lists of artifacts, as ``ls``, ``find`` and ``restore --list`` print them."""

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar

from rich.table import Table

from tierkeeper.base import clock
from tierkeeper.base.states import ArtifactState
from tierkeeper.cli.support import output, params
from tierkeeper.cli.support.session import Session
from tierkeeper.policy.decision import Step
from tierkeeper.values.artifacts import ArtifactView

TABLE_ROWS: Final = 500  # a table is built in memory; JSON is streamed
T = TypeVar("T")
_NONE: Final = object()
NAME_WIDTH: Final = 16  # characters of a name that stay in a narrow terminal


def print_list(session: Session, chosen: params.Chosen) -> None:
    """Print the artifacts that the filter selects as a table, or as a JSON array."""
    session.check_tier(chosen.filter.tier)
    views = (
        view for view in session.closed_at_end(session.keeper.artifacts.select(chosen.filter)) if chosen.keep(view)
    )
    if session.output.as_json:
        session.output.array(islice(views, chosen.limit))
        return
    limit = chosen.limit or TABLE_ROWS
    shown, more = first(views, limit)
    if not shown:
        session.output.say("nothing matches")
        return
    session.output.print(artifact_table(shown))
    if more:
        session.output.say(f"only the first {limit}; --limit shows more, a filter less, -o json all of them")


def first(values: Iterable[T], number: int) -> tuple[list[T], bool]:
    """Return the first values, and True if there are more, which are not asked for but for one."""
    iterator = iter(values)
    return list(islice(iterator, number)), next(iterator, _NONE) is not _NONE


def artifact_table(views: Iterable[ArtifactView]) -> Table:
    """Return a table of artifacts, one a line."""
    now = clock.now()
    columns = ("artifact", "size", "age", "copies in", "state", "next")
    table = output.table(*columns, right=["size", "age"], fold=["artifact", "next"], least={"artifact": NAME_WIDTH})
    for view in views:
        table.add_row(
            str(view.ref),
            output.size(view.size),
            f"{(now - view.created_at).days} d",
            output.tiers(view.tiers),
            output.word(view.state.value),
            next_of(view, now),
        )
    return table


def next_of(view: ArtifactView, now: datetime) -> str:
    """Return an artifact's next step and its date, with the time of day if that is soon."""
    if view.parked_reason is not None:
        return "parked"
    if view.state is ArtifactState.PURGED:
        return f"gone since {output.day(view.purged_at)}"
    if view.next_step is None or view.due_at is None:
        return "-"
    coming = f"{step_words(view.next_step, view.state)}, {output.coming(view.due_at, now)}"
    if view.braked_by is not None:
        return f"{step_words(view.next_step, view.state)}, awaits approval"
    if view.failure is not None:
        failed = f"{step_words(view.failure.step, view.state)} failed ({view.failure.code})"
        if view.next_step == view.failure.step:
            return f"{failed}, {again(view.due_at, now)}"
        coming = f"{failed}; {coming}"
    return coming


def again(due_at: datetime, now: datetime) -> str:
    """Return when a failed step is tried again."""
    return "tried again now" if due_at <= now else f"tried again {output.relative(due_at, now)}"


def failure_of(view: ArtifactView) -> str | None:
    """Return why an artifact's last try failed, None if it did not."""
    failure = view.failure
    if failure is None:
        return None
    tries = "" if failure.tries == 1 else f", {failure.tries} times in a row"
    what = step_words(failure.step, view.state)
    return f"{what}, {output.moment(failure.at)} ({failure.code}{tries}): {failure.words}"


def step_words(step: str, state: ArtifactState) -> str:
    """Return the next step in the words of the verbs: first a purge, then its end, when the content is destroyed."""
    if step != Step.DESTROY:
        return step
    return "purge" if state is ArtifactState.LIVE else "gone for good"
