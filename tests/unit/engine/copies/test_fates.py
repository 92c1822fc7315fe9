"""The fate of a blob's copies at a commit: a pure function of what is wanted and what is there."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from support.placement_rows import BLOB, NOW, TOKEN, copy

from tierkeeper.base.ids import new_id
from tierkeeper.base.states import PlacementState, Vouched
from tierkeeper.catalog.placements import VouchedUpload
from tierkeeper.catalog.rows import PlacementRow
from tierkeeper.engine.copies import fates

CONFIGURED = {"hot", "warm", "cold"}


def upload(of: PlacementRow) -> VouchedUpload:
    """An upload under an intent, vouched for."""
    return VouchedUpload(of.id, BLOB, of.tier, 1, bytes(32), None, None, Vouched.WRITTEN, None)


def settled(
    wanted: set[str], copies: list[PlacementRow], uploads: tuple[PlacementRow, ...] = (), *, token: UUID = TOKEN
) -> fates.Settlement:
    """Settle."""
    return fates.settle(wanted, copies, [upload(u) for u in uploads], token=token, configured=CONFIGURED)


def test_an_upload_wins_where_it_is_wanted() -> None:
    """An upload becomes present in a wanted tier without a copy, and what nobody wants any more is doomed."""
    old, new = copy("hot"), copy("warm", PlacementState.COPYING)
    found = settled({"warm"}, [old, new], (new,))
    assert [(u.placement, state) for u, state in found.uploads] == [(new.id, PlacementState.PRESENT)]
    assert found.doomed == (old.id,)
    assert found.complete
    assert (set(found.before), set(found.present)) == ({"hot"}, {"warm"})


def test_an_upload_loses_where_a_copy_is() -> None:
    """An upload is doomed where a good copy is present already, or where none is wanted."""
    there, late, unwanted = copy("hot"), copy("hot", PlacementState.COPYING), copy("cold", PlacementState.COPYING)
    found = settled({"hot"}, [there, late, unwanted], (late, unwanted))
    assert {state for _, state in found.uploads} == {PlacementState.DOOMED}
    assert found.doomed == ()


def test_an_upload_that_was_taken_away_is_left() -> None:
    """An upload whose row is gone, is being deleted, or has another's token is not committed (R2)."""
    gone, deleting = copy("hot", PlacementState.COPYING), copy("hot", PlacementState.DELETING)
    assert settled({"hot"}, [deleting], (gone, deleting)).uploads == ()
    theirs = copy("hot", PlacementState.COPYING)
    found = settled({"hot"}, [theirs], (theirs,), token=new_id())
    assert (found.uploads, found.complete) == ((), False)


def test_nothing_is_doomed_before_all_is_there() -> None:
    """While a wanted tier has no copy, no copy is doomed for being unwanted (R9)."""
    old = copy("hot")
    found = settled({"warm"}, [old])
    assert (found.complete, found.doomed, set(found.present)) == (False, (), {"hot"})


def test_exactly_one_doomed_copy_is_rescued() -> None:
    """A wanted tier without a copy gets one of its doomed ones back, and only one."""
    first, second = copy("hot", PlacementState.DOOMED), copy("hot", PlacementState.DOOMED)
    found = settled({"hot"}, [first, second])
    assert (found.rescued, found.complete) == ((first.id,), True)
    assert settled(set(), [first, second]).rescued == ()


def test_damaged_copies_are_replaced_and_never_rescued() -> None:
    """A damaged present copy gives way to an upload; a damaged doomed one stays doomed."""
    bad = replace(copy("hot"), damaged_at=NOW)
    new = copy("hot", PlacementState.COPYING)
    found = settled({"hot"}, [bad, new], (new,))
    assert (found.doomed, found.complete) == ((bad.id,), True)
    assert settled({"hot"}, [bad]).complete is False
    dead = replace(copy("hot", PlacementState.DOOMED), damaged_at=NOW)
    assert settled({"hot"}, [dead]).rescued == ()


def test_a_copy_under_a_purged_name_is_replaced() -> None:
    """A copy whose location carries a purged name does not count, is not rescued, and can still be copied from."""
    named = replace(copy("hot"), name_purged=True)
    assert fates.lacking({"hot"}, [named]) == {"hot"}
    assert fates.sources([named]) == [named]
    new = copy("hot", PlacementState.COPYING)
    assert settled({"hot"}, [named, new], (new,)).doomed == (named.id,)


def test_present_copies_are_copied_from_first() -> None:
    """Sources are the present copies, then the doomed ones; never damaged ones, intents or deletions."""
    doomed, present = copy("hot", PlacementState.DOOMED), copy("cold")
    bad = replace(copy("warm"), damaged_at=NOW)
    others = [copy("warm", PlacementState.COPYING), copy("warm", PlacementState.DELETING)]
    assert fates.sources([doomed, bad, present, *others]) == [present, doomed]


