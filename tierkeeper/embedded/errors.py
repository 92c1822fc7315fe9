"""What can be wrong with the embedded services."""

from tierkeeper_client.errors import TierkeeperError


class EmbeddedUnavailable(TierkeeperError):
    """The embedded {service} cannot be used: {reason}. {fix}"""

    exit_code = 6
