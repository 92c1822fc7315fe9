"""Types of arguments and options: artifacts, times, sizes, ``key=value``; and the options that many commands share."""

import dataclasses
import functools
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import click

from tierkeeper.base import clock
from tierkeeper.base.quantities import Unusable, parse_duration, parse_size
from tierkeeper.base.states import ArtifactState
from tierkeeper.cli.support import opening
from tierkeeper.values.artifacts import ArtifactView, Filter, Ref
from tierkeeper_client import times
from tierkeeper_client.errors import InvalidInput
from tierkeeper_client.identifiers import check_name, check_segment, check_text

C = TypeVar("C", bound=Callable[..., Any])

LONGEST: Final = timedelta(days=365_000)  # a thousand years, well within what the catalog can hold
TENANT: Final = "TIERKEEPER_TENANT"
MTIME: Final = "mtime"  # of --created
LONGEST_VERSION: Final = 18  # digits, within a bigint
MOST: Final = 2**62  # of a limit, within a bigint


def parse_ref(text: str, *, tenant: str | None) -> Ref:
    """Return the artifact that ``TENANT/WORKFLOW/NAME[@VERSION]`` names; with ``tenant`` its part may be left out.

    ``@`` and digits at the end are the version; a name that itself ends like this needs a version after it.
    Raises InvalidInput.
    """
    path, at, digits = text.rpartition("@")
    versioned = bool(at) and digits.isascii() and digits.isdecimal()
    segments = (path if versioned else text).split("/", 2)
    if tenant is not None and not (len(segments) == 3 and segments[0] == tenant):  # noqa: PLR2004  three parts
        segments = [tenant, *"/".join(segments).split("/", 1)]
    if len(segments) != 3:  # noqa: PLR2004  three parts
        form = "TENANT/WORKFLOW/NAME" if tenant is None else "WORKFLOW/NAME"
        raise InvalidInput(
            field="artifact",
            value=text,
            problem=f"it is not of the form {form}[@VERSION]",
            fix="Copy it from `tierkeeper ls`, or give --tenant and leave the tenant out.",
        )
    if versioned and (len(digits) > LONGEST_VERSION or int(digits) == 0):
        problem = f"versions are numbers from 1 on, of at most {LONGEST_VERSION} digits"
        shown = digits[: LONGEST_VERSION + 1]
        raise InvalidInput(field="version", value=shown, problem=problem, fix="Leave it out for the latest.")
    return Ref(
        tenant=check_segment(segments[0], field="tenant"),
        workflow=check_segment(segments[1], field="workflow"),
        name=check_name(segments[2]),
        version=int(digits) if versioned else None,
    )


def with_version(ref: Ref, version: int | None) -> Ref:
    """Return ``ref`` with the version that ``--version`` gave, if any; two different ones are a usage error."""
    if version is None:
        return ref
    if ref.version not in {None, version}:
        raise click.UsageError(f"{ref} names a version already; leave out --version {version}.")
    return replace(ref, version=version)