def in_doubt(tier: str, state: PlacementState = PlacementState.PRESENT) -> PlacementRow:
    """A copy that nobody vouches for."""
    return replace(copy(tier, state), vouched=None)


def test_a_copy_that_nobody_vouches_for_dooms_nothing() -> None:
    """It is no reason to remove another copy, and stays itself until it is known whether it is right (R15)."""
    found = settled({"warm"}, [copy("hot"), in_doubt("warm")])
    assert (found.doomed, found.complete) == ((), False)
    assert fates.lacking({"warm"}, [in_doubt("warm")]) == {"warm"}


def test_an_upload_takes_the_place_of_a_copy_that_nobody_vouches_for() -> None:
    """What is vouched for is better than what may be wrong."""
    old, new = in_doubt("hot"), copy("hot", PlacementState.COPYING)
    found = settled({"hot"}, [old, new], (new,))
    assert [state for _, state in found.uploads] == [PlacementState.PRESENT]
    assert (found.doomed, found.complete) == ((old.id,), True)


def test_only_what_is_vouched_for_is_rescued() -> None:
    """A doomed copy comes back where somebody vouches for it, in the place of one that nobody does."""
    assert settled({"hot"}, [in_doubt("hot", PlacementState.DOOMED)]).rescued == ()
    there, doomed = in_doubt("hot"), copy("hot", PlacementState.DOOMED)
    found = settled({"hot"}, [there, doomed])
    assert (found.rescued, found.doomed) == ((doomed.id,), (there.id,))


def test_what_is_vouched_for_is_the_first_source() -> None:
    """A doomed copy that is vouched for comes before a present one that is not; what is damaged is none."""
    doubtful, doomed, first = in_doubt("hot"), copy("warm", PlacementState.DOOMED), copy("cold")
    bad = replace(copy("hot"), damaged_at=NOW)
    assert fates.sources([doubtful, bad, doomed, first]) == [first, doomed, doubtful]


def test_in_doubt_is_what_would_count_if_somebody_vouched_for_it() -> None:
    """A wanted tier's present or doomed copy, undamaged, where no other counts."""
    present, doomed = in_doubt("hot"), in_doubt("warm", PlacementState.DOOMED)
    bad, named = replace(in_doubt("hot"), damaged_at=NOW), replace(in_doubt("hot"), name_purged=True)
    going = in_doubt("hot", PlacementState.DELETING)
    rows = [present, doomed, bad, named, going, in_doubt("cold")]
    assert fates.doubtful({"hot", "warm"}, rows) == [present, doomed]
    assert fates.doubtful({"hot"}, [*rows, copy("hot")]) == []


def missed(tier: str, state: PlacementState = PlacementState.PRESENT) -> PlacementRow:
    """A copy that was not found once."""
    return replace(copy(tier, state), missed_at=NOW)


def test_a_suspect_neither_counts_nor_is_a_source_nor_is_rescued() -> None:
    """Nothing goes, and nothing is made, on the word of a copy that was not found (R20)."""
    suspect, other = missed("warm"), copy("hot")
    found = settled({"warm"}, [suspect, other])
    assert (found.complete, found.doomed, found.missed) == (False, (), NOW)
    assert fates.sources([suspect, other]) == [other]
    assert fates.doubtful({"warm"}, [replace(suspect, vouched=None)]) == []
    assert settled({"warm"}, [missed("warm", PlacementState.DOOMED), other]).rescued == ()
    assert fates.lacking({"warm", "hot"}, [suspect, other]) == {"warm"}


def test_what_waits_for_a_second_look() -> None:
    """Only what lacks nothing but suspects, or has no other source; a doomed suspect keeps no tier."""
    assert fates.blocked_by_suspects([missed("warm"), missed("cold", PlacementState.DOOMED), copy("hot")]) == {"warm"}
    assert settled({"warm", "cold"}, [missed("warm"), copy("hot")]).missed is None
    assert settled({"warm", "cold"}, [missed("warm")]).missed == NOW
    assert settled({"warm"}, [missed("warm", PlacementState.DOOMED), copy("hot")]).missed is None
    assert settled({"cold"}, [copy("hot")]).missed is None
    assert settled({"warm"}, [missed("warm"), copy("warm", PlacementState.DOOMED)]).missed is None


def test_nobody_waits_for_what_nobody_can_look_at() -> None:
    """A suspect in a tier that is not configured ends no wait, and begins none."""
    away = replace(missed("gone"), missed_at=NOW - timedelta(days=30))
    assert settled({"warm"}, [missed("warm"), away]).missed == NOW
    assert settled({"warm"}, [away]).missed is None
