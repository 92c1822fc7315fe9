"""Submodules that are loaded on first use, so that a process pays only for what it uses."""

import pkgutil
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a module until something of it is used; then Python imports it, under its own lock."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a module has
        return getattr(_loaded(self.__name__), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(_loaded(self.__name__), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_loaded(self.__name__), name)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # of a module it is an attribute
        return vars(_loaded(self.__name__))

    def __dir__(self) -> list[str]:
        return dir(_loaded(self.__name__))


_modules: dict[str, ModuleType] = {}


def _loaded(name: str) -> ModuleType:
    """Return a module; once it was loaded whole, without asking Python's import for it again."""
    module = _modules.get(name)
    if module is None or sys.modules.get(name) is not module:
        module = _modules[name] = import_module(name)
    return module


def module(name: str) -> ModuleType:
    """Return what stands for the module of this name, of whatever package, until something of it is used."""
    return _Later(name)


def load(package: str) -> None:
    """Load a package and all below it: what a process has loaded before it forks, its children share."""
    for found in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
        import_module(found.name)


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
