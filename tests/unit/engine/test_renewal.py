"""Calls in threads whose leases are renewed meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tierkeeper.engine.copies.transfer import Renewal, in_threads


def test_what_fails_waits_for_the_calls_at_work() -> None:
    """What a call or the renewal raises comes when none of the others is at work: what they use is closed then."""
    goes, done = threading.Event(), threading.Event()

    def call(item: int) -> None:
        if item == 0:
            goes.set()
            raise LookupError
        goes.wait(10)
        threading.Event().wait(0.3)
        done.set()

    renewal = Renewal(lambda: None, every=60, cap=60)
    with ThreadPoolExecutor(2) as threads:
        with pytest.raises(LookupError):
            in_threads(threads, call, [0, 1], renewal)
        assert done.is_set()
