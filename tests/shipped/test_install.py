"""The lock can be installed with the oldest and the newest pip, from the index that pip is configured with."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shipped import alone
from shipped.index import Index, serving

pytestmark = pytest.mark.shipped
ROOT = alone.ROOT
PIPS = ["22.3", "23.0", "newest"]  # of Python 3.11.0, of Debian 12, and the last one
# what an editable install needs, and uv
FEW = ("uv", "hatchling", "editables")
PARTS = ("install", "docker", "client", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True, slots=True)
class Tree:
    """A clone whose lock has only a few packages, with an empty environment, on a machine configured for an index."""

    folder: Path
    bin: Path
    configuration: Path

    def install(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Install from the lock as make does."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "INSTALLER"))}
        cache = {"UV_CACHE_DIR": str(self.folder / "cache"), "PIP_NO_CACHE_DIR": "1"}
        return subprocess.run(
            [str(self.bin / "python"), "install/from_lock.py"],
            cwd=self.folder,
            env={**own, **cache, "PIP_CONFIG_FILE": str(self.configuration), **variables},
            capture_output=True,
            text=True,
            timeout=alone.INSTALL_TIMEOUT,
            check=False,
        )

    def installed(self) -> bool:
        """Return whether the lock's packages, tierkeeper and its client are there."""
        code = "import importlib.metadata as m; print(m.version('tierkeeper'), m.version('hatchling'))"
        code += "; import tierkeeper_client"
        return not subprocess.run([str(self.bin / "python"), "-c", code], cwd=os.sep, check=False).returncode


@pytest.fixture(scope="session")
def with_pip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes an environment with a version of pip, once each."""

    @functools.cache
    def make(version: str) -> Path:
        folder = tmp_path_factory.mktemp("pip") / "environment"
        wanted = ["--upgrade", "pip"] if version == "newest" else [f"pip=={version}"]
        pip = [str(alone.venv(folder) / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        alone.do([*pip, *wanted])
        return folder

    return make


@pytest.fixture(scope="session")
def few() -> str:
    """The part of the lock that an editable install needs."""
    return alone.do([sys.executable, str(ROOT / "docker" / "locked.py"), *FEW])


@pytest.fixture(scope="session")
def wheelhouse(few: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those packages as wheels."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    (folder / "few.txt").write_text(few)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--require-hashes"]
    alone.do([*pip, "--only-binary", ":all:", "-d", str(folder), "-r", str(folder / "few.txt")])
    return folder


@pytest.fixture
def index(wheelhouse: Path) -> Iterator[Index]:
    """An index of those packages."""
    with serving(wheelhouse) as found:
        yield found


@pytest.fixture(params=["23.0"])
def tree(
    request: pytest.FixtureRequest, few: str, index: Index, with_pip: Callable[[str], Path], tmp_path: Path
) -> Tree:
    """Such a clone, on a machine where only pip is configured, by a file."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    (folder / "requirements.lock").write_text(few)
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = {index.url}\n")
    shutil.copytree(with_pip(request.param), tmp_path / "environment", symlinks=True)
    return Tree(folder, tmp_path / "environment" / "bin", configuration)


@pytest.mark.parametrize("version", PIPS)
def test_every_pip_can_install_the_lock(version: str, with_pip: Callable[[str], Path]) -> None:
    """Pip finds all that the lock names, and is left with nothing to choose, whatever was released since."""
    pip = [str(with_pip(version) / "bin" / "python"), "-m", "pip", "install", "-qq"]
    alone.do(
        [*pip, "--disable-pip-version-check", "--dry-run", "--require-hashes", "-r", "requirements.lock"], cwd=ROOT
    )


@pytest.mark.parametrize("tree", PIPS, indirect=True)
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_pips_index_is_asked(tree: Tree, index: Index, installer: str) -> None:
    """Every pip brings uv, and uv asks the index that pip is configured with and no other; or pip does it all."""
    done = tree.install(INSTALLER=installer)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree.installed()
    assert index.asked_by == {"pip", installer}
    assert ("Installing with pip" in done.stdout) == (installer == "pip")


def test_index_of_the_environment_is_asked(tree: Tree, index: Index) -> None:
    """The index that the environment names for pip is uv's too, and stronger than the file's."""
    tree.configuration.write_text("[global]\nindex-url = http://127.0.0.1:9/simple\n")
    done = tree.install(PIP_INDEX_URL=index.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree.installed()
    assert index.asked_by == {"pip", "uv"}


def test_pip_installs_where_uv_cannot(tree: Tree) -> None:
    """If uv fails pip installs the same, and it is said."""
    done = tree.install(UV_OFFLINE="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "uv could not install the lock." in done.stdout
    assert tree.installed()


def test_pip_installs_where_there_is_no_uv(tree: Tree, index: Index) -> None:
    """If no uv is made for the platform pip installs all the rest, and it is said."""
    index.files = {name: path for name, path in index.files.items() if not name.startswith("uv-")}
    done = tree.install()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "There is no uv for this platform" in done.stdout
    assert tree.installed()


def test_failure_is_one(tree: Tree, index: Index) -> None:
    """If neither can install the lock make is told."""
    index.files = {}
    assert tree.install().returncode
    assert not tree.installed()
