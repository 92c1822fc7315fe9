"""The columns of an artifact that the engine changes against those that the catalog's functions write."""

import ast
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
import sqlalchemy as sa

from models.artifact import ARTIFACT_TIMES, ARTIFACTS
from tierkeeper.catalog import artifacts
from tierkeeper.catalog.rows import ArtifactRow
from tierkeeper.engine.converge import change
from tierkeeper.engine.gates import approval
from tierkeeper.engine.verbs import verbs, wishes

COLUMNS = set(ArtifactRow.__dataclass_fields__)
#: the columns that neither a verb nor a commit changes
NOT_CHANGED = {
    "identity": {"id", "name_id", "tenant", "workflow", "name", "version"},
    "content": {"sha256", "size", "content_type", "metadata", "tags", "created_at", "stored_at"},
    "statements of their own": {"blob_id", "accessed_at"},
    "counted from other tables": {"holds", "newer_live"},
}


def changed(*modules: ModuleType) -> set[str]:
    """The columns of a row that modules give to ``replace``, assign, or gather in dicts of nothing else."""
    return {name for module in modules for node in ast.walk(parsed(module)) for name in named(node)} & COLUMNS


def named(node: ast.AST) -> Iterator[str]:
    """The names of columns that a node changes, if it is of a kind that changes a row."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"replace", "row.changed"}:
        yield from (keyword.arg for keyword in node.keywords if keyword.arg is not None)
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr
    elif isinstance(node, ast.Dict):
        keys = {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
        yield from keys if keys <= COLUMNS else ()
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and isinstance(node.slice, ast.Constant):
        yield str(node.slice.value)


def parsed(code: ModuleType | Callable[..., None]) -> ast.Module:
    """The syntax tree of a module or function."""
    return ast.parse(inspect.getsource(code))


def written(function: Callable[..., None]) -> set[str]:
    """The columns that a function of the catalog writes: the keys of its one dict."""
    (columns,) = [set(named(node)) for node in ast.walk(parsed(function)) if isinstance(node, ast.Dict)]
    return columns - {"id"}


@pytest.mark.parametrize(
    ("function", "modules"),
    [(artifacts.write_asked, (wishes, verbs, approval)), (artifacts.write_decided, (change,))],
    ids=["asked", "decided"],
)
def test_what_is_changed_is_written(function: Callable[..., None], modules: tuple[ModuleType, ...]) -> None:
    """The catalog writes every column that a verb, or a commit, may change, and no other."""
    assert written(function) == changed(*modules)


def test_every_column_is_known_to_change_or_not() -> None:
    """A new column of the row is written by the verbs or by a commit, or is named here as none that they change."""
    kept = set().union(*NOT_CHANGED.values())
    assert kept.isdisjoint(written(artifacts.write_asked) | written(artifacts.write_decided))
    assert kept | written(artifacts.write_asked) | written(artifacts.write_decided) == COLUMNS


def test_every_time_of_an_artifact_is_gated() -> None:
    """The gate is about each column with a time, and about no other."""
    assert set(ARTIFACT_TIMES) == {column.key for column in ARTIFACTS.c if isinstance(column.type, sa.DateTime)}
