"""What the command line loads before a command runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tierkeeper.cli.main import COMMANDS

#: prints the packages beside the standard library that the given command lines load, without what is only noted down
LISTED = """
import contextlib, io, json, sys
from tierkeeper.cli.main import run
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        assert run(arguments) == 0, arguments
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names)))
print(json.dumps(sorted(name for name in sys.modules if name.startswith("tierkeeper.keeper"))))
"""
OWN = {"tierkeeper", "tierkeeper_client"}
#: what no completion loads: a database, a broker, a store, a model of settings or a table
NOT_TO_COMPLETE = {"sqlalchemy", "psycopg", "pydantic", "rich", "structlog", "celery", "redis", "boto3", "yaml"}


def loaded_by(*command_lines: list[str]) -> set[str]:
    """The packages of others that these command lines load in a process of their own."""
    listed = subprocess.run(
        [sys.executable, "-c", LISTED, json.dumps(command_lines)], capture_output=True, text=True, check=True
    )
    packages, keeper = map(json.loads, listed.stdout.splitlines())
    assert not keeper
    return {name for name in packages if not name.startswith(("_", "editable"))} - OWN - {"sitecustomize"}


@pytest.mark.parametrize(
    "command_lines",
    [
        [["--help"]],
        [["--version"]],
        [[name, "--help"] for name in COMMANDS],
        [["lifecycle", "plan", "--help"], ["policy", "apply", "--help"], ["catalog", "rebuild", "--help"]],
    ],
    ids=["all", "version", "each", "below"],
)
def test_help_loads_click_alone(command_lines: list[list[str]]) -> None:
    """No help needs a database, a broker, a store, a model of settings or a table."""
    assert loaded_by(*command_lines) == {"click"}


def test_what_loads_more_would_be_seen(tmp_path: Path) -> None:
    """A command that runs loads what it works with, and only that: no store of S3 for the settings of folders."""
    ran = subprocess.run(
        [sys.executable, "-c", LISTED, json.dumps([["settings"]])],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    loaded = set(json.loads(ran.stdout.splitlines()[0]))
    assert {"pydantic", "rich"} <= loaded
    assert loaded.isdisjoint({"boto3", "botocore", "s3transfer", "flower"})


@pytest.mark.parametrize("line", ["tierkeeper l", "tierkeeper ls --", "tierkeeper lifecycle p", "tierkeeper store -"])
def test_completion_loads_nothing_to_work_with(line: str) -> None:
    """A shell that asks for names or options waits for no package but click."""
    words = {"_TIERKEEPER_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    asked = """
import json, sys
from tierkeeper.cli.main import cli
try:
    cli.main(prog_name="tierkeeper")
except SystemExit as ended:
    assert ended.code == 0
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    ran = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, env={**os.environ, **words}
    )
    *completed, loaded = ran.stdout.splitlines()
    assert completed
    assert "click" in json.loads(loaded)
    assert NOT_TO_COMPLETE.isdisjoint(json.loads(loaded))
