"""The S3 store on a real server: the suites, and what moto is not honest about."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from integration.stores.s3.suite import S3Suite
from support import services
from support.stored_objects import MIB, MakeStore, put, read

from tierkeeper.base.states import RetentionMode, Vouched
from tierkeeper.stores.base import DeleteState, ObjectKey, Store
from tierkeeper.stores.errors import LockUnsupported, StoreDenied, StorePermanent
from tierkeeper.stores.s3 import probe
from tierkeeper.stores.s3.store import S3Store

pytestmark = pytest.mark.s3


class TestRealServer(S3Suite):
    """The suites, and protection."""

    @pytest.fixture
    def server(self) -> str:
        return services.real_s3()

    @pytest.fixture
    def locking(self, server: str, bucket: str, make_store: MakeStore) -> Store:
        """A store whose bucket was made with Object Lock."""
        return make_store(f"s3://{bucket}-locked?{server}&lock=yes", tier="cold")

    def test_the_server_keeps_the_checksum(self, store: Store, sibling: Store) -> None:
        """The SHA-256 of a copy is the server's own, and a server-side copy has it too."""
        key, info, _ = put(store, b"content")
        assert store.head(key).sha256 == info.sha256
        copied = sibling.copy(store, key, sibling.location(info), info)
        assert copied.sha256 == info.sha256

    def test_parts_vouch_for_no_whole(self, store: Store, sibling: Store) -> None:
        """What was uploaded in parts has a checksum of checksums, which is never taken for that of the content."""
        key, info, stored = put(store, os.urandom(17 * MIB))
        assert stored.sha256 == info.sha256  # here every part was checked against what was hashed
        assert store.head(key).sha256 is None
        assert sibling.copy(store, key, sibling.location(info), info).sha256 in {info.sha256, None}

    def test_what_this_server_can(self, store: Store) -> None:
        """Ceph refuses bytes with another SHA-256 and a wrong ETag for a copy, and copies parts by any: all is seen."""
        assert probe.probe(cast("S3Store", store).place) == {
            probe.COPIES: True,
            probe.PARTS: False,
            probe.BODIES: True,
        }

    def test_who_vouches_for_copies(self, server: str, bucket: str, store: Store, make_store: MakeStore) -> None:
        """A copy in one call is as good as its source by the pin; one in parts is not where any ETag is taken."""
        for threshold, size, expected in (
            ("5GiB", 5000, Vouched.PINNED),
            ("5GiB", 17 * MIB, Vouched.PINNED),
            ("5MiB", 17 * MIB, None),
        ):
            warm = make_store(f"s3://{bucket}-2?{server}", tier="warm", copy_threshold=threshold)
            warm.head(put(warm, b"a HEAD that tells an ETag")[0])  # else the copy is looked at by one
            key, info, stored = put(store, os.urandom(size))
            copied = warm.copy(store, replace(key, pin=stored.pin), warm.location(info), info)
            place = cast("S3Store", warm).place
            etag = place.client.head_object(**place.address(copied.location, None))["ETag"]
            assert (copied.vouched, copied.pin) == (expected, etag)

    def test_storage_classes(self, store: Store, server: str, bucket: str, make_store: MakeStore) -> None:
        """Whole objects, objects in parts and copies get the storage class of their tier."""
        cold = make_store(f"s3://{bucket}-cold?{server}&class=COLD", tier="cold", copy_threshold="5MiB")
        place = cast("S3Store", cold).place
        for size in (10, 17 * MIB):
            content = os.urandom(size)
            key, info, _ = put(store, content)
            one = cold.copy(store, key, cold.location(info), info).location
            other = put(cold, content)[0].location
            for location in (one, other):
                found: Mapping[str, Any] = place.client.head_object(**place.address(location, None))
                assert found["StorageClass"] == "COLD"

    def test_wrong_credentials_are_denied(self, store: Store, server: str, bucket: str, make_store: MakeStore) -> None:
        """A wrong secret is StoreDenied for every call, and a delete with it deletes nothing."""
        key, _, _ = put(store, b"x")
        endpoint = server.partition("&")[0]
        stranger = make_store(
            f"s3://{bucket}/some/prefix?{endpoint}&access_key=stranger&secret_key=wrong", prepared=False
        )
        for call in (stranger.check, lambda: stranger.head(key), lambda: put(stranger, b"y"), stranger.prepare):
            with pytest.raises(StoreDenied):
                call()
        assert stranger.delete([key])[0].state is DeleteState.FAILED
        assert read(store, key) == b"x"

    def test_a_locked_version_stays(self, locking: Store) -> None:
        """A delete of a version under retention is answered as locked; after its end the version goes."""
        assert locking.can_lock
        key, other = put(locking, b"locked")[0], put(locking, b"free")[0]
        until = datetime.now(UTC) + timedelta(seconds=4)
        held = locking.lock(key, until=until, mode=RetentionMode.GOVERNANCE)
        assert until <= held < until + timedelta(seconds=1)
        results = locking.delete([key, other])
        assert [r.state for r in results] == [DeleteState.LOCKED, DeleteState.DELETED]
        assert locking.delete([ObjectKey(key.location)])[0].state is DeleteState.LOCKED
        assert read(locking, key) == b"locked"
        time.sleep(max(0, (held - datetime.now(UTC)).total_seconds()) + 1)
        assert locking.delete([key])[0].state is DeleteState.DELETED

    @pytest.mark.parametrize("mode", RetentionMode)
    def test_a_lock_is_only_lengthened(self, locking: Store, mode: RetentionMode) -> None:
        """Extending makes a lock, lengthens it and leaves a longer one alone; shortening one is denied."""
        key, _, _ = put(locking, b"x")
        now = datetime.now(UTC).replace(microsecond=0)
        for asked, held in [(60, 60), (30, 60), (60, 60), (90, 90)]:
            until = now + timedelta(seconds=asked)
            assert locking.extend(key, until=until, mode=mode) == now + timedelta(seconds=held)
        with pytest.raises(StoreDenied):
            locking.lock(key, until=now + timedelta(seconds=30), mode=mode)

    def test_a_lock_keeps_its_mode(self, locking: Store) -> None:
        """A compliance lock stays one; making one of a governance lock would need its bypass, which is never used."""
        strong, weak = put(locking, b"x")[0], put(locking, b"y")[0]
        soon, later = datetime.now(UTC) + timedelta(seconds=30), datetime.now(UTC) + timedelta(seconds=60)
        locking.lock(strong, until=soon, mode=RetentionMode.COMPLIANCE)
        locking.lock(weak, until=soon, mode=RetentionMode.GOVERNANCE)
        assert locking.extend(strong, until=later, mode=RetentionMode.GOVERNANCE) >= later
        place = cast("S3Store", locking).place
        address = place.address(strong.location, strong.version)
        assert place.client.get_object_retention(**address)["Retention"]["Mode"] == "COMPLIANCE"
        with pytest.raises(StoreDenied, match="bypass"):
            locking.extend(weak, until=later, mode=RetentionMode.COMPLIANCE)

    def test_a_legal_hold_keeps_a_version(self, locking: Store) -> None:
        """A delete of a version under legal hold is answered as locked."""
        key, _, _ = put(locking, b"x")
        place = cast("S3Store", locking).place
        address = place.address(key.location, key.version)
        place.client.put_object_legal_hold(**address, LegalHold={"Status": "ON"})
        assert locking.delete([key])[0].state is DeleteState.LOCKED
        place.client.put_object_legal_hold(**address, LegalHold={"Status": "OFF"})
        assert locking.delete([key])[0].state is DeleteState.DELETED

    def test_a_bucket_that_lacks_the_lock_asked_for(
        self, store: Store, server: str, bucket: str, make_store: MakeStore
    ) -> None:
        """With lock=yes a bucket without Object Lock is refused when it is prepared, with what to do."""
        assert not store.can_lock
        with pytest.raises(LockUnsupported):
            store.lock(put(store, b"x")[0], until=datetime.now(UTC), mode=RetentionMode.GOVERNANCE)
        with pytest.raises(StorePermanent, match="use another bucket"):
            make_store(f"s3://{bucket}?{server}&lock=yes")
