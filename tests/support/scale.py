"""How large a fault scenario is told, and the seed that all its chance comes from.

``TIERKEEPER_TEST_FAULTS=long`` (``make faults``) takes the long form, anything else the short one;
``TIERKEEPER_TEST_SCALE`` multiplies its numbers. ``TIERKEEPER_TEST_SEED`` repeats a run: every source of chance of the
tests, hypothesis included, derives from it, so the same seed draws the same (what the machine's scheduler does with it
is not ours to repeat).
"""

import os
import random
import secrets
from typing import Protocol

SEED = int(os.environ.get("TIERKEEPER_TEST_SEED") or secrets.randbelow(2**32))
LONG = os.environ.get("TIERKEEPER_TEST_FAULTS") == "long"
FACTOR = float(os.environ.get("TIERKEEPER_TEST_SCALE") or 1)


class Scale(Protocol):
    """Chooses between the numbers of the two forms, as :func:`scaled` does."""

    def __call__(self, *, short: int, long: int) -> int: ...


def scaled(*, short: int, long: int) -> int:
    """Return how many of something this run takes: ``short`` in ``make test``, ``long`` times the factor otherwise."""
    return max(short, round(long * FACTOR)) if LONG else short


def chance(*names: object) -> random.Random:
    """Return the source of chance for what is named: always the same one for the same seed and names."""
    return random.Random(":".join(map(str, (SEED, *names))))  # noqa: S311  to be repeated, not to be secret


def described() -> str:
    """Say how to repeat this run."""
    form = f"long form times {FACTOR:g}" if LONG else "short form"
    return f"faults: {form}, TIERKEEPER_TEST_SEED={SEED}"
