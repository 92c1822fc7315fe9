"""What a command that runs loads: the packages that it works with, and no others."""

import json
import subprocess
import sys

import pytest
from integration.cli.terminal import Stored
from support import services

from tierkeeper.embedded.services import Embedded

#: prints what a command line loads, behind what it prints itself
LISTED = """
import json, sys
from tierkeeper.cli.main import run
assert run(sys.argv[1:]) == 0
print()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} | set(sys.modules))))
"""
#: of others: what maps rows to objects, upgrades catalogs, sends messages, embeds a broker, writes logs; the clouds
NEVER = {
    "sqlalchemy.orm",
    "pydantic_settings",
    "alembic",
    "mako",
    "celery",
    "kombu",
    "redis",
    "structlog",
    "boto3",
    "botocore",
}
#: of ours: what stores, moves, deletes and repairs; tables that nobody asks; models of messages
NOT_OURS = {
    "tierkeeper.engine.ingest.ingest",
    "tierkeeper.engine.converge.converge",
    "tierkeeper.engine.collect.collect",
    "tierkeeper.engine.verbs.verbs",
    "tierkeeper.engine.operations.health",
    "tierkeeper.engine.operations.deliveries",
    "tierkeeper.engine.recovery.rebuild",
    "tierkeeper.engine.plans.preview",
    "tierkeeper.catalog.migrate",
    "tierkeeper.keeper.recovery",
    "tierkeeper_client.contract",
    "models.tables",
    "models.plan",
}
#: what upgrades, or looks over, an embedded catalog as a command starts
STARTS = {"tierkeeper.engine.operations.founding"}
#: what reads policies, and what they are written in
READS_POLICIES = {"yaml"}


def loaded_by(*arguments: str) -> tuple[str, set[str]]:
    """What a command line prints, and what it loads, in a process of its own."""
    ran = subprocess.run([sys.executable, "-c", LISTED, *arguments], capture_output=True, text=True, check=True)
    printed, _, listed = ran.stdout.strip().rpartition("\n")
    return printed, set(json.loads(listed))


@pytest.mark.parametrize("arguments", [["ls"], ["ls", "acme/w"], ["show", "acme/w/a.txt"]], ids=" ".join)
def test_a_list_loads_what_it_reads_with(stored: Stored, arguments: list[str]) -> None:
    """`ls` and `show` open the catalog and print a table: they migrate nothing, send nothing, move nothing."""
    stored()
    printed, loaded = loaded_by(*arguments)
    assert "acme/w/a.txt" in printed
    assert {"sqlalchemy", "psycopg", "rich", "tierkeeper.catalog.placements"} <= loaded
    assert loaded & (NEVER | NOT_OURS | STARTS | READS_POLICIES) == set()


def test_an_explanation_loads_the_policies_too(stored: Stored) -> None:
    """What `explain` decides by is what policies are written in, and nothing of what would carry it out."""
    _, loaded = loaded_by("explain", stored())
    assert loaded >= READS_POLICIES
    assert loaded & (NEVER | NOT_OURS | STARTS) == set()


def test_an_embedded_catalog_is_looked_over_without_what_upgrades_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command starts the embedded services and finds the catalog as it should be: it loads no Alembic, no redis."""
    with services.short_folder() as folder, Embedded(folder / "home").use():
        monkeypatch.chdir(folder)
        monkeypatch.setenv("TIERKEEPER_HOME", str(folder / "home"))
        _, made = loaded_by("ls")
        _, loaded = loaded_by("ls")
    assert "alembic" in made
    assert loaded >= STARTS
    assert loaded & (NEVER | NOT_OURS | READS_POLICIES) == set()
