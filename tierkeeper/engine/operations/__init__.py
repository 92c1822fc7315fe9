"""What operators watch and maintain: health, housekeeping, parked work, messages that failed, and ``init``.

No copy in a tier is moved or deleted here; uploads that no message needs are deleted from staging.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
