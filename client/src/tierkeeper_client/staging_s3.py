"""Staging into an S3 prefix; needs the extra ``tierkeeper-client[s3]``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tierkeeper_client import receiving_s3
from tierkeeper_client.errors import InvalidInput, StagingUnavailable
from tierkeeper_client.staging import CONNECT_TIMEOUT, READ_TIMEOUT, Staging, Upload

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# the options of a tier's URL that apply to an upload
OPTIONS = frozenset({"endpoint", "region", "profile", "addressing", "access_key", "secret_key", "session_token"})


class S3Staging(Staging):
    """Objects ``<prefix>/<uuid>``. Credentials from the URL's options, else the usual AWS chain."""

    def __init__(self, bucket: str, prefix: str, options: Mapping[str, str]) -> None:
        unknown = sorted(set(options) - OPTIONS)
        if unknown:
            raise InvalidInput(
                field="staging_url",
                value=", ".join(unknown),
                problem="there is no such option",
                fix=f"Options are: {', '.join(sorted(OPTIONS))}.",
            )
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._url = f"s3://{bucket}/{prefix}"
        endpoint = options.get("endpoint")
        addressing = options.get("addressing", "path" if endpoint else "auto")
        session = boto3.Session(profile_name=options.get("profile"))
        self._client: S3Client = session.client(
            "s3",
            endpoint_url=endpoint,
            region_name=options.get("region", "us-east-1" if endpoint else None),
            aws_access_key_id=options.get("access_key"),
            aws_secret_access_key=options.get("secret_key"),
            aws_session_token=options.get("session_token"),
            config=Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                retries={"mode": "standard", "max_attempts": 3},
                s3=cast("Any", {"addressing_style": addressing}),
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        receiving_s3.bound(self._client)

    def put(self, upload: Upload) -> str:
        """Upload in parts if it is large; the object appears when the last part is complete."""
        name = str(uuid4())
        try:
            self._client.upload_fileobj(cast("Any", upload), self._bucket, self._prefix + name)
        except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
            reason = receiving_s3.reason_of(error) or str(error)
            raise StagingUnavailable(url=self._url, reason=reason) from error
        return name
