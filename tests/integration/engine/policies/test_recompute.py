"""What a recompute looks at: what the edited policy may govern now or did before, page by page, and no more at once."""

import itertools
import json
import random
from collections.abc import Collection, Iterator
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
import sqlalchemy as sa
from support.callers import TESTER
from support.house import House
from support.locking import waited
from support.scale import chance

from tierkeeper.base.states import RunKind, RunState, WriteStrategy
from tierkeeper.catalog import artifacts, recomputing, runs
from tierkeeper.engine.policies import recompute
from tierkeeper.policy import match
from tierkeeper.policy.rules import Match, Policy

KEEP = "name: keep-it\nmatch: {workflow: WORKFLOW}\nphases: [{after: 0d, in: [hot]}]\n"


def looked_at(house: House) -> int:
    """Return how many artifacts the last recompute looked at."""
    run = house.keeper.runs.latest(kind=RunKind.RECOMPUTE, limit=1)[0]
    return run.counts.get("looked at", 0)


def test_an_edit_looks_at_what_it_may_govern(house: House) -> None:
    """Artifacts whose governing policy cannot change are not looked at."""
    for number in range(5):
        house.store(f"{number}", b"%d" % number, workflow="others")
    house.store("one", b"one")
    house.store("two", b"two", tenant="elsewhere")
    house.policy(KEEP.replace("WORKFLOW", "'rep*'"))
    assert looked_at(house) == 2
    house.policy(KEEP.replace("WORKFLOW", "reports, tenant: elsewhere"))
    assert looked_at(house) == 2, "those of the version before, too"
    house.policy(KEEP.replace("WORKFLOW", "reports, tenant: elsewhere, tags: {a: b}"))
    assert looked_at(house) == 1
    house.keeper.policies.remove("keep-it", caller=TESTER)
    assert looked_at(house) == 0


def test_what_a_policy_gives_up_is_hastened(house: House) -> None:
    """An artifact that an edited policy matches no more is due as soon as the next policy wants it."""
    house.policy(KEEP.replace("WORKFLOW", "reports"))
    house.store(age=timedelta(days=10))
    house.settle()
    assert (house.tiers(), house.keeper.sweeps.due()) == ({"hot"}, 0)
    house.policy(KEEP.replace("WORKFLOW", "others"))
    assert house.keeper.sweeps.due() == 1
    house.settle()
    assert house.tiers() == {"warm"}


