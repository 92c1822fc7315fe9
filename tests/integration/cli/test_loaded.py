"""What a command that runs loads: the packages that it works with, and no others."""

import json
import subprocess
import sys

import pytest
from integration.cli.terminal import Stored

#: prints what a command line loads, behind what it prints itself
LISTED = """
import json, sys
from tierkeeper.cli.main import run
assert run(sys.argv[1:]) == 0
print()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} | set(sys.modules))))
"""
#: of others: what upgrades catalogs, sends messages, embeds a broker, and the clouds
NEVER = {"alembic", "mako", "celery", "kombu", "redis", "boto3", "botocore"}
#: of ours: what stores, moves, deletes and repairs
NOT_OURS = {
    "tierkeeper.engine.ingest.ingest",
    "tierkeeper.engine.converge.converge",
    "tierkeeper.engine.collect.collect",
    "tierkeeper.engine.verbs.verbs",
    "tierkeeper.engine.operations.health",
    "tierkeeper.engine.operations.founding",
    "tierkeeper.engine.recovery.rebuild",
    "tierkeeper.engine.plans.preview",
    "tierkeeper.catalog.migrate",
}


@pytest.mark.parametrize("arguments", [["ls"], ["ls", "acme/w"]], ids=" ".join)
def test_a_list_loads_what_it_reads_with(stored: Stored, arguments: list[str]) -> None:
    """`ls` opens the catalog and prints a table: it migrates nothing, sends nothing, moves nothing."""
    stored()
    ran = subprocess.run([sys.executable, "-c", LISTED, *arguments], capture_output=True, text=True, check=True)
    assert "acme/w/a.txt" in ran.stdout
    loaded = set(json.loads(ran.stdout.splitlines()[-1]))
    assert {"sqlalchemy", "psycopg", "rich", "tierkeeper.catalog.browse"} <= loaded
    assert loaded & (NEVER | NOT_OURS) == set()
