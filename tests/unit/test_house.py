"""The house rules that no linter knows."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CODE = ("tierkeeper", "worker", "tasks", "models", "client", "tests", "benchmarks", "docker")
MAX_LINES = 400
# a lock file or a document must work with anybody's registry
REGISTRIES = re.compile(r"pypi\.org|pythonhosted\.org|--(?:extra-)?index-url|--find-links", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
STEP = re.compile(r"def step_(\d+)_")


def files(*suffixes: str) -> Iterator[Path]:
    """The files of the project with one of ``suffixes``, without what is made from them."""
    folders = [ROOT / name for name in (*CODE, "docs", ".ci")]
    for path in [*ROOT.iterdir(), *(p for folder in folders for p in folder.rglob("*"))]:
        made = {".venv", "__pycache__", "build", "dist"} & set(path.relative_to(ROOT).parts)
        if path.suffix in suffixes and path.is_file() and not made:
            yield path


def names(paths: list[Path]) -> list[str]:
    """Their paths in the project."""
    return [str(path.relative_to(ROOT)) for path in paths]


def pyproject(folder: str = ".") -> dict[str, object]:
    """The pyproject of the application, or of the client."""
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text())


def locked() -> dict[str, str]:
    """Every package of the lock file and its version."""
    found = re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def required() -> list[Requirement]:
    """What the pyprojects ask for: dependencies, extras, tools, build backends."""
    texts: list[str] = []
    for folder in (".", "client"):
        document = pyproject(folder)
        project = document["project"]
        assert isinstance(project, dict)
        texts += project["dependencies"]
        texts += [text for extra in project.get("optional-dependencies", {}).values() for text in extra]
        for section, key in (("dependency-groups", "dev"), ("build-system", "requires")):
            table = document.get(section, {})
            assert isinstance(table, dict)
            texts += table.get(key, [])
    return [Requirement(text) for text in texts if not text.startswith("tierkeeper-client")]


def test_no_file_is_too_long() -> None:
    """A Python file has at most 400 lines."""
    long = [p for p in files(".py") if len(p.read_text().splitlines()) > MAX_LINES]
    assert not names(long)


def test_nothing_is_left_unfinished() -> None:
    """No file carries a mark of unfinished work."""
    assert not names(
        [p for p in files(".py", ".toml", ".yaml") if p != Path(__file__) and UNFINISHED.search(p.read_text())]
    )


def test_no_address_of_a_registry() -> None:
    """No file names a package registry."""
    found = files(".py", ".toml", ".yaml", ".yml", ".lock", ".md", ".txt", ".cfg", "")
    assert not names([p for p in found if p != Path(__file__) and REGISTRIES.search(text(p))])


def text(path: Path) -> str:
    """Its text; what is no text counts as empty."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def test_engine_files_number_their_steps() -> None:
    """An engine file with steps explains each in its docstring by its number."""
    for path in sorted((ROOT / "tierkeeper" / "engine").glob("*.py")):
        source = path.read_text()
        parts = source.split('"""')
        docstring = parts[1] if source.startswith('"""') and len(parts) > 1 else ""
        steps = set(STEP.findall(source))
        missing = {number for number in steps if not re.search(rf"\b{number}\b", docstring)}
        assert not missing, f"{path.name}: steps {sorted(missing)} are not in its docstring"


@pytest.mark.parametrize("requirement", required(), ids=str)
def test_lock_file_is_in_sync(requirement: Requirement) -> None:
    """What the pyprojects ask for stands in the lock file, in a version that will do."""
    version = locked().get(canonicalize_name(requirement.name))
    assert version is not None, "run `make lock`"
    assert requirement.specifier.contains(version, prereleases=True), "run `make lock`"


def test_lock_file_can_build() -> None:
    """The lock file has all that the editable install needs, which is made without build isolation."""
    assert {"hatchling", "editables", "pathspec", "pluggy", "trove-classifiers"} <= locked().keys()


def test_lock_file_has_hashes() -> None:
    """Every package of the lock file has hashes."""
    entries = re.split(r"^(?=\S+==)", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
