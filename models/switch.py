from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Named, Table, Text, TypedColumns, func

from models.base import JSON_OBJECT, METADATA, TIMESTAMPTZ


class SwitchColumns(TypedColumns):
    """A catalog-wide value, with the actor who set it, the time and the reason.

    The names, and every statement about them, are in ``tierkeeper/catalog/switches.py``; the shape of a value is in the
    module that it belongs to.
    """

    name: Named[str] = Column(Text, primary_key=True)
    value: Named[dict[str, Any]] = Column(JSON_OBJECT)
    by: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)
    at: Named[datetime] = Column(TIMESTAMPTZ, server_default=func.now())


SWITCHES: Final = Table(
    "switches",
    METADATA,
    SwitchColumns,
)
