"""The situations in which every interleaving is tried."""

from faults.protocol.rules import Scenario
from faults.protocol.state import COLD, HOT, WARM, Artifact, Budget, Copy

_ABSENT = Artifact(life="none", wanted=0)
_LIVE = Artifact()
_WARM_ONE = Artifact(phase=1, wanted=WARM)
_IN_HOT = Copy(HOT, "present", ripe=False, bytes=True, key=1)
_IN_WARM = Copy(WARM, "present", ripe=False, bytes=True, key=1)
_IN_COLD = Copy(COLD, "present", ripe=False, bytes=True, key=1)
_COLD_ONE = Artifact(phase=1, wanted=COLD, retained=True, sworn=True)
_STORING = frozenset({"store", "converge", "collect"})
_ALL = frozenset({"store", "converge", "collect", "reconcile"})
_UNDO = frozenset({"purge", "undelete"})
_THREE = (HOT, WARM, COLD, 0)

SCENARIOS = (
    Scenario("two stores of nothing, lost replies", (_ABSENT, _ABSENT), (), frozenset({"store", "collect"}),
             budget=Budget(late=1, deliveries=(2, 0))),
    Scenario("a store delivered twice, reconciled", (_ABSENT, _ABSENT), (),
             frozenset({"store", "collect", "reconcile"}), slots=3,
             budget=Budget(expiries=1, crashes=1, late=1, deliveries=(2, 0))),
    Scenario("a store joins what is purged", (_LIVE, _ABSENT), (_IN_HOT,), _STORING, frozenset({"purge"}), slots=3,
             own_keys=True, budget=Budget(expiries=1, deliveries=(0, 1))),
    Scenario("a store joins what moves on", (_LIVE, _ABSENT), (_IN_HOT,), _STORING, ageing=1,
             budget=Budget(expiries=1, deliveries=(0, 1))),
    Scenario("a move with a crash and a paused worker", (_LIVE, _ABSENT), (_IN_HOT,), ageing=1,
             budget=Budget(expiries=1, crashes=1, late=1)),
    Scenario("a move, reconciled", (_LIVE, _ABSENT), (_IN_HOT,), frozenset({"converge", "collect", "reconcile"}),
             ageing=1, slots=3, budget=Budget(crashes=1, expiries=1)),
    Scenario("two move at once", (_LIVE, _LIVE), (_IN_HOT,), ageing=1, slots=3, budget=Budget(crashes=1)),
    Scenario("purge and undelete", (_LIVE, _ABSENT), (_IN_HOT,), wishes=_UNDO, ageing=1, slots=3,
             budget=Budget(expiries=1)),
    Scenario("purge and undelete of one of two", (_LIVE, _LIVE), (_IN_HOT,), wishes=_UNDO, slots=3,
             budget=Budget(expiries=1, crashes=1)),
    Scenario("a hold comes and goes", (_LIVE, _ABSENT), (_IN_HOT,), wishes=_UNDO | {"hold"}, slots=3,
             budget=Budget(expiries=1, crashes=1)),
    Scenario("the policy deletes", (_WARM_ONE, _ABSENT), (_IN_WARM,), wishes=frozenset({"undelete"}), ageing=1,
             slots=3, budget=Budget(expiries=1, crashes=1)),
    Scenario("restored while the other moves on", (_LIVE, _WARM_ONE), (_IN_HOT, _IN_WARM),
             wishes=frozenset({"restore"}), ageing=1),
    Scenario("restore and back", (_WARM_ONE, _WARM_ONE), (_IN_WARM,), wishes=frozenset({"restore"}), slots=3,
             budget=Budget(expiries=1)),
    Scenario("in two tiers", (Artifact(wanted=HOT | WARM), _ABSENT), (_IN_HOT, _IN_WARM),
             wishes=_UNDO | {"hold"}, phases=(HOT | WARM, WARM, 0), ageing=1, slots=3,
             budget=Budget(expiries=1, crashes=1)),
    Scenario("through three tiers to the end", (_LIVE, _ABSENT), (_IN_HOT,), phases=_THREE, ageing=3, slots=3,
             wishes=frozenset({"undelete"}), budget=Budget(crashes=1)),
    Scenario("two on their way through three tiers", (_LIVE, _WARM_ONE), (_IN_HOT, _IN_WARM), phases=_THREE, ageing=1,
             budget=Budget(crashes=1, expiries=1)),
    Scenario("retained on its way to cold", (_WARM_ONE, _ABSENT), (_IN_WARM,), phases=_THREE, ageing=2, slots=3,
             guarded=COLD, retains=True, wishes=frozenset({"purge"}), budget=Budget(crashes=1)),
    Scenario("retained and promoted", (_COLD_ONE, _ABSENT), (_IN_COLD._replace(locked=True),), phases=(HOT, COLD),
             slots=3, guarded=COLD, retains=True, wishes=frozenset({"purge", "promote"})),
    Scenario("retention is lengthened and shortened", (_LIVE, _ABSENT), (_IN_HOT,), slots=3, phases=(HOT, 0),
             ageing=1, guarded=HOT, wishes=_UNDO | {"lengthen", "shorten"}, budget=Budget(crashes=1)),
    Scenario("retention of one of two", (_LIVE, _LIVE), (_IN_HOT,), slots=3, phases=(HOT, COLD), ageing=1,
             guarded=COLD, retains=True, wishes=frozenset({"hold"})),
    Scenario("a new version in between", (_LIVE, _ABSENT), (_IN_HOT,), _STORING, ageing=1, slots=3, keep=1,
             wishes=frozenset({"undelete"}), budget=Budget(deliveries=(0, 1))),
    Scenario("two versions, the newer is purged", (_LIVE._replace(due=True), _LIVE), (_IN_HOT,), slots=3, keep=1,
             wishes=_UNDO | {"hold"}, budget=Budget(crashes=1)),
    Scenario("a row is lost and found again", (_LIVE, _ABSENT), (_IN_HOT,),
             frozenset({"converge", "collect", "reconcile"}), ageing=1, slots=3, workers=2,
             budget=Budget(crashes=1, losses=1)),
    Scenario("a late write, reconciled", (_LIVE, _ABSENT), (_IN_HOT,), frozenset({"converge", "collect", "reconcile"}),
             ageing=1, slots=3, budget=Budget(late=1, expiries=1)),
)  # fmt: skip
