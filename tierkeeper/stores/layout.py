"""The locations of new copies: both layouts carry the placement's id, so that no location is ever used twice."""

from uuid import UUID

from tierkeeper.stores.base import ObjectInfo, Store

STAGING = ".tmp"  # the folder for unfinished files, beside the tenants' folders
RESERVED = ".tierkeeper"  # the folder for tierkeeper's own objects
MARK = f"{RESERVED}/tier.json"  # the tier's mark


def placement_of(location: str) -> UUID | None:
    """Return the placement id with which every location ends; None for a location without one."""
    try:
        return UUID(location[-36:])
    except ValueError:
        return None


def readable(info: ObjectInfo) -> str:
    """Return ``<tenant>/<workflow>/<name>/<version>-<placement>``."""
    # quote tenants whose folder would be that of unfinished files, or tierkeeper's own
    tenant = f"%2E{info.tenant[1:]}" if info.tenant in {STAGING, RESERVED} else info.tenant
    return f"{tenant}/{info.workflow}/{info.name}/{info.version}-{info.placement}"


def content_addressed(info: ObjectInfo) -> str:
    """Return ``cas/<first two digits>/<sha256>/<placement>``."""
    digest = info.sha256.hex()
    return f"cas/{digest[:2]}/{digest}/{info.placement}"


def fits(store: Store, info: ObjectInfo, location: str) -> bool:
    """Return True if the store puts a copy of this description at ``location``, in any layout it may have had."""
    return location in {store.location(info), readable(info), content_addressed(info)}
