"""What the wheels import, what they declare, and what the lock file holds are one and the same."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
# each distribution's folder with its pyproject, and what its wheel holds
WHEELS = {
    ".": ("tierkeeper", "worker", "tasks", "models", "beat_schedule.py"),
    "client": ("client/src/tierkeeper_client",),
}
OURS = {"tierkeeper", "tierkeeper-client"}
PLUG_INS = {"flower"}  # `celery flower`: run, never imported
ENTRY = re.compile(r"^([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?==(\S+)", re.MULTILINE)
REFUSING = """
import importlib, pkgutil, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"no wheel of ours declares {name}", name=name)

refused = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Refusing())
for each in sys.argv[2:]:
    module = importlib.import_module(each)
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{each}."):
        if ".migrations." not in found.name and not found.name.endswith("__main__"):
            importlib.import_module(found.name)
"""


def lock_text() -> str:
    """The lock file."""
    return (ROOT / "requirements.lock").read_text()


def locked(text: str) -> dict[str, tuple[str, set[str]]]:
    """Every package of a lock file with its version and its extras."""
    return {
        canonicalize_name(name): (version, {each.strip() for each in extras.split(",")} - {""})
        for name, extras, version in ENTRY.findall(text)
    }


def pyproject(folder: str) -> dict[str, dict[str, object]]:
    """The pyproject of the application, or of the client."""
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text())


def declared(folder: str) -> list[Requirement]:
    """What a wheel declares: its dependencies, and those of its extras."""
    project = pyproject(folder)["project"]
    base, extras = project["dependencies"], project.get("optional-dependencies", {})
    assert isinstance(base, list)
    assert isinstance(extras, dict)
    return [Requirement(text) for text in [*base, *(text for each in extras.values() for text in each)]]


def required() -> list[Requirement]:
    """What the pyprojects ask for: dependencies, extras, tools, build backends."""
    found = [each for folder in WHEELS for each in declared(folder)]
    for folder in WHEELS:
        for section, key in (("dependency-groups", "dev"), ("build-system", "requires")):
            texts = pyproject(folder).get(section, {}).get(key, [])
            assert isinstance(texts, list)
            found += map(Requirement, texts)
    return [each for each in found if canonicalize_name(each.name) not in OURS]


def needs(name: str, extras: set[str]) -> Iterator[Requirement]:
    """What an installed distribution needs here, with these of its extras."""
    for each in map(Requirement, metadata.requires(name) or ()):
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield each


def closure(roots: list[Requirement]) -> set[str]:
    """Every distribution that these requirements bring, extras followed."""
    waiting, seen = list(roots), set[tuple[str, frozenset[str]]]()
    while waiting:
        each = waiting.pop()
        key = (canonicalize_name(each.name), frozenset(each.extras))
        if key not in seen and key[0] not in OURS:
            seen.add(key)
            waiting += needs(key[0], set(each.extras))
    return {name for name, _ in seen}


def without_extra(lock: Mapping[str, tuple[str, set[str]]]) -> list[str]:
    """Every requirement whose extra the lock lacks: an installer that checks hashes looks for another version."""
    asked = [("the pyprojects", each) for each in required()]
    asked += [(name, each) for name in installed(lock) for each in needs(name, lock[name][1])]
    return [
        f"{each} of {by}"
        for by, each in asked
        if not each.extras <= lock.get(canonicalize_name(each.name), ("", set[str]()))[1]
    ]


def installed(names: Mapping[str, object]) -> set[str]:
    """Those of these distributions that are installed here: a lock for every platform has more."""
    return {str(canonicalize_name(each.name)) for each in metadata.distributions()} & set(names)


def imports(files: tuple[str, ...]) -> set[str]:
    """The distributions whose modules these files import or look for, but those for types alone."""
    paths = [
        path for each in files for path in ([ROOT / each] if each.endswith(".py") else (ROOT / each).rglob("*.py"))
    ]
    modules = {name for path in paths for name in imported(ast.parse(path.read_text()))}
    known = metadata.packages_distributions()
    ours = {Path(name).stem for each in WHEELS.values() for name in each}
    return {canonicalize_name(known[name][0]) for name in modules - sys.stdlib_module_names - ours}


def imported(node: ast.AST) -> Iterator[str]:
    """The top-level modules that a piece of code imports, or looks for without an import."""
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
            for each in otherwise:
                yield from imported(each)
            return
        case ast.Import(names=names):
            yield from (each.name.partition(".")[0] for each in names)
        case ast.ImportFrom(module=str(module)):
            yield module.partition(".")[0]
        case ast.Call(func=ast.Name(id="find_spec" | "wheel_folder"), args=[ast.Constant(value=str(module))]):
            yield module
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="lazy"), attr="module"), args=[ast.Constant(value=str(name))]
        ):
            yield name.partition(".")[0]
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


@pytest.mark.parametrize("requirement", required(), ids=str)
def test_lock_file_is_in_sync(requirement: Requirement) -> None:
    """What the pyprojects ask for stands in the lock file, in a version that will do."""
    version, _ = locked(lock_text()).get(canonicalize_name(requirement.name), (None, set()))
    assert version is not None, "run `make lock`"
    assert requirement.specifier.contains(version, prereleases=True), "run `make lock`"


def test_lock_file_keeps_extras() -> None:
    """Every requirement with an extra, ours or a locked package's, is locked with that extra."""
    assert not without_extra(locked(lock_text()))


