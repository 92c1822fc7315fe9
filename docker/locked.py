"""Prints the part of ``requirements.lock`` that some packages need, hashes and all.

The lock file holds everything for everybody; an image needs only what runs. Without arguments: what tierkeeper and
its client need at run time. With arguments: what the named packages need (``hatchling`` to build the wheels).
The lines ``# via`` of the lock say who needs whom. Standard library only: it runs before anything is installed.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
OURS = {"tierkeeper", "tierkeeper-client"}


def normal(requirement: str) -> str:
    """Return the package's name of a requirement, in the form that lock files use (PEP 503)."""
    found = NAME.match(requirement)
    if found is None:
        msg = f"{requirement!r} is no requirement"
        raise ValueError(msg)
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def blocks(lock: str) -> dict[str, str]:
    """Return each package's lines of the lock file, by its name."""
    parts = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    found: dict[str, str] = {}
    for part in parts:
        if NAME.match(part):  # a package may be there twice, for different Pythons
            found[normal(part)] = found.get(normal(part), "") + part
    return found


def needed_by(block: str) -> set[str]:
    """Return the packages that need this one, as its ``# via`` lines say."""
    return {normal(line) for line in re.findall(r"^ +#(?: via)? +(?!via$)(\S+)", block, flags=re.MULTILINE)}


def closure(lock: str, roots: set[str]) -> list[str]:
    """Return the lines of ``roots`` and of everything they need, sorted by name; KeyError for an unknown root."""
    found = blocks(lock)
    parents = {name: needed_by(block) for name, block in found.items()}
    chosen = set(roots)
    while more := {name for name, by in parents.items() if by & chosen} - chosen:
        chosen |= more
    return [found[name] for name in sorted(chosen)]


def runtime_roots() -> set[str]:
    """Return what the two distributions name as their dependencies, without extras and groups."""
    files = (ROOT / "pyproject.toml", ROOT / "client" / "pyproject.toml")
    named = [tomllib.loads(file.read_text())["project"]["dependencies"] for file in files]
    return {normal(requirement) for each in named for requirement in each} - OURS


if __name__ == "__main__":
    sys.stdout.writelines(closure((ROOT / "requirements.lock").read_text(), set(sys.argv[1:]) or runtime_roots()))
