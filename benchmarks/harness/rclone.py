"""The peer rclone: the one on the PATH, or those given by ``--rclone PATH``."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.bare import REGION, Access

TRANSFERS = 32


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--rclone``, which names other rclones."""
    parser.add_argument("--rclone", action="append", help="an rclone to compare with; default: the one in PATH")


def programs(options: argparse.Namespace) -> list[str]:
    """Return the rclones to compare with; print a remark if there is none."""
    named: list[str] | None = options.rclone
    found = named or [p for p in [shutil.which("rclone")] if p]
    if not found:
        print("no rclone here, so the peer is left out (Debian: apt-get install rclone)", file=sys.stderr)
    return found


def version(program: str) -> str:
    """Return the program's name and version, such as ``rclone 1.60.1``."""
    words = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout.split()
    return f"rclone {words[1].lstrip('v').removesuffix('-DEV')}"


def run(program: str, access: Access, verb: Sequence[str]) -> None:
    """Run one command; remotes are written ``s3:bucket``."""
    env = {
        "PATH": os.defpath,
        "HOME": str(Path.home()),
        "RCLONE_CONFIG_S3_TYPE": "s3",
        "RCLONE_CONFIG_S3_PROVIDER": "Ceph",
        "RCLONE_CONFIG_S3_ENDPOINT": access.endpoint,
        "RCLONE_CONFIG_S3_REGION": REGION,
        "RCLONE_CONFIG_S3_ACCESS_KEY_ID": access.access_key,
        "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": access.secret_key,
        "RCLONE_CONFIG_S3_NO_CHECK_BUCKET": "true",
    }
    flags = [f"--transfers={TRANSFERS}", f"--checkers={TRANSFERS}", "--config=/dev/null", "--retries=1"]
    subprocess.run([program, *verb, *flags], env=env, check=True)
