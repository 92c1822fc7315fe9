"""The images that compose.yaml and the Dockerfile name: pulled, or stand-ins made from Debian's packages.

Stand-ins are made on an engine of our own only: on somebody else's a false ``postgres:18`` would be a trap.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from support.machine import Unavailable

from dockerengine import debian
from dockerengine.engine import Engine

ROOT = Path(__file__).parents[2]
PULL_TIMEOUT = 300  # seconds; a registry that is not there is known at once
STAND_IN = "tierkeeper.stand-in"  # a label
USUAL = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENTRY = Path(__file__).with_name("postgres_entry.sh")


def needed() -> list[str]:
    """Return the images that are not ours, as compose.yaml and the Dockerfile name them."""
    composed: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    named = {service["image"] for service in composed.values()} - {composed["init"]["image"]}
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, flags=re.MULTILINE))
    for found in re.findall(r"^FROM (\S+)", dockerfile, flags=re.MULTILINE):
        named.add(re.sub(r"\$\{(\w+)\}", lambda name: arguments[name.group(1)], found))
    return sorted(named)


def ensure(engine: Engine) -> None:
    """Have every image that is needed, the real ones where a registry answers. Raises :class:`Unavailable`."""
    for image in needed():
        if _present(engine, image):
            continue
        pulled = engine.docker("pull", "--quiet", image, timeout=PULL_TIMEOUT)
        if pulled.returncode == 0:
            continue
        why = (pulled.stderr.strip().splitlines() or ["no words"])[-1]
        if not engine.ours:
            msg = f"{image} cannot be pulled: {why}"
            raise Unavailable(msg)
        if _present(engine, image, stand_in=True):
            continue
        recipe = RECIPES.get(image)
        if recipe is None:
            msg = f"{image} cannot be pulled ({why}), and there is no stand-in for it"
            raise Unavailable(msg)
        debian.say(f"a stand-in for {image}, which cannot be pulled here")
        recipe(engine, image)


def _present(engine: Engine, image: str, *, stand_in: bool = False) -> bool:
    label = f'{{{{index .Config.Labels "{STAND_IN}"}}}}'
    found = engine.docker("image", "inspect", "--format", label, image)
    return found.returncode == 0 and bool(found.stdout.strip()) is stand_in


def _python(engine: Engine, image: str) -> None:
    made = debian.archive("trixie", ("python3", "python3-venv"), hooks=['chroot "$1" python3 -m venv /opt/base'])
    changes = (f"ENV PATH=/opt/base/bin:{USUAL}", f"ENV PIP_CERT={debian.CERTIFICATES}", f"LABEL {STAND_IN}=yes")
    debian.load(engine, image, made, changes=changes)


def _services() -> Path:
    hooks = (f"upload {ENTRY} /entry.sh", 'chmod 755 "$1/entry.sh"', 'chroot "$1" install -d -o valkey -g valkey /data')
    return debian.archive("forky", ("postgresql", "valkey-server", "valkey-tools"), hooks=hooks)


def _postgres(engine: Engine, image: str) -> None:
    changes = (f"ENV PATH=/usr/lib/postgresql/18/bin:{USUAL}", 'ENTRYPOINT ["/entry.sh"]', f"LABEL {STAND_IN}=yes")
    debian.load(engine, image, _services(), changes=changes)


def _valkey(engine: Engine, image: str) -> None:
    changes = (f"ENV PATH={USUAL}", "WORKDIR /data", "USER valkey", 'CMD ["valkey-server"]', f"LABEL {STAND_IN}=yes")
    debian.load(engine, image, _services(), changes=changes)


RECIPES: dict[str, Callable[[Engine, str], None]] = {
    "python:3.13-slim-bookworm": _python,
    "postgres:18": _postgres,
    "valkey/valkey:9-alpine": _valkey,
}
