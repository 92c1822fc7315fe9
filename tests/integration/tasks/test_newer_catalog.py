"""A worker that is started on a catalog which a newer version has upgraded."""

from collections.abc import Callable

import pytest
from integration.tasks.installation import Installation
from support.processes import LocalProcess

from tierkeeper_client import TierkeeperClient
from tierkeeper_client.errors import TierkeeperError


def test_it_answers_that_it_is_too_old(
    start: Callable[..., LocalProcess], client: TierkeeperClient, installation: Installation
) -> None:
    """It answers what it is sent with the reason and what to do, and stores nothing."""
    installation.sql("UPDATE alembic_version SET version_num = '9999'")
    start("behind", "-c", "1")
    with pytest.raises(TierkeeperError, match=r"at revision 9999, which a newer version wrote.* Upgrade tierkeeper"):
        client.store(b"x", tenant="acme", workflow="weekly", name="late").get()
    assert installation.sql("SELECT count(*) FROM artifacts") == [(0,)]