def test_a_large_edit_is_left_to_the_workers(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound the user does not wait: a run has the rest, which the next recompute goes on with."""
    for number in range(6):
        house.store(f"{number}", b"%d" % number, age=timedelta(days=2))
    monkeypatch.setattr(recompute, "IN_FOREGROUND", 4)
    monkeypatch.setattr(recompute, "_PAGE", 2)
    house.policy("name: soon\nmatch: {workflow: reports}\nphases: [{after: 0d, in: [hot]}, {after: 1d, in: [warm]}]\n")
    assert (looked_at(house), house.keeper.sweeps.due()) == (4, 4)
    assert "runs list" in (house.keeper.policies.remark() or "")
    assert house.keeper.sweeps.recompute().counts["looked at"] == 2
    assert (house.keeper.sweeps.due(), house.keeper.policies.remark()) == (6, None)


SOON = "name: soon\nmatch: {workflow: reports}\nphases: [{after: 0d, in: [hot]}, {after: 1d, in: [warm]}]\n"


@pytest.fixture
def paged(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Six artifacts that an edit makes due, of which a page has two, and a user waits for none."""
    for number in range(6):
        house.store(f"{number}", b"%d" % number, age=timedelta(days=2))
    monkeypatch.setattr(recompute, "_PAGE", 2)
    monkeypatch.setattr(recompute, "IN_FOREGROUND", 0)
    house.policy(SOON)
    return house


def test_a_run_that_was_ended_before_it_is_taken_up_is_left(paged: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker ends the run after this one has read that it is to be done: this one does nothing for it."""
    oldest = runs.oldest_recompute

    def ended(connection: sa.Connection, *, but: Collection[UUID] = ()) -> UUID | None:
        run = oldest(connection, but=but)
        paged.sql("UPDATE runs SET state = 'done', finished_at = now() WHERE kind = 'recompute'")
        return run

    monkeypatch.setattr(runs, "oldest_recompute", ended)
    assert paged.keeper.sweeps.recompute().counts == {}
    assert (looked_at(paged), paged.keeper.sweeps.due()) == (0, 0)
    assert paged.keeper.runs.latest(kind=RunKind.RECOMPUTE)[0].state is RunState.DONE


def test_a_run_that_was_ended_while_it_is_continued_stops(paged: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker ends the run between two pages: this one takes no further page."""
    move = recomputing.move

    def moved(connection: sa.Connection, run: UUID, page: recomputing.Page) -> None:
        move(connection, run, page)
        connection.execute(sa.text("UPDATE runs SET state = 'done', finished_at = now() WHERE id = :run"), {"run": run})

    monkeypatch.setattr(recomputing, "move", moved)
    assert paged.keeper.sweeps.recompute().counts["looked at"] == 2
    assert (looked_at(paged), paged.keeper.sweeps.due()) == (2, 2)


def test_workers_take_the_pages_of_a_run_in_turn(paged: House) -> None:
    """A page waits for who has the run's row, and continues from there: none is looked at twice."""
    run = paged.keeper.runs.latest(kind=RunKind.RECOMPUTE)[0].id
    advanced = "UPDATE runs SET arguments = arguments || jsonb_build_object('at', CAST(:at AS jsonb)) WHERE id = :run"
    last = {"reach": 0, "tenant": "acme", "workflow": "reports", "name": "3", "version": 1, "begun": True}
    engine = paged.keeper.engine
    page = partial(engine.catalog.run, TESTER, recompute._recompute_page, engine, run)
    waited(paged, page, advanced, at=json.dumps(last), run=run)
    assert looked_at(paged) == 2
    assert paged.keeper.sweeps.recompute().counts == {}


def test_an_edit_ends_with_its_own_error_alone(house: House) -> None:
    """What another edit's recompute fails of, or has left, is neither this one's error nor keeps it."""
    house.store(age=timedelta(days=2))
    house.policy(KEEP.replace("WORKFLOW", "others"))
    house.sql("UPDATE runs SET state = 'failed', arguments = arguments - 'reaches' - 'after' WHERE kind = 'recompute'")
    house.policy("name: soon\nmatch: {workflow: reports}\nphases: [{after: 0d, in: [hot]}, {after: 1d, in: [warm]}]\n")
    assert (looked_at(house), house.keeper.sweeps.due()) == (1, 1)
    house.keeper.policies.remove("keep-it", caller=TESTER)
    house.keeper.init(caller=TESTER)
    states = {run.state for run in house.keeper.runs.latest(kind=RunKind.RECOMPUTE)}
    assert states == {RunState.DONE, RunState.FAILED}
    with pytest.raises(KeyError, match="after"):
        house.keeper.sweeps.recompute()


def test_a_run_of_the_release_before_looks_at_all(house: House) -> None:
    """A recompute that a process of the previous release began has a cursor by id, and is finished."""
    for number in range(3):
        house.store(f"{number}", b"%d" % number, workflow=f"w{number}")
    house.policy(KEEP.replace("WORKFLOW", "w1"))
    house.sql(
        "UPDATE runs SET state = 'running', finished_at = NULL, counts = '{}', arguments = jsonb_build_object("
        "'policies', '[]'::jsonb, 'after', '00000000-0000-0000-0000-000000000000') WHERE kind = 'recompute'"
    )
    number = len(house.keeper.runs.latest(kind=RunKind.RECOMPUTE))
    assert house.keeper.sweeps.recompute().counts["looked at"] == 3 * number


def pages(connection: sa.Connection, matches: list[Match], *, rows: int) -> Iterator[recomputing.Page]:
    """Yield the pages of a run about these matches."""
    arguments = recomputing.RecomputeArguments(["x v1"], recomputing.reaches_of(matches))
    run = runs.begin(connection, RunKind.RECOMPUTE, actor="tester", arguments=arguments)
    while (page := recomputing.next_page(connection, run, rows=rows)) is not None:
        yield page
        recomputing.move(connection, run, page)


def some_match(seed: random.Random) -> Match:
    """Return a match of any shape about the stored names."""
    return Match(
        tenant=seed.choice([None, None, "acme", "elsewhere", "nobody"]),
        workflow=seed.choice([None, "reports", "rep*", "*s", "[rs]eports", "r?ports", "reports[*]"]),
        name=seed.choice([None, "a", "a*", "a/*", "*b", "%", "a_*", "a[*]"]),
        tags=seed.choice([(), (("k", "v"),)]),
        content_type=seed.choice([None, "text/*"]),
        size_min=seed.choice([None, 2]),
        size_max=seed.choice([None, 3]),
    )


def test_pages_have_all_that_a_match_fits(house: House) -> None:
    """Whatever the match and the size of a page, every live artifact that it fits is in one page."""
    named = itertools.product(
        ("acme", "elsewhere"), ("reports", "seports", "reports%"), ("a", "a/b", "a_b", "b", "a[1]")
    )
    for number, (tenant, workflow, name) in enumerate(named):
        for version in range(1 + number % 3):
            content, tags = b"x" * (1 + number % 4) + b"%d" % version, {"k": "v"} if number % 2 else {}
            house.store(name, content, tenant=tenant, workflow=workflow, tags=tags, content_type="text/plain; a=b")
    house.purge("b")
    seed = chance("pages of a recompute")
    with house.keeper.engine.catalog.engine.connect() as connection:
        ids = list(connection.execute(sa.text("SELECT id FROM artifacts WHERE state = 'live'")).scalars())
        rows = artifacts.load(connection, ids)
        for _ in range(25):
            matches = [some_match(seed) for _ in range(seed.randint(1, 3))]
            found = [i for page in pages(connection, matches, rows=seed.choice([1, 2, 7, 1000])) for i in page.ids]
            fitting = [row.id for row in rows if any(match.matches(as_policy(m), row.subject) for m in matches)]
            assert {*fitting} <= {*found} <= {*ids}, matches
            if len(matches) == 1:
                assert len(found) == len({*found})
        connection.rollback()


def as_policy(of: Match) -> Policy:
    """Return a policy with this match."""
    return Policy("x", 1, of, "created", WriteStrategy.HOTTEST, ())
