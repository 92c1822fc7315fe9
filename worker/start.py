"""Starts Celery's processes with code of the installation alone: ``python -P -m worker.start worker``, ``… beat``.

Celery's own command puts the working folder before everything that is installed, and Flower runs the configuration that
it finds there. Whoever can write there would say what the process runs. ``-P`` keeps Python itself from looking there,
our app is imported before Celery's command names it, and its loader looks nowhere else.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final

from celery.bin import celery

import worker.app
from tierkeeper.base import supervised

APP: Final = f"{worker.app.__name__}:app"  # imported already, so Celery finds it nowhere else
#: tasks that Flower keeps in memory, of 9 to 13 KiB each; its own default is 100 000
FLOWER_TASKS: Final = 2000
UNSAFE: Final = "Start it as `python -P -m worker.start`: without -P, Python runs what lies in the working folder.\n"


def main(arguments: Sequence[str]) -> int:
    """Run Celery's command line on our app; return the exit code."""
    if not sys.flags.safe_path:
        sys.stderr.write(UNSAFE)
        return 2
    if arguments[:1] == [supervised.FLAG]:
        arguments = arguments[1:]
        supervised.end_with_supervisor()
    os.environ["PYTHONSAFEPATH"] = "1"  # for helper processes that Python and billiard start
    os.environ.setdefault("FLOWER_CONF", os.devnull)
    os.environ.setdefault("FLOWER_MAX_TASKS", str(FLOWER_TASKS))
    sys.argv[1:] = ["-A", APP, *arguments]
    return celery.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