class Span(click.ParamType[timedelta]):
    """A length of time: ``3d``, ``12h``, ``P1DT6H``; of fixed length, so no months and years."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:  # noqa: ANN401  click's own
        """Return the length, which is greater than zero."""
        if isinstance(value, timedelta):
            return value
        try:
            length = parse_duration(value)
        except Unusable as error:
            self.fail(f"{error.problem} {error.fix}", param, ctx)
        if not length:
            self.fail(f"{value!r} is not longer than nothing", param, ctx)
        if length > LONGEST:
            self.fail(f"{value!r} is longer than a thousand years", param, ctx)
        return length


class Instant(click.ParamType[datetime]):
    """A moment: ISO 8601 with its zone, ``now``, or a length of time ago such as ``8d``.

    With ``ahead`` a length of time is one from now on.
    """

    name = "time"

    def __init__(self, *, ahead: bool = False) -> None:
        self._ahead = ahead

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401  click's own
        """Return the moment in UTC."""
        if isinstance(value, datetime):
            return value
        if value == "now":
            return clock.now()
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            if not value[:1].isdecimal() and value[:1] not in {"P", "p"}:
                self.fail(f"{value!r} is no time; write it like 2026-11-20T08:00Z or 8d", param, ctx)
            length = SPAN.convert(value, param, ctx)
            return clock.now() + length if self._ahead else clock.now() - length
        if read.tzinfo is None:
            readings = [read.replace(tzinfo=UTC).isoformat(timespec="minutes").replace("+00:00", "Z")]
            with suppress(ValueError, OverflowError, OSError):  # a year that the machine's zones do not reach
                readings.append(read.astimezone().isoformat(timespec="minutes").replace("+00:00", "Z"))
            here = f", or {readings[1]} for the time here" if readings[1:] and readings[1] != readings[0] else ""
            self.fail(f"{value!r} has no zone; write {readings[0]} for UTC{here}, or an age such as 8d", param, ctx)
        try:
            return times.checked(read, field=self.name)
        except InvalidInput as error:
            self.fail(f"{value!r} is not usable: {error.data['problem']}", param, ctx)


class Creation(click.ParamType[datetime | str]):
    """A moment in the past, or ``mtime``: each file's own time of its last change."""

    name = "time|mtime"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | str:  # noqa: ANN401  click's own
        """Return the moment, or MTIME."""
        return MTIME if value == MTIME else MOMENT.convert(value, param, ctx)


class Pair(click.ParamType[tuple[str, str]]):
    """``KEY=VALUE``."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:  # noqa: ANN401  click's own
        """Return key and value."""
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        if not equals or not key:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return key, text


class SizeInBytes(click.ParamType[int]):
    """A size in bytes: ``10MiB``, ``1 GB``, ``512``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401  click's own
        """Return the bytes."""
        try:
            return parse_size(value)
        except Unusable as error:
            self.fail(f"{error.problem} {error.fix}", param, ctx)


class Sha256(click.ParamType[str]):
    """64 hex digits."""

    name = "sha256"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401  click's own
        """Return them in lower case."""
        if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
            self.fail(f"{value!r} is not a SHA-256; it has 64 hex digits", param, ctx)
        return str(value).lower()


class Metadata(click.ParamType[dict[str, Any]]):
    """``KEY=VALUE``, or a JSON object."""

    name = "key=value|json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:  # noqa: ANN401  click's own
        """Return the fields."""
        if isinstance(value, dict):
            return value
        if not value.lstrip().startswith("{"):
            return dict([PAIR.convert(value, param, ctx)])
        try:
            read = json.loads(value)
        except (ValueError, RecursionError) as error:  # no JSON, a number too long, nested too deeply
            self.fail(f"not JSON that can be read: {error}", param, ctx)
        return dict(read)


class AuditText(click.ParamType[str]):
    """A text that is written into the audit log: one line, without control characters.

    Its length is judged by the settings, which are read when the command runs.
    """

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401  click's own
        """Return the text."""
        try:
            return check_text(str(value), field=self.name, longest=len(str(value)))
        except InvalidInput as error:
            self.fail(f"{error.data['value']!r} is not usable: {error.data['problem']}", param, ctx)


SPAN = Span()
MOMENT = Instant()
CREATION = Creation()
MOMENT_AHEAD = Instant(ahead=True)
PAIR = Pair()
SIZE = SizeInBytes()
SHA256 = Sha256()
METADATA = Metadata()
REASON = AuditText()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The values of the filter options; ``given`` is True if any of them besides the tenant was used."""

    filter: Filter
    given: bool
    limit: int | None
    keep: Callable[[ArtifactView], bool] = lambda _view: True  # a further condition, checked for each artifact


@dataclass(frozen=True, slots=True)
class VerbOptions:
    """The options that all verbs share; ``wait`` is the time to wait for the workers' results, None not to wait."""

    version: int | None
    reason: str | None
    dry_run: bool
    enqueue: bool
    wait: timedelta | None


