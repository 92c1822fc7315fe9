"""Gathers the values of settings from all sources and refuses mistakes that would otherwise pass unnoticed.

The sources, the strongest first: the program's own arguments (options of a command), the environment, ``.env``, a TOML
file. A stronger source wins silently; two different values in one source are an error, and so is an unknown name.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, get_args

from pydantic import BaseModel

from tierkeeper.base import ownership
from tierkeeper.base.errors import SettingInvalid
from tierkeeper.base.quantities import Unusable
from tierkeeper.base.secrets import is_secret
from tierkeeper.settings import envfile
from tierkeeper.settings.documents import DOCUMENTED, translate
from tierkeeper.settings.groups import TierSettings
from tierkeeper.settings.show import shown

PREFIX = "TIERKEEPER_"
CONFIG = "TIERKEEPER_CONFIG"
HOME_GROUP = "TIERKEEPER_HOME_GROUP"
STORAGE = "STORAGE__"
#: how alike a first word is to one of ours that is taken for it: two slips in the long one, one in the short one
#: (``STORE`` is another program's)
_NEAR: Mapping[str, float] = {PREFIX: 0.8, STORAGE: 0.85}
_OTHERS = frozenset({"TIMEKEEPER"})  # words of their own
DOTENV = Path(".env")
DEFAULT_CONFIG = Path("tierkeeper.toml")
# no settings: the settings file's name, the command line's default tenant, variables of the project's own checks
ELSEWHERE = ("TIERKEEPER_CONFIG", "TIERKEEPER_TENANT", "TIERKEEPER_CI", "TIERKEEPER_TEST_")

SettingPath = tuple[str, ...]


class Layer(IntEnum):
    """The sources, the strongest first."""

    GIVEN = 0
    ENVIRONMENT = 1
    DOTENV = 2
    FILE = 3


@dataclass(frozen=True, slots=True)
class Given:
    """One value as it was set; ``source`` names its origin in words, such as ``env NAME``."""

    value: object
    source: str
    layer: Layer


def gather(
    model: type[BaseModel],
    *,
    environ: Mapping[str, str] | None,
    config: Path | None,
    overrides: Mapping[str, object],
) -> dict[SettingPath, Given]:
    """Return the value from the strongest source for every setting that is set, by its path in ``model``.

    AWS variables of ``.env`` are copied into the process's environment, where boto3 looks for them, unless ``environ``
    is given. Raises :class:`SettingInvalid`.
    """
    process = os.environ if environ is None else environ
    dotenv = _dotenv(process)
    if environ is None:
        for name, value in dotenv.items():
            if name.startswith("AWS_"):
                os.environ.setdefault(name, value)
    strongest: dict[SettingPath, Given] = {}
    for path, item in _everything(model, process, dotenv, config, overrides):
        known = strongest.get(path)
        if known is None or item.layer < known.layer:
            strongest[path] = item
        elif item.layer is known.layer and str(item.value) != str(known.value):
            raise _contradiction(path, known, item)
    return strongest


def dotenv_value(name: str) -> str | None:
    """Return what ``.env`` says of a name that is no setting's, None where it says nothing. Raises SettingInvalid."""
    return _dotenv(os.environ).get(name) or None


def _everything(
    model: type[BaseModel],
    process: Mapping[str, str],
    dotenv: Mapping[str, str],
    config: Path | None,
    overrides: Mapping[str, object],
) -> Iterator[tuple[SettingPath, Given]]:
    for path, value in _leaves(model, (), overrides, where="given"):
        yield path, Given(value, "given", Layer.GIVEN)
    yield from _variables(model, process, dotenv)
    place = _config_path(process, dotenv, config)
    if place is not None:
        content = _toml(place, group=process.get(HOME_GROUP) or dotenv.get(HOME_GROUP))
        for path, value in _leaves(model, (), content, where=str(place)):
            yield path, Given(value, str(place), Layer.FILE)


