import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tierkeeper.base import log

LOG = log.get("tests.log")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The process's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was written, line by line."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_with_context() -> None:
    """A line is one JSON object with time, level, logger, event, data and the context it was written in."""
    stream = io.StringIO()
    log.configure("INFO", "auto", stream=stream)
    with log.context(correlation="c-1", run=None):
        LOG.info("moved", count=3)
    LOG.info("after")
    moved, after = lines(stream)
    assert {**moved, "at": ""} == {
        "event": "moved", "count": 3, "correlation": "c-1", "level": "info", "logger": "tests.log", "at": "",
    }  # fmt: skip
    assert moved["at"].endswith("Z")
    assert "correlation" not in after


def test_standard_library_goes_the_same_way() -> None:
    """Loggers of libraries write the same lines, and noisy ones only warnings."""
    stream = io.StringIO()
    log.configure("INFO", "auto", stream=stream)
    logging.getLogger("celery").info("ready on %s", "redis://:hush@cache/0")
    logging.getLogger("botocore").info("noise")
    assert [line["event"] for line in lines(stream)] == ["ready on redis://:•••@cache/0"]


def test_no_secret() -> None:
    """Secrets are masked by their name, in URLs, in nested values and in tracebacks."""
    stream = io.StringIO()
    log.configure("INFO", "auto", stream=stream)
    try:
        raise ValueError("no route to amqp://u:hush@h//")  # noqa: TRY301  the traceback is what is tested
    except ValueError:
        LOG.exception("failed", password="hush", nested=[{"secret_key": "hush", "url": "s3://b?secret_key=hush"}])
    assert "hush" not in stream.getvalue()
    assert "no route to amqp" in lines(stream)[0]["exception"]


def test_level_and_console() -> None:
    """Lines below the level are not written; the console format is for people."""
    stream = io.StringIO()
    log.configure("WARNING", "console", stream=stream)
    LOG.info("small")
    LOG.warning("large", size=5)
    (line,) = stream.getvalue().splitlines()
    assert "large" in line
    assert "size=5" in line
    assert not line.startswith("{")


def test_a_line_is_throttled_by_subject_and_text() -> None:
    """A subject's line is due once, again with another text or when it was forgotten; subjects have their own."""
    throttle = log.Throttle(60)
    assert [throttle.due("warm", "away") for _ in range(3)] == [True, False, False]
    assert throttle.due("cold", "away")
    assert [throttle.due("warm", "full"), throttle.due("warm", "full")] == [True, False]
    throttle.forget("warm")
    assert throttle.due("warm", "full")
    throttle.seconds = 0
    assert throttle.due("warm", "full")


def test_nothing_that_was_stored_drives_the_terminal() -> None:
    """A line for people has no control characters; as JSON it has them escaped."""
    for layout in ("console", "json"):
        stream = io.StringIO()
        log.configure("INFO", layout, stream=stream)
        LOG.info("moved \x1b[2J", reason="a\x1b[2J\x9b\u202eb")
        assert not set("\x1b\x9b\u202e") & set(stream.getvalue())
