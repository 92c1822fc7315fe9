"""Which errors of the driver say that the catalog is away, and which are a fault of the statement."""

import psycopg
import pytest

from tierkeeper.base.errors import CatalogLimited, CatalogReadOnly, CatalogRefused, CatalogUnavailable
from tierkeeper.catalog.driver_errors import translated

AWAY = ("08006", "25006", "25P03", "25P04", "40P01", "53100", "53300", "55000", "55P03", "57014", "57P01", "58030")
LIMITS = {
    "57014": "statement_timeout",
    "55P03": "lock_timeout",
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
}
OWN_FAULT = ("23001", "23514", "27000", "2F005", "3B001", "38000", "40002", "53400", "54000", "54001", "55P02", "55P04")


@pytest.mark.parametrize("state", [*AWAY, *OWN_FAULT])
def test_only_what_may_pass_is_unavailability(state: str) -> None:
    """The driver's OperationalError has both: who is told to try again must not meet the same error for good."""
    error = psycopg.errors.lookup(state)("said")
    found = translated(error)
    assert isinstance(found, CatalogUnavailable) is (state in AWAY)
    assert (found is error) is (state not in AWAY)


@pytest.mark.parametrize("state", AWAY)
def test_a_limit_of_the_server_is_named(state: str) -> None:
    """A limit on time, and a catalog that takes no changes, are no server that is away: host and port are right."""
    found = translated(psycopg.errors.lookup(state)("said"))
    assert isinstance(found, CatalogUnavailable)
    assert ("host and port" in str(found)) is (state not in {*LIMITS, "25006"})
    assert isinstance(found, CatalogReadOnly) is (state == "25006")
    assert isinstance(found, CatalogLimited) is (state in LIMITS)
    assert found.data.get("limit") == LIMITS.get(state)


def test_what_an_operator_cancels_met_no_limit() -> None:
    """A statement that somebody cancels has the code of one that took too long."""
    found = translated(psycopg.errors.QueryCanceled("canceling statement due to user request"))
    assert type(found) is CatalogUnavailable


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
