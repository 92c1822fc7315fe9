import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tierkeeper.base.errors import SettingInvalid
from tierkeeper.base.states import Temperature
from tierkeeper.settings.settings import Settings, effective, load

NOBODY, OTHER = 65534, 64321  # users without rights


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder: no ``.env``, no settings file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sources(settings: Settings) -> dict[str, tuple[str, str]]:
    """Every setting's value and source."""
    return {row.name: (row.value, row.source) for row in effective(settings)}


def test_defaults(folder: Path) -> None:
    """Nothing set: embedded services, folders as tiers, the numbers of the design."""
    settings = load(environ={})
    assert (settings.catalog.url, settings.broker.url, settings.results.url) == (None, None, None)
    assert {name: tier.url for name, tier in settings.tiers.items()} == {
        "hot": (folder / ".tierkeeper/tiers/hot").as_uri(),
        "warm": (folder / ".tierkeeper/tiers/warm").as_uri(),
        "cold": (folder / ".tierkeeper/tiers/cold").as_uri(),
        "records": "postgres:",
    }
    assert [tier.temperature for tier in settings.tiers.values()] == ["hot", "warm", "cold", "hot"]
    assert settings.staging.url == (folder / ".tierkeeper/staging").as_uri()
    assert (settings.engine.undo, settings.engine.grace) == (timedelta(days=7), timedelta(hours=1))
    assert (settings.engine.inline_limit, settings.engine.spool_limit) == (65536, 8388608)
    assert {row.source for row in effective(settings) if not row.name.startswith("AWS_")} == {"default"}


def test_environment() -> None:
    """Variables with the prefix set values, nested by two underscores, and are named as their source."""
    settings = load(
        environ={
            "TIERKEEPER_ENGINE__LEASE": "2m",
            "TIERKEEPER_TIERS__COLD__URL": "s3://bucket/prefix?class=GLACIER",
            "TIERKEEPER_TIERS__COLD__OPTIONS__REGION": "eu-west-1",
            "TIERKEEPER_SOURCES__ALLOWED_ROOTS": "/data, /srv/in",
            "TIERKEEPER_RETENTION__HOT_DAYS": "3d",
        }
    )
    assert settings.engine.lease == timedelta(minutes=2)
    assert settings.tiers["cold"].options == {"region": "eu-west-1"}
    assert settings.sources.allowed_roots == [Path("/data"), Path("/srv/in")]
    shown = sources(settings)
    assert shown["retention.hot_days"] == ("3", "env TIERKEEPER_RETENTION__HOT_DAYS")
    assert shown["tiers.cold.url"] == ("s3://bucket/prefix?class=GLACIER", "env TIERKEEPER_TIERS__COLD__URL")
    assert shown["tiers.cold.temperature"] == ("cold", "default")


def test_group_as_json() -> None:
    """A variable that names a group takes its members as JSON."""
    settings = load(environ={"TIERKEEPER_TIERS": '{"fast": {"url": "file:///f", "temperature": "hot"}}'})
    assert settings.tiers["fast"].temperature is Temperature.HOT
    assert set(settings.tiers) == {"hot", "warm", "cold", "records", "fast"}


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 100_000], ids=["a long number", "deep"])
def test_what_cannot_be_read_is_named(folder: Path, value: str) -> None:
    """A number of thousands of digits, and nesting without end, are an error of the variable or of the file."""
    with pytest.raises(SettingInvalid, match=r"Setting engine .*this is no JSON object"):
        load(environ={"TIERKEEPER_ENGINE": f'{{"attempts": {value}}}'})
    (folder / "tierkeeper.toml").write_text(f"[engine]\nattempts = {value}\n")
    with pytest.raises(SettingInvalid, match="it cannot be read"):
        load(environ={})


def test_stronger_source_wins(folder: Path) -> None:
    """What is given beats the environment, that ``.env``, that the settings file; each value says where it is from."""
    (folder / "tierkeeper.toml").write_text("[engine]\nbatch = 1\nattempts = 2\nparallel = 3\nio_threads = 4\n")
    (folder / ".env").write_text("TIERKEEPER_ENGINE__ATTEMPTS=12\nTIERKEEPER_ENGINE__PARALLEL=13\nOTHER=1\n")
    settings = load(environ={"TIERKEEPER_ENGINE__PARALLEL": "23"}, engine={"io_threads": 34})
    shown = sources(settings)
    assert shown["engine.batch"] == ("1", "tierkeeper.toml")
    assert shown["engine.attempts"] == ("12", ".env TIERKEEPER_ENGINE__ATTEMPTS")
    assert shown["engine.parallel"] == ("23", "env TIERKEEPER_ENGINE__PARALLEL")
    assert shown["engine.io_threads"] == ("34", "given")


