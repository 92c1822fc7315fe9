"""R7 to R14, broken one at a time: what counts, when it is decided, and under which locks."""

from mutations.mutant import Edit, Mutant
from mutations.places import (
    ARTIFACTS,
    BLOBS,
    COLLECT,
    COMMIT,
    CONVERGE,
    DAMAGE,
    DECIDE,
    KEEPER,
    LOCKS,
    RIPENESS,
    SETTLEMENT,
    STORING,
    STORY,
    VERBS,
    WISHES,
    WORKERS,
)

_R7_R8 = (
    Mutant(
        "R7",
        "what is deleted and not purged no longer counts",
        (Edit(ARTIFACTS, "AND a.state IN ('live', 'deleted')", "AND a.state = 'live'"),),
        (f"{KEEPER}test_sharing.py::test_a_deleted_artifact_keeps_its_copy_for_undelete",),
    ),
    Mutant(
        "R7",
        "a commit sees its own artifacts only",
        (
            Edit(
                COMMIT,
                "    union: dict[UUID, set[str]] = {blob: set(wants.get(blob, ())) for blob in blobs}\n",
                "    union: dict[UUID, set[str]] = {blob: set() for blob in blobs}\n",
            ),
        ),
        (f"{KEEPER}test_sharing.py::test_a_copy_stays_while_one_wants_it",),
    ),
    Mutant(
        "R8",
        "phases run for what is deleted",
        (
            Edit(
                DECIDE,
                "        tiers=_NOWHERE if destroy else facts.wanted,\n",
                "        tiers=_NOWHERE if destroy or _course(facts, policy, now).purge is not None\n"
                "        else _course(facts, policy, now).phase.tiers,\n",
            ),
        ),
        (f"{STORY}test_no_phase_runs_for_what_is_deleted",),
    ),
)

_R9 = (
    Mutant(
        "R9",
        "a commit dooms although not everything wanted is there",
        (Edit(SETTLEMENT, "    complete = counts >= set(wanted)\n", "    complete = True\n"),),
        (f"{DAMAGE}test_a_damaged_copy_is_not_spread",),
    ),
    Mutant(
        "R9",
        "a commit does what was decided before the copying",
        (
            Edit(
                CONVERGE,
                "        rows = artifacts.load(connection, ids)\n",
                "        rows = artifacts.load(connection, ids)\n        artifacts.SEEN = {r.id: r for r in rows}\n",
            ),
            Edit(
                COMMIT,
                "    rows = artifacts.load(connection, ids)\n    stuck",
                "    rows = [artifacts.SEEN[i] for i in ids]\n    stuck",
            ),
        ),
        (f"{WORKERS}test_a_restore_during_a_move_is_not_forgotten",),
    ),
    Mutant(
        "R9",
        "what is not complete is not due",
        (
            Edit(
                COMMIT,
                "        return Result(Outcome.RETRY, label, retry.detail, first),"
                " _hastened(retry.next(item, now), item, now=now)\n",
                "        result = Result(Outcome.RETRY, label, retry.detail, first)\n",
            ),
        ),
        (f"{WORKERS}test_reported_failures_are_not_parked",),
    ),
)

_R10 = (
    Mutant(
        "R10",
        "the policy deletes without an undo window",
        (Edit("tierkeeper/engine/converge/change.py", '"purge_at": decision.purge_at,', '"purge_at": now,'),),
        (f"{STORY}test_the_policy_deletes_as_a_user_does",),
    ),
    Mutant(
        "R10",
        "an undelete does not pin",
        (Edit(WISHES, "purge_at=None, not_before=not_before)", "purge_at=None, not_before=None)"),),
        (f"{STORY}test_the_policy_deletes_as_a_user_does",),
    ),
    Mutant(
        "R10",
        "what is purged may be undeleted",
        (
            Edit(
                WISHES,
                "        raise ArtifactPurged(ref=row.ref, at=when(row.purged_at))\n"
                "    if row.state is ArtifactState.LIVE:\n",
                "        pass\n    if row.state is ArtifactState.LIVE:\n",
            ),
        ),
        (f"{STORY}test_nothing_comes_back_from_purged",),
    ),
)

