"""The private Debian root that holds Ceph: built once with mmdebstrap, kept in a cache folder."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from support.machine import Unavailable, mirror, only_one

SUITE = "forky"  # Ceph 20.2; Debian 12 and 13 have releases whose S3 has many silent gaps
PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common", "python3")
NEEDED_PROGRAMS = ("mmdebstrap", "unshare", "chroot", "apt-get")


def cache_dir() -> Path:
    """Return the folder where the root is kept between runs."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(cache) / "tierkeeper-ceph" if cache else Path("/var/cache/tierkeeper-ceph")


def ensure() -> Path:
    """Return the root, building it (about a minute) when it is not there; raise :class:`Unavailable`."""
    _check_machine()
    cache = cache_dir()
    root = cache / SUITE
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"its cache folder {cache} cannot be made ({error}); set XDG_CACHE_HOME"
        raise Unavailable(msg) from error
    with only_one(cache / "lock"):
        if not root.exists():
            _build(root)
    return root


def _check_machine() -> None:
    if os.geteuid() != 0:
        msg = "it needs root, for a private mount and process namespace"
        raise Unavailable(msg)
    missing = [name for name in NEEDED_PROGRAMS if shutil.which(name) is None]
    if missing:
        msg = f"{', '.join(missing)} missing; on Debian: apt-get install mmdebstrap"
        raise Unavailable(msg)


def _build(root: Path) -> None:
    """Build into a folder beside ``root`` and rename it, so that a half-built root is never used."""
    source = mirror()
    half = root.with_suffix(".building")
    log = root.with_suffix(".log")
    shutil.rmtree(half, ignore_errors=True)
    print(f"s3server: building a root with Ceph in {root} (once, about a minute) …", file=sys.stderr)  # noqa: T201  progress
    began = time.monotonic()
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=apt",
        f"--include={','.join(PACKAGES)}",
        '--aptopt=APT::Install-Recommends "false"',
        # a suite in development has a release file whose dates may not suit this machine's clock
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=Acquire::Check-Date "false"',
        *(f"--dpkgopt=path-exclude=/usr/share/{unread}/*" for unread in ("doc", "man", "locale")),
        SUITE,
        str(half),
        source,
    ]
    with log.open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        shutil.rmtree(half, ignore_errors=True)
        msg = f"mmdebstrap ended with {done.returncode}: {' / '.join(last)} (all of it: {log})"
        raise Unavailable(msg)
    half.rename(root)
    print(f"s3server: built in {time.monotonic() - began:.0f} s", file=sys.stderr)  # noqa: T201  progress
