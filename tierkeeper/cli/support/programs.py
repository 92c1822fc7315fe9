"""The processes of Celery that ``up`` and the demo run under a supervisor."""

import sys

from tierkeeper.base import supervised
from tierkeeper.cli.support.session import Session
from tierkeeper.cli.support.supervisor import Program


def celery(session: Session, name: str, *arguments: str) -> Program:
    """Return the process NAME of Celery, on the same settings and from the same installation as this process."""
    settings = session.settings
    level = settings.log.level
    logging = ("--loglevel", level) if name in {"worker", "beat"} else ()
    environment = {"TIERKEEPER_HOME": str(settings.home)}
    if session.state.config is not None:
        environment["TIERKEEPER_CONFIG"] = str(session.state.config.absolute())
    if settings.log.format == "auto":
        environment["TIERKEEPER_LOG__FORMAT"] = "console"
    command = (sys.executable, "-P", "-m", "worker.start", supervised.FLAG, "--quiet", name, *logging, *arguments)
    return Program(name, command, environment)
