"""The folders of the wheels that bring the servers."""

from importlib.machinery import ModuleSpec
from pathlib import Path

from tierkeeper.embedded.errors import WITH_EXTRA, EmbeddedUnavailable


def wheel_folder(found: ModuleSpec | None, *, service: str, instead: str) -> Path:
    """Return the folder of a package by its spec, ``found`` by ``find_spec``: it need not be imported.

    Raises :class:`EmbeddedUnavailable` where it is not installed; ``instead``: what the operator can do without it.
    """
    if found is None or found.origin is None:
        raise EmbeddedUnavailable(
            service=service, reason="its wheel is not installed", fix=f"{WITH_EXTRA}, or {instead}."
        )
    return Path(found.origin).parent
