"""What ends too early, and what an upgrade does to others, broken one at a time."""

from mutations.mutant import Edit, Mutant

_TESTS = "tests/integration/engine/operations/test_ends.py::"
_UPGRADES = "tests/integration/catalog/test_upgrades.py::"
_REPEATED = f"{_TESTS}test_a_repeated_delivery_finds_its_result_while_it_may_come"
_ALL = f"{_TESTS}test_a_command_of_all_versions_ends_with_the_next_of_all"
_HEARTBEATS = "tierkeeper/catalog/heartbeats.py"
_ENDS = "tierkeeper/catalog/command_ends.py"
_OPERATIONS = "tierkeeper/engine/operations/"
_UPLOADS = f"{_TESTS}test_an_upload_stays_while_its_message_may_wait"


def _mutant(broken: str, file: str, old: str, new: str, test: str) -> Mutant:
    return Mutant("ends", broken, (Edit(file, old, new),), (test,))


ENDING = (
    _mutant(
        "a break of the canaries is none",
        _HEARTBEATS,
        "THEN h.since ELSE t.now END",
        "THEN h.since ELSE h.since END",
        "tests/integration/engine/operations/test_ends.py::test_a_long_task_breaks_no_series",
    ),
    _mutant(
        "a dead worker's messages are not waited for",
        _HEARTBEATS,
        "        AND least(sent_at, at) >= since + CAST(:quiet AS interval)\n",
        "        AND CAST(:quiet AS interval) IS NOT NULL\n",
        f"{_REPEATED}[came_back_an_hour_ago]",
    ),
    _mutant(
        "a queue may have stopped",
        _HEARTBEATS,
        "        AND counted_at BETWEEN statement_timestamp() - CAST(:apart AS interval) AND statement_timestamp()\n",
        "        AND CAST(:apart AS interval) IS NOT NULL\n",
        f"{_REPEATED}[stop]",
    ),
    _mutant(
        "one queue speaks for all",
        _HEARTBEATS,
        "    HAVING count(*) = :queues\n",
        "    HAVING count(*) > 0 AND :queues > 0\n",
        f"{_REPEATED}[lose_a_queue]",
    ),
    _mutant(
        "the clock counts, not the queues",
        _HEARTBEATS,
        "    SELECT min(least(sent_at, at))\n",
        "    SELECT min(at)\n",
        f"{_REPEATED}[fall_behind]",
    ),
    _mutant(
        "an upload ends by the clocks where the queues do not tell",
        _OPERATIONS + "ends.py",
        "return None if passed is None else min(passed, clocks(connection).earlier)",
        "return min(passed or clocks(connection).earlier, clocks(connection).earlier)",
        f"{_UPLOADS}[lose_a_queue]",
    ),
    _mutant(
        "an upload ends by the clocks, not by the queues",
        _OPERATIONS + "ends.py",
        "None if passed is None else min(passed, clocks(connection).earlier)",
        "None if passed is None else clocks(connection).earlier",
        f"{_UPLOADS}[fall_behind]",
    ),
    _mutant(
        "an upload ends by the catalog's clock",
        _OPERATIONS + "ends.py",
        "None if passed is None else min(passed, clocks(connection).earlier)",
        "passed",
        f"{_TESTS}test_a_clock_that_jumps_ends_no_upload[catalog]",
    ),
    _mutant(
        "a dead worker's messages lose their uploads",
        _OPERATIONS + "ends.py",
        "quiet = order.unbroken(settings.broker), flowing + 2 *",
        "quiet = order.unbroken(settings.broker), flowing + 0 *",
        f"{_UPLOADS}[came_back_lately]",
    ),
    _mutant(
        "a partial upload ends by the clocks",
        _OPERATIONS + "maintain.py",
        "if dead is not None and modified < dead]",
        "if dead is None or modified < oldest]",
        f"{_UPLOADS}[fall_behind]",
    ),
    _mutant(
        "an unclaimed upload ends while a worker may hold its message",
        "tierkeeper/catalog/staging.py",
        "ELSE :before - CAST(:held AS interval) END",
        "ELSE :before - 0 * CAST(:held AS interval) END",
        f"{_TESTS}test_an_upload_that_no_message_claims_ends",
    ),
    _mutant(
        "an upload whose content was there already is taken by nobody",
        "tierkeeper/engine/ingest/commit.py",
        "[item for item in fresh if item.position in batch.results]",
        "[i for i in fresh if str(getattr(batch.results.get(i.position), 'outcome', 'unchanged')) != 'unchanged']",
        f"{_TESTS}test_an_upload_that_was_taken_ends_after_its_time[unchanged]",
    ),
    _mutant(
        "a kept message loses its commands",
        _ENDS,
        "            AND NOT EXISTS (SELECT FROM deliveries d WHERE d.key = c.key)\n",
        "",
        f"{_TESTS}test_a_kept_message_keeps_its_commands",
    ),
    _mutant(
        "the last command ends",
        _ENDS,
        "            AND c.at < w.at\n",
        "            AND c.at <= w.at\n",
        f"{_TESTS}test_the_last_command_of_each_artifact_stays",
    ),
    _mutant(
        "a command of several artifacts ends with one of them",
        _ENDS,
        '            AND {_ARTIFACTS.format("c")} <@ w.artifacts\n',
        "",
        _ALL,
    ),
    _mutant(
        "answers may be forgotten before their message is too old",
        "tierkeeper/settings/order.py",
        '    yield Limit("messages.max_age", messages.max_age), kept\n',
        "",
        "tests/unit/settings/test_settings.py::test_refused",
    ),
    _mutant(
        "a skipped message ends by the age of the message",
        "tierkeeper/catalog/deliveries.py",
        "    WHERE skipped_by IS NOT NULL AND skipped_at < statement_timestamp() - :kept AND kind = 'delivery'\n",
        "    WHERE skipped_by IS NOT NULL AND last_at < statement_timestamp() - :kept AND kind = 'delivery'\n",
        f"{_TESTS}test_a_message_that_was_skipped_ends",
    ),
    _mutant(
        "a server that hangs is never stopped",
        "tierkeeper/embedded/postgres.py",
        "            if self.process_id() is not None:\n                self._stop(",
        "            raise\n            if self.process_id() is not None:\n                self._stop(",
        "tests/integration/embedded/test_services.py::test_a_server_that_does_not_end_is_ended",
    ),
    _mutant(
        "a reconcile waits for its approval for good",
        "tierkeeper/catalog/runs.py",
        "        AND (arguments ->> 'waits' = :waits OR kind = 'reconcile')\n",
        "        AND arguments ->> 'waits' = :waits\n",
        f"{_TESTS}test_an_approval_that_was_not_asked_for_any_more_ends",
    ),
    _mutant(
        "what the brake stopped loses its run by age",
        "tierkeeper/catalog/runs.py",
        "        AND (arguments ->> 'waits' = :waits OR kind = 'reconcile')\n",
        "        AND (:waits <> '' OR kind = 'reconcile')\n",
        "tests/integration/engine/gates/test_brake.py::test_no_age_ends_what_was_stopped",
    ),
    _mutant(
        "a tier that left keeps a reconcile waiting",
        "tierkeeper/engine/reconcile/reconcile.py",
        'run.arguments["findings"].keys() & self.engine.stores.keys() <= set(answered)',
        'run.arguments["findings"].keys() <= set(answered)',
        "tests/integration/engine/reconcile/test_stops.py::test_a_tier_that_left_keeps_no_run_waiting",
    ),
    _mutant(
        "an upgrade waits for its locks before everybody else",
        "tierkeeper/catalog/migrate.py",
        '    sa.event.listen(engine, "begin", _wait_briefly)\n',
        "",
        f"{_UPGRADES}test_an_upgrade_lets_others_through",
    ),
    _mutant(
        "an upgrade gives up at the first lock",
        "tierkeeper/catalog/migrate.py",
        "_TRIED_AGAIN = psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable\n",
        "_TRIED_AGAIN = psycopg.errors.DeadlockDetected\n",
        f"{_UPGRADES}test_an_upgrade_lets_others_through",
    ),
    _mutant(
        "the patience of an upgrade is counted from its beginning",
        "tierkeeper/catalog/migrate.py",
        "            if reached != stuck_at:",
        "            if stuck_at is None:",
        f"{_UPGRADES}test_patience_is_counted_from_the_last_progress",
    ),
    _mutant(
        "the patience of an upgrade begins again with each try",
        "tierkeeper/catalog/migrate.py",
        "            if reached != stuck_at:",
        "            if reached:",
        f"{_UPGRADES}test_patience_is_counted_from_the_last_progress",
    ),
    _mutant(
        "an index that is there is built again",
        "models/migrations/online.py",
        '    if op.get_bind().execute(_VALID, {"name": name}).scalar_one():\n        return\n',
        "",
        f"{_UPGRADES}test_an_index_that_is_there_is_kept",
    ),
    _mutant(
        "an index that failed is taken for one that is there",
        "models/migrations/online.py",
        "WHERE indexrelid = to_regclass(:name) AND indisvalid)",
        "WHERE indexrelid = to_regclass(:name))",
        f"{_UPGRADES}test_an_index_that_failed_is_made_again",
    ),
    _mutant(
        "an index of a catalog in use locks its table",
        "models/migrations/online.py",
        '        op.execute(f"CREATE {kind} CONCURRENTLY {name} ON {on}")\n',
        '        op.execute(f"CREATE {kind} {name} ON {on}")\n',
        f"{_UPGRADES}test_no_migration_locks_for_long",
    ),
    _mutant(
        "a migration holds one table while it waits for another",
        "models/migrations/online.py",
        "        if in_use():\n            with op.get_context()",
        "        if not in_use():\n            with op.get_context()",
        f"{_UPGRADES}test_no_migration_locks_for_long",
    ),
    _mutant(
        "an upgrade follows what the release before writes",
        "models/migrations/online.py",
        "            end = op.get_bind().execute(newest).scalar_one_or_none() or _FIRST\n",
        "            end = UUID(int=2**128 - 1)\n",
        f"{_UPGRADES}test_work_of_the_release_before_holds_no_upgrade_up",
    ),
)
