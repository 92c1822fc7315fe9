"""R1 to R6, broken one at a time: who may write, commit and delete bytes."""

from mutations.mutant import Edit, Mutant
from mutations.places import CONVERGE, COPIES, INGEST, PLACEMENTS, RIPENESS, SETTLEMENT, STORY

_R1 = (
    Mutant(
        "R1",
        "a store commits its intents with its copies",
        (
            Edit(INGEST, "\n_ROUNDS = 5\n", "\n_ROUNDS = 5\n_LATE = {}\n"),
            Edit(
                INGEST,
                "    placements.intend(connection, rows)\n",
                "    _LATE[token] = rows\n",
            ),
            Edit(
                INGEST,
                " commit.commit,\n",
                " lambda c, *a, **k: placements.intend(c, _LATE[prepared.token]) or commit.commit(c, *a, **k),\n",
            ),
        ),
        (f"{STORY}test_bytes_of_a_store_have_a_row_first",),
    ),
    Mutant(
        "R1",
        "a move commits its intents with its copies",
        (
            Edit(
                CONVERGE,
                "    placements.intend(connection, new_rows)\n",
                "    _LATE[token] = new_rows\n",
            ),
            Edit(
                CONVERGE,
                "\n\n@dataclass(slots=True)\nclass Report:",
                "\n\n_LATE = {}\n\n\n"
                "def _late(connection, engine, worker, **batch):\n"
                "    placements.intend(connection, _LATE.get(worker.token, []))\n"
                "    return commit.batch(connection, engine, worker, **batch)\n\n\n"
                "@dataclass(slots=True)\nclass Report:",
            ),
            Edit(CONVERGE, "        commit.batch,\n", "        _late,\n"),
        ),
        (f"{STORY}test_bytes_of_a_move_have_a_row_first",),
    ),
)

_R2 = (
    Mutant(
        "R2",
        "a commit takes a copy that is being deleted",
        (
            Edit(
                SETTLEMENT,
                "        if row is None or row.state is not PlacementState.COPYING or row.token != token:\n",
                "        if row is None:\n",
            ),
            Edit(
                PLACEMENTS,
                "WHERE p.id = w.id AND p.state = 'copying' AND p.token = :token\n",
                " WHERE p.id = w.id AND (true OR p.token = :token)\n",
            ),
        ),
        (f"{STORY}test_a_copy_that_is_being_deleted_is_not_committed",),
    ),
    Mutant(
        "R2",
        "the row counts of a commit need not match",
        (
            Edit(SETTLEMENT, "    if changed != (len(doomed), len(rescued), len(uploads)):\n", "    if False:\n"),
            Edit(
                SETTLEMENT,
                "        if row is None or row.state is not PlacementState.COPYING or row.token != token:\n",
                "        if row is None:\n",
            ),
        ),
        (f"{STORY}test_a_copy_that_is_being_deleted_is_not_committed",),
    ),
)

_R3_TO_R6 = (
    Mutant(
        "R3",
        "stale intents are never collected",
        (
            Edit(
                RIPENESS,
                "        return Verdict.STALE_INTENT if copy.lease_until + late <= now else Verdict.NOT_RIPE\n",
                "        return Verdict.NOT_RIPE\n",
            ),
        ),
        (f"{STORY}test_bytes_of_a_move_have_a_row_first",),
    ),
    Mutant(
        "R4",
        "a reader reports a missing copy without asking the catalog again",
        (
            Edit(
                "tierkeeper/engine/read/reader.py",
                "    if not current or not current[0].readable or (wrong :=",
                "    if (wrong :=",
            ),
            Edit(
                "tierkeeper/engine/copies/damage.py",
                "    if current is None or not current.readable:\n",
                "    if current is None:\n",
            ),
        ),
        (f"{COPIES}test_a_copy_that_vanished_while_it_was_read_is_no_damage",),
    ),
    Mutant(
        "R5",
        "a worker deletes what it wrote after an unknown outcome",
        (
            Edit(
                INGEST,
                "        results, locks = step_4_commit(engine, prepared, going, written, caller=caller)\n",
                "        try:\n"
                "            results, locks = step_4_commit(engine, prepared, going, written, caller=caller)\n"
                "        except CatalogUnavailable:\n            from tierkeeper.stores.base import ObjectKey\n"
                "            for intent in [i for of_item in prepared.intents.values() for i in of_item]:\n"
                "                engine.store(intent.tier).delete([ObjectKey(intent.location)])\n            raise\n",
            ),
        ),
        (f"{STORY}test_an_unknown_outcome_is_not_cleaned_up",),
    ),
    Mutant(
        "R6",
        "a copy inherits from the source that was tried first",
        (
            Edit(
                "tierkeeper/engine/copies/transfer.py",
                "uploaded(engine, intent, stored, source=source,",
                "uploaded(engine, intent, stored, source=intent.sources[0],",
            ),
        ),
        (f"{COPIES}test_a_copy_inherits_from_the_second_source_where_the_first_is_gone",),
    ),
)

COPYING = (*_R1, *_R2, *_R3_TO_R6)
