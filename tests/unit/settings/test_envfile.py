""".env is read whole or not at all: a line that cannot be read is an error with its number, and shows no secret."""

from datetime import timedelta
from pathlib import Path

import pytest

from tierkeeper.base.errors import SettingInvalid
from tierkeeper.settings.settings import load

UNDO = "TIERKEEPER_ENGINE__UNDO"


@pytest.fixture(autouse=True)
def envfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of a ``.env`` in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".env"


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        # no assignment
        (f"{UNDO} 30d", 1, "it cannot be read"),
        (f"{UNDO}: 30d", 1, "it cannot be read"),
        (f"{UNDO}", 1, f"{UNDO} has no '='"),
        (f"export {UNDO}", 1, f"{UNDO} has no '='"),
        (f"set {UNDO}=30d", 1, "it cannot be read"),
        (f"setenv {UNDO} 30d", 1, "it cannot be read"),
        (f"- {UNDO}=30d", 1, "it cannot be read"),
        ("<<<<<<< HEAD\n", 1, "it cannot be read"),
        ("=======\n", 1, "it cannot be read"),
        ("[engine]\nundo = '30d'", 1, "it begins with no name"),
        # no name
        (f"$env:{UNDO}=30d", 1, "it begins with no name"),
        (f'"{UNDO}"=30d', 1, "it begins with no name"),
        (f"{UNDO}:=30d", 1, "it begins with no name"),
        (f"\u200b{UNDO}=30d", 1, "it begins with no name"),
        (f"//{UNDO}=30d", 1, "it begins with no name"),
        # quotes
        (f'{UNDO}="30d', 1, "it cannot be read"),
        (f"{UNDO}='30d", 1, "it cannot be read"),
        (f'{UNDO}="30d" or so', 1, "it cannot be read"),
        (f"A='hush'hush\n{UNDO}=30d", 1, "it cannot be read"),
        (f'A="hush\n{UNDO}=30d\nB=c"', 1, "the quotes of A have other settings in them"),
        (f'A="hush\nexport {UNDO}=30d\nB=c"', 1, "the quotes of A have other settings in them"),
        # where it is
        (f"# first\n\nA=1\n\n\n{UNDO} 30d\nB=2", 6, "it cannot be read"),
        (f"A=1\r\n\r\n{UNDO} 30d\r\n", 3, "it cannot be read"),
        ('A="1\n2\n3"\nhush hush\n', 4, "it cannot be read"),
        # the same name
        (f"{UNDO}=30d\nA=1\n{UNDO}=7d", 3, f"{UNDO} has another value in line 1"),
        # what is not set
        (f"A=1\n{UNDO}=${{DAYS}}", 2, "'DAYS', which it refers to, is not set"),
        (f"A=${{DAYS}}\n{UNDO}=${{A}}", 2, "'A', which it refers to, is not set"),
        # what it refers to in another form
        (f"A=1\n{UNDO}=${{DAYS:-${{A}}/hush}}", 2, "it has a '${' that begins no reference"),
        (f"{UNDO}=${{DAYS:?hush it}}/tk", 1, "it has a '${' that begins no reference"),
        (f"{UNDO}=${{DAYS-30d}}", 1, "it has a '${' that begins no reference"),
        (f"{UNDO}=${{DAYS:=30d}}", 1, "it has a '${' that begins no reference"),
        (f"{UNDO}=${{DAYS:+30d}}", 1, "it has a '${' that begins no reference"),
        (f"{UNDO}=${{DAYS%d}}", 1, "it has a '${' that begins no reference"),
        (f"{UNDO}=${{!DAYS}}", 1, "it has a '${' that begins no reference"),
        (f"{UNDO}=${{}}", 1, "it has a '${' that begins no reference"),
        (f'{UNDO}="30d${{"', 1, "it has a '${' that begins no reference"),
        (f"AWS_PROFILE=${{DAYS?}}\n{UNDO}=30d", 1, "it has a '${' that begins no reference"),
        # no text
        (f"A=1\n{UNDO}=30d\nB=\xe4".encode("latin-1"), 3, "it is not UTF-8"),
        (f"{UNDO}=30d".encode("utf-16"), 1, "it is not UTF-8"),
        (f"A=1\n{UNDO}=30d".encode("utf-16-le"), 1, "it has a zero byte"),
        (f"A=1\n{UNDO}=30d\0", 2, "it has a zero byte"),
    ],
)
def test_a_line_that_cannot_be_read(envfile: Path, content: str | bytes, line: int, problem: str) -> None:
    """It is an error that names file and line, with exit code 4; the default does not take its place."""
    envfile.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingInvalid) as caught:
        load(environ={})
    assert f"(.env, line {line}): {problem}" in str(caught.value)
    assert caught.value.exit_code == 4
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("tierkeeper_engine__undo", UNDO),
        ("Tierkeeper_Engine__Undo", UNDO),
        ("TIERKEPER_ENGINE__UNDO", UNDO),
        ("TIERKEEPR_ENGINE__UNDO", UNDO),
        ("TIERKEEPERS_ENGINE__UNDO", UNDO),
        ("TIERKEPER__CATALOG__URL", "TIERKEEPER_CATALOG__URL"),
        ("TIERKEPER_HOME", "TIERKEEPER_HOME"),
        ("TEIRKEPER_HOME", "TIERKEEPER_HOME"),
        ("tierkeper_config", "TIERKEEPER_CONFIG"),
        ("STORAG__S3_BUCKET", "STORAGE__S3_BUCKET"),
        ("STROAGE__S3_BUCKET", "STORAGE__S3_BUCKET"),
        ("hot_retention_days", "HOT_RETENTION_DAYS"),
        ("Storage__S3_Bucket", "STORAGE__S3_BUCKET"),
    ],
)
def test_a_name_that_is_nearly_ours(envfile: Path, name: str, meant: str) -> None:
    """A name in another case, or with a slip in its first word, does not pass for another program's."""
    envfile.write_text(f"{name}=30d\n")
    with pytest.raises(SettingInvalid, match=f"{name} \\(.env\\): there is no such setting. Did you mean {meant}\\?"):
        load(environ={})
    envfile.write_text("")
    if "_" in name.removeprefix("hot_retention_days"):  # which any program may have in its environment
        with pytest.raises(SettingInvalid, match=f"{name} \\(env\\): .* Did you mean {meant}\\?"):
            load(environ={name: "30d"})
    else:
        load(environ={name: "30d"})