def test_named_file(folder: Path) -> None:
    """The settings file can be named; one that is not there is an error."""
    (folder / "mine.toml").write_text('runs_kept = "30d"\n[tiers.hot]\nurl = "file:///h"\noptions = {fsync = false}\n')
    settings = load(environ={"TIERKEEPER_CONFIG": "mine.toml"})
    assert settings.runs_kept == timedelta(days=30)
    assert settings.tiers["hot"].options == {"fsync": "false"}
    assert load(environ={}, config=folder / "mine.toml").runs_kept == timedelta(days=30)
    with pytest.raises(SettingInvalid, match=r"TIERKEEPER_CONFIG \(no.toml\): there is no such file"):
        load(environ={"TIERKEEPER_CONFIG": "no.toml"})


def test_names_of_the_documents() -> None:
    """The names that the source documents use set what they describe."""
    settings = load(
        environ={
            "STORAGE__S3_BUCKET": "records",
            "STORAGE__AWS_REGION": "us-west-2",
            "STORAGE__AWS_ACCESS_KEY_ID": "AKIA",
            "STORAGE__AWS_SECRET_ACCESS_KEY": "hush",
            "STORAGE__S3_RETENTION_YEARS": "7",
            "STORAGE__STORAGE_BACKEND": "postgresql",
            "STORAGE__DB_HOST": "db",
            "STORAGE__DB_NAME": "mapper",
            "STORAGE__DB_USER": "app",
            "STORAGE__DB_PASSWORD": "p@ss:word/",
            "HOT_RETENTION_DAYS": "1",
            "WARM_RETENTION_DAYS": "2",
            "COLD_RETENTION_DAYS": "3",
            "STORAGE_BASE_PATH": "/srv/artifacts",
            "LOG_DIR": "/var/log/tk",
            "CELERY_BROKER_URL": "amqp://u:p@rabbit//",
            "CELERY_RESULT_BACKEND": "redis://cache/1",
        }
    )
    cold = settings.tiers["cold"]
    assert (cold.url, cold.options) == (
        "s3://records",
        {"region": "us-west-2", "access_key": "AKIA", "secret_key": "hush"},
    )
    assert settings.catalog.url == "postgresql://app:p%40ss%3Aword%2F@db:5432/mapper"
    assert settings.retention.record_years == 7
    assert (settings.retention.hot_days, settings.retention.warm_days, settings.retention.cold_days) == (1, 2, 3)
    assert settings.tiers["hot"].url == "file:///srv/artifacts/hot"
    assert settings.log.dir == Path("/var/log/tk")
    assert (settings.broker.url, settings.results.url) == ("amqp://u:p@rabbit//", "redis://cache/1")


def test_secrets_are_masked() -> None:
    """No secret is in the effective settings, nor in the settings' own representation."""
    settings = load(
        environ={
            "TIERKEEPER_CATALOG__URL": "postgresql://u:hush1@db/x?password=hush2",
            "TIERKEEPER_BROKER__URL": "redis://:hush3@cache/0",
            "TIERKEEPER_FLOWER__PASSWORD": "hush4",
            "TIERKEEPER_TIERS__COLD__URL": "s3://b?access_key=hush5&secret_key=hush6",
            "TIERKEEPER_TIERS__WARM__URL": "s3://b",
            "TIERKEEPER_TIERS__WARM__OPTIONS__SECRET_KEY": "hush7",
        }
    )
    assert "hush" not in str(effective(settings)) + repr(settings) + str(settings)
    assert sources(settings)["catalog.url"][0] == "postgresql://u:•••@db/x?password=•••"
    assert [row.name for row in effective(settings) if row.secret and row.source != "default"] == [
        "tiers.warm.options.secret_key",
        "flower.password",
    ]


