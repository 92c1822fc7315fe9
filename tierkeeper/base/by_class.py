"""What is to be done with a value of some class, found by the value's own class in one step."""

from typing import TypeVar

T = TypeVar("T")


def as_it_is(value: T) -> T:
    """Return the value: what is to be done with those of any other class."""
    return value


class ByClass(dict[type, T]):
    """What each class has. A class that is not here gets, for good, what the first one has that it is derived from.

    Raises KeyError for a class that is derived from none.
    """

    def __missing__(self, kind: type) -> T:
        """Return what the first class here has that ``kind`` is derived from."""
        for base, found in list(self.items()):
            if issubclass(kind, base):
                self[kind] = found
                return found
        raise KeyError(kind)
