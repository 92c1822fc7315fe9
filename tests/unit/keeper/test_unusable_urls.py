"""A mistake in one URL is told as one of its own setting."""

from pathlib import Path

import pytest

from tierkeeper.base.errors import SettingInvalid
from tierkeeper.keeper import Keeper
from tierkeeper.settings.settings import Settings, load


@pytest.fixture
def mistaken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose catalog has an option that libpq does not know."""
    monkeypatch.chdir(tmp_path)
    return load(environ={"TIERKEEPER_CATALOG__URL": "postgresql://u:hush@db/x?sslmod=require"})


def test_the_catalog_is_not_told_as_a_tier(mistaken: Settings) -> None:
    """An option of `catalog.url` that is unknown is its own, though the records' tier is on the same server."""
    with pytest.raises(SettingInvalid, match="libpq knows no option sslmod") as caught:
        Keeper.open(mistaken)
    assert str(caught.value).startswith("Setting catalog.url (env TIERKEEPER_CATALOG__URL): ")
    assert "hush" not in str(caught.value)


def test_only_what_is_wrong_is_listed(mistaken: Settings) -> None:
    """The settings are judged one by one, without a connection."""
    assert list(Keeper.unusable_urls(mistaken)) == ["catalog.url"]
