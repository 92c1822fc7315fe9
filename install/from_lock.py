"""Installs ``requirements.lock``, then tierkeeper and its client, editable, beside the Python that runs this.

uv does it in seconds. It is itself in the lock, so pip brings it first, its hash checked. It reads none of pip's
configuration, so what that says of indexes and certificates is handed to it. Where no uv is made for this platform, or
uv fails for whatever reason, pip installs the same, and says so. ``INSTALLER=pip`` asks for pip alone.
Standard library only, and any pip since 22.3: it runs before anything is installed.
"""

import ast
import os
import runpy
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
EDITABLE = ("--no-deps", "--no-build-isolation", "-e", str(ROOT / "client"), "-e", str(ROOT))
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
# which sections of pip's configuration count for an install, the strongest last
SECTIONS = ("global", "install", ":env:")
# pip's option, uv's variable for it, and what stands between several values
VARIABLES = (
    ("index-url", "UV_DEFAULT_INDEX", ""),
    ("extra-index-url", "UV_INDEX", " "),
    ("find-links", "UV_FIND_LINKS", ","),
    ("trusted-host", "UV_INSECURE_HOST", " "),
    ("no-index", "UV_NO_INDEX", ""),
    ("cert", "SSL_CERT_FILE", ""),
    ("client-cert", "SSL_CLIENT_CERT", ""),
    ("proxy", "ALL_PROXY", ""),
    ("default-timeout", "UV_HTTP_TIMEOUT", ""),
    ("timeout", "UV_HTTP_TIMEOUT", ""),
)


def options(listed: str) -> dict[str, str]:
    """Return pip's options of what ``pip config list`` prints, ``section.option='value'`` each, the strongest kept."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed.splitlines():
        name, equals, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if equals and section in found:
            found[section][option] = str(ast.literal_eval(value))
    return {option: value for section in SECTIONS for option, value in found[section].items()}


def environment(configured: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment ``given`` with what pip's configuration says, in uv's words; what uv was told stays.

    pip takes the best match of all indexes, and the hashes of the lock decide what may be installed: so does uv then.
    """
    result = {"UV_INDEX_STRATEGY": "unsafe-best-match", **given}
    for option, variable, between in VARIABLES:
        values = configured.get(option, "").split()
        if values:
            result.setdefault(variable, between.join(values))
    return result


def run(command: Iterable[str], lock: Iterable[str] = (), env: Mapping[str, str] | None = None) -> bool:
    """Run an installer, on these entries of the lock if given; return whether that worked."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(lock)
        file.flush()
        entries = ("--require-hashes", "-r", file.name) if lock else ()
        return subprocess.run([*command, *entries], check=False, env=env, cwd=ROOT).returncode == 0


def by_uv(lock: Mapping[str, str]) -> bool:
    """Install with the uv that is there; return whether that worked."""
    listed = subprocess.run([*PIP, "config", "list"], check=True, capture_output=True, text=True).stdout
    env = environment(options(listed), os.environ)
    uv = (str(Path(sysconfig.get_path("scripts")) / "uv"), "pip", "install", "-q", "--python", sys.executable)
    return run(uv, lock.values(), env) and run([*uv, *EDITABLE], env=env)


def by_pip(lock: Mapping[str, str]) -> bool:
    """Install with pip; return whether that worked."""
    print("Installing with pip: a minute or two the first time", flush=True)
    return run([*PIP, "install", "-qq"], lock.values()) and run([*PIP, "install", "-qq", *EDITABLE])


def main() -> bool:
    """Install by uv, or by pip; return whether that worked."""
    lock = runpy.run_path(str(ROOT / "docker" / "locked.py"))["blocks"](LOCK.read_text())
    if os.environ.get("INSTALLER") == "pip":
        return by_pip(lock)
    if not run([*PIP, "install", "-qq", "--only-binary", ":all:"], [lock["uv"]]):
        print("There is no uv for this platform, or pip cannot fetch it: without uv.", flush=True)
        return by_pip({name: entry for name, entry in lock.items() if name != "uv"})
    if not by_uv(lock):
        print("uv could not install the lock.", flush=True)
        return by_pip(lock)
    return True


if __name__ == "__main__":
    sys.exit(not main())
