"""The catalog as a whole: dumped, rebuilt, compared with the stores, accepted after a restore, examined.

Not here: a single artifact that lost a copy (converge), and bytes without a row in a healthy catalog (reconcile).
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
