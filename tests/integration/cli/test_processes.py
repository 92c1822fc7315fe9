"""The installed command as a process of its own, on the embedded services: nothing configured, nothing installed."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from support import ports, prepared, services

from tierkeeper.embedded.valkey import Valkey

KEYS = f"k1:{base64.b64encode(bytes(range(32))).decode()}"
TIERKEEPER = Path(sys.executable).with_name("tierkeeper")


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty working folder whose path is short enough for sockets."""
    with services.short_folder() as folder:
        yield folder


def _environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **more}


def _run(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TIERKEEPER, *arguments],
        cwd=home,
        env=_environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.row("D6", "degrade while a tier is away")
def test_a_tier_that_is_out_hinders_only_what_needs_it(home: Path) -> None:
    """With one tier unusable, reads from the others go on and a warning names it; an impossible home is bad input."""
    (home / "a.txt").write_text("kept")
    stored = _run(home, "store", "a.txt", "--tenant", "acme", "--workflow", "w")
    assert stored.returncode == 0, stored.stderr
    assert f"made a new home at {home}/.tierkeeper" in stored.stderr
    (home / "file").write_text("no folder")
    read = _run(home, "get", "acme/w/a.txt", "-", TIERKEEPER_TIERS__COLD__URL=f"file://{home}/file/cold")
    assert (read.returncode, read.stdout) == (0, "kept"), read.stderr
    assert "not prepared: Tier cold" in read.stderr
    assert "new home" not in read.stderr
    refused = _run(home, "ls", TIERKEEPER_HOME=f"{home}/file/home")
    assert refused.returncode == 4
    assert "TIERKEEPER_HOME" in refused.stderr


def test_it_works_from_nothing_and_remembers(home: Path) -> None:
    """Without any setting the first command makes what it needs, and the next one finds it."""
    (home / "a.txt").write_text("kept")
    first = _run(home, "store", "a.txt", "--tenant", "acme", "--workflow", "w")
    assert first.returncode == 0, first.stderr
    second = _run(home, "get", "acme/w/a.txt", "-")
    assert (second.returncode, second.stdout) == (0, "kept")
    assert (home / ".tierkeeper" / "postgres").is_dir()


def test_errors_are_one_line_and_an_exit_code(home: Path) -> None:
    """No traceback for what a user can meet: usage is 2, bad input 4, an unusable setting 4."""
    usage = _run(home, "ls", "--nope")
    assert (usage.returncode, "Traceback" in usage.stderr) == (2, False)
    as_json = _run(home, "-o", "json", "ls", "--nope")
    assert json.loads(as_json.stderr)["exit_code"] == 2
    name = _run(home, "show", "acme/../x")
    assert (name.returncode, name.stderr.count("\n")) == (4, 1)
    setting = _run(home, "settings", TIERKEEPER_HOT="1")
    assert (setting.returncode, "TIERKEEPER_HOT" in setting.stderr) == (4, True)
    away = _run(home, "ls", TIERKEEPER_CATALOG__URL="postgresql://127.0.0.1:1/x", TIERKEEPER_BROKER__URL="redis://x")
    assert (away.returncode, away.stderr.count("\n")) == (6, 1)


def test_init_of_a_catalog_that_is_away(home: Path) -> None:
    """It is one line that says what does not answer, and exit code 6, whatever is to be made there."""
    for url in ("postgresql://bad:bad@127.0.0.1:1/x", "postgresql://x@/x?host=/nowhere"):
        away = _run(home, "init", TIERKEEPER_CATALOG__URL=url, TIERKEEPER_BROKER__URL="redis://x")
        assert (away.returncode, away.stderr.count("\n")) == (6, 1), away.stderr
        assert "The catalog did not answer" in away.stderr


