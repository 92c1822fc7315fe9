"""What every S3 server must do beyond the contract; run on moto for what it is honest about, and on a real server."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest
from integration.stores.contract import StoreContract
from integration.stores.contract_marks import MarkContract
from support.stored_objects import MIB, MakeStore, info_of, put, read

from tierkeeper.base.ids import new_id
from tierkeeper.base.states import Vouched
from tierkeeper.stores.base import DeleteState, ObjectKey, Store
from tierkeeper.stores.errors import ContentMismatch, ObjectNotFound, StorePermanent, TierNotOurs
from tierkeeper.stores.layout import MARK
from tierkeeper.stores.s3 import description, probe
from tierkeeper.stores.s3.place import Place
from tierkeeper.stores.s3.store import S3Store

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART = 5 * MIB


class S3Suite(StoreContract, MarkContract):
    """The contract on an S3 server. A subclass gives ``server``: the URL's query with endpoint and credentials."""

    @pytest.fixture
    def bucket(self) -> str:
        """The name of a bucket that does not exist yet."""
        return f"tk-{uuid4().hex[:20]}"

    @pytest.fixture
    def store(self, server: str, bucket: str, make_store: MakeStore) -> Store:
        return make_store(f"s3://{bucket}/some/prefix?{server}", multipart_chunk="5MiB")

    @pytest.fixture
    def sibling(self, server: str, bucket: str, make_store: MakeStore) -> Store:
        return make_store(f"s3://{bucket}-2?{server}", tier="warm")

    def overwrite(self, store: Store, key: ObjectKey, content: bytes) -> None:
        place = cast("S3Store", store).place
        if len(content) <= 10 * MIB:
            place.client.put_object(**place.address(key.location, None), Body=content)
        else:
            self.in_parts(place, key.location, content)

    def spoil(self, store: Store, content: bytes) -> None:
        place = cast("S3Store", store).place
        place.client.put_object(**place.address(MARK, None), Body=content)

    def in_parts(self, place: Place, location: str, content: bytes) -> None:
        """Upload as a tool that knows of no checksums does."""
        address = place.address(location, None)
        upload = place.client.create_multipart_upload(**address)["UploadId"]
        pieces = [content[at : at + PART] for at in range(0, len(content), PART)]
        parts: list[CompletedPartTypeDef] = [
            {
                "PartNumber": number,
                "ETag": place.client.upload_part(**address, UploadId=upload, PartNumber=number, Body=piece)["ETag"],
            }
            for number, piece in enumerate(pieces, start=1)
        ]
        place.client.complete_multipart_upload(**address, UploadId=upload, MultipartUpload={"Parts": parts})

    def versioned(self, store: Store) -> None:
        place = cast("S3Store", store).place
        place.client.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})

    def test_prepare_makes_the_bucket(self, server: str, bucket: str, make_store: MakeStore) -> None:
        """A missing bucket is made and reported; until then it is the tier that fails, not an object that is gone."""
        store = make_store(f"s3://{bucket}?{server}", prepared=False)
        key = ObjectKey(store.location(info_of(b"x")))
        for call in (store.check, lambda: store.head(key), lambda: list(store.list()), lambda: put(store, b"x")):
            with pytest.raises(TierNotOurs, match="tierkeeper init"):
                call()
        assert store.delete([key])[0].state is DeleteState.FAILED
        assert store.prepare() == [f"bucket {bucket}"]
        assert store.prepare() == []
        store.check()

    def test_tiers_share_a_bucket_by_prefix(
        self, store: Store, server: str, bucket: str, make_store: MakeStore
    ) -> None:
        """What lies under another prefix of the bucket is not listed; the keys carry the tier's own."""
        other = make_store(f"s3://{bucket}/other?{server}", tier="warm")
        key, info, _ = put(store, b"x")
        assert list(other.list()) == []
        place = cast("S3Store", store).place
        assert place.client.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"] == f"some/prefix/{key.location}"
        digest = info.sha256.hex()
        assert key.location == f"cas/{digest[:2]}/{digest}/{info.placement}"

    def test_the_readable_layout(self, server: str, bucket: str, make_store: MakeStore) -> None:
        """With layout=readable the key carries the names, and a copy gets the metadata of its new name."""
        store = make_store(f"s3://{bucket}?{server}", layout="readable")
        assert store.readable_layout
        key, info, _ = put(store, b"x")
        assert key.location == f"acme/weekly_reports/weekly/report.md/3-{info.placement}"
        renamed = info_of(b"x", name="new.md")
        copied = store.copy(store, key, store.location(renamed), renamed)
        assert self.about(store, ObjectKey(copied.location))["name"] == "new.md"

    def about(self, store: Store, key: ObjectKey) -> dict[str, str]:
        place = cast("S3Store", store).place
        return place.client.head_object(**place.address(key.location, key.version))["Metadata"]

    def test_objects_describe_themselves(self, store: Store, sibling: Store) -> None:
        """Each object carries tenant, workflow, name, version, SHA-256, size and time, and keeps them when copied."""
        key, info, _ = put(store, b"x", info_of(b"x", name="grün/ä b%.md"))
        expected = {
            "tenant": "acme",
            "workflow": "weekly_reports",
            "name": "gr%C3%BCn/%C3%A4%20b%25.md",
            "version": "3",
            "sha256": info.sha256.hex(),
            "size": "1",
            "created": info.created.isoformat(),
            "metadata": description.header('{"team":"fi\u2013nance","n":1}'),
        }
        assert self.about(store, key) == expected
        copied = sibling.copy(store, key, sibling.location(info), info)
        assert self.about(sibling, ObjectKey(copied.location)) == expected
        place = cast("S3Store", sibling).place
        assert place.client.head_object(**place.address(copied.location, None))["ContentType"] == "text/markdown"

    def test_large_objects_go_in_parts(self, store: Store) -> None:
        """Above the threshold an object is uploaded in parts of the size set, and no upload stays open."""
        content = os.urandom(17 * MIB)
        key, info, stored = put(store, content)
        place = cast("S3Store", store).place
        head = place.client.head_object(**place.address(key.location, None))
        assert head["ETag"].endswith('-4"')
        assert head["Metadata"]["sha256"] == info.sha256.hex()
        assert stored.sha256 == info.sha256
        assert "Uploads" not in place.client.list_multipart_uploads(Bucket=place.bucket)

    def test_a_failed_upload_in_parts_is_aborted(self, store: Store) -> None:
        """Where the content ends with an error, nothing of it stays: neither an object nor an open upload."""
        info = info_of(bytes(20 * MIB))

        class Breaking(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell() > 11 * MIB:
                    raise OSError(5, "the disk has a bad day")
                return super().read(size)

        with pytest.raises(OSError, match="bad day"):
            store.put(store.location(info), Breaking(bytes(20 * MIB)), info)
        place = cast("S3Store", store).place
        assert "Uploads" not in place.client.list_multipart_uploads(Bucket=place.bucket)
        assert list(store.list()) == []

    def test_very_large_copies_go_in_parts(self, server: str, bucket: str, store: Store, make_store: MakeStore) -> None:
        """Above the server's limit for one copy, it is made in parts on the server's side."""
        warm = make_store(f"s3://{bucket}-2?{server}", tier="warm", copy_threshold="5MiB")
        content = os.urandom(12 * MIB)
        key, info, _ = put(store, content)
        stored = warm.copy(store, key, warm.location(info), info)
        assert read(warm, ObjectKey(stored.location, stored.version)) == content
        assert self.about(warm, ObjectKey(stored.location))["name"] == "weekly/report.md"

    @pytest.mark.parametrize("size", [5000, 17 * MIB])
    def test_a_pin_is_that_of_the_write(self, store: Store, size: int) -> None:
        """What somebody writes right after is never pinned, and never read or copied by the pin."""
        key, info, stored = put(store, os.urandom(size))
        place = cast("S3Store", store).place
        assert stored.pin == place.client.head_object(**place.address(key.location, None))["ETag"]
        self.overwrite(store, key, os.urandom(size))
        pinned = replace(key, pin=stored.pin)
        for call in (lambda: read(store, pinned), lambda: store.head(pinned)):
            with pytest.raises(ContentMismatch, match="something else was written there since"):
                call()
        large = replace(place.options, copy_threshold=PART)
        for options in (place.options, large):
            place.options = options
            with suppress(ContentMismatch):
                assert store.copy(store, pinned, store.location(info_of(b"")), info).vouched is None

    def test_something_else_right_after_a_copy(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """What comes right after a copy is not taken for the copy, and never read by its pin."""
        content = os.urandom(5000)
        key, info, stored = put(store, content)
        place = cast("S3Store", store).place
        target = store.location(replace(info, placement=new_id()))
        copy_object = place.copy_object

        def overtaken(*given: Any, **arguments: Any) -> Any:  # noqa: ANN401  as the real one
            answer = copy_object(*given, **arguments)
            self.overwrite(store, ObjectKey(target), os.urandom(5000))
            return answer

        monkeypatch.setattr(place, "copy_object", overtaken)
        with suppress(ContentMismatch):  # where its answer did not say enough, it was looked at
            copied = store.copy(store, replace(key, pin=stored.pin), target, info)
            with pytest.raises(ContentMismatch):
                store.head(ObjectKey(target, copied.version, copied.pin))

    @pytest.mark.parametrize("threshold", ["5GiB", "5MiB"])
    def test_foreign_objects_are_not_vouched_for(
        self, server: str, bucket: str, store: Store, make_store: MakeStore, threshold: str
    ) -> None:
        """What another tool uploaded in parts is vouched for by its pin alone, whoever overwrote it before."""
        warm = make_store(f"s3://{bucket}-2?{server}", tier="warm", copy_threshold=threshold)
        place = cast("S3Store", store).place
        for size in (5000, 10 * MIB):
            content = os.urandom(size)
            info = info_of(content)
            location = store.location(info)
            self.in_parts(place, location, content)
            etag = place.client.head_object(**place.address(location, None))["ETag"]
            unnamed = warm.copy(store, ObjectKey(location), warm.location(info), info)
            assert unnamed.vouched is None or unnamed.sha256 == info.sha256  # AWS computes one as it copies
            self.in_parts(place, location, os.urandom(size))
            with suppress(ContentMismatch):
                copied = warm.copy(store, ObjectKey(location, pin=etag), warm.location(info_of(content)), info)
                assert copied.vouched is None

    def test_versions_are_pins(self, server: str, bucket: str, make_store: MakeStore) -> None:
        """On a versioned bucket a copy is as good as its source by the version id, whatever was written above it."""
        self.versioned(make_store(f"s3://{bucket}?{server}"))
        store = make_store(f"s3://{bucket}?{server}", copy_threshold="5MiB")
        for size in (5000, 17 * MIB):
            content = os.urandom(size)
            key, info, stored = put(store, content)
            assert stored.version
            assert stored.pin == stored.version
            self.overwrite(store, key, os.urandom(size))
            pinned = replace(key, pin=stored.pin)
            assert read(store, pinned) == content
            copied = store.copy(store, pinned, store.location(replace(info, placement=new_id())), info)
            assert copied.vouched in {Vouched.SERVER, Vouched.PINNED}
            assert read(store, ObjectKey(copied.location, copied.version, copied.pin)) == content

    def test_a_probe_leaves_nothing(self, server: str, bucket: str, make_store: MakeStore) -> None:
        """What a server can do is found out on an object of ours, of which nothing stays, versions included."""
        made = make_store(f"s3://{bucket}?{server}")
        assert probe.probe(cast("S3Store", made).place).keys() == {
            probe.COPIES,
            probe.PARTS,
            probe.BODIES,
        }
        assert list(made.list()) == []
        place = cast("S3Store", made).place
        for left in (place.client.create_multipart_upload, place.client.put_object):  # of one that was interrupted
            left(**place.address(f"{probe.FOLDER}{left.__name__}", None))
        probe.clear(place, before=datetime.now(UTC) + timedelta(minutes=1))
        assert list(made.list()) == []
        assert "Uploads" not in place.client.list_multipart_uploads(Bucket=place.bucket)
        self.versioned(made)
        again = make_store(f"s3://{bucket}?{server}")
        probe.probe(cast("S3Store", again).place)
        self.nothing_at_all(again)

    def test_something_else_at_the_location(self, store: Store) -> None:
        """A write never replaces other bytes: the second one is refused, the first stay."""
        for size in (10, 17 * MIB):
            first, second = os.urandom(size), os.urandom(size)
            key, _, _ = put(store, first)
            with pytest.raises(StorePermanent, match="something else"):
                store.put(key.location, io.BytesIO(second), info_of(second))
            assert read(store, key) == first

    def test_open_uploads_go_with_their_location(self, store: Store) -> None:
        """Deleting a location without a version aborts the open uploads of exactly that key."""
        place = cast("S3Store", store).place
        keys = [ObjectKey(store.location(info_of(b"%d" % n))) for n in range(3)]
        for key in keys:
            place.client.create_multipart_upload(**place.address(key.location, None))
        store.delete(keys[:2])
        left = place.client.list_multipart_uploads(Bucket=place.bucket)["Uploads"]
        assert [place.location(upload["Key"]) for upload in left] == [keys[2].location]

    def test_versioned_buckets(self, server: str, bucket: str, make_store: MakeStore) -> None:
        """On a versioned bucket a copy has a version id, by which it is found and deleted for good."""
        made = make_store(f"s3://{bucket}?{server}")
        self.versioned(made)
        store = make_store(f"s3://{bucket}?{server}")
        for size in (10, 17 * MIB):
            key, info, stored = put(store, os.urandom(size))
            assert stored.version
            assert store.head(key).version == stored.version
            copied = store.copy(store, key, store.location(info_of(b"")), info)
            assert copied.version not in {None, stored.version}
            assert {found.version for found in store.list()} == {stored.version, copied.version}
            assert store.delete([key, ObjectKey(copied.location, copied.version)])[0].state is DeleteState.DELETED
            self.nothing_at_all(store)

    def test_every_version_goes_with_its_location(self, server: str, bucket: str, make_store: MakeStore) -> None:
        """Deleting a location without a version removes every version and every delete marker of that key alone."""
        made = make_store(f"s3://{bucket}?{server}")
        self.versioned(made)
        store = make_store(f"s3://{bucket}?{server}")
        place = cast("S3Store", store).place
        key, _, _ = put(store, b"x")
        for _ in range(3):
            place.client.put_object(**place.address(key.location, None), Body=b"again")
            place.client.delete_object(**place.address(key.location, None))
        with pytest.raises(ObjectNotFound):
            store.head(ObjectKey(key.location))
        place.client.put_object(**place.address(key.location + "-longer", None), Body=b"a neighbour")
        assert store.delete([ObjectKey(key.location)])[0].state is DeleteState.DELETED
        assert [found.location for found in store.list()] == [key.location + "-longer"]

    def test_versioning_switched_on_behind_our_back(self, store: Store) -> None:
        """A delete that turns out to have only hidden the object is followed by one of all its versions."""
        key, _, _ = put(store, b"x")
        store.delete([ObjectKey(store.location(info_of(b"never")))])  # now the store knows: no versions
        self.versioned(store)
        other, _, _ = put(store, b"y")
        assert other.version is not None
        results = store.delete([key, ObjectKey(other.location)])
        assert [r.state for r in results] == [DeleteState.DELETED] * 2
        self.nothing_at_all(store)

    def nothing_at_all(self, store: Store) -> None:
        place = cast("S3Store", store).place
        found = place.client.list_object_versions(Bucket=place.bucket)
        assert found.get("Versions", []) == []
        assert found.get("DeleteMarkers", []) == []

    def test_long_lists_have_all_pages(self, store: Store) -> None:
        """More objects than one page holds are all listed."""
        place = cast("S3Store", store).place
        with ThreadPoolExecutor(8) as threads:
            keys = [place.key(f"many/{n}") for n in range(1005)]
            list(threads.map(lambda key: place.client.put_object(Bucket=place.bucket, Key=key, Body=b""), keys))
        assert len({found.location for found in store.list("many/")}) == 1005
