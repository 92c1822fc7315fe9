"""Reads an adapter's options; an unusable one is an error that names the setting and the option."""

from collections.abc import Callable
from typing import TypeVar

from tierkeeper.base.quantities import Unusable, parse_duration, parse_size
from tierkeeper.stores.base import StoreConfig
from tierkeeper.stores.errors import BadTierUrl

T = TypeVar("T")
C = TypeVar("C", bound=str)

_BOOLEANS = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}


def setting_of(tier: str) -> str:
    """Return the name of the setting with the tier's URL."""
    return f"TIERKEEPER_TIERS__{tier.upper()}__URL"


class Options:
    """The options of one tier, each read once; :meth:`finish` refuses those that the adapter has not read."""

    def __init__(self, config: StoreConfig) -> None:
        self._tier = config.tier
        self._left = dict(config.options)
        self._known: list[str] = []

    def bad(self, problem: str, fix: str) -> BadTierUrl:
        """Return the error for an unusable URL or option. Never put an option's secret into ``problem``."""
        return BadTierUrl(setting=setting_of(self._tier), problem=problem, fix=fix)

    def text(self, name: str) -> str | None:
        """Return the option, or None where it is absent or empty."""
        self._known.append(name)
        return self._left.pop(name, "") or None

    def choice(self, name: str, *allowed: C) -> C | None:
        """Return the option, None where it is absent; BadTierUrl unless it is one of ``allowed``."""
        value = self.text(name)
        if value is None:
            return None
        for each in allowed:
            if each == value:
                return each
        raise self.bad(f"option {name} is {value!r}.", f"Use one of: {', '.join(allowed)}.")

    def flag(self, name: str) -> bool | None:
        """Return the option as a boolean, None where it is absent; BadTierUrl."""
        value = self.text(name)
        if value is not None and value.lower() not in _BOOLEANS:
            raise self.bad(f"option {name} is {value!r}.", "Use yes or no.")
        return None if value is None else _BOOLEANS[value.lower()]

    def size(self, name: str, *, default: int, least: int = 1, most: int | None = None) -> int:
        """Return the option in bytes; BadTierUrl outside ``least`` to ``most``."""
        size = self._parsed(name, parse_size)
        if size is None:
            return default
        return self._within(name, size, least=least, most=most)

    def number(self, name: str, *, default: int, least: int = 1, most: int | None = None) -> int:
        """Return the option as a whole number; BadTierUrl outside ``least`` to ``most``."""
        value = self.text(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdecimal()):
            raise self.bad(f"option {name} is {value!r}.", "Use a whole number.")
        return self._within(name, int(value), least=least, most=most)

    def seconds(self, name: str, *, default: float) -> float:
        """Return the option, a duration above zero, in seconds; BadTierUrl."""
        duration = self._parsed(name, parse_duration)
        if duration is None:
            return default
        if not duration:
            raise self.bad(f"option {name} is zero.", "Use a duration such as 30s.")
        return duration.total_seconds()

    def rest(self) -> dict[str, str]:
        """Return every option not read yet, which counts as reading them."""
        rest, self._left = self._left, {}
        return rest

    def finish(self) -> None:
        """Raise BadTierUrl for options that were not read."""
        if self._left:
            unknown = ", ".join(sorted(self._left))
            raise self.bad(f"unknown option {unknown}.", f"Known are: {', '.join(sorted(self._known))}.")

    def _parsed(self, name: str, parse: Callable[[object], T]) -> T | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            return parse(value)
        except Unusable as error:
            raise self.bad(f"option {name}: {error.problem}", error.fix) from None

    def _within(self, name: str, value: int, *, least: int, most: int | None) -> int:
        if value < least or (most is not None and value > most):
            limits = f"at least {least}" if most is None else f"from {least} to {most}"
            raise self.bad(f"option {name} is {value}.", f"Use {limits}.")
        return value