def _ended(home: Path, *arguments: str, **more: str) -> tuple[int | None, str]:
    """The exit code of a command that is to end by itself, and what it said; one that goes on is stopped."""
    with subprocess.Popen(
        [TIERKEEPER, *arguments], cwd=home, env=_environment(**more), stderr=subprocess.PIPE, text=True
    ) as going:
        try:
            said = going.communicate(timeout=30)[1]
        except subprocess.TimeoutExpired:
            going.terminate()
            return None, going.communicate(timeout=60)[1]
        return going.returncode, said


def test_up_starts_nothing_without_catalog_and_broker(home: Path, database_url: str, valkey_server: Valkey) -> None:
    """What does not answer, or does not let us in, is said at once with exit code 6; no process is started."""
    broker = valkey_server.url
    with redis.Redis(unix_socket_path=str(valkey_server.socket)) as client:
        for catalog, url, said in (
            ("postgresql://bad:bad@127.0.0.1:1/x", broker, "The catalog did not answer"),
            (database_url, "redis://127.0.0.1:1/0", "The broker did not answer"),
            (database_url, broker, "The broker did not answer: Authentication required"),
        ):
            if "Authentication" in said:
                client.config_set("requirepass", "another")
            try:
                code, told = _ended(
                    home, "up", "--no-flower", TIERKEEPER_CATALOG__URL=catalog, TIERKEEPER_BROKER__URL=url
                )
            finally:
                client.config_set("requirepass", "")
            assert (code, said in told, "ready" in told) == (6, True, False), told


def test_settings_need_no_service_and_mask_secrets(home: Path) -> None:
    """The effective settings are printed with their source, and a password is not among them."""
    shown = _run(home, "-o", "json", "settings", TIERKEEPER_FLOWER__PASSWORD="hunter2")
    assert shown.returncode == 0
    assert "hunter2" not in shown.stdout
    by_name = {row["name"]: row for row in json.loads(shown.stdout)}
    assert "TIERKEEPER_FLOWER__PASSWORD" in by_name["flower.password"]["source"]
    assert by_name["retention.hot_days"]["source"] == "default"
    assert not (home / ".tierkeeper").exists()


def test_settings_judge_the_urls_of_tiers(home: Path) -> None:
    """Each tier's URL is judged without a server: a wrong scheme or option is named, with exit code 4."""
    urls = {
        "TIERKEEPER_TIERS__HOT__URL": "s3://bucket?attempts=many",
        "TIERKEEPER_TIERS__WARM__URL": "s4://bucket",
        "TIERKEEPER_TIERS__COLD__URL": "s3://bucket/cold",
    }
    for more in ((), ("--changed",)):
        shown = _run(home, "-o", "json", "settings", *more, **urls)
        assert shown.returncode == 4, shown.stderr
        problems = {row["name"]: row["problem"] for row in json.loads(shown.stdout)}
        assert "option attempts is 'many'" in problems.pop("tiers.hot.url")
        assert "has the scheme 's4'" in problems.pop("tiers.warm.url")
        assert "tiers.cold.url" in problems
        assert set(problems.values()) == {None}
    table = _run(home, "settings", **urls)
    assert table.returncode == 4
    assert "option attempts is 'many'" in table.stdout
    assert re.search(r"^ *cold +can be used", table.stdout, re.MULTILINE)
    assert _run(home, "settings").returncode == 0
    assert not (home / ".tierkeeper").exists()


