"""Who asks in tests."""

from typing import Final

from tierkeeper.base.callers import Caller

TESTER: Final = Caller("tester")
