"""What this machine has for services that no wheel carries: its Debian mirror, and folders kept between runs."""

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Unavailable(Exception):  # noqa: N818  it is a state of this machine, not a fault
    """A service for tests cannot be had on this machine; the message says why and what would help."""


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold ``lock``, and wait for it before."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def mirror() -> str:
    """Return the Debian mirror that this machine's apt uses."""
    fields = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in listed.stdout.splitlines():
        origin, label, component, uri = line.split("|", 3)
        if (origin, label, component) == ("Debian", "Debian", "main"):
            return uri
    msg = "apt knows no Debian mirror; run apt-get update first"
    raise Unavailable(msg)