@pytest.mark.row("A8")
def test_settings_come_from_the_environment_and_a_file(home: Path) -> None:
    """Nested names in the environment and in `.env` are both in effect, each with its source; a wrong one is named."""
    (home / ".env").write_text("STORAGE__S3_BUCKET=archive\nSTORAGE__AWS_REGION=eu-west-1\n")
    database = {"STORAGE__DB_HOST": "db.example", "STORAGE__DB_NAME": "records", "STORAGE__DB_USER": "tk"}
    shown = _run(home, "-o", "json", "settings", **database, TIERKEEPER_ENGINE__BATCH="7")
    assert shown.returncode == 0, shown.stderr
    by_name = {row["name"]: row for row in json.loads(shown.stdout)}
    assert by_name["tiers.cold.url"]["value"].startswith("s3://archive")
    assert ".env" in by_name["tiers.cold.url"]["source"]
    assert "db.example" in by_name["catalog.url"]["value"]
    assert "STORAGE__DB_HOST" in by_name["catalog.url"]["source"]
    assert by_name["engine.batch"]["value"] == "7"
    assert "TIERKEEPER_ENGINE__BATCH" in by_name["engine.batch"]["source"]
    (home / ".env").write_text("STORAGE__S3_BUKET=archive\n")
    refused = _run(home, "settings")
    assert (refused.returncode, "STORAGE__S3_BUCKET" in refused.stderr) == (4, True)


@pytest.mark.row("W5", "of the celery command")
def test_it_is_a_command_of_celery_too(home: Path) -> None:
    """`celery -A worker.app tier` has the same commands and exit codes."""
    celery = [sys.executable, "-m", "celery", "-A", "worker.app", "tier"]
    where = _environment(TIERKEEPER_HOME=str(home / ".tierkeeper"))
    listed = subprocess.run(
        [*celery, "-o", "json", "ls"], env=where, capture_output=True, text=True, timeout=60, check=False
    )
    assert (listed.returncode, json.loads(listed.stdout)) == (0, [])
    missing = subprocess.run(
        [*celery, "show", "a/b/c"], env=where, capture_output=True, text=True, timeout=60, check=False
    )
    assert missing.returncode == 3


def test_names_complete_without_loading_anything(home: Path) -> None:
    """The shell gets the commands that begin so."""
    completed = _run(home, _TIERKEEPER_COMPLETE="bash_complete", COMP_WORDS="tierkeeper pu", COMP_CWORD="1")
    assert completed.stdout.split() == ["plain,purge"]


def _wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.row("W5", "sent to the workers")
@pytest.mark.row("W6", "Redis by default")
@pytest.mark.slow
def test_up_runs_everything_restarts_what_dies_and_stops_cleanly(home: Path) -> None:
    """Worker, Beat and Flower run with merged logs; what is killed, a server too, comes back; SIGTERM ends all.

    Code that lies in the working folder is run by none of them.
    """
    (port,) = ports.free_ports(1)
    planted = prepared.prepare(home)
    log = home / "log"
    with log.open("wb") as stream:
        up = subprocess.Popen(
            [TIERKEEPER, "up", "--concurrency", "1"],
            cwd=home,
            env=_environment(TIERKEEPER_FLOWER__PORT=str(port)),
            stderr=stream,
        )
    try:
        _wait(lambda: _answers(port) and b"ready" in log.read_bytes())
        password = (home / ".tierkeeper" / "flower-password").read_text().strip()
        assert password in log.read_text()
        assert (home / ".tierkeeper" / "flower-password").stat().st_mode & 0o777 == 0o600
        (home / "a.txt").write_text("through the worker")
        sent = _run(home, "store", "a.txt", "--tenant", "acme", "--workflow", "w", "--enqueue", "--wait")
        assert sent.returncode == 0, sent.stderr
        assert _run(home, "get", "acme/w/a.txt", "-").stdout == "through the worker"
        moved = _run(home, "-o", "json", "archive", "acme/w/a.txt", "--enqueue", "--wait", "30s")
        assert (moved.returncode, json.loads(moved.stdout)[0]["results"][0]["present"]) == (0, ["cold"]), moved.stderr
        assert _run(home, "archive", "acme/w/nothing", "--enqueue", "--wait").returncode == 3
        assert _run(home, "lifecycle", "run", "--live", "--enqueue").returncode == 0
        assert _run(home, "demo", "--count", "3").returncode == 4
        beat = _children(up.pid)["beat"]
        os.kill(beat, signal.SIGKILL)
        _wait(lambda: _children(up.pid).get("beat", beat) != beat)
        text = log.read_text()
        assert "Traceback" not in text
        for server in ("postgres/postmaster.pid", "valkey/valkey.pid"):
            os.kill(int((home / ".tierkeeper" / server).read_text().split()[0]), signal.SIGKILL)
        _wait(lambda: log.read_text().count("died; it is started again") == 2, seconds=10)
        sent = _run(home, "store", "a.txt", "--tenant", "acme", "--workflow", "v", "--enqueue", "--wait")
        assert sent.returncode == 0, sent.stderr
        children = _children(up.pid)
        up.send_signal(signal.SIGTERM)
        assert up.wait(timeout=60) == 0
        assert not [pid for pid in children.values() if Path(f"/proc/{pid}").exists()]
        assert not _answers(port)
        assert re.search(r"^worker +\| ", text, re.MULTILINE)
        assert re.search(r"^beat +\| killed by SIGKILL", text, re.MULTILINE)
        assert not planted.exists(), planted.read_text()
    finally:
        if up.poll() is None:
            up.kill()


