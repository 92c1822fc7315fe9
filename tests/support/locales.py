"""Locales that are not UTF-8."""

from typing import Final

#: a locale that has ASCII alone: Python would take UTF-8 for the locale C
ASCII: Final = {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii:strict",
}
