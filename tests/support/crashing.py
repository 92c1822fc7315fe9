"""Crashes at the steps of the engine, from outside: each numbered step is one function, and is wrapped here."""

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from tierkeeper import engine as engine_package

When = Literal["before", "after"]
OPERATED = ("apply", "approval", "detach", "rebuild")  # the modules whose steps an operator runs, and no message
_STEP = re.compile(r"step_[0-9]+_")
R = TypeVar("R")


class Crash(BaseException):
    """The process is gone: nothing that handles errors sees it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step of the engine."""

    module: str
    name: str

    @property
    def part(self) -> str:
        """The module's own name."""
        return self.module.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.part}.{self.name}"


def steps() -> list[Step]:
    """Return every step there is, by looking into the engine's modules, and those of its rooms."""
    found = []
    for info in pkgutil.walk_packages(engine_package.__path__, f"{engine_package.__name__}."):
        module = importlib.import_module(info.name)
        found += [
            Step(info.name, name)
            for name, function in inspect.getmembers(module, inspect.isfunction)
            if _STEP.match(name) and function.__module__ == info.name
        ]
    return found


def of_workers() -> list[Step]:
    """Return the steps that a message or a sweep takes; what an operator runs has the others."""
    return [step for step in steps() if step.part not in OPERATED]


@contextmanager
def wrapped(step: Step, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """Let another function stand in the step's place."""
    module = importlib.import_module(step.module)
    original = getattr(module, step.name)
    setattr(module, step.name, wrap(original))
    try:
        yield
    finally:
        setattr(module, step.name, original)


@contextmanager
def crashing(step: Step, when: When, *, call: int = 1) -> Iterator[None]:
    """Crash once, at the given call of the step, before its effect or after it."""
    calls = 0

    def wrap(original: Callable[..., R]) -> Callable[..., R]:
        def wrapper(*args: object, **kwargs: object) -> R:
            nonlocal calls
            calls += 1
            if calls == call and when == "before":
                raise Crash
            result = original(*args, **kwargs)
            if calls == call and when == "after":
                raise Crash
            return result

        return wrapper

    with wrapped(step, wrap):
        yield


@contextmanager
def counting(counted: Counter[Step]) -> Iterator[None]:
    """Count the calls of every step."""

    def counter(step: Step) -> Callable[[Callable[..., R]], Callable[..., R]]:
        def wrap(original: Callable[..., R]) -> Callable[..., R]:
            def wrapper(*args: object, **kwargs: object) -> R:
                counted[step] += 1
                return original(*args, **kwargs)

            return wrapper

        return wrap

    originals = [(importlib.import_module(s.module), s) for s in steps()]
    kept = [(module, s, getattr(module, s.name)) for module, s in originals]
    for module, step, original in kept:
        setattr(module, step.name, counter(step)(original))
    try:
        yield
    finally:
        for module, step, original in kept:
            setattr(module, step.name, original)
