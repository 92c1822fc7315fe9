"""Writes behind each image's tag in compose.yaml and the Dockerfile the digest that its registry gives today.

All of them or none: an image that cannot be pulled ends it with nothing written. Standard library only.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = (ROOT / "compose.yaml", ROOT / "docker" / "Dockerfile")
# ours has a variable for its tag, and no digest
REFERENCE = re.compile(r"^( *image: |ARG BASE=)([^\s@$]+:[^\s@$]+)(@sha256:[0-9a-f]{64})?", re.MULTILINE)


def pinned(text: str, digest: Callable[[str], str]) -> str:
    """Return ``text`` with ``digest`` of every image behind its tag, in place of the one that was there."""
    return REFERENCE.sub(lambda found: f"{found[1]}{found[2]}@{digest(found[2])}", text)


def pulled(image: str) -> str:
    """Pull ``image`` and return its digest, ``sha256:…``; exit with what Docker says where that fails."""
    _docker("pull", "--quiet", image)
    listed = _docker("image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', image).split()
    repository = image.rpartition(":")[0]
    for name, _, digest in (entry.partition("@") for entry in listed):
        if name == repository:
            print(f"{image}@{digest}")
            return digest
    sys.exit(f"No registry gave {image} a digest. Nothing was written.")


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"docker {' '.join(arguments)}: {done.stderr.strip()}\nNothing was written.")
    return done.stdout


if __name__ == "__main__":
    written = {file: pinned(file.read_text(), pulled) for file in FILES}
    for file, text in written.items():
        file.write_text(text)
