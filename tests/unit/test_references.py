"""What docstrings, comments and documents refer to is there: modules, classes, functions, settings, columns, files."""

import ast
import io
import pkgutil
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from support.move import dotted

from models.tables import METADATA
from tierkeeper.settings.settings import effective, load
from tierkeeper_client.contract import TaskName

ROOT = Path(__file__).parents[2]
CODE = ("tierkeeper", "client", "worker", "tasks", "models", "tests", "benchmarks", "docker", "install")
MADE = {".venv", "build", "dist", "__pycache__"}
ROLE = re.compile(r":(\w+):`([^`]+)`")
NAMED = re.compile(r"`([A-Za-z_]\w*(?:\.\w+)+)(?:\(\))?`")
FILE = re.compile(r"(?<![\w./*<-])((?:[\w-]+/)*[\w-]+\.(?:py|md))\b")
LINK = re.compile(r"\]\([^)]*\)")  # `test_docs.py` follows links
RAISED = re.compile(r"\b[Rr]aises? (?:an? )?((?:[A-Z]\w+(?:,\s+|\s+and\s+|\s+or\s+)?)+)")
#: what each role names; a class may be an alias, and a property is an attribute
KINDS = {
    "mod": {"module"},
    "class": {"class", "value"},
    "exc": {"class"},
    "func": {"function"},
    "meth": {"function"},
    "attr": {"function", "value"},
    "data": {"value"},
}
#: what is a file where it looks like a name in a module
SUFFIXES = {"json", "jsonl", "lock", "md", "pid", "py", "toml", "yaml"}
#: a layer that a decision says is gone
GONE = {"tierkeeper.steering"}
#: files that stand for any
ANY = {"OLD.py", "NEW.py", "acme/weekly_report/2025/47.md"}
DOCUMENTS = sorted([*ROOT.glob("*.md"), ROOT / "client" / "README.md", *(ROOT / "docs").rglob("*.md")])


@dataclass(frozen=True)
class Symbol:
    """What a name stands for: a module, class, function or value of ours, or something that a library has."""

    kind: str
    module: str
    node: ast.AST | None = None


@dataclass(frozen=True)
class Passage:
    """A docstring or a comment, with the classes and functions around it, the innermost last."""

    text: str
    module: str
    around: tuple[ast.AST, ...] = ()


@cache
def sources() -> dict[str, Path]:
    """The project's Python files by the names by which they are imported."""
    paths = [*ROOT.glob("*.py"), *(path for folder in CODE for path in (ROOT / folder).rglob("*.py"))]
    files = [path.relative_to(ROOT) for path in paths if not MADE & set(path.relative_to(ROOT).parts)]
    return {dotted(str(path).removeprefix("client/src/")): ROOT / path for path in files}


@cache
def tree(module: str) -> ast.Module:
    """The parsed module."""
    return ast.parse(sources()[module].read_text())


def bindings(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """Yield what statements bind, by name; within ``if``, ``try`` and ``with`` too."""
    for node in body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node
            case ast.Assign(targets=targets):
                names = [each for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
                yield from ((each.id, node) for each in names)
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((alias.asname or alias.name.split(".")[0], node) for alias in aliases)
            case ast.If() | ast.Try() | ast.With():
                yield from bindings([each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)])
            case _:
                pass


def imported_as(node: ast.Import | ast.ImportFrom, name: str) -> str:
    """Return the dotted name of what an import binds to ``name``."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom) and name == (alias.asname or alias.name):
            return f"{node.module}.{alias.name}"
        if isinstance(node, ast.Import) and name == (alias.asname or alias.name.split(".")[0]):
            return alias.name if alias.asname else name
    raise AssertionError(name)


def of_library(name: str) -> Symbol | None:
    """Return something of an installed library, or a builtin."""
    for candidate in (name, f"builtins.{name}"):
        try:
            found = pkgutil.resolve_name(candidate)
        except (ImportError, AttributeError, ValueError):
            continue
        match found:
            case type():
                kind = "class"
            case ModuleType():
                kind = "module"
            case _:
                kind = "function" if callable(found) else "value"
        return Symbol(kind, candidate)
    return None


def absolute(name: str) -> Symbol | None:
    """Return what a dotted name stands for that begins with a module of ours or of a library."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        module = ".".join(parts[:cut])
        if module in sources():
            return within(Symbol("module", module), parts[cut:])
    return None if parts[0] in {each.split(".")[0] for each in sources()} else of_library(name)


def within(symbol: Symbol | None, parts: Sequence[str]) -> Symbol | None:
    """Return what the names ``parts`` stand for, one within the other, the first within ``symbol``."""
    for part in parts:
        if symbol is None:
            return None
        if symbol.module not in sources():
            symbol = of_library(f"{symbol.module}.{part}")
        elif symbol.kind == "module":
            symbol = in_module(symbol.module, part)
        elif isinstance(symbol.node, ast.ClassDef):
            symbol = in_class(symbol, part)
        else:
            return None
    return symbol


def in_module(module: str, name: str) -> Symbol | None:
    """Return what a module binds to ``name``, or its submodule."""
    for bound, node in bindings(tree(module).body):
        if bound == name:
            if isinstance(node, ast.Import | ast.ImportFrom):
                return absolute(imported_as(node, name))
            return Symbol(kind_of(node), module, node)
    return Symbol("module", f"{module}.{name}") if f"{module}.{name}" in sources() else None


def kind_of(node: ast.AST) -> str:
    """Return which kind of thing a statement defines."""
    if isinstance(node, ast.ClassDef):
        return "class"
    return "function" if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else "value"


def in_class(cls: Symbol, name: str) -> Symbol | None:
    """Return a member of a class or of its bases: a method, a field, or what a method assigns to ``self``."""
    assert isinstance(cls.node, ast.ClassDef)
    for bound, node in bindings(cls.node.body):
        if bound == name:
            return Symbol(kind_of(node), cls.module, node)
    for node in ast.walk(cls.node):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node) == f"self.{name}":
            return Symbol("value", cls.module, node)
    for base in cls.node.bases:
        found = relative(ast.unparse(base).split("[")[0], cls.module)
        if member := within(found, [name]):
            return member
    return None


