"""Shell globs over names: ``*``, ``?``, ``[abc]``, ``[a-c]``, ``[!abc]``; case counts, and ``*`` crosses ``/`` too.

They mean the same in policies and in filters, which PostgreSQL compares (:func:`regex`).
"""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import groupby, takewhile

from tierkeeper_client.identifiers import FORBIDDEN

MAX_PATTERN = 700  # characters, as a name
NEVER_IN_NAMES = FORBIDDEN - {"*", "?"}

_SPECIAL = re.compile(r"([*?[])")
_SAMPLES = "xa0"


@dataclass(frozen=True, slots=True)
class _Token:
    """One element of a pattern: any run of characters, or one character in ``ranges`` (if ``negated``, not in them)."""

    star: bool = False
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def takes(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) != self.negated

    @property
    def regex(self) -> str:
        if self.star or not self.ranges:
            return ".*" if self.star else "."
        if self.literal is not None:
            return _quoted(self.literal)
        members = (_quoted(low) + (f"-{_quoted(high)}" if high > low else "") for low, high in self.ranges)
        return f"[{'^' if self.negated else ''}{''.join(members)}]"

    @property
    def literal(self) -> str | None:
        if self.negated or len(self.ranges) != 1 or self.ranges[0][0] != self.ranges[0][1]:
            return None
        return self.ranges[0][0]


def _quoted(character: str) -> str:
    return character if character.isalnum() or character == "_" else f"\\{character}"


_ANY_RUN = _Token(star=True)
_ANY_ONE = _Token(negated=True)
_END = _Token()  # takes nothing


def problem(pattern: str, *, never: frozenset[str] = frozenset()) -> str | None:
    """Return the problem of ``pattern`` in words, None if it is usable. ``never``: characters that no text contains."""
    if not pattern:
        return "it is empty"
    if len(pattern) > MAX_PATTERN:
        return f"it is longer than {MAX_PATTERN} characters"
    if not pattern.isprintable():
        return "it has a control or invisible character"
    try:
        _tokens(pattern)
    except ValueError as error:
        return str(error)
    absent = sorted(never.intersection(pattern))
    return f"nothing that it is compared with has {' '.join(absent)}" if absent else None


def matches(pattern: str, text: str) -> bool:
    """Return True if the whole of ``text`` fits ``pattern``."""
    return fnmatchcase(text, pattern)


def regex(pattern: str) -> str:
    """Return the regular expression, PostgreSQL's or Python's, that finds what fits a usable ``pattern``."""
    return f"^{''.join(token.regex for token in _tokens(pattern))}$"


def is_exact(pattern: str) -> bool:
    """Return True if ``pattern`` fits one text only."""
    return all(token.literal is not None for token in _tokens(pattern))


def beginning(pattern: str) -> str:
    """Return the literal characters at the beginning of ``pattern``: every text that fits begins with them."""
    return "".join(
        token.literal or "" for token in takewhile(lambda token: token.literal is not None, _tokens(pattern))
    )