def test_aws_names_of_dotenv_reach_boto3(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS names in ``.env`` go into the process's environment where it lacks them, and are shown masked."""
    (folder / ".env").write_text("AWS_SECRET_ACCESS_KEY=hush\nAWS_REGION=eu-west-1\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "to be restored")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    shown = sources(load())
    assert shown["AWS_SECRET_ACCESS_KEY"] == ("•••", "env AWS_SECRET_ACCESS_KEY")
    assert shown["AWS_REGION"] == ("us-east-1", "env AWS_REGION")


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        # no such name
        ({"TIERKEEPER_ENGINE__LESE": "1"}, "(env): there is no such setting. Did you mean TIERKEEPER_ENGINE__LEASE?"),
        ({"TIERKEEPER_TIERS__HOT__URLX": "1"}, "Did you mean TIERKEEPER_TIERS__HOT__URL?"),
        ({"TIERKEEPER_TEIRS": "{}"}, "Did you mean TIERKEEPER_TIERS?"),
        ({"TIERKEEPER_ENGIN": "{}"}, "Did you mean TIERKEEPER_ENGINE?"),
        ({"TIERKEEPER_HOME__X": "1"}, "there is no such setting"),
        ({"STORAGE__S3_BUKET": "b"}, "Did you mean STORAGE__S3_BUCKET?"),
        # unusable values
        ({"TIERKEEPER_ENGINE__LEASE": "soon"}, "engine.lease (env TIERKEEPER_ENGINE__LEASE): 'soon' is not"),
        ({"TIERKEEPER_ENGINE__BATCH": "0"}, "engine.batch (env TIERKEEPER_ENGINE__BATCH): '0' is not usable"),
        ({"TIERKEEPER_ENGINE__LEASE": "0s"}, "engine.lease (env TIERKEEPER_ENGINE__LEASE): "),
        ({"TIERKEEPER_ENGINE__UNDO": "7"}, "'7' is not usable: it has no unit. Write 7d for days, 7s for seconds."),
        ({"TIERKEEPER_ENGINE__INLINE_LIMIT": "big"}, "'big' is not usable: it is no size"),
        ({"HOT_RETENTION_DAYS": "36h"}, "not a whole number of days"),
        ({"HOT_RETENTION_DAYS": "7.5"}, "valid integer"),
        ({"HOT_RETENTION_DAYS": "-7"}, "greater than or equal to 0"),
        ({"TIERKEEPER_RUNS_KEPT": "P1Y"}, "differ in length"),
        ({"TIERKEEPER_LOG__LEVEL": "loud"}, "log.level (env TIERKEEPER_LOG__LEVEL): 'loud' is not usable"),
        ({"TIERKEEPER_CATALOG__URL": "mysql://u:hush@h/d"}, "catalog.url (env TIERKEEPER_CATALOG__URL): the URL"),
        ({"TIERKEEPER_TIERS__HOT__URL": "/srv/hot"}, "'/srv/hot' is not a URL"),
        ({"TIERKEEPER_TIERS__FAST__URL": "file:///f"}, "Set TIERKEEPER_TIERS__FAST__TEMPERATURE to hot, warm or cold."),
        ({"TIERKEEPER_TIERS__FAST__TEMPERATURE": "hot"}, "Set TIERKEEPER_TIERS__FAST__URL."),
        ({"TIERKEEPER_ENGINE": "5"}, "it is a group of settings"),
        ({"STORAGE__DB_HOST": "h", "STORAGE__DB_NAME": "n", "STORAGE__DB_PORT": "x"}, "'x' is not a port"),
        ({"STORAGE__DB_HOST": "h"}, "STORAGE__DB_NAME (not set): it is needed beside env STORAGE"),
        # not supported yet
        ({"STORAGE__KMS_KEY_ID": "k"}, "not supported yet"),
        ({"STORAGE__ENCRYPTION_KEY": "hush"}, "not supported yet"),
        ({"STORAGE__STORAGE_BACKEND": "clickhouse"}, "clickhouse is not supported yet"),
        # contradictions
        ({"HOT_RETENTION_DAYS": "3", "TIERKEEPER_RETENTION__HOT_DAYS": "4"}, "set twice, differently: 4 and 3"),
        ({"STORAGE__S3_BUCKET": "a", "TIERKEEPER_TIERS__COLD__URL": "s3://b"}, "set twice, differently"),
        ({"WARM_RETENTION_DAYS": "5"}, "retention.warm_days (env WARM_RETENTION_DAYS): 5 days is not after hot_days"),
        ({"TIERKEEPER_ENGINE__RENEW_EVERY": "60s"}, "engine.renew_every (env TIERKEEPER_ENGINE__RENEW_EVERY)"),
        ({"TIERKEEPER_ENGINE__LEASE_CAP": "30s"}, "it is longer than engine.lease_cap"),
        ({"TIERKEEPER_BROKER__VISIBILITY_TIMEOUT": "50s"}, "which has to be over first"),
        ({"TIERKEEPER_COMMANDS_KEPT": "7d"}, "KEPT): 7d is not longer than messages.max_age"),
        ({"TIERKEEPER_RESULTS__EXPIRES": "31d"}, "commands_kept (default): 30d is not longer than results.expires"),
        ({"STORAGE__AWS_SECRET_ACCESS_KEY": "hush"}, "it describes a cold tier on S3"),
    ],
)  # fmt: skip
def test_refused(environ: dict[str, str], message: str) -> None:
    """An unknown, unusable or contradictory setting is an error that names it and shows no secret."""
    with pytest.raises(SettingInvalid) as caught:
        load(environ=environ)
    assert message in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("root", "what"),
    [
        ("/srv/home/uploads", "the home folder, /srv/home"),
        ("/srv", "the home folder, /srv/home"),
        ("/data/hot", "tier hot, /data/hot"),
        ("/data/warm/acme", "tier warm, /data/warm"),
        ("/mnt", "staging, /mnt/staging"),
        ("/data/hot/../../mnt/staging", "staging, /mnt/staging"),
    ],
)
def test_a_root_of_sources_that_overlaps_what_is_ours(root: str, what: str) -> None:
    """A folder for sources in the home, a tier or staging, or around one of them, is an error at start."""
    environ = {
        "TIERKEEPER_HOME": "/srv/home",
        "TIERKEEPER_BASE_PATH": "/data",
        "TIERKEEPER_STAGING__URL": "file:///mnt/staging",
        "TIERKEEPER_SOURCES__ALLOWED_ROOTS": f"/apart,{root}",
    }
    with pytest.raises(SettingInvalid) as caught:
        load(environ=environ)
    assert f"overlaps {what}:" in str(caught.value)
    assert caught.value.data["name"] == "sources.allowed_roots"


