"""The house rules that no linter knows."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.imports import imported

ROOT = Path(__file__).parents[2]
CODE = ("tierkeeper", "worker", "tasks", "models", "client", "tests", "benchmarks", "docker", "install")
ROOMS = ("tierkeeper", "tasks", "worker", "models")
OWN = {*ROOMS, "beat_schedule", "tierkeeper_client"}
# a lock file or a document must work with anybody's registry
REGISTRIES = re.compile(r"pypi\.org|pythonhosted\.org|--(?:extra-)?index-url|--find-links", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
CAUGHT = re.compile(r"except\b.*\b(?:error|request)\.(?:HTTP|URL)Error")
STEP = re.compile(r"^(\d+)\. ([a-z ]+?)(?: \(|[:,])", re.MULTILINE)
STEPS = 35  # of the engine
#: what asks for a decision, and the modules by which it can be reached
DECIDING = {"tierkeeper", "tierkeeper.policy", "tierkeeper.policy.decide"} | {
    f"tierkeeper.policy.decide.{name}" for name in ("decide", "protects", "retained_until", "next_phase_start")
}


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


def test_no_three_files_of_a_folder_share_a_prefix() -> None:
    """They would be a package: a folder whose name says it once; ``test_`` is no prefix, as pytest asks for it."""
    folders = {path.parent for path in files(".py")} - {ROOT}
    assert len(folders) > 80
    for folder in folders:
        stems = [path.stem.removeprefix("test_") for path in folder.glob("*.py") if path.stem != "__init__"]
        prefixes = Counter(stem.partition("_")[0] for stem in stems)
        assert not {prefix: number for prefix, number in prefixes.items() if number > 2}, folder


def packages(place: Path) -> set[str]:
    """The packages below a folder, by their paths from there."""
    return {str(path.parent.relative_to(place)) for path in place.rglob("__init__.py")}


def folders_of_tests(kind: str) -> set[str]:
    """The folders below ``tests/<kind>`` with modules of their own, and those that hold them."""
    place = ROOT / "tests" / kind
    modules = [path.relative_to(place) for path in place.rglob("*.py")]
    return {str(folder) for module in modules for folder in module.parents if folder != Path()}


def test_tests_lie_in_the_rooms_that_they_test() -> None:
    """Unit and integration tests have a room's folders, and no others; each room of engine, stores and cli has one."""
    product = packages(ROOT / "tierkeeper")
    folders = {kind: folders_of_tests(kind) for kind in ("unit", "integration")}
    assert min(map(len, folders.values())) > 15
    for kind, found in folders.items():
        assert not found - product - {"worker", "tasks", "models", "client"}, kind
    split = {room for room in product if room.startswith(("engine/", "stores/", "cli/"))}
    assert len(split) > 15
    assert not split - folders["unit"] - folders["integration"]


def test_every_room_says_what_is_in_it() -> None:
    """Each package of the product has a docstring; those of the engine say what is not there, too."""
    rooms = [path for path in files(".py") if path.name == "__init__.py" and path.relative_to(ROOT).parts[0] in ROOMS]
    docstrings = {path: ast.get_docstring(ast.parse(path.read_text())) or "" for path in rooms}
    assert not names([path for path, docstring in docstrings.items() if not docstring])
    engine = [path for path in rooms if path.parent.parent.name == "engine"]
    assert len(engine) >= 13
    assert not names([path for path in engine if len(docstrings[path].split("\n\n")) < 2])


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


def test_refusals_of_web_servers_are_closed() -> None:
    """An HTTPError is an open file: only the module that closes it catches one (Python 3.14 warns of all others)."""
    assert names([p for p in files(".py") if CAUGHT.search(p.read_text())]) == ["tests/support/http_status.py"]


def test_engine_files_number_their_steps() -> None:
    """What a module of the engine numbers in its docstring are its functions ``step_<n>_<what>``, in their order."""
    numbered = 0
    for path in sorted((ROOT / "tierkeeper" / "engine").rglob("*.py")):
        tree = ast.parse(path.read_text())
        told = [
            f"step_{number}_{what.replace(' ', '_')}" for number, what in STEP.findall(ast.get_docstring(tree) or "")
        ]
        made = [each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("step_")]
        assert made == told, path.name
        numbered += len(made)
    assert numbered == STEPS


def asks_for_decisions(code: str) -> bool:
    """Whether it imports what decides about artifacts, makes the facts of a row, or has the book of active policies."""
    tree = ast.parse(code)
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return not DECIDING.isdisjoint(imported(tree)) or not attributes.isdisjoint({"facts", "book"})


@pytest.mark.parametrize(
    "code",
    [
        "from tierkeeper.policy import decide",
        "from tierkeeper.policy.decide import entry_tiers, protects",
        "import tierkeeper.policy.decide",
        "import tierkeeper.policy\ntierkeeper.policy.decide.decide()",
        "from tierkeeper import policy",
        "def late():\n    import tierkeeper.policy.decide as rules",
        "facts = row.facts\nfacts(now)",
        "book = engine.book\nbook.read(connection)",
        "active = engine.book",
    ],
)
def test_questions_for_decisions_are_found(code: str) -> None:
    """Whichever way they are written, and by whatever name they are asked."""
    assert asks_for_decisions(code)


def test_only_a_moment_decides() -> None:
    """What a decision takes is handed over in one place: no other module asks for decisions or reads the policies."""
    places = [path for folder in ROOMS for path in (ROOT / folder).rglob("*.py")]
    assert names([path for path in places if asks_for_decisions(path.read_text())]) == ["tierkeeper/engine/moment.py"]
    assert not asks_for_decisions("from tierkeeper.policy.decide import entry_tiers")


