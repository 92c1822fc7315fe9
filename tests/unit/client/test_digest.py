"""The one streaming digest."""

import hashlib
import io

import pytest

from tierkeeper_client.digest import CHUNK, Digest, digest_of


def test_other_hashes_are_made_in_the_same_pass() -> None:
    """SHA-256 is made always, others where they are asked for, and one that was not asked for is not there."""
    digest = Digest("md5")
    for piece in (b"tier", b"", b"keeper"):
        digest.add(piece)
    assert digest.size == 10
    assert digest.sha256 == digest.of("sha256") == hashlib.sha256(b"tierkeeper").digest()
    assert digest.of("md5") == hashlib.md5(b"tierkeeper", usedforsecurity=False).digest()
    with pytest.raises(KeyError):
        digest.of("sha1")


def test_a_file_is_hashed_from_where_it_stands() -> None:
    """A file is read in pieces, from its place to its end."""
    content = bytes(range(256)) * (CHUNK // 100)
    file = io.BytesIO(content)
    file.seek(7)
    digest = digest_of(file)
    assert (digest.size, digest.sha256) == (len(content) - 7, hashlib.sha256(content[7:]).digest())
