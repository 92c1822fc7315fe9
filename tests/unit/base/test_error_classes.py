"""Every error that a user can meet: it comes back from an answer as what it was, and is exported and documented."""

import pickle
from pathlib import Path

import pytest
from support.error_classes import KINDS, made, template

import tierkeeper.base.errors
from tierkeeper_client.errors import TaskRefused, TierkeeperError, from_answer

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "errors.md"


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_its_class_on_its_way(kind: type[TierkeeperError]) -> None:
    """What a worker answers, or a process pool hands over, has the same class, code, words and data."""
    sent = made(kind)
    for received in (from_answer(sent.as_dict()), pickle.loads(pickle.dumps(sent))):  # noqa: S301  our own
        assert type(received) is kind
        assert (received.code, str(received), received.exit_code) == (sent.code, str(sent), sent.exit_code)
        assert {**received.data, "error": sent.code} == {**sent.data, "error": sent.code}
    assert sent.code == (sent.data["error"] if kind is TaskRefused else kind.__name__)


def test_no_two_have_one_name() -> None:
    """An answer names a class by its name alone."""
    assert len({kind.__name__ for kind in KINDS}) == len(KINDS)


def test_all_of_them_are_exported() -> None:
    """``tierkeeper.base.errors`` exports what it defines, in order."""
    exported = tierkeeper.base.errors.__all__
    defined = {kind.__name__ for kind in KINDS if kind.__module__ == tierkeeper.base.errors.__name__}
    assert defined - set(exported) == set()
    assert exported == sorted(exported)


def test_all_of_them_are_documented() -> None:
    """The reference has each with its exit code, whether it passes, and its message."""
    found = [line.strip("| ").split(" | ") for line in REFERENCE.read_text().splitlines() if line.startswith("| `")]
    wanted = [
        [f"`{kind.__name__}`", str(kind.exit_code), "yes" if kind.retryable else "no", template(kind)]
        for kind in sorted(KINDS, key=lambda kind: kind.__name__)
        if kind not in {TierkeeperError, TaskRefused}
    ]
    assert found == wanted


def test_what_every_next_item_would_meet_is_told_from_what_is_an_items_own() -> None:
    """What all items need ends a command of many once: the catalog, the broker, staging, the results, the output."""
    assert {kind.__name__ for kind in KINDS if kind.of_all} == {
        "BrokerUnavailable",
        "BrokerUnreachable",
        "CatalogEncoding",
        "CatalogLimited",
        "CatalogNotReady",
        "CatalogReadOnly",
        "CatalogRefused",
        "CatalogUnavailable",
        "OutputFull",
        "ResultUnavailable",
        "StagingUnavailable",
    }
