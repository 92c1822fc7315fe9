"""A module that is moved is named so wherever it is named."""

import pytest
from support.move import moved, reimported, renamed

OLD, NEW = "tierkeeper/engine/checking.py", "tierkeeper/engine/copies/check.py"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("see `tierkeeper/engine/checking.py`", "see `tierkeeper/engine/copies/check.py`"),
        ("see `engine/checking.py` `look`", "see `engine/copies/check.py` `look`"),
        ("from tierkeeper.engine.checking import Wrong", "from tierkeeper.engine.copies.check import Wrong"),
        (":mod:`tierkeeper.engine.checking`", ":mod:`tierkeeper.engine.copies.check`"),
        ("tests/unit/engine/checking.py", "tests/unit/engine/checking.py"),
        ("tierkeeper.engine.checkings", "tierkeeper.engine.checkings"),
    ],
)
def test_paths_and_names(before: str, after: str) -> None:
    """Both are rewritten, those of other files are not."""
    assert renamed(before, OLD, NEW) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "from tierkeeper.engine import checking, damage\n",
            "from tierkeeper.engine import damage\nfrom tierkeeper.engine.copies import check as checking\n",
        ),
        (
            "from tierkeeper.engine import (\n    checking as c,\n    damage,\n)\n",
            "from tierkeeper.engine import damage\nfrom tierkeeper.engine.copies import check as c\n",
        ),
        ("from tierkeeper.engine import checking\n", "from tierkeeper.engine.copies import check as checking\n"),
        ("from tierkeeper.stores import checking\n", "from tierkeeper.stores import checking\n"),
    ],
)
def test_imports_of_a_package(before: str, after: str) -> None:
    """The module is taken from its new package, under the name that the code has for it."""
    assert reimported(before, OLD, NEW) == after


def test_what_keeps_its_name_needs_no_alias() -> None:
    """As a move into a room is."""
    moved = reimported(
        "from tierkeeper.engine import reads\n", "tierkeeper/engine/reads.py", "tierkeeper/engine/a/reads.py"
    )
    assert moved == "from tierkeeper.engine.a import reads\n"


def test_a_package_may_have_the_name_that_its_module_had() -> None:
    """Imports of the module and from it are told apart, whichever they are."""
    old, new = "tierkeeper/engine/ingest.py", "tierkeeper/engine/ingest/ingest.py"
    before = "from tierkeeper.engine import ingest\nfrom tierkeeper.engine.ingest import ingest\n"
    after = "from tierkeeper.engine.ingest import ingest\nfrom tierkeeper.engine.ingest.ingest import ingest\n"
    assert moved(before, old, new, python=True) == after


def test_modules_of_the_tests_are_imported_from_their_folder() -> None:
    """Their paths begin with it, their names do not."""
    old, new = "tests/faults/about.py", "tests/support/about.py"
    assert renamed("from faults.about import About  # tests/faults/about.py", old, new) == (
        "from support.about import About  # tests/support/about.py"
    )
    assert reimported("from faults import about, life\n", old, new) == (
        "from faults import life\nfrom support import about\n"
    )


def test_a_name_of_one_word_is_renamed_where_it_is_imported() -> None:
    """Elsewhere it is a word like any other."""
    text = "import a\nfrom a import free\n\na = free(1)  # a word, and tests/a.py\n"
    assert renamed(text, "tests/a.py", "tests/support/a.py") == (
        "from support import a\nfrom support.a import free\n\na = free(1)  # a word, and tests/support/a.py\n"
    )
