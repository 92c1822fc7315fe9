"""What stands in arguments and options."""

import time
from datetime import UTC, datetime, timedelta

import click
import pytest

from tierkeeper.base import clock
from tierkeeper.base.errors import InvalidInput, InvalidName
from tierkeeper.base.states import ArtifactState
from tierkeeper.cli.support import params
from tierkeeper.values.artifacts import Filter, Ref

REFS = [
    # the full form
    ("acme/weekly/report.md", None, Ref("acme", "weekly", "report.md")),
    ("acme/weekly/2024/01/report.md", None, Ref("acme", "weekly", "2024/01/report.md")),
    ("acme/weekly/report.md@3", None, Ref("acme", "weekly", "report.md", 3)),
    # an @ that is no version
    ("acme/mail/bob@example.org", None, Ref("acme", "mail", "bob@example.org")),
    ("acme/mail/bob@7@2", None, Ref("acme", "mail", "bob@7", 2)),
    # with a tenant its part may be left out, or not
    ("weekly/report.md", "acme", Ref("acme", "weekly", "report.md")),
    ("acme/weekly/report.md", "acme", Ref("acme", "weekly", "report.md")),
    ("weekly/2024/report.md@2", "acme", Ref("acme", "weekly", "2024/report.md", 2)),
    # a workflow that is called like the tenant: two parts after it are needed for the full form
    ("acme/report.md", "acme", Ref("acme", "acme", "report.md")),
]


@pytest.mark.parametrize(("text", "tenant", "ref"), REFS)
def test_an_artifact_is_named_in_one_argument(text: str, tenant: str | None, ref: Ref) -> None:
    """TENANT/WORKFLOW/NAME[@VERSION] is read as written, and a default tenant may be left out."""
    assert params.parse_ref(text, tenant=tenant) == ref


@pytest.mark.parametrize(
    ("text", "tenant"),
    [
        ("report.md", None),
        ("acme/report.md", None),
        ("report.md", "acme"),
        ("a/b/c@0", None),
        ("a/b/c@" + "9" * 5000, None),
    ],
)
def test_a_name_with_parts_missing_is_refused(text: str, tenant: str | None) -> None:
    """An argument that names no artifact is bad input that says which form is right."""
    with pytest.raises(InvalidInput):
        params.parse_ref(text, tenant=tenant)


def test_a_version_is_written_in_ascii_digits() -> None:
    """Digits of other scripts are a part of the name, as Python alone takes them for numbers."""
    assert params.parse_ref("a/b/c@\u0667", tenant=None) == Ref("a", "b", "c@\u0667")


@pytest.mark.parametrize("text", ["acme/weekly/../../etc/passwd", "acme//x", "/acme/w/x", "acme/w/a:b", "a/w/x\x00"])
def test_an_unsafe_name_is_refused(text: str) -> None:
    """Traversal, absolute paths and forbidden characters never get past the command line."""
    with pytest.raises(InvalidName):
        params.parse_ref(text, tenant=None)


def test_two_versions_of_one_artifact_are_a_usage_error() -> None:
    """--version beside another version in the argument is refused; the same one is not."""
    ref = Ref("acme", "w", "x", 2)
    assert params.with_version(ref, 2) == ref
    assert params.with_version(Ref("acme", "w", "x"), 5).version == 5
    with pytest.raises(click.UsageError):
        params.with_version(ref, 3)


@pytest.mark.parametrize(
    ("text", "length"), [("3d", timedelta(days=3)), ("12h", timedelta(hours=12)), ("P1DT6H", timedelta(hours=30))]
)
def test_a_length_of_time_has_a_unit(text: str, length: timedelta) -> None:
    """Lengths of time are read in people's and in ISO form."""
    assert params.SPAN.convert(text, None, None) == length


@pytest.mark.parametrize("text", ["30", "0d", "-3d", "P1Y", "soon", ""])
def test_an_unusable_length_of_time_is_a_usage_error(text: str) -> None:
    """A number without unit, nothing, a negative or calendar length and plain words are refused."""
    with pytest.raises(click.BadParameter):
        params.SPAN.convert(text, None, None)


