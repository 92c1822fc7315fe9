"""The figures' numbers in words."""

import statistics
from collections.abc import Collection


def spread(values: Collection[float]) -> str:
    """Return the median of the rounds' values, with the least and the greatest in brackets."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"
