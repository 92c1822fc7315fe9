"""Conditions that decide what counts as what: written once, for every statement that counts or claims by them."""

import re
from pathlib import Path

import pytest

import tierkeeper.catalog

CATALOG = Path(tierkeeper.catalog.__path__[0])
ANY = r"(?:\w+\.)?"


@pytest.mark.parametrize(
    "condition",
    [
        rf"{ANY}missed_at IS NOT NULL AND {ANY}damaged_at IS NULL",
        rf"{ANY}damaged_at IS NOT NULL AND {ANY}state|{ANY}state [^)]*\) AND {ANY}damaged_at IS NOT NULL",
        rf"{ANY}parked_reason IS NULL AND {ANY}braked_by IS NULL AND",
        rf"{ANY}lease_until IS NULL OR {ANY}lease_until <=",
    ],
    ids=["suspect", "damaged", "due", "unleased"],
)
def test_what_is_counted_is_defined_once(condition: str) -> None:
    """No other module of the catalog has the text of such a condition: two numbers of one name would differ."""
    spelled = re.compile(condition)
    found = [
        file.stem for file in sorted(CATALOG.glob("*.py")) if spelled.search(re.sub(r"\s+", " ", file.read_text()))
    ]
    assert [module for module in found if module != "conditions"] == []
