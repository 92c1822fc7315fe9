"""What a class has is found by the class itself, or by the first one that it is derived from."""

from collections.abc import Mapping

import pytest

from tierkeeper.base.by_class import ByClass


class Named(str):
    """A text of its own class."""

    __slots__ = ()


def test_the_class_itself_counts() -> None:
    """A class has its own, whatever it is derived from."""
    assert ByClass({int: "number", bool: "truth"})[bool] == "truth"


def test_a_derived_class_has_what_its_base_has() -> None:
    """The first base that fits counts, abstract ones too, and each further question is answered in one step."""
    found = ByClass({str: "text", Mapping: "document", object: "thing"})
    assert [found[kind] for kind in (Named, dict, float)] == ["text", "document", "thing"]
    assert dict.get(found, dict) == "document"


def test_what_is_derived_from_none_is_an_error() -> None:
    """Nothing stands for a class that nobody thought of."""
    with pytest.raises(KeyError):
        ByClass({str: "text"})[int]
