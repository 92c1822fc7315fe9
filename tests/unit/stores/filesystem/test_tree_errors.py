"""What a folder's errors say to do: by what the operating system says."""

import errno
import os

import pytest

from tierkeeper.stores import errors
from tierkeeper.stores.filesystem.tree import translated


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.EROFS, errors.StoreDenied, "read-write"),
        (errno.EACCES, errors.StoreDenied, "who owns the folder"),
        (errno.EPERM, errors.StoreDenied, "who owns the folder"),
        (errno.ENOSPC, errors.StoreFull, "Free space"),
        (errno.EDQUOT, errors.StoreFull, "Free space"),
        (errno.EIO, errors.StoreTransient, "Input/output error"),
    ],
)
def test_a_folder_is_told_what_mends_it(number: int, kind: type[errors.StoreError], says: str) -> None:
    """No folder has credentials, and what is read-only is not mended by permissions."""
    told = translated(OSError(number, os.strerror(number)), tier="hot", location="x")
    assert isinstance(told, kind)
    assert says in str(told)
    assert "credentials" not in str(told)
    assert "outcome" not in str(told)
