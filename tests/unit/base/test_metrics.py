from tierkeeper.base.metrics import Measurement, Metrics, Total


def test_totals() -> None:
    """Observations add up by name and labels."""
    metrics = Metrics()
    metrics.observe("task_seconds", 2.0, task="store")
    metrics.observe("task_seconds", 1.0, task="store")
    metrics.observe("tasks")
    assert metrics.totals() == {
        ("task_seconds", (("task", "store"),)): Total(count=2, sum=3.0, max=2.0),
        ("tasks", ()): Total(count=1, sum=1.0, max=1.0),
    }


def test_subscriber_sees_each_until_it_leaves() -> None:
    """A subscriber is handed every measurement until its subscription ends."""
    metrics = Metrics()
    seen: list[Measurement] = []
    leave = metrics.subscribe(seen.append)
    metrics.observe("tasks", task="store", queue="ingest")
    leave()
    metrics.observe("tasks")
    assert seen == [Measurement("tasks", 1.0, (("queue", "ingest"), ("task", "store")))]


def test_failing_subscriber_does_not_fail_the_work() -> None:
    """A subscriber that raises disturbs neither the observer nor the other subscribers."""
    metrics = Metrics()
    seen: list[Measurement] = []

    def broken(_: Measurement) -> None:
        raise RuntimeError

    metrics.subscribe(broken)
    metrics.subscribe(seen.append)
    metrics.observe("tasks")
    assert len(seen) == 1
