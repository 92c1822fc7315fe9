"""Every command on a catalog behind a real PgBouncer, which lends out sessions by the transaction."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import pytest
from integration.cli.terminal import terminal
from support import poolers, services
from support.ports import free_ports

from tierkeeper.cli.main import cli

A: Final = "acme/w/a.txt"
WHY: Final = ("--reason", "a test")
#: what is called, in this order, after `init`; an exit code other than 0 is its first word
CALLS: Final[Sequence[tuple[str, ...]]] = (
    ("store", "a.txt", "--tenant", "acme", "--workflow", "w"),
    ("ls", "acme"),
    ("find", "--tenant", "acme"),
    ("show", A),
    ("get", A, "b.txt"),
    ("promote", A, "--to", "warm"),
    ("archive", A),
    ("restore", A),
    ("explain", A),
    ("purge", A, "--yes"),
    ("undelete", A),
    ("policy", "apply", "policies.yaml"),
    ("policy", "diff", "policies.yaml"),
    ("policy", "import-s3", "s3.json", "--name", "s3"),
    ("policy", "list"),
    ("policy", "show", "short"),
    ("policy", "test", A),
    ("policy", "remove", "short", "--yes"),
    ("lifecycle", "summary"),
    ("lifecycle", "plan", "--store"),
    ("lifecycle", "plans"),
    ("lifecycle", "run", "--live"),
    ("3", "lifecycle", "apply", "0" * 12),
    ("stats",),
    ("stats", "--exact"),
    ("events", A),
    ("events", "detach", "--before", "2020-01", "--to", "months", "--yes"),
    ("runs", "list"),
    ("3", "runs", "show", "0" * 12),
    ("3", "runs", "approve", "0" * 12, *WHY),
    ("3", "runs", "reject", "0" * 12, *WHY),
    ("parked", "list"),
    ("3", "parked", "retry", "--all"),  # nothing is
    ("3", "parked", "show", "0" * 12),
    ("3", "parked", "skip", "--all"),
    ("deletes", "off", *WHY),
    ("deletes", "on", *WHY),
    ("deletes", "status"),
    ("verify",),
    ("reconcile",),
    ("catalog", "dump"),
    ("catalog", "dumps"),
    ("5", "catalog", "rebuild"),
    ("catalog", "rebuild", "--approve", *WHY),
    ("doctor",),
    ("doctor", "--mend-times", *WHY),
    ("doctor", "--accept-restore", *WHY),
    ("settings",),
    ("8", "health"),  # no Beat is at work
    ("catalog", "downgrade", "0011", "--yes"),
    ("catalog", "downgrade", "0009", "--yes"),
    ("init",),
)
#: they start processes of their own, or a catalog of their own
APART: Final[set[tuple[str, ...]]] = {("up",), ("demo",)}


def names(command: click.Command, *above: str) -> Iterator[tuple[str, ...]]:
    """The names of all commands that do something."""
    if not isinstance(command, click.Group):
        yield above
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from names(found, *above, name)


def test_every_command(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each does the same as without a pooler; none of them begins a transaction in another one."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "months").mkdir()
    (tmp_path / "policies.yaml").write_text("name: short\nmatch: {tenant: acme}\nphases:\n  - {after: 0d, in: [hot]}\n")
    (tmp_path / "s3.json").write_text('{"Rules": [{"ID": "a", "Status": "Disabled", "Prefix": "x/"}]}')
    with (
        services.embedded_postgres(port=free_ports(1)[0]) as server,
        poolers.pgbouncer(server, mode="transaction") as at,
    ):
        server.create_database("commands")
        url = f"postgresql://postgres@{at}/commands"
        with terminal(tmp_path, catalog=url, broker=valkey_url, monkeypatch=monkeypatch) as tk:
            wrong = []
            for call in CALLS:
                code, command = (int(call[0]), call[1:]) if call[0].isdecimal() else (0, call)
                done = tk(*command)
                if done.code != code:
                    wrong.append((call, done.code, done.err))
            assert not wrong
    called = [" ".join(call).lstrip("0123456789 ") for call in CALLS]
    for name in set(names(cli)) - APART:
        assert any(f"{each} ".startswith(" ".join(name) + " ") for each in called), name
