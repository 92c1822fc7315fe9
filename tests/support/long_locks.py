"""Which statements of a migration would make everybody wait: they hold a strong lock for as long as a table is long."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

#: tables of a few rows, whatever is in the catalog
SMALL = frozenset(
    {"alembic_version", "deliveries", "heartbeats", "plans", "policies", "runs", "staging", "switches", "tenants"}
)
_QUOTED = re.compile(r"\$(\w*)\$.*?\$\1\$|'[^']*'", re.DOTALL)
_CREATED = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)")
_INDEXED = re.compile(r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)(?:IF NOT EXISTS )?\w+ ON (?!ONLY )(\w+)")
_ALTERED = re.compile(r"ALTER TABLE (?:ONLY )?(?:IF EXISTS )?(\w+)")
_CHANGED = re.compile(r"(?:UPDATE|DELETE FROM|MERGE INTO) (\w+)")
_WHOLE = re.compile(
    r"LOCK TABLE|VACUUM FULL|CLUSTER |REINDEX (?!.*CONCURRENTLY)|REFRESH MATERIALIZED"
    r"|(?<!BEFORE )TRUNCATE (?:TABLE )?\w"
)
_REWRITES = re.compile(
    r"SET NOT NULL|\bTYPE (?!.*\bENUM\b)|SET LOGGED|SET UNLOGGED"
    r"|ADD COLUMN [^,]*(?:REFERENCES|UNIQUE|PRIMARY KEY|CHECK|GENERATED)"
    r"|DEFAULT (?:clock_timestamp|gen_random_uuid|random|nextval|timeofday|uuidv7)"
    r"|ADD (?:CONSTRAINT \w+ )?(?:UNIQUE|PRIMARY KEY) (?!USING INDEX)"
)
_CONSTRAINED = re.compile(r"ADD CONSTRAINT \w+ (?:CHECK|FOREIGN KEY)(?:(?!ADD CONSTRAINT).)*", re.DOTALL)


_LOCKED = re.compile(
    r"(?:ALTER TABLE (?:ONLY )?(?:IF EXISTS )?(?!\w+ VALIDATE)|(?:CREATE|DROP) TRIGGER .*? ON |LOCK TABLE )(\w+)"
)
_DROPPED = re.compile(r"DROP INDEX (?!CONCURRENTLY)(?:IF EXISTS )?(?:ix|uq)_(\w+)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as it was sent; ``alone``: in a transaction of its own; ``transaction``: the number of its own."""

    text: str
    alone: bool = False
    transaction: int = 0


def split(text: str) -> list[str]:
    """Return the single statements of a text, without what is quoted, one line each."""
    plain = _QUOTED.sub("''", re.sub(r"--[^\n]*", "", text))
    return [" ".join(part.split()) for part in plain.split(";") if part.strip()]


def long_locks(statements: Sequence[Statement]) -> Iterator[str]:
    """Yield the statements of one migration that hold a strong lock of a large table for long."""
    free = set(SMALL)
    altered: set[str] = set()
    for statement in statements:
        for text in split(statement.text):
            free.update(_CREATED.findall(text))
            if _bad(text, free, altered, alone=statement.alone):
                yield text
            if not statement.alone:
                altered.update(_ALTERED.findall(text))


def held_together(statements: Sequence[Statement], tables: Collection[str]) -> Iterator[set[str]]:
    """Yield, of each transaction that locks several tables that were there, these: whoever waits, waits for each."""
    held: dict[int, set[str]] = defaultdict(set)
    made: dict[int, set[str]] = defaultdict(set)
    for statement in statements:
        for text in () if statement.alone else split(statement.text):
            made[statement.transaction].update(_CREATED.findall(text))
            names = {*_LOCKED.findall(text), *_INDEXED.findall(text)}
            for index in _DROPPED.findall(text):
                names.add(max((name for name in tables if index.startswith(name)), key=len))
            held[statement.transaction] |= names
    yield from (names for number in held if len(names := held[number] - made[number]) > 1)


def _bad(text: str, free: set[str], altered: set[str], *, alone: bool) -> bool:
    if _WHOLE.search(text):
        return True
    (table,) = _ALTERED.findall(text)[:1] or [""]
    if table and table not in free:
        if "VALIDATE CONSTRAINT" in text and not alone:
            return True
        checked = [part for part in _CONSTRAINED.findall(text) if "NOT VALID" not in part]
        if checked or _REWRITES.search(text):
            return True
    indexed = [name for name in _INDEXED.findall(text) if name not in free]
    changed = [name for name in _CHANGED.findall(text) if name not in free]
    return bool(indexed) or (bool(changed) and not alone and not text.startswith("CREATE TRIGGER"))
