"""Who asks: what of the keeper takes a caller."""

import inspect
from collections.abc import Iterator

from tierkeeper.engine.operations.deliveries import Deliveries
from tierkeeper.keeper import (
    Keeper,
    artifacts,
    deletes,
    events,
    health,
    parked,
    plans,
    policies,
    recovery,
    runs,
    sweeps,
    tiers,
)

RESOURCES = (
    artifacts.Artifacts,
    deletes.Deletes,
    Deliveries,
    events.Events,
    health.HealthChecks,
    parked.ParkedWork,
    plans.Plans,
    policies.Policies,
    recovery.Recovery,
    runs.Runs,
    sweeps.Sweeps,
    tiers.Tiers,
)
READS = {
    # access times are the reader's
    "Artifacts": {"open", "fetch", "write", "show", "select", "count", "explain", "braked_purge"},
    "Deletes": {"show"},
    "Events": {"after", "cut", "outside", "select"},
    "HealthChecks": {"check", "ask_broker", "since_last_canary"},
    "ParkedWork": {"raw", "select"},
    "Plans": {"due", "view", "summary", "items", "sums", "latest"},
    "Policies": {"known", "get", "test", "remark"},
    "Recovery": {"dumps", "examine"},
    "Runs": {"latest", "get"},
    "Sweeps": {"due", "require_no_reconcile"},
    "Tiers": {"known", "stats"},
}
FOR_THE_HOUSE = {
    "Deliveries": {"count", "answered", "park", "refuse", "wait", "due"},
    "HealthChecks": {"canary"},
    "Sweeps": {"converge_due", "recompute"},  # they continue runs that have an actor
}


def without_caller(resource: type) -> Iterator[str]:
    """The public methods of a resource that take no caller."""
    for name, method in inspect.getmembers(resource, inspect.isfunction):
        if not name.startswith("_") and "caller" not in inspect.signature(method).parameters:
            yield name


def test_what_changes_something_for_somebody_takes_a_caller() -> None:
    """Each method of the keeper without a caller is known as one that reads, or that works for the house."""
    for resource in RESOURCES:
        name = resource.__name__
        assert set(without_caller(resource)) == READS.get(name, set()) | FOR_THE_HOUSE.get(name, set()), name


def test_no_resource_is_left_out() -> None:
    """Every attribute of the keeper that is a resource is looked at."""
    given = {
        inspect.signature(attribute.fget, eval_str=True).return_annotation
        for name, attribute in inspect.getmembers(Keeper, lambda value: isinstance(value, property))
        if name != "engine" and attribute.fget is not None
    }
    assert given == set(RESOURCES)


def test_a_caller_has_no_default() -> None:
    """A call that forgot who asks is refused by Python."""
    for resource in RESOURCES:
        for name, method in inspect.getmembers(resource, inspect.isfunction):
            caller = inspect.signature(method).parameters.get("caller")
            if caller is not None and not name.startswith("_"):
                assert caller.kind is inspect.Parameter.KEYWORD_ONLY, f"{resource.__name__}.{name}"
                assert caller.default is inspect.Parameter.empty, f"{resource.__name__}.{name}"