def test_what_other_programs_have(envfile: Path) -> None:
    """A name that is like one of ours and is another program's is left to it, in the environment and in .env."""
    others = [
        "TIMEKEEPER_HOME", "TIMEKEEPER_CATALOG__URL", "TIERKEPER_PORT", "TIERS_HOME", "KEEPER_HOME", "PAPERKEEPER_HOME",
        "STORE__S3_BUCKET", "STORAGE_S3_BUCKET", "STORAG_S3_BUCKET", "STORAG__ELSE", "STORAGES", "_", "__", "TIERKEPER",
    ]  # fmt: skip
    envfile.write_text(f"{UNDO}=30d\n" + "".join(f"{name}=30d\n" for name in others))
    assert load(environ=dict.fromkeys(others, "30d")).engine.undo == timedelta(days=30)


@pytest.mark.parametrize(
    "content",
    [
        f"{UNDO}=30d",
        f"\ufeff{UNDO}=30d\n",
        f"export {UNDO} = '30d'  # a month\r\n",
        f'# comment\n\n{UNDO}="30d" # a month\n\n',
        f"DAYS=30\n{UNDO}=${{DAYS}}d\n",
        f"{UNDO}=${{DAYS:-30d}}\n",
        f"{UNDO}=${{OUTSIDE}}\n",
        f"{UNDO}=30d\n{UNDO}=30d\n",
        f'KEY="-----BEGIN\nabc==\n-----END"\n{UNDO}=30d\n',
        f"APP=a\nAPP=b\nOTHER=${{UNSET}}/${{UNSET:?say}}\n{UNDO}=30d\n",
        f"DAYS=7d\nDAYS=30d\n{UNDO}=${{DAYS}}\n",
        f"DAYS=${{UNSET}}\nDAYS=30d\n{UNDO}=${{DAYS}}\n",
        f"TIMEKEEPER_HOME=1\nTIMEKEEPER_A__B=1\nlower_case=2\nTIERS_X=3\n{UNDO}=30d\n",
    ],
)
def test_what_people_write(envfile: Path, content: str) -> None:
    """Exports, quotes, comments, references, a byte order mark and other programs' names are read."""
    envfile.write_text(content, newline="")
    assert load(environ={"OUTSIDE": "30d"}).engine.undo == timedelta(days=30)


@pytest.mark.parametrize(
    "line",
    ["TIERKEEPER_BASE_PATH='{}'", "export TIERKEEPER_BASE_PATH = '{}'  # word", "\n\n\tTIERKEEPER_BASE_PATH='{}'"],
)
def test_single_quotes_keep_what_they_have(envfile: Path, line: str) -> None:
    """As for a shell, nothing in them refers to anything."""
    for value in ("/srv/${A}", "/srv/${A:?}", "/srv/${"):
        envfile.write_text("A=1\n" + line.format(value) + "\n")
        assert str(load(environ={}).base_path) == value


def test_what_has_the_name_is_read(envfile: Path, tmp_path: Path) -> None:
    """A broken link or a folder in the place of a settings file is an error; a virtual environment is none."""
    for name in (".env", "tierkeeper.toml"):
        (tmp_path / name).symlink_to("nowhere")
        with pytest.raises(SettingInvalid, match=f"\\({name}\\): it cannot be read"):
            load(environ={})
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()
        with pytest.raises(SettingInvalid, match=f"\\({name}\\): it cannot be read"):
            load(environ={})
        (tmp_path / name).rmdir()
    envfile.mkdir()
    (envfile / "pyvenv.cfg").touch()
    assert load(environ={})


def test_a_group_that_says_two_things() -> None:
    """A name twice in a group written as JSON is an error, and not the last one's."""
    with pytest.raises(SettingInvalid, match=r"engine.undo \(env TIERKEEPER_ENGINE\): it is there twice"):
        load(environ={"TIERKEEPER_ENGINE": '{"undo": "30d", "undo": "7d"}'})