def literals(pattern: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield the runs of literal characters, and whether every text that fits begins, and whether it ends, with each."""
    tokens = _tokens(pattern)
    end = 0
    for literal, run in groupby(tokens, lambda token: token.literal is not None):
        characters = [token.literal or "" for token in run]
        begin, end = end, end + len(characters)
        if literal:
            yield "".join(characters), begin == 0, end == len(tokens)


def prefix_length(pattern: str) -> int:
    """Return the number of literal characters at the beginning of ``pattern``."""
    return len(beginning(pattern))


def fixed_length(pattern: str) -> int:
    """Return the least number of characters of a text that fits ``pattern``."""
    return sum(not token.star for token in _tokens(pattern))


def escaped(text: str) -> str:
    """Return the pattern that fits exactly ``text``."""
    return _SPECIAL.sub(r"[\1]", text)


def meet(first: str, second: str) -> bool:
    """Return True if a text fits both patterns; costs a step for each character of ``first``, whatever the stars."""
    return bool(_rows(first, second))


def common(first: str, second: str) -> str | None:
    """Return a short text that fits both patterns, None if there is none."""
    rows = _rows(first, second)
    if not rows:
        return None
    left, right = (*_tokens(first), _END), (*_tokens(second), _END)
    characters = []
    i, j = len(left) - 1, len(right) - 1
    while (i, j) != (0, 0):
        i, j, character = next(
            (above, before, character)
            for above, before, character in _steps(left, right, i, j)
            if above >= 0 and before >= 0 and rows[above] >> before & 1
        )
        characters.append(character)
    return "".join(reversed(characters))


def _rows(first: str, second: str) -> list[int]:
    """Return for each position in ``first`` those in ``second`` that one text leads to, as bits; none if nothing fits.

    A star's end takes no character, so positions at one are also positions after it.
    """
    tokens, others = _tokens(first), _tokens(second)
    if _apart(tokens, others) or _apart(reversed(tokens), reversed(others)):
        return []
    at = _positions(second)
    end = 1 << len(others)
    stars = at.get(_ANY_RUN, 0)
    accepted: dict[_Token, int] = {}
    rows = [1 | (1 & stars) << 1]
    for token in tokens:
        reached = rows[-1]
        if token.star:
            rows[-1] = (end << 1) - (reached & -reached)  # from the first position on, all
            rows.append(rows[-1])
            continue
        if token not in accepted:
            accepted[token] = sum(bits for other, bits in at.items() if not other.star and _shared(token, other))
        reached = reached & stars | (reached & accepted[token]) << 1
        reached |= (reached & stars) << 1
        if not reached:
            return []
        rows.append(reached)
    return rows if rows[-1] & end else []


@lru_cache(maxsize=1024)
def _positions(pattern: str) -> dict[_Token, int]:
    """Return for each element of a pattern where it stands, as the bits of a number."""
    found: dict[_Token, int] = {}
    for position, token in enumerate(_tokens(pattern)):
        found[token] = found.get(token, 0) | 1 << position
    return found


def _steps(left: tuple[_Token, ...], right: tuple[_Token, ...], i: int, j: int) -> Iterator[tuple[int, int, str]]:
    """Yield the positions that may come before (i, j), each with the character between; those without one first."""
    if right[j - 1].star:
        yield i, j - 1, ""
    if left[i - 1].star:
        yield i - 1, j, ""
    if not left[i - 1].star and not right[j - 1].star and (character := _shared(left[i - 1], right[j - 1])):
        yield i - 1, j - 1, character
    if left[i].star and not right[j - 1].star:
        yield i, j - 1, _shared(right[j - 1], _ANY_ONE)
    if right[j].star and not left[i - 1].star:
        yield i - 1, j, _shared(left[i - 1], _ANY_ONE)


def _apart(first: Iterable[_Token], second: Iterable[_Token]) -> bool:
    """Return True if the literal characters that two patterns begin (reversed: end) with exclude each other."""
    for one, other in zip(first, second, strict=False):
        if one.literal is None or other.literal is None:
            return False
        if one.literal != other.literal:
            return True
    return False


@lru_cache(maxsize=65_536)
def _shared(left: _Token, right: _Token) -> str:
    # Every set of characters that ranges cut out contains an end of one of them, or a neighbour of an end.
    ends = {end for token in (left, right) for pair in token.ranges for end in pair}
    near = {chr(ord(end) + step) for end in ends for step in (-1, 1) if 0 < ord(end) + step <= sys.maxunicode}
    candidates = [*_SAMPLES, *sorted(ends), *sorted(near)]
    return next((c for c in candidates if left.takes(c) and right.takes(c)), "")


@lru_cache(maxsize=32_768)  # two patterns of as many policies as there may be
def _tokens(pattern: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            if not tokens or not tokens[-1].star:
                tokens.append(_ANY_RUN)
        elif character == "?":
            tokens.append(_ANY_ONE)
        elif character == "[":
            token, at = _set(pattern, at)
            tokens.append(token)
        else:
            tokens.append(_Token(ranges=((character, character),)))
    return tuple(tokens)


def _set(pattern: str, begin: int) -> tuple[_Token, int]:
    negated = pattern[begin : begin + 1] == "!"
    first = begin + negated
    end = pattern.find("]", first + 1)  # a ']' right at the beginning is a member
    if end < 0:
        msg = "a '[' is never closed"
        raise ValueError(msg)
    members = pattern[first:end]
    ranges = []
    at = 0
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            low, high = members[at], members[at + 2]
            if low > high:
                msg = f"the range {low}-{high} runs backwards"
                raise ValueError(msg)
            ranges.append((low, high))
            at += 3
        else:
            ranges.append((members[at], members[at]))
            at += 1
    return _Token(ranges=tuple(ranges), negated=negated), end + 1
