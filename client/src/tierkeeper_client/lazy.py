"""Submodules that are loaded on first use, so that a process pays only for what it uses."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a module until something of it is used; then Python imports it, under its own lock."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a module has
        return getattr(import_module(self.__name__), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(import_module(self.__name__), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(import_module(self.__name__), name)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # of a module it is an attribute
        return vars(import_module(self.__name__))

    def __dir__(self) -> list[str]:
        return dir(import_module(self.__name__))


def submodules(package: str, *names: str) -> Callable[[str], ModuleType]:
    """Return a package's ``__getattr__``: what ``from package import name`` gives is loaded on its first attribute.

    Without ``names`` all submodules are so. ``from package.name import …`` loads at once, as ever.
    """

    def submodule(name: str) -> ModuleType:
        qualified = f"{package}.{name}"
        if name.startswith("__") or (names and name not in names) or find_spec(qualified) is None:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        return _Later(qualified)

    return submodule
