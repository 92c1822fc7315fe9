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
assert tierkeeper_client.contract is contract
try:
    from tierkeeper_client import nonsense
except ImportError as error:
    print(error)
"""


def test_a_submodule_is_loaded_on_first_use() -> None:
    """The same module as that of an ordinary import, loaded at its first attribute; what is not there is an error."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert "nonsense" in done.stdout
