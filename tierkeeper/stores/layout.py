"""Where a new copy lies: both layouts carry the placement's id, so that no location is ever used twice."""

from tierkeeper.stores.base import ObjectInfo

STAGING = ".tmp"  # the folder for unfinished files beside the tenants' folders


def readable(info: ObjectInfo) -> str:
    """Return ``<tenant>/<workflow>/<name>/<version>-<placement>``."""
    # the one tenant whose folder would be taken for that of unfinished files
    tenant = "%2Etmp" if info.tenant == STAGING else info.tenant
    return f"{tenant}/{info.workflow}/{info.name}/{info.version}-{info.placement}"


def content_addressed(info: ObjectInfo) -> str:
    """Return ``cas/<first two digits>/<sha256>/<placement>``."""
    digest = info.sha256.hex()
    return f"cas/{digest[:2]}/{digest}/{info.placement}"
