"""How values are written for people and for programs."""

import json
import re
import time
from datetime import UTC, datetime, timedelta

import click
import pytest

from tierkeeper.base.errors import ArtifactNotFound
from tierkeeper.cli.support import output
from tierkeeper.cli.support.output import Output
from tierkeeper.cli.support.state import State

SPANS = [
    (timedelta(seconds=0.25), "0.2 s"),
    (timedelta(seconds=59), "59 s"),
    (timedelta(minutes=61), "1 h 1 min"),
    (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
    (timedelta(days=8), "8 d"),
    (timedelta(days=-2), "-2 d"),
    (8.5, "8 d 12 h"),  # a number is days
    (None, "-"),
]


@pytest.mark.parametrize(("value", "text"), SPANS)
def test_a_span_is_written_in_its_two_largest_units(value: timedelta | float | None, text: str) -> None:
    """Lengths of time are short to read."""
    assert output.span(value) == text


def test_a_moment_is_seen_from_now() -> None:
    """What was and what will be are told apart."""
    now = datetime(2024, 1, 15, tzinfo=UTC)
    assert output.relative(now + timedelta(days=3), now) == "in 3 d"
    assert output.relative(now - timedelta(hours=2), now) == "2 h ago"
    assert output.relative(None, now) == "-"


def test_what_comes_soon_has_a_time_of_day() -> None:
    """A day is enough for what is far; what is past is due."""
    now = datetime(2024, 1, 15, 8, tzinfo=UTC)
    assert output.coming(now + timedelta(days=3), now) == "2024-01-18"
    assert output.coming(now + timedelta(hours=20), now) == "2024-01-16 04:00Z"
    assert output.coming(now, now) == "due now"


def test_an_array_is_valid_json_of_any_length(capsys: pytest.CaptureFixture[str]) -> None:
    """A streamed array reads back, empty too."""
    for values in ([], [{"a": 1}], [1, 2, 3]):
        Output(as_json=True).array(iter(values))
        assert json.loads(capsys.readouterr().out) == values


def test_an_error_is_one_line_or_one_object_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """An error never lands in the data, and with JSON it can be read by a program."""
    error = ArtifactNotFound(ref="acme/w/" + "x" * 300)
    Output().error(error)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "tierkeeper find" in printed.err
    Output(as_json=True).error(error)
    told = json.loads(capsys.readouterr().err)
    assert (told["error"], told["exit_code"]) == ("ArtifactNotFound", 3)


def test_progress_goes_to_stderr_and_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """Progress is plain lines where there is no terminal, and nothing when quiet."""
    with Output().progress("storing", total=3) as advance:
        advance(3)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "storing: 3 of 3" in printed.err
    with Output(quiet=True).progress("storing", total=3) as advance:
        advance(3)
    assert capsys.readouterr().err == ""
    with Output().progress("moving", total=0):
        pass
    assert capsys.readouterr().err == ""


def test_a_narrow_table_keeps_what_it_must(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the other columns are, so many characters of one stay."""
    monkeypatch.setenv("COLUMNS", "40")
    made = output.table("run", "started", "next", fold=["next"], least={"run": 8})
    made.add_row("5f0c2a17", "2024-01-15 08:00:00", "move to somewhere far away")
    made.add_row("5f0c2a18", "x" * 60, "x")
    Output().print(made)
    printed = capsys.readouterr().out
    assert "5f0c2a17" in printed
    assert "5f0c2a18" in printed


def test_a_table_in_a_pipe_cuts_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no terminal limits the width, long values stay whole."""
    monkeypatch.delenv("COLUMNS", raising=False)
    made = output.table("artifact", "state")
    made.add_row("n" * 150, "live")
    Output().print(made)
    assert "n" * 150 in capsys.readouterr().out


HOSTILE = "a\x1b[2Jb\x9b2Jc\u202ed\re\x07"


def test_nothing_that_was_stored_drives_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Tables, texts, remarks, warnings and errors come without control characters; JSON has them escaped."""
    shown = Output()
    table = output.table("artifact", "why", fold=["why"])
    table.add_row(HOSTILE, HOSTILE)
    shown.print(table, HOSTILE, output.pairs([(HOSTILE, HOSTILE)]), output.word(HOSTILE))
    shown.say(HOSTILE)
    shown.warn(HOSTILE)
    shown.error(ArtifactNotFound(ref=HOSTILE))
    shown.document({"a": HOSTILE})
    shown.lines([HOSTILE])
    shown.array([HOSTILE])
    Output(as_json=True).error(ArtifactNotFound(ref=HOSTILE))
    printed = "".join(capsys.readouterr())
    assert printed.count("a[2Jb2Jcde") == 9
    assert printed.count(r"a\u001b[2Jb\u009b2Jc\u202ed\re\u0007") == 5
    assert not set("\x1b\x9b\u202e\r\x07") & set(printed)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_reference_is_never_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """On any terminal it stands on one line: whole, or its end behind an ellipsis; in facts it is whole."""
    monkeypatch.setenv("COLUMNS", str(width))
    ref = f"acme/reports/{'2024/quarterly/' * 6}week-47.md@12"
    made = output.table("artifact", "outcome", "copies in", "why", fold=["artifact", "why"])
    made.add_row(ref, "done", "hot+cold", "it was asked for by hand and stays until its next phase")
    Output().print(made)
    shown = capsys.readouterr().out
    (line,) = [line for line in shown.splitlines() if "week-47.md@12" in line]
    assert ref in line or re.search(r"…\S{9,}week-47.md@12(\s|$)", line)
    assert "quarterly" not in shown.replace(line, "")
    Output().print(output.pairs([("artifact", output.unbroken(ref)), ("state", "live")]))
    assert re.search(rf"^artifact +{re.escape(ref)}$", capsys.readouterr().out, re.MULTILINE)


def test_times_say_their_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in the zone of this machine, or with `--utc` in UTC."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    at = datetime(2024, 1, 15, 20, 30, tzinfo=UTC)
    try:
        assert output.moment(at) == "2024-01-16 02:00:00+05:30"
        assert output.coming(at, at - timedelta(hours=1)) == "2024-01-16 02:00+05:30"
        assert output.day(at) == "2024-01-16"
        with click.Context(click.Command("ls"), obj=State()) as context:
            context.obj.utc = True
            assert (output.moment(at), output.day(at)) == ("2024-01-15 20:30:00Z", "2024-01-15")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_progress_of_bytes_is_one_of_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    """A large file is counted in MiB, and who stops the command is told how far it came."""
    shown = Output()
    with shown.progress("reading a", total=3 * 1024**2, in_bytes=True) as advance:
        advance(1024**2)
    assert shown.reached == "reading a: 1 MiB of 3 MiB"
    assert shown.reached in capsys.readouterr().err