_R11 = (
    Mutant(
        "R11",
        "a doomed copy in a wanted tier stays though another is there",
        (
            Edit(
                RIPENESS,
                "    if copy.tier in needed.wanted and copy.tier not in tiers:\n",
                "    if copy.tier in needed.wanted:\n",
            ),
        ),
        (f"{STORY}test_a_duplicate_does_not_stay",),
    ),
    Mutant(
        "R11",
        "a doomed copy goes though it is wanted and the only one",
        (
            Edit(
                RIPENESS,
                "    if copy.tier in needed.wanted and copy.tier not in tiers:\n        return Verdict.WANTED\n"
                "    if not needed.wanted <= tiers:\n        return Verdict.INCOMPLETE\n",
                "",
            ),
        ),
        (f"{STORY}test_the_only_copy_of_what_is_wanted_is_not_collected",),
    ),
)

_R12 = (
    Mutant(
        "R12",
        "collect decides without the content's row",
        (
            Edit(
                COLLECT,
                "    blobs.lock(connection, [blob for _, blob in picked])\n    permission",
                "    permission",
            ),
        ),
        (f"{LOCKS}test_a_hold_that_comes_while_collect_waits_is_honoured",),
    ),
    Mutant(
        "R12",
        "a commit decides without the content's row",
        (Edit(COMMIT, "    blobs.lock(connection, touched)\n    artifacts", "    artifacts"),),
        (f"{LOCKS}test_two_commits_of_one_content_do_not_doom_each_others_copies",),
    ),
    Mutant(
        "R12",
        "a verb decides without the content's row",
        (
            Edit(
                VERBS,
                "    blobs.lock(connection, [a.blob_id for a in peek if a.blob_id is not None])\n",
                "",
            ),
        ),
        (f"{LOCKS}test_who_decides_takes_the_content_first[a verb]",),
    ),
    Mutant(
        "R12",
        "a store does not lock the content that it finds",
        (Edit(BLOBS, "    there = lock(connection, known.values())\n", "    there = set(known.values())\n"),),
        (f"{LOCKS}test_who_decides_takes_the_content_first[store intends]",),
    ),
    Mutant(
        "R12",
        "a store takes a content that went while it waited for it",
        (Edit(BLOBS, " in known.items() if blob in there}", " in known.items()}"),),
        ("tests/integration/catalog/test_blobs.py::test_what_goes_between_two_statements_is_made_anew",),
    ),
)

_R13_R14 = (
    Mutant(
        "R13",
        "a content's row stays when its last copy goes",
        (Edit(BLOBS, "DELETE FROM blobs b\n    WHERE b.id", "DELETE FROM blobs b\n    WHERE false AND b.id"),),
        (f"{STORY}test_content_goes_with_its_last_copy",),
    ),
    Mutant(
        "R13",
        "a content is destroyed while a copy of it is left",
        (Edit(ARTIFACTS, "                WHERE p.blob_id = b.id\n", "                WHERE false\n"),),
        (f"{STORY}test_content_goes_with_its_last_copy",),
    ),
    Mutant(
        "R13",
        "a store goes on with the content that it saw before",
        (
            Edit(
                STORING,
                "        if not place.first <= ours:\n            continue",
                "        if False:\n            continue",
            ),
        ),
        (f"{STORY}test_a_store_takes_a_content_that_is_going",),
    ),
    Mutant(
        "R14",
        "a commit takes the schedule before the content",
        (
            Edit(
                COMMIT,
                "    blobs.lock(connection, touched)\n    artifacts.lock_only(connection, ids)\n"
                "    held = schedule.lock(connection, ids)\n",
                "    held = schedule.lock(connection, ids)\n    blobs.lock(connection, touched)\n"
                "    artifacts.lock_only(connection, ids)\n",
            ),
        ),
        (f"{LOCKS}test_who_decides_takes_the_content_first[converge commits]",),
    ),
    Mutant(
        "R14",
        "contents are not locked by their ids",
        (
            Edit(
                BLOBS,
                "SELECT id FROM blobs WHERE id = ANY(:ids) ORDER BY id FOR",
                "SELECT id FROM blobs WHERE id = ANY(:ids) ORDER BY id DESC FOR",
            ),
        ),
        (f"{LOCKS}test_rows_are_locked_by_their_ids[blobs]",),
    ),
    Mutant(
        "R14",
        "contents are locked in no order",
        (Edit("tierkeeper/base/ids.py", "    return sorted(set(ids), key=_NUMBER)\n", "    return list(set(ids))\n"),),
        ("tests/unit/base/test_ids.py",),
    ),
    Mutant(
        "R14",
        "a deadlock is not run again",
        (Edit("tierkeeper/catalog/database.py", '{"40P01", "40001", "23505", "25P03"}', '{"23505"}'),),
        ("tests/integration/catalog/test_database.py",),
    ),
)

DECIDING = (*_R7_R8, *_R9, *_R10, *_R11, *_R12, *_R13_R14)
