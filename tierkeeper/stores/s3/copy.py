"""Copies on the server's side: from exactly the bytes that are asked for, in parts where they are large.

Who vouches for a copy: the server by its own SHA-256 of the whole, or else its source, where that was named by its
version id, or by its ETag to a server that was seen to refuse a wrong one. Of all else nobody knows what was copied.

A copy in one call whose answer says that much is not looked at: it has the SHA-256 in it, or names the very bytes that
were asked for. Who deletes the last other copy looks then (R21), and is the first to compare the length. Any other
answer is followed by a HEAD; so is one that names the copy by an ETag, unless the tier's last HEAD told one: that of an
answer's body names nothing where a proxy weakens those of all headers.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tierkeeper.base.states import Vouched
from tierkeeper.stores.base import ObjectInfo, ObjectKey, Stored
from tierkeeper.stores.errors import Unnamed
from tierkeeper.stores.s3 import answers, once
from tierkeeper.stores.s3 import look as s3_look
from tierkeeper.stores.s3.multipart import Multipart
from tierkeeper.stores.s3.origin import Origin
from tierkeeper.stores.s3.place import Place
from tierkeeper.stores.s3.probe import Abilities
from tierkeeper.stores.s3.thaw import thawing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: what stands beside the result: the id of the version that was made, and of the one that it was made from
_NAMES = ("VersionId", "CopySourceVersionId")


class Copier:
    """Copies into one tier from those of its realm."""

    def __init__(self, place: Place, multipart: Multipart) -> None:
        self._place = place
        self._multipart = multipart
        self.abilities = Abilities(place)

    def copy(self, source: Place, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        """Copy ``key`` of ``source``; ContentMismatch where its bytes are seen not to be those asked for."""
        version, etag = answers.named(key)
        large = info.size > self._place.options.copy_threshold
        by_etag = etag is not None and version is None and self.abilities.refuses_wrong_source(parts=large)
        origin = Origin(source, key, by_etag=by_etag)
        with thawing(source, key):
            answer, sure = self._in_parts(origin, location, info) if large else self._whole(origin, location, info)
        if isinstance(answer, Stored):
            return answer
        told = None if large else self._told(answer, origin, location, info)
        if told is not None:
            s3_look.checked(self._place, told, info)
            if s3_look.is_named(self._place, told.version):
                return told
        stored, _ = s3_look.after(self._place, location, info, answer)
        if told is not None and told.sha256 is not None:
            return replace(told, pin=stored.pin)
        return replace(stored, vouched=_vouched(stored, named=origin.is_named and sure))

    def _whole(self, origin: Origin, location: str, info: ObjectInfo) -> tuple[Mapping[str, Any] | Stored, bool]:
        place = self._place
        # where the metadata is copied along, so is the checksum, on every server; the readable layout carries
        # the name, which then has to be the new one in the metadata too
        replaced = place.options.readable
        about = {"MetadataDirective": "REPLACE", **place.about(info)} if replaced else place.storage_class
        arguments = {**place.address(location, None), **origin.arguments, **about, "ChecksumAlgorithm": "SHA256"}

        def call(client: "S3Client") -> Mapping[str, Any]:
            with origin.exactly():
                answer = place.copy_object(client, **arguments)
            with place.understanding(location):
                return {**answer["CopyObjectResult"], **{name: answer.get(name) for name in _NAMES}}

        def look() -> Stored | None:
            return s3_look.there(place, location, info.size)

        return once.once(place, origin.key.location, info.size, call, look), True

    def _in_parts(self, origin: Origin, location: str, info: ObjectInfo) -> tuple[Mapping[str, Any] | Stored, bool]:
        try:
            head = s3_look.head(origin.place, origin.key)
        except Unnamed:  # what is copied by no name is read back, unless each part is asked for by its own condition
            head = s3_look.head(origin.place, ObjectKey(origin.key.location, origin.key.version))
        s3_look.checked(origin.place, s3_look.stored(origin.place, origin.key.location, head), info)
        finished = self._multipart.copy(origin, info.size, location, self._place.about(info))
        return finished.answer, finished.sure

    def _told(self, answer: Mapping[str, Any], origin: Origin, location: str, info: ObjectInfo) -> Stored | None:
        """Return what the answer of a copy says was made and who vouches for it; None where it does not say enough."""
        pin, sha256 = answers.pin(answer), answers.whole_sha256(answer)
        if pin is None or not (sha256 is not None or origin.is_said_by(answer)):
            return None
        if not s3_look.tells_version(self._place, answer):
            return None
        stored = Stored(location, info.size, version=answers.version(answer["VersionId"]), sha256=sha256, pin=pin)
        return replace(stored, vouched=Vouched.PINNED if sha256 is None else Vouched.SERVER)


def _vouched(stored: Stored, *, named: bool) -> Vouched | None:
    """Return who vouches for a copy that was looked at: what the look found counts only if the answer told its name."""
    if stored.pin is None:
        return None
    if stored.sha256 is not None:
        return Vouched.SERVER
    return Vouched.PINNED if named else None
