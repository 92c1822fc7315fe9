"""The model of all settings, and :func:`load`, which gathers their values from all sources."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from tierkeeper.base.errors import SettingInvalid
from tierkeeper.base.quantities import Unusable
from tierkeeper.base.secrets import is_secret, masked
from tierkeeper.settings import order, roots
from tierkeeper.settings.gather import Given, gather
from tierkeeper.settings.groups import (
    BrokerSettings,
    CatalogSettings,
    DumpSettings,
    EngineSettings,
    FlowerSettings,
    Folder,
    HealthSettings,
    LimitsSettings,
    LogSettings,
    MessagesSettings,
    Positive,
    ReconcileSettings,
    ResultsSettings,
    RetentionSettings,
    SourceSettings,
    StagingSettings,
    TierSettings,
    VerifySettings,
)
from tierkeeper.settings.show import SettingRow, rows, shown

__all__ = ["SettingRow", "Settings", "TierSettings", "effective", "load"]

TEMPERATURES = {"hot": "hot", "warm": "warm", "cold": "cold", "records": "hot"}


class Settings(BaseModel):
    """Every setting. :func:`load` reads all sources; the constructor takes only its arguments."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Folder = Field(default=Path(".tierkeeper"), validate_default=True)  # all state of the embedded default
    home_group: str | None = None  # a group whose members may write to home and the files of settings
    base_path: Folder | None = None  # the folder of the default tiers; None: `tiers` in home
    catalog: CatalogSettings = Field(default_factory=CatalogSettings)
    broker: BrokerSettings = Field(default_factory=BrokerSettings)
    results: ResultsSettings = Field(default_factory=ResultsSettings)
    messages: MessagesSettings = Field(default_factory=MessagesSettings)
    limits: LimitsSettings = Field(default_factory=LimitsSettings)
    tiers: dict[str, TierSettings]
    engine: EngineSettings = Field(default_factory=EngineSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    staging: StagingSettings
    sources: SourceSettings = Field(default_factory=SourceSettings)
    reconcile: ReconcileSettings = Field(default_factory=ReconcileSettings)
    verify: VerifySettings = Field(default_factory=VerifySettings)
    dumps: DumpSettings = Field(default_factory=DumpSettings)
    runs_kept: Positive = timedelta(days=90)
    commands_kept: Positive = timedelta(days=30)  # has to exceed the time in which a message may come again
    log: LogSettings = Field(default_factory=LogSettings)
    health: HealthSettings = Field(default_factory=HealthSettings)
    flower: FlowerSettings = Field(default_factory=FlowerSettings)

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)  # dotted name: source of its value

    @model_validator(mode="before")
    @classmethod
    def _derived(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Add the default tiers and the default staging folder, which follow from ``home`` and ``base_path``."""
        home = Path(data.get("home", ".tierkeeper")).expanduser().absolute()
        base = Path(data.get("base_path") or home / "tiers").expanduser().absolute()
        tiers: dict[str, Any] = {name: {"url": (base / name).as_uri()} for name in ("hot", "warm", "cold")}
        tiers["records"] = {"url": "postgres:"}
        for name, tier in (data.get("tiers") or {}).items():
            given = tier.model_dump() if isinstance(tier, TierSettings) else tier
            tiers[name] = {**tiers.get(name, {}), **given} if isinstance(given, Mapping) else given
        for name, tier in tiers.items():
            if isinstance(tier, dict) and name in TEMPERATURES:
                tier.setdefault("temperature", TEMPERATURES[name])
        staging = data.get("staging")
        if staging is None or isinstance(staging, Mapping):
            staging = {"url": (home / "staging").as_uri(), **(staging or {})}
        return {**data, "tiers": tiers, "staging": staging}

    @field_validator("tiers")
    @classmethod
    def _tier_names(cls, tiers: dict[str, TierSettings]) -> dict[str, TierSettings]:
        for name in tiers:
            if not name.replace("_", "").replace("-", "").isalnum() or name != name.lower():
                raise Unusable(
                    f"{name!r} is no name for a tier.",
                    "Use small letters, digits, '-' and '_'.",
                    name=f"tiers.{name}",
                )
        return tiers

    @model_validator(mode="after")
    def _in_order(self) -> "Settings":
        pairs = order.chains(broker=self.broker, engine=self.engine, messages=self.messages, tiers=self.tiers)
        order.check(pairs)
        order.check(order.memory(messages=self.messages, results=self.results, commands_kept=self.commands_kept))
        return self

    @model_validator(mode="after")
    def _apart(self) -> "Settings":
        roots.check(self.sources.allowed_roots, home=self.home, tiers=self.tiers, staging=self.staging.url)
        roots.check_buckets(self.sources.allowed_buckets, tiers=self.tiers, staging=self.staging.url)
        return self

    def replaced(self, values: Mapping[str, object], *, source: str) -> "Settings":
        """Return a copy of the settings with ``values`` by dotted name (``catalog.url``), set by ``source``."""
        groups: dict[str, Any] = {}
        for name, value in values.items():
            group, _, leaf = name.partition(".")
            groups[group] = groups.get(group, getattr(self, group)).model_copy(update={leaf: value})
        changed = self.model_copy(update=groups)
        changed._sources = {**self._sources, **dict.fromkeys(values, source)}  # noqa: SLF001  of its own class
        return changed

    def source_of(self, name: str) -> str:
        """Return the source of the value of the dotted ``name``: ``env NAME``, ``.env NAME``, a file, ``default``."""
        return self._sources.get(name, "default")


def load(*, environ: Mapping[str, str] | None = None, config: Path | None = None, **overrides: object) -> Settings:
    """Return the settings of this process: ``overrides`` (nested), environment, ``.env``, TOML file, defaults.

    ``environ`` None is the process's environment; ``config`` None is the file that ``TIERKEEPER_CONFIG`` names, else
    ``tierkeeper.toml`` in the working directory if it is there. Raises :class:`SettingInvalid`, which names the
    setting, where it was set and what to do.
    """
    given = gather(Settings, environ=environ, config=config, overrides=overrides)
    try:
        settings = Settings(**_nested(given))
    except ValidationError as error:
        raise _translated(error, given) from None  # the original would show secrets
    settings._sources.update({".".join(path): value.source for path, value in given.items()})  # noqa: SLF001  its maker
    _check_cold(settings)
    return settings


def effective(settings: Settings) -> list[SettingRow]:
    """Return every setting with its value (secrets masked), its source and whether it is secret, sorted by group."""
    return rows(settings, settings.source_of)


def _nested(given: Mapping[tuple[str, ...], Given]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, item in given.items():
        place = nested
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = item.value
    return nested


def _translated(error: ValidationError, given: Mapping[tuple[str, ...], Given]) -> SettingInvalid:
    """Return the first of pydantic's errors as a SettingInvalid that names the setting and its source."""
    first = error.errors(include_url=False)[0]
    path = tuple(str(part) for part in first["loc"])
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, Unusable) and cause.name is not None:
        path = tuple(cause.name.split("."))
    while path and path not in given and len(path) > 1 and path[:-1] in given:
        path = path[:-1]  # an error in a list's item is attributed to the list
    name = ".".join(path)
    source = given[path].source if path in given else "default"
    if isinstance(cause, Unusable):
        return SettingInvalid(name=name, source=source, problem=masked(cause.problem), fix=cause.fix)
    if first["type"] == "missing":
        variable = f"TIERKEEPER_{'__'.join(path).upper()}"
        return SettingInvalid(
            name=name, source="not set", problem="it is needed.", fix=f"Set {variable}{_choices(path)}."
        )
    problem = f"{_named(name, first['input'])} is not usable: {first['msg'][0].lower()}{first['msg'][1:]}."
    return SettingInvalid(name=name, source=source, problem=problem, fix="Change it, or leave it out for the default.")


def _named(name: str, value: object) -> str:
    """Return what an error calls a value: itself, where it is one word or number and no secret."""
    if is_secret(name) or not isinstance(value, (str, int, float)):
        return "the value"
    return repr(shown(name, value) if isinstance(value, str) else value)


def _choices(path: tuple[str, ...]) -> str:
    return " to hot, warm or cold" if path[-1] == "temperature" else ""


def _check_cold(settings: Settings) -> None:
    """Refuse S3 settings of the documents where the cold tier is something else: they would have no effect."""
    for option in settings.tiers["cold"].options:
        source = settings.source_of(f"tiers.cold.options.{option}")
        if "STORAGE__AWS_" in source and not settings.tiers["cold"].url.startswith("s3:"):
            raise SettingInvalid(
                name=f"tiers.cold.options.{option}",
                source=source,
                problem="it describes a cold tier on S3, but the cold tier is not there.",
                fix="Set STORAGE__S3_BUCKET or TIERKEEPER_TIERS__COLD__URL=s3://…, or leave it out.",
            )