def _variables(
    model: type[BaseModel], process: Mapping[str, str], dotenv: Mapping[str, str]
) -> Iterator[tuple[SettingPath, Given]]:
    documented: dict[str, Given] = {}
    layers = ((Layer.ENVIRONMENT, "env", process), (Layer.DOTENV, ".env", dotenv))
    for layer, where, name, value in ((la, w, n, v) for la, w, names in layers for n, v in sorted(names.items())):
        item = Given(value, f"{where} {name}", layer)
        if not value:
            continue  # compose files pass unset variables on as empty ones
        _check_spelling(model, name, layer, where)
        if name in DOCUMENTED:
            documented.setdefault(name, item)
        elif name.startswith(STORAGE):
            raise _unknown(name, where, DOCUMENTED)
        elif name.startswith(PREFIX) and not name.startswith(ELSEWHERE):
            for path, leaf in _from_name(model, name, item):
                yield path, Given(leaf, item.source, layer)
    for path, value, parts in translate({name: (str(g.value), g.source) for name, g in documented.items()}):
        items = [documented[name] for name in parts]
        yield path, Given(value, ", ".join(g.source for g in items), min(g.layer for g in items))


def _check_spelling(model: type[BaseModel], name: str, layer: Layer, where: str) -> None:
    """Raise SettingInvalid for a name that would pass for another program's, but for its case or its first word."""
    meant = name.upper()
    ours = meant.startswith((PREFIX, STORAGE)) or (layer is Layer.DOTENV and meant in DOCUMENTED)
    if not ours:
        meant = _nearly_ours(model, meant) or name
    if meant != name:
        raise SettingInvalid(name=name, source=where, problem="there is no such setting.", fix=f"Did you mean {meant}?")


def _nearly_ours(model: type[BaseModel], name: str) -> str | None:
    """Return the name that is meant with a slip in its first word; None for another program's.

    What follows the word has to be a setting's: no other program has names of ours by chance.
    """
    first, _, rest = name.partition("_")
    for prefix, cutoff in _NEAR.items():
        word = prefix.rstrip("_")
        if abs(len(first) - len(word)) > 2 or first in _OTHERS:  # noqa: PLR2004  no two slips do more
            continue
        if difflib.get_close_matches(first, [word], cutoff=cutoff):
            meant = prefix + rest.removeprefix("_")
            if _is_name(model, meant) and (prefix == PREFIX or rest.startswith("_")):
                return meant
    return None


def _is_name(model: type[BaseModel], name: str) -> bool:
    if not name.startswith(PREFIX):
        return name in DOCUMENTED
    return name in ELSEWHERE or _kind(model, tuple(name.removeprefix(PREFIX).lower().split("__"))) is not None


def _dotenv(process: Mapping[str, str]) -> dict[str, str]:
    # what has the name and cannot be read is an error, but for a virtual environment, which some call so
    if not os.path.lexists(DOTENV) or (DOTENV / "pyvenv.cfg").exists():
        return {}
    with _believed(DOTENV, group=process.get(HOME_GROUP)) as file:
        return envfile.read(file.read(), place=str(DOTENV), process=process)


def _believed(place: Path, *, group: str | None) -> BinaryIO:
    """Open a file of settings. Raises SettingInvalid for one that another user owns or can write."""
    try:
        return ownership.reading(place, group=group)
    except Unusable as error:
        raise SettingInvalid(
            name=error.name or "the settings file", source=str(place), problem=error.problem, fix=error.fix
        ) from error
    except OSError as error:
        raise _unreadable(place, error) from error


def _unreadable(place: Path, error: Exception) -> SettingInvalid:
    return SettingInvalid(
        name="the settings file", source=str(place), problem=f"it cannot be read: {error}.", fix="Mend it."
    )


def _config_path(process: Mapping[str, str], dotenv: Mapping[str, str], config: Path | None) -> Path | None:
    named = process.get(CONFIG) or dotenv.get(CONFIG)
    if config is not None or named:
        place = config or Path(str(named))
        if not place.is_file():
            raise SettingInvalid(
                name=CONFIG, source=str(place), problem="there is no such file.", fix="Create it, or name another."
            )
        return place
    return DEFAULT_CONFIG if os.path.lexists(DEFAULT_CONFIG) else None


def _toml(place: Path, *, group: str | None) -> dict[str, object]:
    with _believed(place, group=group) as file:
        try:
            return tomllib.load(file)
        except (OSError, ValueError, RecursionError) as error:  # no TOML, as above of JSON
            raise _unreadable(place, error) from error


