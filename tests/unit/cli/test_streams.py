"""What the command line says where its output cannot be written, or not as it is."""

import errno
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest
from support import checkout
from support.locales import ASCII

from tierkeeper.base.errors import OutputFull
from tierkeeper.cli.support import streams
from tierkeeper.cli.support.output import PlainConsole

TIERKEEPER = Path(sys.executable).with_name("tierkeeper")
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": checkout.first()}


def run(folder: Path, *arguments: str, output: str | None = None, **more: str) -> subprocess.CompletedProcess[bytes]:
    """One command in an empty folder; ``output``: the device that its standard output goes to."""
    environment = {**ENVIRONMENT, **more}
    with Path(output or os.devnull).open("wb") as device:
        return subprocess.run(
            [TIERKEEPER, *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE if output is None else device,
            stderr=subprocess.PIPE,
            check=False,
        )


@pytest.mark.parametrize("arguments", [["settings"], ["-o", "json", "settings"], ["settings", "--help"], ["--help"]])
def test_a_full_device_is_said_once(tmp_path: Path, arguments: list[str]) -> None:
    """Where the output device is full, one line says so, with exit code 6, and nothing when the interpreter ends."""
    done = run(tmp_path, *arguments, output="/dev/full")
    assert (done.returncode, done.stderr.count(b"\n")) == (6, 1), done.stderr
    assert b"No space left on device" in done.stderr


@pytest.mark.parametrize("arguments", [["settings"], ["-o", "json", "settings"], ["settings", "--help"], ["--help"]])
def test_an_output_that_is_read_no_more(tmp_path: Path, arguments: list[str]) -> None:
    """As `… | head` leaves it: the command ends silently, with the exit code of a program that SIGPIPE ends."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        command = [str(TIERKEEPER), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_pipe_that_is_not_the_outputs() -> None:
    """What another connection met is no output that is read no more."""
    error = BrokenPipeError(errno.EPIPE, "Broken pipe")
    assert not streams.closed(error)


def test_a_locale_that_prints_ascii_alone(tmp_path: Path) -> None:
    """A table has a question mark for what it cannot print, with a remark; JSON has all, escaped; help is printed."""
    (tmp_path / ".env").write_text("TIERKEEPER_FLOWER__USER=Zoë\n", encoding="utf-8")
    table = run(tmp_path, "settings", "--changed", **ASCII)
    assert (table.returncode, b"Zo? " in table.stdout) == (0, True), table.stderr
    assert b"(ascii) cannot print are shown as ?" in table.stderr
    as_json = run(tmp_path, "-o", "json", "settings", "--changed", **ASCII)
    assert "Zoë" in {row["value"] for row in json.loads(as_json.stdout)}
    assert as_json.stdout.isascii(), "click would write UTF-8 to a stream that is ASCII"
    assert not as_json.stderr
    helped = run(tmp_path, "store", "--help", **ASCII)
    assert (helped.returncode, b"Usage: tierkeeper store" in helped.stdout) == (0, True), helped.stderr


def test_an_unnamed_error_is_the_outputs_where_a_writer_met_it() -> None:
    """What another device refuses, of temporary files or of a tier, is no output that is full."""
    for write, believed in (
        (lambda full: click.echo("x", file=full), True),
        (lambda full: PlainConsole(file=full).print("x"), True),
        (lambda full: full.write("x" * 1_000_000), False),
    ):
        full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115  its end fails as well
        with pytest.raises(OSError, match="No space left") as caught:
            write(full)
        assert isinstance(streams.explained(caught.value), OutputFull) is believed
        with suppress(OSError):
            full.close()
