"""The one gate around every adapter: whatever it raises becomes an error of the port, with its tier and words.

An adapter translates what it knows of its client library. What it does not know, a defect of its own or of a third
party's, would otherwise end whatever called it, and with that the work in other tiers. The gate stands around each
method and property of the port that a class of stores defines; a store that calls its own methods sees its own
exceptions. What the content raises that a store reads is its owner's exception, whatever the store makes of it.
"""

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, BinaryIO, Final

from tierkeeper.base import log
from tierkeeper.stores.errors import StoreDefect
from tierkeeper_client.errors import TierkeeperError

_log = log.get(__name__)

PROPERTIES: Final = (
    "realm",
    "site",
    "bound",
    "can_lock",
    "readable_layout",
    "storage_class",
    "must_thaw",
    "is_database",
    "puts_together",
)
METHODS: Final = (
    "prepare",
    "check",
    "check_writes",
    "mark",
    "write_mark",
    "replace_mark",
    "location",
    "copy",
    "head",
    "describe",
    "delete",
    "lock",
    "extend",
    "remember",
    "tighten_modes",
    "close",
)
_END: Final = object()
_inside = threading.local()  # the stores whose methods this thread is in
#: a defect is logged whole at most once a minute per tier and kind: a sweep meets it with each object
_throttle: Final = log.Throttle(60.0)


def fault(tier: str, error: Exception) -> StoreDefect:
    """Log an exception that no store should raise, with its traceback; return it as a StoreDefect of the tier."""
    kind = type(error).__name__
    if _throttle.due((tier, kind)):
        _log.error("a store failed in a way of its own", tier=tier, exc_info=error)
    return StoreDefect(tier=tier, reason=f"{kind}: {error}")


def build(cls: type) -> None:
    """Stand around the methods and properties of the port that this class defines."""
    for name in PROPERTIES:
        if isinstance(own := cls.__dict__.get(name), property) and own.fget is not None:
            setattr(cls, name, property(_called(own.fget), doc=own.__doc__))
    others = (("put", _put), ("put_many", _put_many), ("list", _listed), ("open", _opened))
    for name, around in (*((name, _called) for name in METHODS), *others):
        if callable(own := cls.__dict__.get(name)):
            setattr(cls, name, around(own))


@contextmanager
def _translating(store: Any) -> Iterator[None]:  # noqa: ANN401  a Store, whose module is above this one
    entered: tuple[object, ...] = getattr(_inside, "stores", ())
    if any(each is store for each in entered):
        yield
        return
    _inside.stores = (*entered, store)
    try:
        yield
    except TierkeeperError:
        raise
    except Exception as error:
        raise fault(store.config.tier, error) from error
    finally:
        _inside.stores = entered


def _called(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def gated(store: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  as the method has them
        with _translating(store):
            return method(store, *arguments, **named)

    return gated


def _put(method: Callable[..., Any]) -> Callable[..., Any]:
    called = _called(method)

    @functools.wraps(method)
    def gated(store: Any, location: str, content: BinaryIO, info: Any) -> Any:  # noqa: ANN401  as above
        noting = _Noting(content)
        try:
            return called(store, location, noting, info)
        except Exception as error:
            if (raised := noting.behind(error)) is error:
                raise
            raise raised  # noqa: B904  it came first

    return gated


def _put_many(method: Callable[..., Any]) -> Callable[..., Any]:
    called = _called(method)

    @functools.wraps(method)
    def gated(store: Any, puts: Sequence[Any]) -> list[Any]:  # noqa: ANN401  as above
        noting = [_Noting(put.content) for put in puts]
        noted = [replace(put, content=content) for put, content in zip(puts, noting, strict=True)]
        results = zip(called(store, noted), noting, strict=True)
        return [_result(store, result, content) for result, content in results]

    return gated


def _result(store: Any, result: object, content: "_Noting") -> object:  # noqa: ANN401  as above
    if not isinstance(result, Exception):
        return result
    raised = content.behind(result)
    return (
        raised if raised is content.raised or isinstance(raised, TierkeeperError) else fault(store.config.tier, raised)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that it came from."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__


def _listed(method: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    @functools.wraps(method)
    def gated(store: Any, *arguments: Any, **named: Any) -> Iterator[Any]:  # noqa: ANN401  as above
        with _translating(store):
            found = iter(method(store, *arguments, **named))
        return _Gated(store, found)

    return gated


def _opened(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def gated(store: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  as above
        with _translating(store):
            opened = method(store, *arguments, **named)
        return _Opened(store, opened)

    return gated


class _Noting:
    """The content of an object that is stored, and what reading it raised last."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self.raised: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._content.read(size)
        except Exception as error:
            self.raised = error
            raise

    def behind(self, error: Exception) -> Exception:
        """Return what reading the content raised where an error came from that, else the error."""
        raised = self.raised
        return error if raised is None or raised not in _chain(error) else raised

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a stream has
        return getattr(self._content, name)


class _Gated(Iterator[Any]):
    """What a store yields, and the pin that came with it."""

    def __init__(self, store: object, found: Iterator[Any]) -> None:
        self._store, self._found = store, found
        self.pin: str | None = getattr(found, "pin", None)

    def __next__(self) -> object:
        with _translating(self._store):
            following = next(self._found, _END)
        if following is _END:
            raise StopIteration
        return following


class _Opened(AbstractContextManager[Iterator[Any]]):
    """An opened object; what its user raises within the block is not the store's, and stays as it is."""

    def __init__(self, store: object, opened: AbstractContextManager[Iterator[Any]]) -> None:
        self._store, self._opened = store, opened

    def __enter__(self) -> Iterator[Any]:
        with _translating(self._store):
            return _Gated(self._store, iter(self._opened.__enter__()))

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if raised is not None:
            return self._opened.__exit__(kind, raised, trace)
        with _translating(self._store):
            return self._opened.__exit__(None, None, None)
