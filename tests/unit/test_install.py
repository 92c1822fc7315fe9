"""What pip's configuration says is handed to uv, which reads none of it."""

import importlib.util
import runpy
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
LISTED = r"""
:env:.cert='/etc/certs.pem'
:env:.index-url='https://mirror.test/simple'
global.extra-index-url='https://one.test/simple\nhttps://two.test/simple'
global.find-links='/a /b'
global.index-url='https://global.test/simple'
global.timeout='60'
install.index-url='https://install.test/simple'
install.trusted-host='mirror.test'
download.proxy='http://not-for-installs.test'
"""


@pytest.fixture
def install() -> ModuleType:
    """install/from_lock.py as a module."""
    spec = importlib.util.spec_from_file_location("from_lock", ROOT / "install" / "from_lock.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_configuration_is_uvs(install: ModuleType) -> None:
    """Each option has uv's name and separator; the environment is stronger than any section of a file."""
    assert install.environment(install.options(LISTED), {"HOME": "/h"}) == {
        "HOME": "/h",
        "SSL_CERT_FILE": "/etc/certs.pem",
        "UV_DEFAULT_INDEX": "https://mirror.test/simple",
        "UV_FIND_LINKS": "/a,/b",
        "UV_HTTP_TIMEOUT": "60",
        "UV_INDEX": "https://one.test/simple https://two.test/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": "mirror.test",
    }


def test_section_for_installs_is_stronger(install: ModuleType) -> None:
    """Without the environment's, the index of the section ``install`` counts, then the global one."""
    without = LISTED.replace(":env:.index-url", "wheel.index-url")
    assert install.options(without)["index-url"] == "https://install.test/simple"
    without = without.replace("install.index-url", "wheel.index-url")
    assert install.options(without)["index-url"] == "https://global.test/simple"


def test_what_uv_was_told_stays(install: ModuleType) -> None:
    """A variable of uv's own is not overruled by pip's configuration."""
    given = {
        "UV_DEFAULT_INDEX": "https://uv.test/simple",
        "SSL_CERT_FILE": "/own.pem",
        "UV_INDEX_STRATEGY": "first-index",
    }
    found = install.environment(install.options(LISTED), given)
    assert {name: found[name] for name in given} == given


def test_nothing_configured_is_nothing_said(install: ModuleType) -> None:
    """Without a configuration uv asks what it asks by itself."""
    assert install.environment(install.options(""), {}) == {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def test_every_entry_is_installed() -> None:
    """What the installers are given of the lock has every entry: a package may be there once for each Python."""
    text = (ROOT / "requirements.lock").read_text()
    blocks = runpy.run_path(str(ROOT / "docker" / "locked.py"))["blocks"](text)
    assert "".join(blocks.values()).count("==") == text.count("==")