@pytest.mark.slow
def test_what_up_began_ends_with_it_when_it_is_killed(home: Path) -> None:
    """Worker and Beat end warmly, and the servers with them; one that cannot end is named to the next `up`."""
    log = home / "log"
    with log.open("wb") as stream:
        up = subprocess.Popen(
            [TIERKEEPER, "up", "--concurrency", "1", "--no-flower"], cwd=home, env=_environment(), stderr=stream
        )
    children: dict[str, int] = {}
    try:
        _wait(lambda: b"ready" in log.read_bytes(), seconds=180)
        children = _children(up.pid)
        folder = home / ".tierkeeper"
        servers = [
            int((folder / name).read_text().split()[0]) for name in ("postgres/postmaster.pid", "valkey/valkey.pid")
        ]
        os.kill(children["beat"], signal.SIGSTOP)
        up.kill()
        up.wait()
        _wait(lambda: not any(Path(f"/proc/{children[name]}").exists() for name in ("worker", "ingest")))
        refused = _run(home, "up")
        assert refused.returncode == 4
        assert f"beat (process {children['beat']})" in refused.stderr
    finally:
        up.kill()
        if "beat" in children:
            os.kill(children["beat"], signal.SIGCONT)
    _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (*children.values(), *servers)))


def _children(parent: int) -> dict[str, int]:
    """The processes that `up` started, by the name Celery gives their work."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status, command = (folder / "stat").read_text(), (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(status.rpartition(")")[2].split()[1]) == parent and b"worker.start" in command:
            node = next((word for word in command if word.startswith(b"ingest@")), b"").partition(b"@")[0].decode()
            found[node or next(n for n in ("worker", "beat", "flower") if n.encode() in command)] = int(folder.name)
    return found


@pytest.mark.row("B11", "N artifacts, forced aging, own tenant")
@pytest.mark.slow
def test_the_demo_ends_well_twice(home: Path) -> None:
    """The demo moves real files through real workers to where they belong, and says so; again, and signed, as well."""
    first = _run(home, "demo", "--count", "40", "--force-age", "--tenant", "acme")
    assert first.returncode == 0, first.stderr
    for shown in ("1. store", "rotate", "collect", "restore", "purge", "gone for good", "tierkeeper explain"):
        assert shown in first.stdout
    second = _run(home, "-o", "json", "demo", "--count", "20", "--tenant", "acme", TIERKEEPER_MESSAGES__KEYS=KEYS)
    assert second.returncode == 0, second.stderr
    told = json.loads(second.stdout)
    assert told["live_and_verified"] + told["gone"] == 20


@pytest.mark.row("B11", "dry run")
def test_a_dry_demo_stores_nothing(home: Path) -> None:
    """The plan of the demo is shown, and nothing is made."""
    tried = _run(home, "demo", "--count", "20", "--force-age", "--dry-run")
    assert tried.returncode == 0
    assert "purged" in tried.stdout
    assert not (home / ".tierkeeper").exists()