def _from_name(model: type[BaseModel], name: str, item: Given) -> Iterator[tuple[SettingPath, object]]:
    """Yield the (path, value) pairs that one TIERKEEPER_ variable sets: one, or those of a group written as JSON."""
    path = tuple(name.removeprefix(PREFIX).lower().split("__"))
    kind = _kind(model, path)
    if kind is None:
        raise _unknown(name, item.source.split()[0], [f"{PREFIX}{'__'.join(p).upper()}" for p in _paths(model)])
    if kind is str:
        yield path, item.value
        return
    try:
        value = json.loads(str(item.value), object_pairs_hook=_once)
    except (ValueError, RecursionError):  # no JSON, a number too long, nested too deeply
        value = None
    except _TwiceError as twice:
        raise SettingInvalid(
            name=".".join((*path, str(twice))),
            source=item.source,
            problem="it is there twice in the JSON object.",
            fix="Leave one of them out.",
        ) from None
    if not isinstance(value, dict):
        raise SettingInvalid(
            name=".".join(path),
            source=item.source,
            problem="it is a group of settings, and this is no JSON object.",
            fix=f"Set its members, such as {name}__….",
        )
    yield from _leaves(model, path, value, where=item.source)


class _TwiceError(Exception):
    """A name that a JSON object has twice."""


def _once(members: list[tuple[str, object]]) -> dict[str, object]:
    known: dict[str, object] = {}
    for name, value in members:
        if name in known:
            raise _TwiceError(name)
        known[name] = value
    return known


def _leaves(
    model: type[BaseModel], path: SettingPath, value: Mapping[str, object], *, where: str
) -> Iterator[tuple[SettingPath, object]]:
    for key, member in value.items():
        below = (*path, str(key))
        kind = _kind(model, below)
        if kind is None:
            raise _unknown(".".join(below), where, [".".join(p) for p in _paths(model)])
        plain = member.model_dump(exclude_unset=True) if isinstance(member, BaseModel) else member
        if kind is dict and isinstance(plain, Mapping):
            yield from _leaves(model, below, plain, where=where)
        else:
            yield below, plain


def _kind(model: type[BaseModel], path: SettingPath) -> type | None:
    """Return the kind of setting at ``path``: ``dict`` for a group, ``str`` for a value, None if there is none."""
    if path[0] == "tiers":
        if len(path) <= 2:  # noqa: PLR2004  `tiers`, `tiers.hot`
            return dict
        if path[2] == "options":
            return {3: dict, 4: str}.get(len(path))
        return str if path[2] in TierSettings.model_fields and len(path) == 3 else None  # noqa: PLR2004  as above
    group = _group(model, path[0])
    if path[0] not in model.model_fields or (len(path) > 1 and group is None):
        return None
    if len(path) == 1:
        return str if group is None else dict
    return str if group is not None and path[1:] in {(name,) for name in group.model_fields} else None


def _group(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    field = model.model_fields.get(name)
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and not get_args(kind) and issubclass(kind, BaseModel) else None


def _paths(model: type[BaseModel]) -> Iterator[SettingPath]:
    """Yield the path of every setting and of every group, as suggestions for a misspelt name."""
    for name in model.model_fields:
        group = _group(model, name)
        if name == "tiers" or group is not None:
            yield (name,)
        if name == "tiers":
            yield from (
                (name, tier, leaf) for tier in ("hot", "warm", "cold", "records") for leaf in TierSettings.model_fields
            )
        elif group is None:
            yield (name,)
        else:
            yield from ((name, leaf) for leaf in group.model_fields)


def _unknown(name: str, where: str, known: list[str] | Mapping[str, object] | frozenset[str]) -> SettingInvalid:
    near = difflib.get_close_matches(name, list(known), n=1)
    return SettingInvalid(
        name=name,
        source=where,
        problem="there is no such setting.",
        fix=f"Did you mean {near[0]}?" if near else "`tierkeeper settings` shows the ones there are.",
    )


def _contradiction(path: SettingPath, known: Given, other: Given) -> SettingInvalid:
    name = ".".join(path)
    values = "two values" if is_secret(name) else f"{shown(name, str(known.value))} and {shown(name, str(other.value))}"
    return SettingInvalid(
        name=name,
        source=f"{known.source}; {other.source}",
        problem=f"it is set twice, differently: {values}.",
        fix="Leave one of them out.",
    )
