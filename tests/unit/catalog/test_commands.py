"""How the delivery of a store or a verb is known."""

import pytest

from tierkeeper.catalog.commands import DeliveredItem


def test_a_delivery_has_a_key() -> None:
    """Without one, all deliveries would be one and the first result would answer every call."""
    with pytest.raises(ValueError, match="no key"):
        DeliveredItem("acme", "", 0, "store", b"")
