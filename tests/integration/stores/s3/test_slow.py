"""A server that copies slower than anybody waits for: each copy is begun once, and found when it is done."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import cast
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from support import s3_front
from support.s3_answers import KEYS
from support.s3_front import Front, Request, Trick
from support.stored_objects import MIB, MakeStore, info_of, put, read

from tierkeeper.settings.order import copy_waits
from tierkeeper.stores import progress
from tierkeeper.stores.base import ObjectKey, Store
from tierkeeper.stores.errors import OutcomeUnknown, StoreTransient
from tierkeeper.stores.s3 import once
from tierkeeper.stores.s3.store import S3Store

LATE = 1.3  # the share of its patience after which a front that is late begins: see s3_front


class SlowFront(Front):
    """Plays one trick on every copy, and counts them: unless told, no answer, and an effect when nobody waits."""

    trick_of_copies: Trick | None = Trick.LATE
    trick_of_writes: Trick | None = None

    def trick(self, request: Request) -> Trick | None:
        if "x-amz-copy-source" not in request.headers:
            return self.trick_of_writes if request.command == "PUT" else None
        part = "part" if "uploadId" in request.words else "whole"
        with self.lock:
            self.met[f"{part} {request.path.partition('?')[0]}"] += 1
        return self.trick_of_copies


@pytest.fixture
def front(moto_endpoint: str) -> Iterator[SlowFront]:
    """The front, slow."""
    no_chance = random.Random(1)  # noqa: S311  it decides nothing here
    with s3_front.in_front_of(moto_endpoint, no_chance, patience=2, kind=SlowFront) as made:
        yield cast("SlowFront", made)
        made.quiet()


@pytest.fixture(params=["signed", "boto3"])
def slow(request: pytest.FixtureRequest, front: SlowFront, make_store: MakeStore) -> Store:
    """A tier behind it, whose copies get less time than they take."""
    query = f"endpoint={front.endpoint}&{KEYS}&client={request.param}&read_timeout=500ms&copy_threshold=5MiB"
    store = make_store(f"s3://tk-slow-{uuid4().hex[:8]}?{query}")
    assert cast("S3Store", store).place.options.copy_seconds(5000) < front.patience * LATE
    return store


def test_a_slow_copy_is_made_once(slow: Store, front: SlowFront) -> None:
    """A copy that is done after its answer was given up is found; nobody vouches for it, and no other was begun."""
    content = os.urandom(5000)
    key, info, _ = put(slow, content)
    copied = slow.copy(slow, key, slow.location(info_of(content)), info)
    assert (copied.size, copied.vouched, copied.pin) == (5000, None, None)
    assert read(slow, ObjectKey(copied.location)) == content
    assert Counter(each.partition(" ")[0] for each in front.met.elements()) == {"whole": 1}


def test_slow_parts_are_copied_once(slow: Store, front: SlowFront) -> None:
    """A part whose answer was given up is found in its upload; nobody vouches for what has such a part."""
    content = os.urandom(10 * MIB)
    place = cast("S3Store", slow).place
    place.client.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})
    key, info, _ = put(slow, content)
    assert key.version is not None  # so that all parts are named
    front.patience = 3
    done: list[float] = []
    with progress.reporting_to(lambda: done.append(time.monotonic())):
        copied = slow.copy(slow, key, slow.location(info_of(content)), info)
    assert len(done) == 2  # each part tells that it is done
    assert (copied.size, copied.vouched) == (10 * MIB, None)
    assert read(slow, ObjectKey(copied.location)) == content
    assert sum(times for what, times in front.met.items() if what.startswith("part")) == 2


def test_a_copy_that_never_comes(slow: Store, front: SlowFront) -> None:
    """What does not appear in as long again is given up as unknown, and was begun once."""
    content = os.urandom(5000)
    key, info, _ = put(slow, content)
    front.patience = 4
    began, options = time.monotonic(), cast("S3Store", slow).place.options
    with pytest.raises(OutcomeUnknown, match="The outcome of a write is unknown"):
        slow.copy(slow, key, slow.location(info_of(content)), info)
    longest = copy_waits(5000, read_timeout=options.read_timeout, attempts=options.attempts)
    assert 2 * options.copy_seconds(5000) <= time.monotonic() - began <= longest
    assert sum(front.met.values()) == 1


def test_what_fails_soon_is_tried_again(slow: Store, front: SlowFront) -> None:
    """A refusal that comes at once is looked at, and the copy asked for again, up to the attempts of the tier."""
    content = os.urandom(5000)
    key, info, _ = put(slow, content)
    front.trick_of_copies = Trick.SLOW_DOWN
    with pytest.raises(StoreTransient) as caught:
        slow.copy(slow, key, slow.location(info_of(content)), info)
    assert type(caught.value) is StoreTransient  # what is refused each time has a known outcome
    assert sum(front.met.values()) == 5
    front.trick_of_copies = Trick.UNANSWERED
    front.met.clear()
    copied = slow.copy(slow, key, slow.location(info_of(content)), info)
    assert (copied.size, copied.vouched, copied.pin) == (5000, None, None)
    assert sum(front.met.values()) == 1


@pytest.mark.parametrize(("trick", "kind"), [(Trick.LATE, OutcomeUnknown), (Trick.SLOW_DOWN, StoreTransient)])
def test_a_write_that_is_not_answered(slow: Store, front: SlowFront, trick: Trick, kind: type[StoreTransient]) -> None:
    """Whether it took effect is not known, and that is said; of one that was refused it is."""
    front.trick_of_writes = trick
    with pytest.raises(StoreTransient) as caught:
        put(slow, b"content")
    assert type(caught.value) is kind
    front.trick_of_writes = None


@pytest.mark.parametrize("before", [Trick.UNANSWERED, Trick.INTERNAL, Trick.SLOW_DOWN])
def test_a_write_whose_first_try_may_have_been_done(slow: Store, front: SlowFront, before: Trick) -> None:
    """The tries after it are refused; what is told of the write is what is known of all of them."""
    tries = iter([before])
    front.trick = lambda request: next(tries, Trick.SLOW_DOWN) if request.command == "PUT" else None  # type: ignore[method-assign]
    with pytest.raises(StoreTransient) as caught:
        put(slow, b"content")
    assert type(caught.value) is (StoreTransient if before is Trick.SLOW_DOWN else OutcomeUnknown)


def test_one_lost_answer_leaves_the_outcome_unknown(monkeypatch: pytest.MonkeyPatch, slow: Store) -> None:
    """What was refused in the end may have been done by the attempt before, whose answer was lost."""
    place = cast("S3Store", slow).place
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    attempts: list[Exception] = [ConnectionResetError("reset")]
    refusal = ClientError({"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "CopyObject")  # type: ignore[typeddict-item]  # no request id

    def call(_client: object) -> None:
        raise attempts.pop() if attempts else refusal

    with pytest.raises(OutcomeUnknown):
        once.once(place, "cas/x", 1, call, lambda: None)
