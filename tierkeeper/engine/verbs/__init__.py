"""The verbs on artifacts: each writes its wish into the catalog, then converge carries it out.

Storing is not among them: see :mod:`tierkeeper.engine.ingest`.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
