import os
import secrets
import signal
import socket
import threading
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from tierkeeper.base.errors import InvalidInput
from tierkeeper.cli.support import homelock, onlooker, programs, serverwatch, supervisor
from tierkeeper.cli.support.groups import TierCommand
from tierkeeper.cli.support.session import Session, pass_session
from tierkeeper.embedded.process import private_file

if TYPE_CHECKING:
    from tierkeeper.cli.support.homelock import HomeLock
    from tierkeeper.cli.support.onlooker import WatchedWorker
    from tierkeeper.cli.support.supervisor import Program
    from tierkeeper.settings.settings import Settings

PASSWORD_FILE: Final = "flower-password"  # noqa: S105  the file's name, not the password
FLOWER_USER: Final = "tierkeeper"
LOOKS: Final = 5  # per `health.stalled`
STOP_MARGIN: Final = 20.0  # seconds beyond the longest step of a task


@click.command(cls=TierCommand)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes of the worker that does not store; by default one a core.",
)
@click.option("--no-beat", is_flag=True, help="Without Beat: the sweeps begin by `tierkeeper lifecycle run` only.")
@click.option("--no-flower", is_flag=True, help="Without Flower.")
@pass_session
def up(session: Session, *, concurrency: int | None, no_beat: bool, no_flower: bool) -> None:
    """Run workers, Beat and Flower here until Ctrl-C, on the embedded services or the configured ones.

    One worker stores (`ingest`, of threads), another does all else. Their logs come together on stderr. One that dies
    or hangs is started again, and so is an embedded PostgreSQL or Valkey that dies. The first Ctrl-C lets tasks under
    way end, the second kills them, which is safe too. Where the catalog or the broker does not answer, nothing is
    started; the exit code is 6, as it is once an embedded server died five times in a row.
    """
    settings = session.settings
    with homelock.lock_home(settings, by="tierkeeper up") as lock:
        for line in session.start():
            session.output.say(line)
        session.reach()
        workers = programs.workers(session, processes=concurrency)
        started = [program for program, _ in workers]
        if not no_beat:
            started.append(programs.celery(session, "beat"))
        if not no_flower:
            started.append(_flower(session))
        _run(session, started, lock, watched=[] if no_beat else [watched for _, watched in workers])


def _flower(session: Session) -> "Program":
    settings = session.settings
    port = settings.flower.port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InvalidInput(
                field="flower.port",
                value=port,
                problem="something else listens there",
                fix="Set TIERKEEPER_FLOWER__PORT to a free one, or use --no-flower.",
            ) from error
    user = settings.flower.user or FLOWER_USER
    password, shown = _password(settings)
    session.output.say(f"Flower: http://127.0.0.1:{port}  user {user}, password {shown}", style="bold")
    program = programs.celery(session, "flower")
    login = {
        "FLOWER_BASIC_AUTH": f"{user}:{password}",  # in the environment, because every user can read a command line
        "FLOWER_ADDRESS": "127.0.0.1",
        "FLOWER_PORT": str(port),
        "FLOWER_READ_ONLY": str(settings.flower.read_only),
    }
    return supervisor.Program(program.name, program.command, {**program.environment, **login})


def _password(settings: "Settings") -> tuple[str, str]:
    """Return Flower's password and the text to show for it: a fresh one is shown once and stored in home."""
    if settings.flower.password is not None:
        return settings.flower.password, "as set"
    path = settings.home / PASSWORD_FILE
    with os.fdopen(private_file(path, os.O_RDWR), "r+", encoding="utf-8") as file:
        if kept := file.read().strip():
            return kept, f"in {path}"
        password = secrets.token_urlsafe(15)
        file.write(password + "\n")
    return password, f"{password} (shown once, kept in {path})"


def _run(session: Session, started: "list[Program]", lock: "HomeLock", *, watched: "list[WatchedWorker]") -> None:
    patience = session.settings.engine.task_seconds + STOP_MARGIN
    stalled = session.settings.health.stalled
    broker = str(session.resolved.broker.url)
    looks = onlooker.Onlooker(session.keeper, broker, workers=watched, stalled=stalled) if watched else None
    running = supervisor.Supervisor(
        started,
        session.output.err,
        patience=patience,
        onlooker=looks,
        every=stalled.total_seconds() / LOOKS,
        lock=lock,
    )
    servers = serverwatch.ServerWatch(session.embedded, session.output.warn)
    hurry = threading.Event()
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            hurry.set()
        stopping.set()
        running.stop()

    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # by nohup
    signals = (signal.SIGINT, signal.SIGTERM, *(() if ignored else (signal.SIGHUP,)))
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        running.start()
        servers.start(give_up=running.stop)
        running.watch()
        servers.stop()
        session.output.say("stopping: tasks under way end first; Ctrl-C again kills them")
        warm = running.close(hurry=hurry)
        session.output.say("stopped" if warm else "killed; what was under way is taken up again at the next start")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if servers.error is not None:
        raise servers.error
