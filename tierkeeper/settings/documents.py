"""Translates the setting names of the source documents, and Celery's own two, to paths of our settings."""

from collections.abc import Iterator, Mapping
from typing import NoReturn
from urllib.parse import quote

from tierkeeper.base.errors import SettingInvalid

RENAMED: dict[str, tuple[str, ...]] = {
    "HOT_RETENTION_DAYS": ("retention", "hot_days"),
    "WARM_RETENTION_DAYS": ("retention", "warm_days"),
    "COLD_RETENTION_DAYS": ("retention", "cold_days"),
    "STORAGE_BASE_PATH": ("base_path",),
    "LOG_DIR": ("log", "dir"),
    "CELERY_BROKER_URL": ("broker", "url"),
    "CELERY_RESULT_BACKEND": ("results", "url"),
    "STORAGE__S3_RETENTION_YEARS": ("retention", "record_years"),
    "STORAGE__AWS_REGION": ("tiers", "cold", "options", "region"),
    "STORAGE__AWS_ACCESS_KEY_ID": ("tiers", "cold", "options", "access_key"),
    "STORAGE__AWS_SECRET_ACCESS_KEY": ("tiers", "cold", "options", "secret_key"),
}
BUCKET = "STORAGE__S3_BUCKET"
BACKEND = "STORAGE__STORAGE_BACKEND"
DATABASE = tuple(f"STORAGE__DB_{part}" for part in ("HOST", "PORT", "NAME", "USER", "PASSWORD"))
LATER = ("STORAGE__KMS_KEY_ID", "STORAGE__ENCRYPTION_KEY")
DOCUMENTED = frozenset({*RENAMED, *DATABASE, *LATER, BUCKET, BACKEND})

GivenValues = Mapping[str, tuple[str, str]]  # name: its value, and its source in words


def translate(given: GivenValues) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Yield (path, value, names it was made of) for each setting given by the documents' names.

    Raises :class:`SettingInvalid` for a setting that is not supported yet: it is never ignored.
    """
    for name in LATER:
        if name in given:
            _refuse(given, name, "encryption is not supported yet.", "Leave it out; nothing is stored encrypted.")
    if BACKEND in given and given[BACKEND][0].lower() not in {"postgresql", "postgres"}:
        _refuse(given, BACKEND, f"{given[BACKEND][0]} is not supported yet.", "Use postgresql.")
    for name, path in RENAMED.items():
        if name in given:
            yield path, given[name][0], (name,)
    if BUCKET in given:
        yield ("tiers", "cold", "url"), f"s3://{given[BUCKET][0]}", (BUCKET,)
    parts = tuple(name for name in DATABASE if name in given)
    if parts:
        yield ("catalog", "url"), _database(given, parts), parts


def _database(given: GivenValues, parts: tuple[str, ...]) -> str:
    host, port, name, user, password = (given[key][0] if key in given else "" for key in DATABASE)
    for value, key in ((host, DATABASE[0]), (name, DATABASE[2])):
        if not value:
            raise SettingInvalid(
                name=key,
                source="not set",
                problem=f"it is needed beside {given[parts[0]][1]}.",
                fix="Set it too, or set TIERKEEPER_CATALOG__URL instead of all of STORAGE__DB_*.",
            )
    if port and not (port.isascii() and port.isdecimal()):
        _refuse(given, DATABASE[1], f"{port!r} is not a port.", "Write a number, such as 5432.")
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "") + ("@" if user else "")
    shown = f"[{host}]" if ":" in host else host
    return f"postgresql://{login}{shown}:{port or 5432}/{quote(name, safe='')}"


def _refuse(given: GivenValues, name: str, problem: str, fix: str) -> NoReturn:
    raise SettingInvalid(name=name, source=given[name][1], problem=problem, fix=fix)
