"""Reads ``.env`` strictly: a line that cannot be read is an error with its number, never left out.

The grammar is python-dotenv's, which would only log such a line, and takes a reference in a form that it does not know
for text. What is in single quotes stays as it stands. Lines of other programs' variables, which may have a grammar of
their own, stop nothing: the last of two values counts, and one that cannot be resolved is none to refer to. No error
shows a line's text: it may hold a secret.
"""

import io
import re
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable, parse_variables

from tierkeeper.base.errors import SettingInvalid
from tierkeeper.settings.documents import DOCUMENTED

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_SWALLOWED: Final = re.compile(r"[\r\n]\s*(?:export\s+)?(?:TIERKEEPER_|STORAGE__|AWS_)\w*\s*=")
_OURS: Final = ("TIERKEEPER_", "STORAGE__", "AWS_")
#: a reference that is resolved; whatever else begins like one is an error
_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_.]*(?::-(?:[^${}]|\$(?!\{))*)?\}")
_LITERAL: Final = re.compile(r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=#\s]+)[^\S\r\n]*=[^\S\r\n]*'")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_WRITE: Final = "Write NAME=VALUE, with quotes around a value that has blanks, or remove the line."


def read(content: bytes, *, place: str, process: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the file ``place`` by name; ``${NAME}`` is a value above, else one of ``process``.

    Raises SettingInvalid.
    """
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    unresolved: set[str] = set()
    for line, name, text, literal in _assignments(content, place):
        value, problem = text, None
        if not literal:
            known = {**process, **{each: values[each] for each in values.keys() - unresolved}}
            value, problem = _resolved(text, known)
        if not _is_ours(name):
            values[name] = value
            unresolved.discard(name)
            unresolved.update([name] if problem else [])
            continue
        if problem:
            _refuse(place, line, *problem)
        if values.setdefault(name, value) != value:
            _refuse(place, line, f"{name} has another value in line {lines[name]}.", "Leave one of them out.")
        lines.setdefault(name, line)
    return values


def _assignments(content: bytes, place: str) -> Iterator[tuple[int, str, str, bool]]:
    """Yield the line of each assignment, its name, its value, and whether that stands in single quotes."""
    for binding in parse_stream(io.StringIO(_decoded(content, place), newline="")):
        line = _line(binding)
        if binding.error:
            _refuse(place, line, "it cannot be read.", _WRITE)
        name = binding.key
        if name is None:
            continue  # a comment, or blank lines at the end
        if not _NAME.fullmatch(name):
            _refuse(place, line, "it begins with no name of a variable.", _WRITE)
        if binding.value is None:
            _refuse(place, line, f"{name} has no '='.", _WRITE)
        if _SWALLOWED.search(binding.value):
            _refuse(place, line, f"the quotes of {name} have other settings in them.", "Close them in their line.")
        yield line, name, binding.value, _LITERAL.match(binding.original.string) is not None


def _is_ours(name: str) -> bool:
    return name.upper().startswith(_OURS) or name.upper() in DOCUMENTED


def _decoded(content: bytes, place: str) -> str:
    try:
        text = content.decode("utf-8-sig")  # editors of Windows write a byte order mark
    except UnicodeDecodeError as error:
        _refuse(place, content.count(b"\n", 0, error.start) + 1, "it is not UTF-8.", "Save the file as UTF-8.")
    before, nul, _ = text.partition("\0")
    if nul:
        _refuse(place, before.count("\n") + 1, "it has a zero byte.", "Save the file as UTF-8 text.")
    return text


def _line(binding: Binding) -> int:
    """Return the number of the line where a binding begins: its text has the empty lines before it."""
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return int(binding.original.line) + len(_LINE_END.findall(blank))


def _resolved(value: str, known: Mapping[str, str]) -> tuple[str, tuple[str, str] | None]:
    """Return the value with what it refers to; as it stands, with a problem and what to do, where that cannot be."""
    if "${" in _REFERENCE.sub(" ", value):
        fix = "Write ${NAME} or ${NAME:-text}, or put the value into single quotes, where it stays as it stands."
        return value, ("it has a '${' that begins no reference.", fix)
    parts = []
    for part in parse_variables(value):
        if isinstance(part, Variable) and part.name not in known and part.default is None:
            fix = f"Set it above, or write ${{{part.name}:-}} where it may be empty."
            return value, (f"{part.name!r}, which it refers to, is not set.", fix)
        parts.append(part.resolve(known))
    return "".join(parts), None


def _refuse(place: str, line: int, problem: str, fix: str) -> NoReturn:
    raise SettingInvalid(name="the settings file", source=f"{place}, line {line}", problem=problem, fix=fix)
