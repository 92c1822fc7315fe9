"""The figures as JSON, one file each: what was measured, when, on which machine; ``benchmarks.report`` reads them."""

import argparse
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

#: where the results lie that the documents show
FOLDER: Final = Path(__file__).parents[1] / "results"


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that keeps the result."""
    parser.add_argument("--keep", action="store_true", help=f"write the result into {FOLDER.name}/, for the documents")


def keep(figure: str, measured: Mapping[str, Any]) -> None:
    """Write a result; ``measured``: what the figure's own JSON has beside the time and the machine."""
    result = {
        "figure": figure,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        **measured,
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{figure}.json").write_text(json.dumps(result, indent=1) + "\n")


def read() -> dict[str, Any]:
    """Return all results that were kept, by figure."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def _machine() -> Mapping[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
    }
