"""The tree that the tests belong to, which may be a mutated copy: processes that they start run its code."""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
#: folders to import the product from, before what is installed
CODE: Final = ROOT, ROOT / "client" / "src"


def first(*folders: Path) -> str:
    """Return the ``PYTHONPATH`` of a process that finds these folders, then the product."""
    return os.pathsep.join(map(str, (*folders, *CODE)))