@pytest.mark.parametrize(
    ("bucket", "what"),
    [("cold", "tier cold"), ("shared", "tier warm"), ("WARM-staging", "staging"), ("hot", "tier hot")],
)
def test_a_bucket_of_sources_that_is_ours(bucket: str, what: str) -> None:
    """A bucket for sources that a tier or staging lies in, whatever prefix and endpoint, is an error at start."""
    environ = {
        "TIERKEEPER_TIERS__HOT__URL": "s3://hot?endpoint=http://127.0.0.1:9000",
        "TIERKEEPER_TIERS__WARM__URL": "s3://shared/tiers/warm",
        "TIERKEEPER_TIERS__COLD__URL": "s3://cold",
        "TIERKEEPER_STAGING__URL": "s3://warm-staging/up",
    }
    assert load(environ={**environ, "TIERKEEPER_SOURCES__ALLOWED_BUCKETS": "apart,tiers"}).sources.allowed_buckets
    with pytest.raises(SettingInvalid) as caught:
        load(environ={**environ, "TIERKEEPER_SOURCES__ALLOWED_BUCKETS": f"apart,{bucket}"})
    assert f"{bucket} is the bucket of {what}:" in str(caught.value)
    assert caught.value.data["name"] == "sources.allowed_buckets"


def test_a_home_within_a_root_of_sources_may_be_elsewhere(folder: Path) -> None:
    """Where a command runs below a root, its home lies there by default: the error says how to name another one."""
    environ = {"TIERKEEPER_SOURCES__ALLOWED_ROOTS": str(folder), "TIERKEEPER_BASE_PATH": "/srv/tiers"}
    with pytest.raises(SettingInvalid, match=r"overlaps the home folder.*--home"):
        load(environ=environ)
    assert load(environ=environ, home="/srv/home")


