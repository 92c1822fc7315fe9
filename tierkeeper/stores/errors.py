"""What a store can answer, translated once at its boundary from the client library's own exceptions."""

from typing import ClassVar

from tierkeeper_client.errors import InvalidInput, TierkeeperError


class StoreError(TierkeeperError):
    """Tier {tier}: {reason}."""

    exit_code = 6
    #: refused for what it is, while the tier takes others: trying again counts, and parks the artifact in the end
    of_object: ClassVar[bool] = False


class ObjectNotFound(StoreError):
    """Tier {tier} has nothing at {location}."""

    exit_code = 3


class StoreTransient(StoreError):
    """Tier {tier} did not answer as it should: {reason}. Try again; look at its server if it goes on."""

    retryable = True


class OutcomeUnknown(StoreTransient):
    """Tier {tier} did not answer as it should: {reason}. The outcome of a write is unknown: try again, and
    what it may have left is collected.
    """


class StoreDenied(StoreError):
    """Tier {tier} denies access: {reason}. Check its credentials and its permissions."""


class FolderDenied(StoreDenied):
    """Tier {tier} denies access: {reason}. Check who owns the folder, and its permissions."""


class FolderReadOnly(StoreDenied):
    """Tier {tier} takes no writes: {reason}. Mount it read-write; look at why it is not."""


class DatabaseReadOnly(StoreTransient):
    """Tier {tier} takes no writes: {reason}. Is its server a standby, or default_transaction_read_only on? Let the
    tier's URL lead to the primary.
    """


class StorePermanent(StoreError):
    """Tier {tier} refuses: {reason}. Trying again will not help; change the tier's settings or the request."""

    of_object = True


class NameRespelled(StorePermanent):
    """Tier {tier} has {location} under another spelling of its name, {found}: not in UTF-8, or not composed (NFC).
    Rename it; until then it counts neither as lost nor as deleted.
    """


class StoreDefect(StorePermanent):
    """Tier {tier} failed in its own code: {reason}. The log has the whole of it: report it, and when it is mended, try
    again (`tierkeeper parked retry`).
    """


class StoreUnusable(StorePermanent):
    """Tier {tier} cannot be used: {reason}. What is due waits until that is mended; nothing is parked for it."""

    of_object = False


class FormUnknown(StorePermanent):
    """Tier {tier} has {location} in a form that this release cannot open ({form}). Use the release that wrote it."""


class Unnamed(StoreUnusable):
    """Tier {tier} tells no ETag of {location}: whether the right bytes are there is not known. Let it send ETags."""

    retryable = True


class Garbled(StoreUnusable):
    """Tier {tier} cannot be understood about {location}: {reason}. Look at its server, and at what stands before it."""

    retryable = True


class TierNotOurs(StoreError):
    """Tier {tier} cannot be used: {reason}. Nothing is concluded from what is there; its copies wait until that is
    mended.
    """

    retryable = True


class MarkUnreadable(TierNotOurs):
    """Tier {tier} cannot be used: {mark} is no mark that this version can read ({reason}). Mend it, or let `tierkeeper
    init --adopt {tier} --reason …` replace it; until then nothing is concluded from what is there.
    """


class MarkNotRead(StoreError):
    """Tier {tier} cannot be used: whether {place} is its own is not known, since its mark was not read ({reason}).
    Nothing is decided without it: look at its server or its disk, and try again.
    """

    retryable = True


class StoreFull(StoreError):
    """Tier {tier} is full: {reason}. Free space or enlarge it."""

    retryable = True


class ContentMismatch(StoreError):
    """Tier {tier}: the bytes at {location} are not what they should be: {reason}."""


class LockUnsupported(StoreError):
    """Tier {tier} cannot lock objects. Use an S3 bucket with Object Lock, or a policy without retention."""

    exit_code = 5


class ThawNeeded(StoreError):
    """Tier {tier} is bringing {location} back from its archive class; try again after {after}."""

    retryable = True


class BadTierUrl(InvalidInput):
    """Setting {setting} is not usable: {problem} {fix}"""


class UnknownScheme(InvalidInput):
    """Setting {setting} has the scheme {scheme!r}, which nothing serves. Known are: {known}; a package can add one."""
