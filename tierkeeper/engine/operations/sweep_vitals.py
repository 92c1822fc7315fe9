"""The vital signs of the sweeps as wholes: which ones fail, for whatever reason, and the last dump."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from tierkeeper.base.quantities import format_duration
from tierkeeper.base.states import RunKind
from tierkeeper.catalog.sweep_ends import DUMP_AGE, FailingSweep
from tierkeeper.values.health import Condition, Vital

#: between the first and the last failure without a success between: of a daily sweep the second, of others half a day
LASTING: Final = timedelta(hours=12)


def sweeps(
    now: datetime, failing: Mapping[RunKind, FailingSweep], dumped: datetime | None, *, begun: datetime | None
) -> Iterator[Vital]:
    """Yield ``failed sweeps``, and ``dump``, whose value is the age of the last one that succeeded.

    ``dumped``: when that ended, None if none has. ``begun``: when the catalog was made, None if no tier keeps dumps.
    """
    lasting = any(each.at - each.since > LASTING for each in failing.values())
    told = "; ".join(f"{kind.value}, {_ago(now, each.at)}: {each.reason}" for kind, each in failing.items())
    condition = Condition.BAD if lasting else Condition.ATTENTION if failing else Condition.OK
    yield Vital("failed sweeps", condition, len(failing), "", told)
    detail = _dump(now, failing.get(RunKind.DUMP), dumped, begun)
    age = None if dumped is None else max(now - dumped, timedelta(0)).total_seconds()
    yield Vital("dump", Condition.ATTENTION if detail else Condition.OK, age, "s", detail)


def _dump(now: datetime, failed: FailingSweep | None, dumped: datetime | None, begun: datetime | None) -> str:
    if begun is None:
        return "no tier can keep one, as each is a database: add one that is none, or back the catalog up yourself"
    if failed is not None:
        return f"the last one failed {_ago(now, failed.at)}: {failed.reason}"
    if dumped is None and now - begun <= DUMP_AGE:
        return ""  # the first night is still to come
    if dumped is None:
        return "none was made: `tierkeeper catalog dump` makes one now; Beat sends one a day"
    if now - dumped > DUMP_AGE:
        return f"the last one was made {_ago(now, dumped)}: `tierkeeper catalog dump` makes one now"
    return ""


def _ago(now: datetime, at: datetime) -> str:
    return f"{format_duration(timedelta(seconds=round(max(now - at, timedelta(0)).total_seconds())))} ago"
