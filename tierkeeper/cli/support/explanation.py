"""Prints why an artifact is where it is, for ``explain`` and the demo."""

from rich.text import Text

from tierkeeper.base import clock
from tierkeeper.base.states import ArtifactState
from tierkeeper.cli.support import listing, output
from tierkeeper.cli.support.eventlog import cut_words, event_table
from tierkeeper.cli.support.session import Session
from tierkeeper.values.artifacts import ArtifactView, Explanation


def print_explanation(session: Session, explanation: Explanation) -> None:
    """Print why an artifact is where it is."""
    view, now = explanation.artifact, clock.now()
    doubted = {one.tier for one in view.placements if one.in_doubt}
    placed = [
        (f"{tier} copy", f"put there by {rule}{'; not vouched for: will be read' if tier in doubted else ''}")
        for tier, rule in explanation.placed_by.items()
    ]
    comes = None
    if explanation.next_step is not None:
        when = "" if explanation.next_at is None else f", {output.moment(explanation.next_at)}"
        comes = f"{listing.step_words(explanation.next_step, view.state)}{when}"
        if explanation.next_at is not None:
            due = explanation.next_at <= now
            comes += " (due now)" if due else f" ({output.relative(explanation.next_at, now)})"
    session.output.print(
        output.pairs(
            [
                ("artifact", output.unbroken(view.ref, style="bold")),
                ("state", output.word(view.state.value)),
                ("age", output.span(now - view.created_at)),
                ("copies in", _copies(view)),
                *placed,
                ("decided by", explanation.rule),
                ("because", explanation.reason),
                *(("blocked by", Text(one, style="yellow")) for one in explanation.blocked),
                ("next", comes or "nothing: this is how it stays"),
            ]
        )
    )
    if view.events_cut is not None:
        session.output.print("", output.Text(cut_words(view.events_cut)))
    if explanation.history:
        session.output.print("", event_table(explanation.history, named=False))


def _copies(view: ArtifactView) -> Text:
    found = output.tiers(view.tiers)
    if view.state is ArtifactState.PURGED and view.tiers:
        found.append(" (another artifact has the same content)")
    return found