def relative(name: str, module: str, around: Sequence[ast.AST] = ()) -> Symbol | None:
    """Return what a name stands for to whoever reads it at a place in a module."""
    first, *rest = name.split(".")
    for node in reversed(around):
        if isinstance(node, ast.ClassDef) and (found := within(in_class(Symbol("class", module, node), first), rest)):
            return found
        if isinstance(node, ast.FunctionDef) and first in dict(bindings(node.body)):
            return within(Symbol("value", module, dict(bindings(node.body))[first]), rest)
    return within(in_module(module, first), rest) or absolute(name)


def passages(module: str) -> Iterator[Passage]:
    """Yield every docstring of a module, and every comment that may refer to something."""

    def docstrings(node: ast.AST, around: tuple[ast.AST, ...]) -> Iterator[Passage]:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            around = (*around, node)
            if text := ast.get_docstring(node):
                yield Passage(text, module, around)
        for child in ast.iter_child_nodes(node):
            yield from docstrings(child, around)

    yield from docstrings(tree(module), ())
    text = sources()[module].read_text()
    if "#" in text:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and ("`" in token.string or FILE.search(token.string)):
                yield Passage(token.string, module, tuple(nodes_around(module, token.start[0])))


def nodes_around(module: str, line: int) -> Iterator[ast.AST]:
    """Yield the classes and functions that a line lies in, outermost first."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0):
            yield node


def names_parameter(name: str, around: Sequence[ast.AST]) -> bool:
    """True if the name is an argument of the function around it, or something of one."""
    functions = [node for node in around if isinstance(node, ast.FunctionDef)]
    arguments = {argument.arg for each in functions for argument in [*each.args.args, *each.args.kwonlyargs]}
    return name.partition(".")[0] in arguments


@cache
def other_names() -> set[str]:
    """The dotted names of settings, and of groups of them, of tasks and of columns."""
    settings = [row.name.split(".") for row in effective(load(environ={}))]
    parts = {".".join(name[:length]) for name in settings for length in range(2, len(name) + 1)}
    columns = {f"{table.name}.{column.name}" for table in METADATA.tables.values() for column in table.columns}
    return parts | columns | {task.value for task in TaskName}


def in_some_module(name: str) -> bool:
    """True if a module of ours that is called by the first part of the name has the rest."""
    first, *rest = name.split(".")
    modules = [module for module in sources() if module.rpartition(".")[2] == first]
    return any(within(Symbol("module", module), rest) for module in modules)


def is_named_right(name: str, passage: Passage) -> bool:
    """True if a dotted name in backticks is something that is there."""
    if name in other_names() or names_parameter(name, passage.around) or in_some_module(name):
        return True
    return relative(name, passage.module, passage.around) is not None


def wrong_roles(passage: Passage) -> Iterator[str]:
    """Yield the references of a passage that lead nowhere, or to another kind of thing than they say."""
    for role, target in ROLE.findall(passage.text):
        found = relative(target.removeprefix("~"), passage.module, passage.around)
        if found is None or found.kind not in KINDS.get(role, ()):
            yield f"{passage.module}: :{role}:`{target}` is {found and found.kind}"


def wrong_names(passage: Passage) -> Iterator[str]:
    """Yield the dotted names in backticks that are nothing."""
    for name in NAMED.findall(ROLE.sub("", passage.text)):
        if name.rpartition(".")[2] not in SUFFIXES and not is_named_right(name, passage):
            yield f"{passage.module}: `{name}`"


def wrong_files(passage: Passage) -> Iterator[str]:
    """Yield the Python files and documents that are neither beside the module nor below the root or its packages."""
    places = [sources()[passage.module].parent, ROOT, ROOT / "tierkeeper", ROOT / "tests"]
    for name in FILE.findall(LINK.sub("", passage.text)):
        if name not in ANY and not any((place / name).exists() for place in places):
            yield f"{passage.module}: {name}"


@cache
def all_passages() -> list[Passage]:
    """The docstrings and comments of all modules."""
    found = [passage for module in sources() for passage in passages(module)]
    assert len(found) > 4000
    return found


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (":mod:`ast`, :func:`tree`, :class:`Symbol`, :attr:`Symbol.kind`, :data:`ROLE`, :meth:`re.Pattern.findall`", 0),
        (":func:`nowhere`, :mod:`nowhere`, :class:`unit.test_references.Nowhere`, :attr:`Symbol.nowhere`", 4),
        (":class:`tree`, :func:`Symbol`, :mod:`tierkeeper.base.errors.TierkeeperError`, :nowhere:`tree`", 4),
        ("``engine.undo`` `placements.state` ``tierkeeper.store`` ``fates.good()`` ``tierkeeper.toml``", 0),
        ("``re.nowhere`` ``engine.nowhere`` `placements.nowhere` ``tierkeeper.nowhere`` ``fates.nowhere()``", 5),
        ("test_house.py, tests/unit/test_house.py, engine/moment.py, ARCHITECTURE.md, engine/*.py", 0),
        ("nowhere.py, unit/nowhere.py, base/moment.py, NOWHERE.md", 4),
    ],
)
def test_wrong_references_are_seen(text: str, wrong: int) -> None:
    """What is not there, or is of another kind, counts; what is there in any of these ways does not."""
    passage = Passage(text, "unit.test_references")
    assert len([*wrong_roles(passage), *wrong_names(passage), *wrong_files(passage)]) == wrong


def test_references_lead_to_what_they_say() -> None:
    """Each ``:mod:``, ``:class:``, ``:func:`` and the like names something of its kind that is there."""
    found = all_passages()
    assert sum(len(ROLE.findall(passage.text)) for passage in found) > 150
    assert not [each for passage in found for each in wrong_roles(passage)]


def test_dotted_names_are_of_something() -> None:
    """A dotted name in backticks is a module, something in one, a setting, a column, a task or an argument."""
    found = all_passages()
    assert sum(len(NAMED.findall(passage.text)) for passage in found) > 100
    assert not [each for passage in found for each in wrong_names(passage)]


def test_errors_that_are_raised_exist() -> None:
    """What a docstring says is raised is a class of ours or of Python, or of a library that its module uses."""
    ours = {node.name for module in sources() for node in ast.walk(tree(module)) if isinstance(node, ast.ClassDef)}
    errors = [
        (passage, error)
        for passage in all_passages()
        for names in RAISED.findall(passage.text)
        for error in re.findall(r"[A-Z]\w+", names)
    ]
    assert len(errors) > 50
    unknown = {(passage.module, error) for passage, error in errors if error not in ours and of_library(error) is None}
    assert unknown == {
        ("tierkeeper.connections", "OperationalError"),  # psycopg's
        ("tierkeeper.catalog.outcomes", "DBAPIError"),  # SQLAlchemy's
    }


def test_files_that_are_named_are_there() -> None:
    """A Python file or document that a docstring or a comment names is in the tree."""
    found = all_passages()
    assert sum(len(FILE.findall(passage.text)) for passage in found) > 20
    assert not [each for passage in found for each in wrong_files(passage)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_modules_and_files_that_are_there(path: Path) -> None:
    """What in backticks looks like a module's name or file is one; a file may be named by the end of its path."""
    text = LINK.sub("", path.read_text())
    files = {str(each.relative_to(ROOT)) for each in [*sources().values(), *DOCUMENTS]}
    named = {name for quoted in re.findall(r"`([^`\n]+)`", text) for name in FILE.findall(quoted)} - ANY
    assert not [name for name in named if not any(f"/{each}".endswith(f"/{name}") for each in files)]
    packages = {module.split(".")[0] for module in sources()}
    dotted_names = [name for name in NAMED.findall(text) if name.split(".")[0] in packages]
    dotted_names = [name for name in dotted_names if name.rpartition(".")[2] not in SUFFIXES]
    assert not [name for name in dotted_names if name not in other_names() | GONE and absolute(name) is None]
