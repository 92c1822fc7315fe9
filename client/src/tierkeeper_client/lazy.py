"""Submodules that are loaded on first use, so that a process pays only for what it uses."""

import sys
from collections.abc import Callable
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType


def submodules(package: str, *names: str) -> Callable[[str], ModuleType]:
    """Return a package's ``__getattr__``: what ``from package import name`` gives is loaded on its first attribute.

    Without ``names`` all submodules are so. ``from package.name import …`` loads at once, as ever.
    """

    def submodule(name: str) -> ModuleType:
        qualified = f"{package}.{name}"
        known = sys.modules.get(qualified)
        if known is not None:
            return known
        spec = None if name.startswith("__") or (names and name not in names) else find_spec(qualified)
        if spec is None or spec.loader is None:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        spec.loader = LazyLoader(spec.loader)
        module = module_from_spec(spec)
        sys.modules[qualified] = module
        spec.loader.exec_module(module)
        setattr(sys.modules[package], name, module)
        return module

    return submodule