def test_a_moment_is_iso_or_an_age() -> None:
    """A moment has its zone; a length of time means so long ago."""
    assert params.MOMENT.convert("2024-01-15T00:00Z", None, None) == datetime(2024, 1, 15, tzinfo=UTC)
    assert params.MOMENT.convert("2024-01-15T10:00:00+02:00", None, None) == datetime(2024, 1, 15, 8, tzinfo=UTC)
    assert abs(params.MOMENT.convert("8d", None, None) - (clock.now() - timedelta(days=8))) < timedelta(seconds=5)
    with pytest.raises(click.BadParameter):
        params.MOMENT.convert("yesterday", None, None)


def test_metadata_is_pairs_or_json() -> None:
    """Metadata comes as KEY=VALUE or as a JSON object; anything else is refused."""
    assert params.METADATA.convert("author=Alice=A", None, None) == {"author": "Alice=A"}
    assert params.METADATA.convert('{"n": 1, "ok": true}', None, None) == {"n": 1, "ok": True}
    for bad in ("author", "=x", "{not json"):
        with pytest.raises(click.BadParameter):
            params.METADATA.convert(bad, None, None)


def test_a_moment_lies_behind_or_for_a_plan_ahead() -> None:
    """A length of time is one ago; in --as-of one from now; a word that is neither is told how to write it."""
    now = clock.now()
    assert params.MOMENT.convert("8d", None, None) < now < params.MOMENT_AHEAD.convert("8d", None, None)
    with pytest.raises(click.BadParameter, match="2026-11-20"):
        params.MOMENT.convert("yesterday", None, None)


@pytest.mark.parametrize("text", ["2026-11-20", "2026-11-20T08:00", "0001-01-01"])
def test_a_time_without_a_zone_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to write it in UTC and in the zone of this machine; an offset, `Z` and an age are taken."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        with pytest.raises(
            click.BadParameter, match=r"has no zone; write .*Z for UTC, or .*\+05:\d\d for the time here|0001"
        ):
            params.MOMENT.convert(text, None, None)
    finally:
        monkeypatch.undo()
        time.tzset()
    for taken in ("2026-11-20T08:00Z", "2026-11-20T08:00+05:30", "8d", "now"):
        assert params.MOMENT.convert(taken, None, None).tzinfo is not None


def _chosen(*arguments: str) -> params.Chosen:
    taken: list[params.Chosen] = []

    @click.command()
    @params.filter_options()
    def command(chosen: params.Chosen) -> None:
        taken.append(chosen)

    command.main(list(arguments), standalone_mode=False)
    return taken[0]


def test_filter_options_make_a_filter() -> None:
    """Every filter option ends in the filter, and live latest versions are the default."""
    assert _chosen() == params.Chosen(filter=Filter(), given=False, limit=None, keep=_chosen().keep)
    chosen = _chosen(
        "--tenant", "acme", "--tag", "kind=report", "--older-than", "30d", "--state", "any", "--limit", "5"
    )
    assert chosen.filter.tags == {"kind": "report"}
    assert chosen.filter.older_than == timedelta(days=30)
    assert chosen.filter.state is None
    assert (chosen.given, chosen.limit) == (True, 5)
    assert _chosen("--state", "deleted").filter.state is ArtifactState.DELETED
    assert not _chosen("--tenant", "acme").given


@pytest.mark.parametrize("value", ["", "9" * 5000, "[" * 100_000], ids=["no JSON", "a long number", "deep"])
def test_metadata_that_cannot_be_read_is_a_usage_error(value: str) -> None:
    """So is JSON that is right, with a number that is too long, or nested too deeply."""
    with pytest.raises(click.UsageError, match="not JSON that can be read"):
        params.METADATA.convert(f'{{"a": {value}}}', None, None)
