"""Server-side copies: of exactly the bytes that the key names, in parts where they are large.

A copy is vouched for by the server's own SHA-256 of the whole; or else by its source, where that was named by its
version id, or by its ETag to a server that was seen to refuse a wrong one. Otherwise it is not known what was copied,
and the copy is not vouched for.

No HEAD follows a copy in one call whose answer has the SHA-256, or names the very bytes that were requested: collect
checks such a copy before it deletes the last other one (R21), and is the first to compare the length. Any other answer
is followed by a HEAD; so is one that names the copy by an ETag, unless the tier's last HEAD returned an ETag: the ETag
in an answer's body names nothing where a proxy weakens those in all headers.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tierkeeper.base.states import Vouched
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Stored
from tierkeeper.stores.errors import Unnamed
from tierkeeper.stores.s3 import answers, heads, once
from tierkeeper.stores.s3.multipart import Multipart
from tierkeeper.stores.s3.origin import Origin
from tierkeeper.stores.s3.place import Place
from tierkeeper.stores.s3.probe import Abilities
from tierkeeper.stores.s3.thaw import thawing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: fields beside the result: the id of the new version, and of the source's version
_NAMES = ("VersionId", "CopySourceVersionId")


class Copier:
    """Copies into one tier from tiers of its realm."""

    def __init__(self, place: Place, multipart: Multipart) -> None:
        self._place = place
        self._multipart = multipart
        self.abilities = Abilities(place)

    def copy(self, source: Place, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        """Copy ``key`` of ``source``; ContentMismatch where its bytes are found to be others than the key names."""
        version, etag = answers.named(key)
        large = info.size > self._place.options.copy_threshold
        by_etag = etag is not None and version is None and self.abilities.refuses_wrong_source(parts=large)
        origin = Origin(source, key, by_etag=by_etag)
        with thawing(source, key):
            answer, sure = self._in_parts(origin, location, info) if large else self._whole(origin, location, info)
        if isinstance(answer, Stored):
            return answer
        reported = None if large else self._reported(answer, origin, location, info)
        if reported is not None:
            heads.checked(self._place, reported, info)
            if heads.is_named(self._place, reported.version):
                return reported
        stored, _ = heads.after(self._place, location, info, answer)
        if reported is not None and reported.sha256 is not None:
            return replace(reported, pin=stored.pin)
        return replace(stored, vouched=_vouched(stored, named=origin.is_named and sure))

    def _whole(self, origin: Origin, location: str, info: ObjectInfo) -> tuple[Mapping[str, Any] | Stored, bool]:
        place = self._place
        # every server copies the checksum with the metadata; in the readable layout the location carries the name, so
        # the metadata must be replaced by one with the new name
        replaced = place.options.readable
        about = {"MetadataDirective": "REPLACE", **place.about(info)} if replaced else place.storage_class
        arguments = {**place.address(location, None), **origin.arguments, **about, "ChecksumAlgorithm": "SHA256"}

        def call(client: "S3Client") -> Mapping[str, Any]:
            with origin.exactly():
                answer = place.copy_object(client, **arguments)
            with place.understanding(location):
                return {**answer["CopyObjectResult"], **{name: answer.get(name) for name in _NAMES}}

        def look() -> Stored | None:
            return heads.after_lost_answer(place, location, info.size)

        return once.once(place, origin.key.location, info.size, call, look), True

    def _in_parts(self, origin: Origin, location: str, info: ObjectInfo) -> tuple[Mapping[str, Any] | Stored, bool]:
        try:
            head = heads.head(origin.place, origin.key)
        except Unnamed:  # without an ETag the copy is read back, unless each part is requested under its own condition
            head = heads.head(origin.place, ObjectKey(origin.key.location, origin.key.version))
        heads.checked(origin.place, heads.stored(origin.place, origin.key.location, head), info)
        finished = self._multipart.copy(origin, info.size, location, self._place.about(info))
        return finished.answer, finished.sure

    def _reported(self, answer: Mapping[str, Any], origin: Origin, location: str, info: ObjectInfo) -> Stored | None:
        """Return the copy that the answer reports, with what vouches for it; None where the answer has too little."""
        pin, sha256 = answers.pin(answer), answers.whole_sha256(answer)
        if pin is None or not (sha256 is not None or origin.is_said_by(answer)):
            return None
        if not heads.tells_version(self._place, answer):
            return None
        stored = Stored(location, info.size, version=answers.version(answer["VersionId"]), sha256=sha256, pin=pin)
        return replace(stored, vouched=Vouched.PINNED if sha256 is None else Vouched.SERVER)


def _vouched(stored: Stored, *, named: bool) -> Vouched | None:
    """Return what vouches for a copy after its HEAD; nothing, unless the copy's own answer named it (``pin``)."""
    if stored.pin is None:
        return None
    if stored.sha256 is not None:
        return Vouched.SERVER
    return Vouched.PINNED if named else None
