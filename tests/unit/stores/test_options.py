"""The options of a tier: what each kind takes, and how it says what it does not."""

from collections.abc import Callable

import pytest

from tierkeeper.stores.base import StoreConfig
from tierkeeper.stores.errors import BadTierUrl
from tierkeeper.stores.options import Options


def options(**given: str) -> Options:
    """Options of the tier `warm`."""
    return Options(StoreConfig("warm", "s3://bucket", given))


def test_each_kind() -> None:
    """Texts, choices, flags, sizes, numbers and durations are read as people write them."""
    given = options(a="text", b="cas", c="Yes", d="8MiB", e="12", f="1m30s", g="off")
    assert given.text("a") == "text"
    assert given.choice("b", "readable", "cas") == "cas"
    assert given.flag("c") is True
    assert given.size("d", default=1) == 8 * 1024**2
    assert given.number("e", default=1) == 12
    assert given.seconds("f", default=1) == 90
    assert given.flag("g") is False
    given.finish()


def test_what_is_absent() -> None:
    """An option that is absent or empty has its default."""
    given = options(a="")
    assert given.text("a") is None
    assert given.choice("b", "x") is None
    assert given.flag("c") is None
    assert given.size("d", default=7) == 7
    assert given.number("e", default=8) == 8
    assert given.seconds("f", default=0.5) == 0.5
    given.finish()


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ("choice", "other", "Use one of: x, y."),
        ("flag", "perhaps", "Use yes or no."),
        ("size", "big", "'big' is not usable: it is no size"),
        ("size", "1TiB", "Use from 1 to 100."),
        ("number", "-1", "Use a whole number."),
        ("number", "\u0667", "Use a whole number."),
        ("number", "0", "Use at least 1."),
        ("seconds", "P1Y", "differ in length"),
        ("seconds", "0s", "is zero"),
        ("seconds", "30", "'30' is not usable: it has no unit"),
    ],
)
def test_what_cannot_be_used(kind: str, value: str, problem: str) -> None:
    """An unusable value names the setting and the option and says what to write."""
    given = options(thing=value)
    read: dict[str, Callable[[], object]] = {
        "choice": lambda: given.choice("thing", "x", "y"),
        "flag": lambda: given.flag("thing"),
        "size": lambda: given.size("thing", default=1, most=100),
        "number": lambda: given.number("thing", default=1),
        "seconds": lambda: given.seconds("thing", default=1),
    }
    with pytest.raises(BadTierUrl) as caught:
        read[kind]()
    assert str(caught.value).startswith("Setting TIERKEEPER_TIERS__WARM__URL is not usable: option thing")
    assert problem in str(caught.value)


def test_what_nobody_knows() -> None:
    """An option that the store does not know is refused, with those that it does."""
    given = options(clas="COLD")
    given.text("class")
    with pytest.raises(BadTierUrl, match=r"unknown option clas\. Known are: class\."):
        given.finish()
