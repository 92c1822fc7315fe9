"""What the demo stores."""

from datetime import timedelta
from pathlib import Path

import pytest

from tierkeeper.base.errors import InvalidInput
from tierkeeper.base.states import Temperature
from tierkeeper.cli.demo import content
from tierkeeper.policy import document
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.settings.groups import RetentionSettings

DAYS = RetentionSettings()
TIERS = [TierInfo(name, Temperature(name), rank) for rank, name in enumerate(("hot", "warm", "cold"))]


def _items(folder: Path | None, count: int, *, aged: bool = True) -> list[content.DemoFile]:
    return content.items(folder, count=count, tenant="acme", workflow="demo-1", aged=aged, days=DAYS)


def test_the_standard_library_is_taken_by_default() -> None:
    """Real source files, each once, none of them empty, with ages that fill every tier and go beyond."""
    items = _items(None, 200)
    assert len({item.ref for item in items}) == 200
    assert all(item.size == item.path.stat().st_size > 0 for item in items)
    assert {content.expected_tier(item.age, DAYS) for item in items} == {"hot", "warm", "cold", None}
    assert max(item.age for item in items) == timedelta(days=120)
    assert items == _items(None, 200)


def test_without_ages_everything_is_new() -> None:
    """Ages are given only when they are asked for."""
    assert {item.age for item in _items(None, 20, aged=False)} == {timedelta(0)}


def test_a_folder_of_ones_own_is_taken_as_far_as_it_goes(tmp_path: Path) -> None:
    """Unusable files (empty, linked, unsafe names) are left out; too few files are no error, none is one."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "empty").touch()
    (tmp_path / "a:b").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "b.txt")
    assert {item.ref.name for item in _items(tmp_path, 10)} == {"sub/a.txt", "b.txt"}
    with pytest.raises(InvalidInput):
        _items(tmp_path / "sub" / "nothing", 10)


@pytest.mark.parametrize(
    ("days", "tier"), [(0, "hot"), (6.99, "hot"), (7, "warm"), (30, "cold"), (89, "cold"), (90, None), (120, None)]
)
def test_where_an_age_belongs(days: float, tier: str | None) -> None:
    """The ages are those of the default policy: 7, 30 and 90 days."""
    assert content.expected_tier(timedelta(days=days), DAYS) == tier


def test_the_policy_of_the_demo_is_a_valid_one() -> None:
    """It governs the demo's workflows of one tenant and has an undo window of seconds."""
    (policy,) = document.parse(content.policy_text("demo-acme", "acme", DAYS), source="demo", tiers=TIERS)
    assert (policy.match.tenant, policy.match.workflow) == ("acme", "demo-*")
    assert str(policy.undo) == "4s"
    assert not policy.phases[-1].tiers
