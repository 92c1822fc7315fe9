"""The wheels as users get them: built here, installed alone, outside the tree, with nothing but what they declare."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

from packaging.metadata import Metadata
from packaging.requirements import Requirement
from support import services

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {"tierkeeper": ROOT, "tierkeeper-client": ROOT / "client"}
INSTALL_TIMEOUT = 600  # seconds for everything from an index, slowly
RUN_TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python with some packages, and an empty folder to run it in with hardly any variables: nothing leaks in."""

    bin: Path
    place: Path
    variables: Mapping[str, str]

    @property
    def env(self) -> dict[str, str]:
        """All that its processes see of the caller's environment is this."""
        return {"PATH": f"{self.bin}:{os.defpath}", "HOME": str(self.place), "LANG": "C.UTF-8", **self.variables}

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one of its programs to the end; AssertionError with what it said if it fails."""
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.place,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done

    def versions(self) -> dict[str, str]:
        """Every distribution that is installed in it."""
        code = "from importlib.metadata import *; print(*(f'{d.name}=={d.version}' for d in distributions()))"
        return dict(
            each.lower().replace("_", "-").split("==") for each in self.run("python", "-c", code).stdout.split()
        )


def installer() -> ModuleType:
    """Return install/from_lock.py, which knows how pip is configured here."""
    spec = importlib.util.spec_from_file_location("from_lock", ROOT / "install" / "from_lock.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def do(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command that must succeed; return what it said."""
    done = subprocess.run(
        command, env=env, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def build(folder: Path) -> dict[str, Path]:
    """Build both wheels; return them by name."""
    found = {}
    for name, source in DISTRIBUTIONS.items():
        do([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / name)], cwd=source)
        (found[name],) = (folder / name).glob("*.whl")
    return found


def venv(folder: Path) -> Path:
    """Make an empty environment with this Python's own pip; return its folder of programs."""
    do([sys.executable, "-m", "venv", str(folder)])
    return folder / "bin"


def newest(place: Path, wheels: Sequence[str]) -> None:
    """Install wheels (``path[extra]``) by plain pip: the newest versions that what they declare allows."""
    do([str(place / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *wheels])


def lowest(place: Path, wheels: Sequence[Path], extras: set[str]) -> None:
    """Install wheels with the lowest versions that what they declare allows."""
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        services.absent("uv", "make install could not fetch it")
    configured = do([str(place / "python"), "-m", "pip", "config", "list"])
    env = installer().environment(installer().options(configured), os.environ)
    direct = [str(each) for wheel in wheels for each in declared(wheel, extras) if each.name not in DISTRIBUTIONS]
    command = [str(uv), "pip", "install", "-q", "--system-certs", "--python", str(place / "python")]
    do([*command, "--resolution", "lowest-direct", *direct, *map(str, wheels)], env=env, cwd=place)


def declared(wheel: Path, extras: set[str]) -> list[Requirement]:
    """Return what a wheel says that it needs here, with these extras, markers left out."""
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        found = Metadata.from_email(archive.read(name), validate=False).requires_dist or []
    needed = [
        each
        for each in found
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras | {""})
    ]
    for each in needed:
        each.marker = None
    return needed
