r"""The rules for the names of tenants, workflows and artifacts, and for the texts of the audit log.

Those for names are the rules of the source documents plus those that make a name safe on every store: no traversal, no
absolute path, none of ``\:*?"<>|``, one Unicode form, bounded lengths in bytes of UTF-8.
"""

import itertools
import re
import unicodedata
from typing import Final

from tierkeeper_client import texts
from tierkeeper_client.errors import InvalidInput, InvalidName

MAX_SEGMENT_BYTES = 255
MAX_NAME_BYTES = 700
MAX_HEADER = 200  # characters that are kept of an actor, a correlation and the like
_SHOWN = 60  # characters of a bad text in an error
_NEIGHBOUR = "0"  # takes any place in a name, and joins with no character into another
FORBIDDEN = frozenset('\\:*?"<>|')
#: categories of characters that are invisible, unassigned or control a terminal: two names could look the same
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})
#: names of segments that no rule refuses, as most are
_USUAL: Final = re.compile(r"\w[\w.-]{0,254}(?:/\w[\w.-]{0,254})*", re.ASCII)


def check_segment(value: str, *, field: str) -> str:
    """Return ``value`` if it is one safe segment (a tenant, a workflow); raise :class:`InvalidName` if not."""
    if not value:
        raise InvalidName(field=field, value=value, problem="it is empty", fix="Use one segment, such as 'acme'.")
    if "/" in value:
        raise InvalidName(field=field, value=value, problem="it has a '/'", fix="Use one segment, such as 'acme'.")
    _check(value, field=field)
    return value


def check_name(value: str, *, field: str = "name") -> str:
    """Return ``value`` if every segment between its slashes is safe; raise :class:`InvalidName` if not."""
    if len(value) <= MAX_NAME_BYTES and _USUAL.fullmatch(value):
        return value
    if len(value.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        raise InvalidName(
            field=field,
            value=value[:40] + "…",
            problem=f"it is longer than {MAX_NAME_BYTES} bytes",
            fix="Shorten it, or keep the long form in the metadata.",
        )
    for segment in value.split("/"):
        _check(segment, field=field, whole=value)
    return value


def check_part(value: str, *, field: str, begins: bool, ends: bool) -> str:
    """Return ``value`` if some name has it in it (``begins``: at its start, ``ends``: its end), else InvalidName."""
    befores, afters = ("",) if begins else (_NEIGHBOUR, ""), ("",) if ends else (_NEIGHBOUR, "")
    for before, after in itertools.product(befores, afters):
        try:
            check_name(f"{before}{value}{after}", field=field)
        except InvalidName:
            continue
        return value
    check_name(value.strip("/"), field=field)  # what is wrong within it is said before slashes at its ends
    return check_name(value, field=field)


def check_text(text: str, *, field: str, longest: int) -> str:
    """Return a text that is written into the audit log; raise InvalidInput for a control character, or a longer one."""
    problem = f"it has {len(text)} characters, over the limit of {longest}" if len(text) > longest else None
    if control := texts.control_in(text):
        problem = f"it has the control character {control!r}"
    if problem is not None:
        raise InvalidInput(field=field, value=text[:_SHOWN], problem=problem, fix="Write plain text, on one line.")
    return text


def _check(segment: str, *, field: str, whole: str | None = None) -> None:
    problem = _problem(segment)
    if problem:
        text, fix = problem
        shown = segment if whole is None else whole
        raise InvalidName(field=field, value=shown[:80], problem=text, fix=fix)


def _problem(segment: str) -> tuple[str, str] | None:  # noqa: PLR0911  one return a rule reads best
    if not segment:
        return "it is empty, begins or ends with '/', or has '//'", "Write it relative, such as 'reports/2024.md'."
    try:
        size = len(segment.encode())
    except UnicodeEncodeError as error:
        return f"character {error.start + 1} is not valid Unicode (a lone surrogate)", "Send it as UTF-8 text."
    if size > MAX_SEGMENT_BYTES:
        return f"a segment is longer than {MAX_SEGMENT_BYTES} bytes", "Shorten it."
    if segment in {".", ".."}:
        return "it has '.' or '..' as a segment (path traversal)", "Use a plain relative name."
    if segment.startswith("-"):
        return "a segment begins with '-'", "Begin it with a letter or a digit."
    if segment != segment.strip():
        return "a segment begins or ends with white space", f"Use {segment.strip()!r}."
    if wrong := _characters(segment):
        return "; ".join(problem for problem, _ in wrong), " ".join(fix for _, fix in wrong)
    composed = unicodedata.normalize("NFC", segment)
    if composed != segment:
        return "it is not in Unicode form NFC", f"Use {composed!r} (NFC)."
    return None


def _characters(segment: str) -> list[tuple[str, str]]:
    """Return what is wrong with a segment's characters, all of it: who leaves one out would meet the other."""
    wrong: list[tuple[str, str]] = []
    if bad := sorted(FORBIDDEN & set(segment)):
        wrong.append((f"it has {', '.join(map(repr, bad))}", 'Leave out \\ : * ? " < > |.'))
    if (unseen := _unseen(segment)) is not None:
        wrong.append((unseen, "Leave it out."))
    return wrong


def _unseen(segment: str) -> str | None:
    """Return which character of a segment cannot be seen, and where it is, None without one."""
    for place, character in enumerate(segment, start=1):
        if unicodedata.category(character) in _UNSEEN:
            called = unicodedata.name(character, "a control character, or none that is assigned")
            shown = "".join(f"<{ord(c):04X}>" if unicodedata.category(c) in _UNSEEN else c for c in segment[:_SHOWN])
            return f"character {place} of {shown!r} is U+{ord(character):04X} ({called})"
    return None
