"""Submodules that are loaded on first use."""

import subprocess
import sys

CODE = """
import sys
from tierkeeper_client import contract
assert "pydantic" not in sys.modules
assert contract.TaskName.STORE == "tierkeeper.store"
assert "pydantic" in sys.modules
import tierkeeper_client.contract
assert tierkeeper_client.contract.TaskName is contract.TaskName
try:
    from tierkeeper_client import nonsense
except ImportError as error:
    print(error)
"""

THREADS = """
import threading
from tierkeeper_client import contract
start, read = threading.Barrier(8), []
def work():
    start.wait()
    read.append(contract.TaskName.STORE)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert read == ["tierkeeper.store"] * 8, read
"""

LOADED = """
import sys
from tierkeeper_client import lazy
staging = lazy.module("tierkeeper_client.staging")
assert "tierkeeper_client.staging" not in sys.modules
assert staging.Staging is sys.modules["tierkeeper_client.staging"].Staging
before = sys.modules.pop("tierkeeper_client.staging")
assert staging.Staging is not before.Staging
lazy.load("tierkeeper.engine")
assert {"tierkeeper.engine.collect.collect", "tierkeeper.engine.ingest.ingest"} <= set(sys.modules)
"""


def test_a_module_is_what_python_has_under_its_name() -> None:
    """Of whatever package, on first use, and the one that took its place later; a package can be loaded whole."""
    subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True)


def test_many_threads_may_use_it_first() -> None:
    """Python's lock of the import is theirs: each gets what it reads, and none a module that is half loaded."""
    subprocess.run([sys.executable, "-c", THREADS], capture_output=True, check=True)


def test_a_submodule_is_loaded_on_first_use() -> None:
    """The same module as that of an ordinary import, loaded at its first attribute; what is not there is an error."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert "nonsense" in done.stdout
