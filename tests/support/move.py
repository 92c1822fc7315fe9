"""Moves modules, and names them so wherever they are named: `PYTHONPATH=tests python -m support.move OLD.py=NEW.py …`.

A path, whole or below ``tierkeeper/``, and a dotted name are rewritten wherever they stand, in code and documents.
``from package import module`` becomes an import from the new package; a module that gets another name keeps the old
one as an alias, for whoever moves it to mend. `make format` sorts the imports.
"""

# ruff: noqa: T201  a script that prints what it did

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
_KEPT = {"CHANGELOG.md", "tests/unit/test_move.py"}  # what was, and moves that are examples
_SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".cfg", ""}  # the Makefile and .ci/run have none


def dotted(path: str) -> str:
    """Return the name by which a module's file is imported; what lies in ``tests/`` is imported from there."""
    return path.removeprefix("tests/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _below(path: str) -> str:
    """Return a path as documents give it."""
    return path.removeprefix("tierkeeper/")


def renamed(text: str, old: str, new: str) -> str:
    """Return a text in which a file's path and its dotted name are the new ones; a name of one word where imported."""
    if "." not in dotted(old):
        package, _, name = dotted(new).rpartition(".")
        bound = name if name == dotted(old) else f"{name} as {dotted(old)}"
        text = re.sub(rf"^import {dotted(old)}$", f"from {package} import {bound}", text, flags=re.MULTILINE)
        text = re.sub(rf"^from {dotted(old)} import ", f"from {dotted(new)} import ", text, flags=re.MULTILINE)
        return re.sub(rf"(?<![\w./]){re.escape(old)}(?![\w/])", new, text)
    for before, after in ((old, new), (_below(old), _below(new)), (dotted(old), dotted(new))):
        text = re.sub(rf"(?<![\w./]){re.escape(before)}(?![\w/])", after, text)
    return text


def reimported(text: str, old: str, new: str) -> str:
    """Return Python in which ``from package import module`` takes the module from its new package."""
    package, _, name = dotted(old).rpartition(".")
    new_package, _, new_name = dotted(new).rpartition(".")
    if f"from {package} import " not in text:
        return text  # parsing is what takes its time
    lines = text.splitlines(keepends=True)
    for node in sorted(ast.walk(ast.parse(text)), key=lambda each: -getattr(each, "lineno", 0)):
        if not isinstance(node, ast.ImportFrom) or node.module != package:
            continue
        taken = [alias for alias in node.names if alias.name == name]
        if not taken:
            continue
        indent = " " * node.col_offset
        made = []
        if kept := [ast.unparse(alias) for alias in node.names if alias.name != name]:
            made.append(f"{indent}from {package} import {', '.join(kept)}\n")
        bound = taken[0].asname or name
        made.append(f"{indent}from {new_package} import {new_name}{'' if bound == new_name else f' as {bound}'}\n")
        lines[node.lineno - 1 : node.end_lineno] = made
    return "".join(lines)


def moved(text: str, old: str, new: str, *, python: bool) -> str:
    """Return a text after the move; in this order a package may have the name that its module had."""
    text = renamed(text, old, new)
    return reimported(text, old, new) if python else text


def _files() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        path = ROOT / line
        if path.suffix in _SUFFIXES and path.is_file() and line not in _KEPT:
            yield path


def main(arguments: Sequence[str] | None = None) -> int:
    """Move each pair; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m support.move", description=__doc__)
    parser.add_argument("pairs", nargs="+", metavar="OLD=NEW", help="paths in the tree")
    pairs = [tuple(pair.split("=", 1)) for pair in parser.parse_args(arguments).pairs]
    for old, new in pairs:
        (ROOT / new).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "mv", old, new], cwd=ROOT, check=True)
    for path in _files():
        text = before = path.read_text()
        for old, new in pairs:
            text = moved(text, old, new, python=path.suffix == ".py")
        if text != before:
            path.write_text(text)
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
