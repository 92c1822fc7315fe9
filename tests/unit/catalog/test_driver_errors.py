"""Which errors of the driver say that the catalog is away, and which are a fault of the statement."""

import psycopg
import pytest

from tierkeeper.base.errors import CatalogRefused, CatalogUnavailable
from tierkeeper.catalog.database import translated

AWAY = ("08006", "25006", "25P03", "40P01", "53100", "53300", "55000", "55P03", "57014", "57P01", "58030")
OWN_FAULT = ("23001", "23514", "27000", "2F005", "3B001", "38000", "40002", "53400", "54000", "54001", "55P02", "55P04")


@pytest.mark.parametrize("state", [*AWAY, *OWN_FAULT])
def test_only_what_may_pass_is_unavailability(state: str) -> None:
    """The driver's OperationalError has both: who is told to try again must not meet the same error for good."""
    error = psycopg.errors.lookup(state)("said")
    found = translated(error)
    assert (type(found), found is error) == ((CatalogUnavailable, False) if state in AWAY else (type(error), True))


@pytest.mark.parametrize(
    "error", [psycopg.OperationalError("the connection is lost"), psycopg.InterfaceError("closed")]
)
def test_what_has_no_code_is_unavailability(error: psycopg.Error) -> None:
    """A connection that is lost, or is not made, has no SQLSTATE."""
    assert type(translated(error)) is CatalogUnavailable


def test_the_privilege_that_is_missing_is_named() -> None:
    """What to grant is that which was refused."""
    for words, fix in (
        ("schema public", "GRANT CREATE, USAGE ON SCHEMA"),
        ("table artifacts", "UPDATE, DELETE ON ALL"),
    ):
        found = translated(psycopg.errors.InsufficientPrivilege(f"permission denied for {words}"))
        assert isinstance(found, CatalogRefused)
        assert fix in str(found)
