"""The order of ids."""

import random

from tierkeeper.base.ids import in_order, new_id


def test_ids_in_order() -> None:
    """Each once, ordered as PostgreSQL orders them, by their bytes: locks are taken in this order everywhere."""
    made = [new_id() for _ in range(50)]
    mixed = random.sample(made * 2, 100)
    assert in_order(mixed) == sorted(made, key=lambda each: each.bytes)
    assert in_order(iter(())) == []
