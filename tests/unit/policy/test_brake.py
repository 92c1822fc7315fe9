"""A policy's brake: how it is written, read back, refused, and what it comes to."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.policy.samples import TIERS

from tierkeeper.base.errors import PolicyInvalid
from tierkeeper.policy.document import from_document, parse, to_document, to_yaml
from tierkeeper.policy.rules import Brake

SHORT = "name: short\nphases: [{after: 0d, in: [hot]}]\n"
BRAKES = st.just(Brake(off=True)) | st.builds(
    Brake, share=st.integers(0, 1_000_000).map(lambda n: n / 1_000_000), count=st.integers(0, 10**9 - 1)
)


@pytest.mark.parametrize(
    ("text", "brake"),
    [
        ("", None),
        ("brake: off", Brake(off=True)),
        ("brake: 'off'", Brake(off=True)),
        ("brake: false", Brake(off=True)),
        ("brake: {share: 5%}", Brake(share=0.05)),
        ("brake: {count: 3}", Brake(count=3)),
        ("brake: {share: 0.5 %, count: 0}", Brake(share=0.005)),
    ],
)
def test_it_is_read_and_written(text: str, brake: Brake | None) -> None:
    """Each way to write it gives its value, which is read back from what is kept."""
    (found,) = parse(SHORT + text, source="a.yaml", tiers=TIERS)
    assert found.brake == brake
    assert from_document(to_document(found), name="short", version=1).brake == brake
    assert parse(to_yaml(found), source="b.yaml", tiers=TIERS) == [found]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("brake: on", "must be a mapping, or off"),
        ("brake: {}", "brake says nothing"),
        ("brake: {share: 5}", "it is no share"),
        ("brake: {share: 101%}", "it is no share"),
        ("brake: {share: some}", "brake share 'some' is not usable"),
        ("brake: {count: -1}", "a whole number from 0 on"),
        ("brake: {number: 5}", "brake knows no 'number'"),
    ],
)
def test_bad_ones_are_refused(text: str, words: str) -> None:
    """What cannot be meant is refused with its line."""
    with pytest.raises(PolicyInvalid, match=words) as refused:
        parse(SHORT + text, source="a.yaml", tiers=TIERS)
    assert refused.value.data["line"] == 3


@given(BRAKES)
def test_round_trip(brake: Brake) -> None:
    """Every brake reads back as itself."""
    (found,) = parse(SHORT, source="a.yaml", tiers=TIERS)
    (again,) = parse(to_yaml(replace(found, brake=brake)), source="b.yaml", tiers=TIERS)
    assert again.brake == brake


@pytest.mark.parametrize(
    ("brake", "population", "limit"),
    [
        (Brake(share=0.05, count=1000), 0, 1000),
        (Brake(share=0.05, count=1000), 20_000, 1000),
        (Brake(share=0.05, count=1000), 20_020, 1001),
        (Brake(share=0.07), 100, 7),
        (Brake(count=0), 10**9, 0),
        (Brake(share=1), 5, None),
        (Brake(off=True), 5, None),
    ],
)
def test_the_limit_is_the_larger(brake: Brake, population: int, limit: int | None) -> None:
    """The share of the artifacts or the number, whichever is more; all of them is no limit."""
    assert brake.limit(population) == limit
