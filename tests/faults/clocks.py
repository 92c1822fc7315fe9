"""Processes whose clock is wrong: libfaketime stands between them and the machine's."""

import importlib.util
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from support import services


def shifted(to: str) -> Mapping[str, str]:
    """Return the environment of a process that believes it is ``to``: ``+24h``, ``-24h``, ``@2026-01-01 03:40:58``.

    Its monotonic clock stays right, as that of a machine whose date is wrong.
    """
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        services.absent("libfaketime", "`make install` installs it")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        services.absent("libfaketime", "its wheel is for Linux on x86-64 only")
    library = Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    return {"LD_PRELOAD": str(library), "FAKETIME": to, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
