"""Processes whose clock is wrong: libfaketime stands between them and the machine's."""

from collections.abc import Mapping
from pathlib import Path

import services


def shifted(to: str) -> Mapping[str, str]:
    """Return the environment of a process that believes it is ``to``: ``+24h``, ``-24h``, ``@2026-01-01 03:40:58``.

    Its monotonic clock stays right, as that of a machine whose date is wrong.
    """
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        services.absent("libfaketime", "apt-get install libfaketime")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": to, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
