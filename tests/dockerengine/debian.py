"""What Debian's packages give where no registry answers: roots as images, and Compose 2."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from support.machine import Unavailable, mirror

from dockerengine.engine import Engine, cache_dir

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # what this machine trusts, its images trust
COMPOSE_SUITE = "forky"  # the docker-compose of Debian 12 is version 1
COMPOSE = "usr/libexec/docker/cli-plugins/docker-compose"  # in the package


def say(words: str) -> None:
    """Tell of something that takes a while."""
    print(f"dockerengine: {words} …", file=sys.stderr)  # noqa: T201  progress


def archive(suite: str, packages: Sequence[str], *, hooks: Sequence[str] = ()) -> Path:
    """Return a root of ``suite`` with ``packages`` as a tar file, made where it is not there.

    ``hooks`` are mmdebstrap's ``--customize-hook``. Raises :class:`Unavailable`.
    """
    name = "-".join((suite, *packages)).replace("/", "_")
    made = cache_dir() / f"{name}.tar"
    if made.exists():
        return made
    say(f"a root of {suite} with {', '.join(packages)} (once, half a minute)")
    half, log = made.with_suffix(".half"), made.with_suffix(".log")
    command = [
        *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join((*packages, 'ca-certificates'))}"),
        '--aptopt=APT::Install-Recommends "false"',
        # a suite in development has a release file whose dates may not suit this machine's clock
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=Acquire::Check-Date "false"',
        *(f"--dpkgopt=path-exclude=/usr/share/{unread}/*" for unread in ("doc", "man", "locale")),
        f"--customize-hook=upload {CERTIFICATES} {CERTIFICATES}",
        *(f"--customize-hook={hook}" for hook in hooks),
        *("--format=tar", suite, str(half), mirror()),
    ]
    with log.open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        half.unlink(missing_ok=True)
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        msg = f"mmdebstrap ended with {done.returncode}: {' / '.join(last)} (all of it: {log})"
        raise Unavailable(msg)
    return half.rename(made)


def load(engine: Engine, image: str, root: Path, *, changes: Sequence[str] = ()) -> None:
    """Make ``image`` of a root, with the Dockerfile's instructions ``changes``. Raises :class:`Unavailable`."""
    words = [word for change in changes for word in ("--change", change)]
    done = engine.docker("import", *words, str(root), image)
    if done.returncode != 0:
        msg = f"docker import of {image}: {done.stderr.strip()}"
        raise Unavailable(msg)


def compose(engine: Engine) -> None:
    """Give our own engine's ``docker`` its Compose 2, once, from Debian's package. Raises :class:`Unavailable`."""
    if engine.has_compose():
        return
    say(f"Compose 2 from {COMPOSE_SUITE} (once)")
    folder = cache_dir() / "apt"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial", "etc"):
        (folder / name).mkdir(parents=True)
    source = folder / "sources.list"
    source.write_text(f"deb [check-valid-until=no check-date=no] {mirror()} {COMPOSE_SUITE} main\n")
    options = {
        "Dir::Etc::SourceList": source,
        "Dir::Etc::SourceParts": folder / "etc",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    _done([*apt, "update"], folder)
    _done([*apt, "download", "docker-compose"], folder)
    _done(["dpkg", "-x", *(str(found) for found in folder.glob("docker-compose_*.deb")), "x"], folder)
    plugins = cache_dir() / "config" / "cli-plugins"
    plugins.mkdir(exist_ok=True)
    shutil.copy2(folder / "x" / COMPOSE, plugins / "docker-compose")
    shutil.rmtree(folder)


def _done(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        msg = f"{' '.join(command[-2:])}: {done.stderr.strip()}"
        raise Unavailable(msg)