def imported_tests(code: str) -> list[str]:
    """Return the test modules and conftests that a module takes something from."""
    modules = re.compile(r"(?:^|\.)(?:test_\w+|conftest)(?:\.|$)")
    return [name for name in imported(ast.parse(code)) if modules.search(name)]


@pytest.mark.parametrize(
    ("code", "taken"),
    [
        ("from integration.stores.test_s3 import KEYS", ["integration.stores.test_s3.KEYS"]),
        ("from integration.stores import test_s3", ["integration.stores.test_s3"]),
        ("import unit.policy.test_match", ["unit.policy.test_match"]),
        ("from faults.conftest import Scale", ["faults.conftest.Scale"]),
        ("def at_work():\n    import test_s3", ["test_s3"]),
        ("from support.house import House\nimport pytest\nfrom latest_s3 import a", []),
    ],
)
def test_imports_of_tests_are_found(code: str, taken: list[str]) -> None:
    """Whichever way they are written; what only looks like one is none."""
    assert imported_tests(code) == taken


def test_no_test_is_imported() -> None:
    """What two test modules share lies in a module without tests, so that nothing is collected twice or depends."""
    modules = sorted((ROOT / "tests").rglob("*.py"))
    assert sum(len(path.relative_to(ROOT).parts) > 3 for path in modules) > 100  # in sub-folders too
    assert not {str(path.relative_to(ROOT)): found for path in modules if (found := imported_tests(path.read_text()))}


def _product() -> dict[Path, ast.Module]:
    """The parsed modules of the wheels by path."""
    roots = {*ROOMS, "client"}
    paths = [path for path in files(".py") if path.relative_to(ROOT).parts[0] in roots]
    assert len(paths) > 300
    return {path: ast.parse(path.read_text()) for path in paths}


def types(tree: ast.Module) -> list[str]:
    """Return the names of the types that a module defines: its classes, and what else at its top looks like one.

    Type aliases, ``NewType`` and the like are told by the form of their names. Two kinds are left out: a name of one
    letter, which is a ``TypeVar`` and means nothing beyond the signature that it stands in; and constants, which are
    numbers, texts and statements of their own modules.
    """
    found = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for node in tree.body:
        match node:
            case ast.Assign(targets=targets):
                found += [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.append(name)
    return [name for name in found if re.fullmatch(r"_?[A-Z]\w+", name) and not name.isupper()]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("class House: ...", ["House"]),
        ("def house():\n    class House: ...", ["House"]),
        ("class House(Protocol): ...", ["House"]),
        ("House = Callable[[int], None]", ["House"]),
        ("House: TypeAlias = 'Callable[[int], None]'", ["House"]),
        ("House = Shed = int | str", ["House", "Shed"]),
        ("House = NewType('House', int)", ["House"]),
        ("_House = tuple[int, int]", ["_House"]),
        ("Path_ = tuple[str, ...]", ["Path_"]),
        ("Room = TypeVar('Room', bound=House)", ["Room"]),
        ("T = TypeVar('T')", []),
        ("HOUSE = 5\n_ROOM: Final = 6\nhouse = House()", []),
        ("def build():\n    House = int", []),
    ],
)
def test_types_are_found(code: str, found: list[str]) -> None:
    """Whichever way they are defined; constants, values and type variables of one letter are none."""
    assert types(ast.parse(code)) == found


def imported_from_elsewhere(tree: ast.Module) -> set[str]:
    """Return the names that a module imports from what is not ours, under which it uses them."""
    return {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.split(".")[0] not in OWN
        for name in node.names
    }


def test_no_name_of_a_type_means_two_things() -> None:
    """One name, one type in all of the product, and none of a library that it uses.

    So a name in a review or a traceback says which type it is.
    """
    trees = _product().values()
    found = Counter(name for tree in trees for name in types(tree))
    assert len(found) > 520
    assert not [name for name, number in found.items() if number > 1]
    assert not set(found) & set().union(*map(imported_from_elsewhere, trees))


def test_a_module_of_the_models_has_one_table() -> None:
    """A table is found by the name of its file, and in the metadata of all; the base and the list of all have none."""
    tables = {path.stem: path.read_text().count("= Table(") for path in (ROOT / "models").glob("*.py")}
    assert len(tables) > 18
    assert {name: number for name, number in tables.items() if number != 1} == {"__init__": 0, "base": 0, "tables": 0}
    listed = imported(ast.parse((ROOT / "models" / "tables.py").read_text()))
    assert {name.split(".")[1] for name in listed} == set(tables) - {"__init__", "tables"}


def views_compared(source: str) -> list[str]:
    """The comparisons of a mapping's `values()` by == or !=, which is of the view and not of what is in it."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        and any(
            isinstance(side, ast.Call) and isinstance(side.func, ast.Attribute) and side.func.attr == "values"
            for side in (node.left, *node.comparators)
        )
    ]


def test_no_view_of_values_is_compared() -> None:
    """Two views of values are never equal: `!=` of them holds always, and a test of it cannot fail."""
    assert views_compared("assert found.values() != before.values()")
    assert not views_compared("assert list(found.values()) != [1] and x in found.values()")
    assert not [found for path in files(".py") for found in views_compared(path.read_text(encoding="utf-8"))]


def test_no_own_module_has_an_alias() -> None:
    """What is imported from the product goes by its own name everywhere, so that a search for it finds all uses."""
    aliased = [
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for path, tree in _product().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
        if name.asname is not None and (getattr(node, "module", None) or name.name).split(".")[0] in OWN
    ]
    assert not aliased
