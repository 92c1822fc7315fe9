"""The types of events that stay in the catalog, in short, when their month is detached.

What says how an artifact came and ended, who held it or let it go; and what code asks for years later: the ends of
copies, which tell bytes of ours from a stranger's, and the revisions of subjects that no row of their own counts.
"""

from typing import Final

from tierkeeper.audit.kinds import EventType, SubjectKind
from tierkeeper.audit.vocabulary import VOCABULARY

#: kinds of subjects all of whose events stay
WHOLE: Final = frozenset({SubjectKind.RUN, SubjectKind.SWITCH, SubjectKind.CATALOG})
KEPT: Final = frozenset(
    {
        EventType.STORED,
        EventType.DELETED,
        EventType.UNDELETED,
        EventType.PURGED,
        EventType.DESTROYED,
        EventType.PINNED,
        EventType.REBUILT,
        EventType.HOLD_RELEASED,
        EventType.COLLECTED,
        EventType.LEFT_OVER,
        EventType.LEFT_ASIDE,
        *(type_ for kind, type_ in VOCABULARY if kind in WHOLE),
    }
)
