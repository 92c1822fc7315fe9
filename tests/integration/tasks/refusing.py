"""The worker's app, in which a store meets the error that its artifact is named after, until its cause is cured.

``defect`` is an error that is not typed. A file ``cured`` in the home ends the causes of all errors.
"""

from pathlib import Path
from typing import Any

from support.error_classes import KINDS, made

from tasks import base
from tierkeeper.keeper.artifacts import Artifacts
from worker.app import app

__all__ = ["app"]

_ERRORS = {kind.__name__: kind for kind in KINDS}
_store = Artifacts.store


def _refusing(self: Artifacts, args: Any, **more: Any) -> Any:  # noqa: ANN401  as the method
    if not (Path(self.engine.settings.home) / "cured").exists():
        if args.name == "defect":
            raise ZeroDivisionError("a defect")
        raise made(_ERRORS[args.name])
    return _store(self, args, **more)


Artifacts.store = _refusing  # type: ignore[method-assign]
base.QUICK_TRIES = 0  # what passes is kept in the catalog at once