def _tenant(ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Return the tenant that was given; else that of ``.env``, which click does not read."""
    return value if value is not None or ctx.resilient_parsing else opening.dotenv_value(TENANT)


def tenant_option_for(what: str) -> Callable[[C], C]:
    """Return the option ``--tenant``; ``what``: its help."""
    return click.option("--tenant", envvar=TENANT, callback=_tenant, help=f"{what} [env: {TENANT}]")


tenant_option = tenant_option_for("Tenant; arguments may then leave it out.")
dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Say what would happen, item by item; change nothing."
)
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
version_option = click.option(
    "--version", type=click.IntRange(min=1), metavar="N", help="This version instead of the latest."
)


def bounded(_ctx: click.Context, _param: click.Parameter, value: int | None) -> int | None:
    """Return the limit, reduced to what the catalog's bigint can hold."""
    return None if value is None else min(value, MOST)


limit_option = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", callback=bounded, help="At most so many."
)


def enqueue_options(command: C) -> C:
    """Add ``--enqueue`` and ``--wait``."""
    wait = click.option(
        "--wait",
        type=SPAN,
        is_flag=False,
        flag_value="5m",
        help="With --enqueue: wait for the results, at most so long (5m without a value).",
    )
    enqueue = click.option("--enqueue", is_flag=True, help="Send it to the workers instead of doing it here.")
    return enqueue(wait(command))


def verb_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of all verbs: ``--version``, ``--reason``, ``--dry-run``, ``--enqueue`` and ``--wait``.

    The command receives them as one argument ``how``.
    """

    @functools.wraps(command)  # carries over click's own parameters too
    def wrapped(*args: Any, **values: Any) -> Any:  # noqa: ANN401  whatever click gives and the command returns
        how = VerbOptions(**{field.name: values.pop(field.name) for field in dataclasses.fields(VerbOptions)})
        return command(*args, how=how, **values)

    reason = click.option("--reason", type=REASON, help="Why; it stands in the audit log.")
    return version_option(reason(dry_run_option(enqueue_options(wrapped))))


def filter_options(
    *, state: ArtifactState | None = ArtifactState.LIVE, tier: str = "--tier"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options that select artifacts; the command receives them as one argument ``chosen``.

    ``state`` is the state selected by default, ``tier`` the name of the option that requires a present copy in a tier.
    """
    options = [
        tenant_option,
        click.option("--workflow", help="Workflow, or a pattern such as 'weekly_*'."),
        click.option("--name", "--artifact", "name", help="Name, or a pattern such as '*.md'."),
        click.option("--prefix", help="Names that begin so."),
        click.option(tier, "tier", help="With a copy in this tier."),
        click.option("--tag", "tags", type=PAIR, multiple=True, help="With this tag; all of them when repeated."),
        click.option("--older-than", type=SPAN, help="Created longer ago than this, such as 30d."),
        click.option("--sha256", type=SHA256, metavar="HEX", help="With this content."),
        click.option(
            "--state",
            type=click.Choice([*(s.value for s in ArtifactState), "any"]),
            default="any" if state is None else state.value,
            show_default=True,
            help="In this state.",
        ),
        click.option("--all-versions", is_flag=True, help="Every version, not only the latest."),
        limit_option,
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)  # carries over click's own parameters too
        def wrapped(*args: Any, **values: Any) -> Any:  # noqa: ANN401  whatever click gives and the command returns
            chosen, rest = _take_filter(values)
            return command(*args, chosen=chosen, **rest)

        for option in reversed(options):
            option(wrapped)
        return wrapped

    return decorate


def _take_filter(values: dict[str, Any]) -> tuple[Chosen, dict[str, Any]]:
    names = {
        "tenant",
        "workflow",
        "name",
        "prefix",
        "tier",
        "tags",
        "older_than",
        "sha256",
        "state",
        "all_versions",
        "limit",
    }
    taken = {key: values.pop(key) for key in names}
    state, limit = taken.pop("state"), taken.pop("limit")
    given = any(taken[key] for key in ("workflow", "name", "prefix", "tier", "tags", "older_than", "sha256"))
    filter_ = Filter(**{**taken, "tags": dict(taken["tags"])})
    filter_ = replace(filter_, state=None if state == "any" else ArtifactState(state))
    return Chosen(filter=filter_, given=given, limit=limit), values
