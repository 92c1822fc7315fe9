"""Shell globs over names: ``*``, ``?``, ``[abc]``, ``[a-c]``, ``[!abc]``; case counts, and ``*`` crosses ``/`` too.

They mean the same in policies and in filters, which PostgreSQL compares (:func:`regex`).
"""

import re
import sys
from collections import deque
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


def common(first: str, second: str) -> str | None:
    """Return a short text that fits both patterns, None if there is none."""
    tokens = _tokens(first), _tokens(second)
    if _apart(*tokens) or _apart(*map(reversed, tokens)):
        return None
    # A search through the pairs of positions; an edge is one character that both sides take, or the end of a star.
    queue: deque[tuple[int, int]] = deque([(0, 0)])
    reached: dict[tuple[int, int], tuple[tuple[int, int], str]] = {}
    while queue:
        position = queue.popleft()
        if position == (len(tokens[0]), len(tokens[1])):
            return _spelled(reached, position)
        for target, character in _moves(*tokens, position):
            if target not in reached and target != (0, 0):
                reached[target] = (position, character)
                # the end of a star takes no character, so it goes first
                (queue.append if character else queue.appendleft)(target)
    return None


def _apart(first: Iterable[_Token], second: Iterable[_Token]) -> bool:
    """Return True if the literal characters that two patterns begin (reversed: end) with exclude each other."""
    for one, other in zip(first, second, strict=False):
        if one.literal is None or other.literal is None:
            return False
        if one.literal != other.literal:
            return True
    return False


def _moves(
    first: tuple[_Token, ...], second: tuple[_Token, ...], position: tuple[int, int]
) -> list[tuple[tuple[int, int], str]]:
    i, j = position
    left = first[i] if i < len(first) else None
    right = second[j] if j < len(second) else None
    moves = []
    if left is not None and left.star:
        moves.append(((i + 1, j), ""))
    if right is not None and right.star:
        moves.append(((i, j + 1), ""))
    if left is None or right is None:
        return moves
    if left.star != right.star:
        target, token = ((i, j + 1), right) if left.star else ((i + 1, j), left)
        moves.append((target, _shared(token, _ANY_ONE)))
    elif not left.star and (character := _shared(left, right)):
        moves.append(((i + 1, j + 1), character))
    return moves


def _shared(left: _Token, right: _Token) -> str:
    # Every set of characters that ranges cut out contains an end of one of them, or a neighbour of an end.
    ends = {end for token in (left, right) for pair in token.ranges for end in pair}
    near = {chr(ord(end) + step) for end in ends for step in (-1, 1) if 0 < ord(end) + step <= sys.maxunicode}
    candidates = [*_SAMPLES, *sorted(ends), *sorted(near)]
    return next((c for c in candidates if left.takes(c) and right.takes(c)), "")


def _spelled(reached: dict[tuple[int, int], tuple[tuple[int, int], str]], end: tuple[int, int]) -> str:
    characters = []
    while end in reached:
        end, character = reached[end]
        characters.append(character)
    return "".join(reversed(characters))


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