def test_a_root_of_sources_that_leads_into_a_tier(folder: Path) -> None:
    """A link is judged by where it leads; beside tierkeeper's own folders a root is taken."""
    (folder / "in").symlink_to(".tierkeeper/tiers/hot")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(SettingInvalid, match="overlaps the home folder"):
        load(environ={"TIERKEEPER_SOURCES__ALLOWED_ROOTS": str(folder / "in")})
    assert load(environ={"TIERKEEPER_SOURCES__ALLOWED_ROOTS": f"{folder / 'other'},{folder / 'loop'}"})


def test_same_value_twice_is_no_contradiction() -> None:
    """The same value under two names is accepted, and so is an empty variable."""
    environ = {"HOT_RETENTION_DAYS": "3", "TIERKEEPER_RETENTION__HOT_DAYS": "3", "STORAGE__KMS_KEY_ID": ""}
    assert load(environ=environ).retention.hot_days == 3


@pytest.mark.parametrize("text", ["[engine]\nlese = 1\n", "engine = 5\n", "[engine\n", "[flower]\nport = 'x'\n"])
def test_settings_file_refused(folder: Path, text: str) -> None:
    """A mistake in the settings file names the file."""
    (folder / "tierkeeper.toml").write_text(text)
    with pytest.raises(SettingInvalid, match=r"\(tierkeeper\.toml\)"):
        load(environ={})


@pytest.mark.parametrize("name", [".env", "tierkeeper.toml"])
@pytest.mark.parametrize(("mode", "command"), [(0o666, "chmod o-w"), (0o646, "chmod o-w")])
def test_a_file_of_settings_that_everybody_can_write(folder: Path, name: str, mode: int, command: str) -> None:
    """It is refused with the command that mends it, behind a link too."""
    (folder / "real").touch()
    (folder / "real").chmod(mode)
    (folder / name).symlink_to("real")
    with pytest.raises(SettingInvalid, match=f"every user can write to it. Look at it, then run `{command} {name}`"):
        load(environ={})
    (folder / "real").chmod(0o644)
    assert load(environ={})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", [".env", "tierkeeper.toml"])
def test_a_folder_that_another_user_prepared(folder: Path, name: str) -> None:
    """Settings of another user do not decide about who runs tierkeeper here, root or not; those of root do."""
    place = folder / name
    place.touch(mode=0o644)
    folder.chmod(0o755)
    assert load(environ={})
    with _as_user(NOBODY):
        assert load(environ={})
    os.chown(place, OTHER, OTHER)
    for user in (0, NOBODY):
        with _as_user(user), pytest.raises(SettingInvalid, match=f"it belongs to user {OTHER}, and "):
            load(environ={})
    with _as_user(OTHER):
        assert load(environ={})
    place.unlink()
    (folder / "of-root").touch(mode=0o644)
    place.symlink_to("of-root")
    os.chown(place, OTHER, OTHER, follow_symlinks=False)
    with pytest.raises(SettingInvalid, match=f"it belongs to user {OTHER}"):
        load(environ={})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_group_that_may_write(folder: Path) -> None:
    """The files of a group are taken from its own members, and where `home_group` names it."""
    place = folder / "tierkeeper.toml"
    place.touch()
    place.chmod(0o660)
    assert load(environ={})
    os.chown(place, 0, OTHER)
    with pytest.raises(SettingInvalid, match=f"group {OTHER} can write to it"):
        load(environ={})
    assert load(environ={"TIERKEEPER_HOME_GROUP": str(OTHER)}).home_group == str(OTHER)
    with pytest.raises(SettingInvalid, match="there is no group 'of nobody'"):
        load(environ={"TIERKEEPER_HOME_GROUP": "of nobody"})


@contextmanager
def _as_user(number: int) -> Iterator[None]:
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)


def test_replaced() -> None:
    """Values replaced later keep the rest, and say where they are from."""
    settings = load(environ={"TIERKEEPER_CATALOG__POOL_SIZE": "7"})
    replaced = settings.replaced({"catalog.url": "postgresql://h/d"}, source="embedded")
    assert (replaced.catalog.url, replaced.catalog.pool_size) == ("postgresql://h/d", 7)
    assert replaced.source_of("catalog.url") == "embedded"
    assert settings.source_of("catalog.url") == "default"
