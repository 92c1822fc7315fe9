"""The folders of the wheels that bring the servers."""

from importlib.util import find_spec
from pathlib import Path

from tierkeeper.embedded.errors import WITH_EXTRA, EmbeddedUnavailable


def wheel_folder(package: str, *, service: str, instead: str) -> Path:
    """Return the folder of an installed package, which is not imported.

    Raises :class:`EmbeddedUnavailable` where it is not installed; ``instead``: what the operator can do without it.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedUnavailable(
            service=service, reason="its wheel is not installed", fix=f"{WITH_EXTRA}, or {instead}."
        )
    return Path(spec.origin).parent