def test_lock_without_extras_would_be_found() -> None:
    """A lock that names packages without their extras is found out, for ours and for those of others."""
    bare = {name: (version, set[str]()) for name, (version, _) in locked(lock_text()).items()}
    found = without_extra(bare)
    assert "coverage[toml]>=7.10.6 of pytest-cov" in found
    assert "kombu[redis]>=5.7 of the pyprojects" in found


def test_lock_file_can_build() -> None:
    """The lock file has all that the editable install needs, which is made without build isolation."""
    assert {"hatchling", "editables", "pathspec", "pluggy", "trove-classifiers"} <= locked(lock_text()).keys()


def test_lock_file_has_hashes() -> None:
    """Every package of the lock file has hashes."""
    entries = re.split(r"^(?=\S+(?:\[[^\]]*\])?==)", lock_text(), flags=re.MULTILINE)[1:]
    assert len(entries) == len(ENTRY.findall(lock_text())) > 0
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("folder", WHEELS)
def test_imports_are_declared(folder: str) -> None:
    """What a wheel's code imports is what the wheel declares: nothing more, nothing less."""
    named = {canonicalize_name(each.name) for each in declared(folder)} - OURS
    by_extras = {
        canonicalize_name(each.name)
        for one in declared(folder)
        if one.extras
        for each in set(needs(one.name, one.extras)) - set(needs(one.name, set()))
    }
    found = imports(WHEELS[folder])
    assert not found - named - by_extras, "imported, not declared"
    assert not named - found - PLUG_INS, "declared, not imported"


@pytest.mark.parametrize("name", sorted(PLUG_INS))
def test_plug_ins_are_celerys(name: str) -> None:
    """What is declared without an import of it is a command of Celery."""
    assert metadata.distribution(name).entry_points.select(group="celery.commands")


@pytest.mark.parametrize(
    ("folder", "modules"),
    [
        (".", ["tierkeeper", "worker", "tasks", "models", "beat_schedule", "flower.command"]),
        ("client", ["tierkeeper_client"]),
    ],
)
def test_declared_is_enough(folder: str, modules: list[str]) -> None:
    """Every module of a wheel can be imported, and Redis spoken, with nothing but what the wheels declare."""
    roots = declared(folder) + (declared("client") if folder == "." else [])
    known = metadata.packages_distributions()
    own = closure(roots) | OURS
    refused = {name for name, by in known.items() if not {canonicalize_name(each) for each in by} & own}
    assert "pytest" in refused
    transports = ["kombu.transport.redis", "celery.backends.redis"]
    done = subprocess.run(
        [sys.executable, "-c", REFUSING, ",".join(sorted(refused)), *modules, *transports],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("folder", WHEELS)
def test_python_versions_agree(folder: str) -> None:
    """The bounds of the wheels, their classifiers, the Makefile and the documents name the same versions of Python."""
    project = pyproject(folder)["project"]
    bounds = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", str(project["requires-python"]))
    assert bounds is not None
    first, last = int(bounds[1]), int(bounds[2]) - 1
    prefix = "Programming Language :: Python :: 3."
    assert project["classifiers"] == [f"{prefix}{minor}" for minor in range(first, last + 1)]
    assert f"(3, {first}) <= sys.version_info[:2] <= (3, {last})" in (ROOT / "Makefile").read_text()
    for document in ("Makefile", "README.md", "client/README.md", "docs/tutorial.md"):
        assert f"3.{first} to 3.{last}" in (ROOT / document).read_text(), document
