"""The bucket and prefix of a tier: its clients, its keys, and the bucket's abilities."""

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tierkeeper.stores import advice
from tierkeeper.stores.base import ObjectInfo, StoreConfig
from tierkeeper.stores.errors import ObjectNotFound, StoreUnusable, TierNotOurs
from tierkeeper.stores.s3 import clients, description, errors
from tierkeeper.stores.s3.lacking import Lacking
from tierkeeper.stores.s3.signed import HotCalls, SignedClient

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_OURS_ALREADY = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


class Place:
    """One bucket and prefix, with its clients; ``hot`` makes the calls that are made once per object."""

    def __init__(self, config: StoreConfig) -> None:
        self.tier = config.tier
        self.options = clients.parse(config)
        self._clients = clients.make(self.options, config)
        self.client: S3Client = self._clients.client
        self.hot: HotCalls = self._clients.hot
        self._patient: dict[float, S3Client] = {}
        self.bucket = self.options.bucket
        self._lock = threading.Lock()  # held over no call: others would wait for a server that is slow to answer
        self.told_etags_until = 0.0  # set by the module ``look``, by time.monotonic
        self._versioned: bool | None = None
        self._lockable = self.options.lock
        self.lacking = Lacking(self.tier, self.server)

    @property
    def server(self) -> str:
        """The server, as what is known of its abilities is kept under."""
        return self.options.endpoint or f"aws {self.client.meta.region_name}"

    def key(self, location: str) -> str:
        """Return the object key of ``location``."""
        return self.options.prefix + location

    def location(self, key: str) -> str:
        """Return the location of an object key below the prefix."""
        return key[len(self.options.prefix) :]

    def address(self, location: str, version: str | None) -> dict[str, Any]:
        """Return the arguments that name one object, or one version of it."""
        address = {"Bucket": self.bucket, "Key": self.key(location)}
        return address if version is None else {**address, "VersionId": version}

    def translating(self, location: str) -> contextlib.AbstractContextManager[None]:
        """Translate the errors of calls about ``location``."""
        return errors.translating(tier=self.tier, location=location)

    def understanding(self, location: str) -> contextlib.AbstractContextManager[None]:
        """Raise Garbled for answers about ``location`` that cannot be read."""
        return errors.understanding(tier=self.tier, location=location)

    def about(self, info: ObjectInfo) -> dict[str, Any]:
        """Return boto3's arguments for an object's type, description and class."""
        return {"ContentType": info.content_type, "Metadata": description.written(info), **self.storage_class}

    @property
    def storage_class(self) -> dict[str, str]:
        """The argument for the storage class; empty where the bucket's default applies."""
        given = self.options.storage_class
        return {} if given is None else {"StorageClass": given}

    def once(self, seconds: float) -> "S3Client":
        """Return a client that waits ``seconds`` for an answer and makes one attempt."""
        with self._lock:
            if seconds not in self._patient:
                self._patient[seconds] = self._clients.once(seconds)
            return self._patient[seconds]

    def copy_object(self, once: "S3Client", **arguments: Any) -> Any:  # noqa: ANN401  boto3's arguments and answers
        """Copy an object by the server, in one attempt that waits as long as the client ``once`` does."""
        if isinstance(self.hot, SignedClient):
            return self.hot.copy_object(once, **arguments)
        return once.copy_object(**arguments)

    def close(self) -> None:
        """Close the connections."""
        self.hot.close()
        for client in (self.client, *self._patient.values()):
            client.close()

    @property
    def versioned(self) -> bool:
        """Whether the bucket keeps versions, or has kept some (queried until it answers)."""
        if self._versioned is None:
            with self.translating(self.bucket):
                versioned = "Status" in self.client.get_bucket_versioning(Bucket=self.bucket)
            with self._lock:
                if self._versioned is None:  # it may have become so meanwhile
                    self._versioned = versioned
        return self._versioned

    def became_versioned(self) -> None:
        """Record that versioning was switched on since it was queried."""
        with self._lock:
            self._versioned = True

    @property
    def lockable(self) -> bool:
        """Whether the bucket has Object Lock (by the option ``lock``, else queried until it answers)."""
        if self._lockable is None:
            self._lockable = self._ask_lockable()
        return self._lockable

    def prepare(self) -> list[str]:
        """Create the bucket where it is missing; StoreUnusable where it lacks the Object Lock of option ``lock``."""
        try:
            self.check()
            prepared = []
        except ObjectNotFound:
            prepared = [self._create()]
        if self.options.lock and not self._ask_lockable():
            reason = (
                f"bucket {self.bucket} has no Object Lock, and option lock=yes asks for it: switch it on for the "
                "bucket, use another bucket (a missing one is made with it), or leave the option out"
            )
            raise StoreUnusable(tier=self.tier, reason=reason)
        return prepared

    def check(self) -> None:
        """Raise ObjectNotFound where the bucket is missing, another StoreError where it cannot be used."""
        with self.translating(f"bucket {self.bucket}"):
            self.client.head_bucket(Bucket=self.bucket)

    def require_bucket(self) -> None:
        """Raise TierNotOurs where the bucket is missing: its objects then count as unreachable, not as deleted."""
        try:
            self.check()
        except ObjectNotFound as error:
            reason = f"bucket {self.bucket} does not exist: {advice.BUCKET}; {advice.NEW}"
            raise TierNotOurs(tier=self.tier, reason=reason) from error

    def _create(self) -> str:
        arguments: dict[str, Any] = {"Bucket": self.bucket}
        region = self.client.meta.region_name
        # AWS refuses its first region as a constraint; other servers have location names of their own
        if region != "us-east-1" and self.options.endpoint is None:
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": region}
        if self.options.lock:
            arguments["ObjectLockEnabledForBucket"] = True
        with self.translating(f"bucket {self.bucket}"):
            try:
                self.client.create_bucket(**arguments)
            except ClientError as error:
                if errors.code_of(error) not in _OURS_ALREADY:
                    raise
                self.client.head_bucket(Bucket=self.bucket)  # 403 if another account owns it
            self.client.get_waiter("bucket_exists").wait(
                Bucket=self.bucket, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
            )
        return f"bucket {self.bucket}{' with Object Lock' if self.options.lock else ''}"

    def _ask_lockable(self) -> bool:
        with self.translating(self.bucket):
            try:
                answer = self.client.get_object_lock_configuration(Bucket=self.bucket)
            except ClientError as error:
                if errors.code_of(error) in errors.NO_LOCK:
                    return False
                raise
        return answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"
