"""What callers are told while a long call runs."""

from collections.abc import Callable

#: is called with the number of items, or of bytes of a single one, that were done since its last call
ProgressCallback = Callable[[int], None]
