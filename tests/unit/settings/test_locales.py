"""Folders whose names another locale would write otherwise."""

import os
import subprocess
import sys

from support.locales import ASCII

_NAMES = """
from pathlib import Path
from tierkeeper.base.quantities import Unusable
from tierkeeper.settings import roots
from tierkeeper.settings.groups import TierSettings
from tierkeeper.stores import factory
from tierkeeper_client.errors import InvalidInput
from tierkeeper_client.staging import open_staging

def tier(url):
    factory.make("hot", TierSettings(url=url, temperature="hot"), io_threads=1, catalog_url=None)

def root(folder):
    roots.check([Path(folder)], home=Path("/home"), tiers={}, staging="file:///staging")

def refused(call, *arguments):
    try:
        call(*arguments)
    except (InvalidInput, Unusable) as error:
        return "UTF-8 locale" in str(error)
    return False

cafe = "caf\\xe9"
calls = [(tier, "file:///srv/"), (open_staging, "file:///srv/"), (root, "/srv/")]
print([refused(call, place + name) for call, place in calls for name in (cafe, "cafe")])
print(refused(tier, "file:///srv/caf%C3%A9"))
"""


def _asked(**environment: str) -> list[str]:
    script = [sys.executable, "-c", _NAMES]
    done = subprocess.run(script, env={**os.environ, **environment}, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_folders_that_a_locale_names_otherwise_are_refused() -> None:
    """A tier, staging and a root of sources beyond ASCII need a UTF-8 locale: another folder is not to be used."""
    assert _asked(**ASCII) == ["[True, False, True, False, True, False]", "True"]
    assert _asked(LC_ALL="C.UTF-8") == ["[False, False, False, False, False, False]", "False"]
