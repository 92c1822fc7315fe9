"""Who asks."""

from tierkeeper.base import callers
from tierkeeper.base.callers import Caller


def test_a_caller_without_a_key_gets_a_fresh_one() -> None:
    """Each time another; the rest stays."""
    one, other = callers.BEAT.keyed(), callers.BEAT.keyed()
    assert one.actor == other.actor == "beat"
    assert len({one.key, other.key, ""}) == 3


def test_a_key_that_was_given_stays() -> None:
    """A second delivery has the key of the first."""
    sent = Caller("shop", "request-1", "the key")
    assert sent.keyed() == sent


def test_a_run_has_neither_correlation_nor_key() -> None:
    """Whoever works for a run keeps nothing of the request but who asked."""
    assert Caller("shop", "request-1", "the key").of_run() == Caller("shop")


def test_who_gives_a_command_is_told_by_the_login() -> None:
    """Events name the command line and the operating system's user."""
    assert callers.on_command_line("kim", correlation="c") == Caller("cli:kim", "c")
