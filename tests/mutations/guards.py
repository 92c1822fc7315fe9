"""The guards around the rules: checksums, locations, holds, retention, switches, attempts."""

from mutations.mutant import Edit, Mutant
from mutations.places import DAMAGE, DECIDE, JOB, KEEPER, MOMENT, PERMISSION, PLANS, RIPENESS, STORY, WORKERS

_GRAMMAR = "tierkeeper/base/quantities.py"

_S3 = "tierkeeper/stores/s3/store.py"
_OPENER = "tierkeeper/engine/copies/opener.py"
_FORMS = "tests/integration/engine/copies/test_opener.py::"
_PASSES = "tests/integration/engine/ingest/test_passes.py::"

_BYTES = (
    Mutant(
        "checksum",
        "what is written is not compared with its hash",
        (
            Edit("tierkeeper/stores/content.py", "    elif sha256 not in {None, info.sha256}:\n", "    elif False:\n"),
            Edit(
                "tierkeeper/engine/copies/transfer.py",
                "    if wanted.difference(size=stored.size, sha256=stored.sha256):\n",
                "    if False:\n",
            ),
        ),
        (f"{DAMAGE}test_a_damaged_copy_is_not_spread",),
    ),
    Mutant(
        "checksum",
        "what its server does not compare is sent without a hash",
        (Edit(_S3, "hashed = not self._copier.abilities.refuses_wrong_body()", "hashed = False"),),
        (f"{_PASSES}test_a_file_that_changes_between_the_passes_is_refused",),
    ),
    Mutant(
        "checksum",
        "a server is believed to compare what it is told",
        (
            Edit(
                "tierkeeper/stores/s3/probe.py",
                '    return _status(lambda: put(b"other")) == _BAD and _status(lambda: put(_BODY)) == _OK\n',
                "    return _status(lambda: put(_BODY)) == _OK\n",
            ),
        ),
        (f"{_PASSES}test_a_file_that_changes_between_the_passes_is_refused",),
    ),
    Mutant(
        "form",
        "bytes of a form that is not known are given as content",
        (Edit(_OPENER, "    if form.encoding != PLAIN:\n", "    if False:\n"),),
        (f"{_FORMS}test_an_encoding_that_is_not_known_gives_no_content",),
    ),
    Mutant(
        "form",
        "stored bytes are compared with the content whatever their form",
        (Edit(_OPENER, "    return content if form.encoding == PLAIN else ", "    return content if content else "),),
        (f"{_FORMS}test_stored_bytes_are_compared_with_what_they_should_be",),
    ),
    Mutant(
        "form",
        "a part of an object is read beyond its end",
        (Edit(_OPENER, "    if form.length is not None:\n", "    if False:\n"),),
        (f"{_FORMS}test_a_part_of_an_object_is_a_form",),
    ),
    Mutant(
        "checksum",
        "what is read is not compared with its hash",
        (
            Edit(
                "tierkeeper/engine/read/reader.py",
                "        if row.content.difference(sha256=sha256):\n",
                "        if False:\n",
            ),
        ),
        (f"{DAMAGE}test_a_damaged_copy_is_found_by_reading",),
    ),
    Mutant(
        "checksum",
        "verify finds nothing wrong",
        (
            Edit(
                "tierkeeper/engine/copies/check.py",
                "    difference = wanted.difference(sha256=read.sha256)\n",
                "    difference = ''\n",
            ),
        ),
        (f"{DAMAGE}test_verify_finds_flipped_bytes",),
    ),
    Mutant(
        "checksum",
        "one wrong answer of a store is damage",
        (
            Edit(
                "tierkeeper/engine/copies/check.py",
                "    return first if isinstance(first, Read) else check(",
                "    return first or check(",
            ),
        ),
        ("tests/faults/test_stores.py::test_verify_reads_again_what_came_wrong",),
    ),
    Mutant(
        "checksum",
        "what a store says that it has is not compared",
        (
            Edit(
                "tierkeeper/engine/copies/transfer.py",
                "    if wanted.difference(size=stored.size, sha256=stored.sha256):\n",
                "    if False:\n",
            ),
        ),
        (
            "tests/integration/engine/copies/test_copies.py::test_a_copy_that_its_store_says_is_another_is_not_committed",
        ),
    ),
    Mutant(
        "location",
        "two copies of one content share a place",
        (
            Edit(
                "tierkeeper/stores/layout.py",
                '    return f"cas/{digest[:2]}/{digest}/{info.placement}"\n',
                '    return f"cas/{digest[:2]}/{digest}/content"\n',
            ),
            Edit(
                "models/migrations/versions/0019_locations_in_order.py",
                '"placements (tier, right(location, 36), location)", unique=True)',
                '"placements (tier, right(location, 36), location)")',
            ),
        ),
        (f"{STORY}test_a_duplicate_does_not_stay",),
    ),
)

_PROTECTION = (
    Mutant(
        "hold",
        "a hold does not stop a destroy",
        (
            Edit(
                DECIDE,
                "    if not facts.holds and (retain_until is None or retain_until <= at):\n        return ()\n",
                "    if retain_until is None or retain_until <= at:\n        return ()\n",
            ),
        ),
        (f"{KEEPER}test_protection.py::test_a_hold_in_the_undo_window_keeps_the_content",),
    ),
    Mutant(
        "hold",
        "collect does not ask for holds right before the delete",
        (Edit(RIPENESS, "Needs(wanted, protected=True,", "Needs(wanted, protected=False,"),),
        (f"{KEEPER}test_protection.py::test_a_hold_keeps_the_last_copy_of_purged_content",),
    ),
    Mutant(
        "retention",
        "a longer retention of the policy protects only what is stored after it",
        (
            Edit(
                DECIDE,
                "    return given if own is None or given > own else own\n",
                "    return given if own is None else own\n",
            ),
        ),
        (f"{STORY}test_retention_that_was_lengthened_protects_at_once",),
    ),
    Mutant(
        "retention",
        "the policies are those that were active when the process began",
        (
            Edit(
                "tierkeeper/engine/active_policies.py",
                "            if edition != self._edition:\n",
                "            if not self._edition:\n",
            ),
        ),
        (
            "tests/integration/engine/test_moment.py::test_policies_are_those_of_now",
            f"{STORY}test_retention_that_was_lengthened_protects_at_once",
        ),
    ),
    Mutant(
        "undo",
        "the default undo window is forgotten",
        (Edit(MOMENT, "default_undo=self.limits.undo)", "default_undo=Duration())"),),
        ("tests/unit/engine/test_moment.py::test_the_undo_window",),
    ),
    Mutant(
        "retention",
        "collect does not ask for the tiers in which retention keeps a copy",
        (
            Edit(RIPENESS, "self.guarded | retention.tiers\n", "self.guarded\n"),
            Edit(RIPENESS, "    locked = copy.locked_until is not None and copy", "    locked = False and copy"),
        ),
        (f"{STORY}test_a_lock_that_was_put_is_waited_for",),
    ),
    Mutant(
        "deletes_enabled",
        "collect deletes although deletes are switched off",
        (Edit(PERMISSION, "    if off is not None:\n", "    if False:\n"),),
        (f"{KEEPER}test_protection.py::test_deletes_can_be_switched_off",),
    ),
    Mutant(
        "grace",
        "collect does not wait for the grace",
        (
            Edit(
                RIPENESS,
                "copy.delete_after is None or copy.delete_after > now:\n",
                "copy.delete_after is None:\n",
            ),
        ),
        ("tests/unit/engine/collect/test_deletable.py",),
    ),
)

_WORK = (
    Mutant(
        "attempts",
        "a claim counts no attempt",
        (
            Edit(
                "tierkeeper/catalog/schedule.py",
                "attempts = {_ATTEMPTS}\n        FROM due\n",
                "attempts = s.attempts\n        FROM due\n",
            ),
        ),
        (f"{WORKERS}test_silence_is_parked",),
    ),
    Mutant(
        "deliveries",
        "a second delivery is not recognised under the locks",
        (
            Edit(
                "tierkeeper/engine/ingest/commit.py",
                "    known = _known(connection, {item.position: item.delivery for item in items})\n",
                "    known: dict[int, StoreResult] = {}\n",
            ),
        ),
        ("tests/integration/engine/ingest/test_gathering.py::test_a_commit_whose_reply_is_lost",),
    ),
    Mutant(
        "deliveries",
        "all calls without a key share one",
        (
            Edit(
                "tierkeeper/base/callers.py",
                "replace(self, key=str(uuid4()))",
                'replace(self, key="everybody\'s")',
            ),
        ),
        (f"{KEEPER}test_storing.py::test_calls_without_a_key_are_each_their_own",),
    ),
    Mutant(
        "deliveries",
        "a delivery may have no key",
        (Edit("tierkeeper/catalog/commands.py", "        if not self.key:\n", "        if False:\n"),),
        ("tests/unit/catalog/test_commands.py::test_a_delivery_has_a_key",),
    ),
    Mutant(
        "events",
        "a move is not told",
        (
            Edit(
                "tierkeeper/engine/converge/commit.py",
                "    events.append(connection, lines, at=now)\n    return results, locks\n",
                "    return results, locks\n",
            ),
        ),
        (f"{STORY}test_bytes_of_a_move_have_a_row_first",),
    ),
    Mutant(
        "runs",
        "an error leaves its run at work",
        (Edit("tierkeeper/engine/run_life.py", "            job.fail(error)\n", ""),),
        (f"{JOB}test_an_error_ends_its_run_with_the_reason",),
    ),
    Mutant(
        "runs",
        "a run is not ended when the catalog is back",
        (Edit("tierkeeper/engine/run_life.py", "                    continue\n", "                    pass\n"),),
        (f"{JOB}test_a_run_ends_when_its_catalog_is_back",),
    ),
    Mutant(
        "runs",
        "a reason that PostgreSQL cannot hold ends no run",
        (
            Edit(
                "tierkeeper/engine/run_life.py",
                'texts.storable(f"{type(error).__name__}: {first}"',
                '(f"{type(error).__name__}: {first}"',
            ),
        ),
        (f"{JOB}test_any_reason_can_be_stored",),
    ),
    Mutant(
        "plans",
        "an item that another worker has leased is done with",
        (Edit("tierkeeper/engine/plans/apply.py", "        if item.artifact not in leased\n", ""),),
        (f"{PLANS}test_an_interrupted_apply_leaves_its_items_in_the_plan",),
    ),
    Mutant(
        "plans",
        "a plan with leased items is applied",
        (Edit("tierkeeper/engine/plans/apply.py", "        if leased:\n", "        if leased < 0:\n"),),
        (f"{PLANS}test_an_interrupted_apply_leaves_its_items_in_the_plan",),
    ),
    Mutant(
        "runs",
        "long work is not heard of",
        (
            Edit(
                "tierkeeper/engine/run_life.py",
                "            self._catalog.run(self._caller, runs.add, self.run, counts={})\n"
                "            self._heard = time.monotonic()\n",
                "            pass\n",
            ),
        ),
        (f"{JOB}test_a_job_that_is_heard_from_is_not_abandoned",),
    ),
    Mutant(
        "runs",
        "a run is not renewed within a long call",
        (Edit("tierkeeper/engine/run_life.py", "ended.wait(_PULSE_SECONDS):", "ended.wait():"),),
        (f"{JOB}test_a_process_that_lives_keeps_its_run",),
    ),
    Mutant(
        "runs",
        "a rotation that waited in its queue does nothing",
        (
            Edit(
                "tierkeeper/engine/converge/rotation.py",
                "        if state not in {RunState.ABANDONED, RunState.RUNNING}:\n",
                "        if state is not RunState.RUNNING:\n",
            ),
        ),
        (f"{JOB}test_a_rotation_that_waited_in_its_queue_is_taken_up",),
    ),
    Mutant(
        "runs",
        "a process that hangs keeps its run",
        (Edit("tierkeeper/engine/run_life.py", "self._moved > self._longest", "self._moved > 1e9"),),
        (f"{JOB}test_a_process_that_lives_keeps_its_run",),
    ),
    Mutant(
        "runs",
        "a message works for a run that another one ended",
        (Edit("tierkeeper/catalog/runs.py", "state IN ('abandoned', 'running')  --", "true  --"),),
        (f"{JOB}test_a_run_that_another_message_ended_gets_no_more_work",),
    ),
    Mutant(
        "runs",
        "a driver's error in one job of maintain stops the others",
        (
            Edit(
                "tierkeeper/engine/operations/maintain.py",
                "            except Exception as error:  # noqa: BLE001  of the driver",
                "            except NotImplementedError as error:  # of the driver",
            ),
        ),
        (f"{JOB}test_a_job_of_maintain_that_fails_stops_no_other",),
    ),
    Mutant(
        "doctor",
        "a driver's error in one question stops the others",
        (
            Edit(
                "tierkeeper/engine/recovery/doctor.py",
                "    except Exception as error:  # noqa: BLE001  of the driver",
                "    except NotImplementedError as error:  # of the driver",
            ),
        ),
        ("tests/integration/engine/recovery/test_doctor.py::test_a_question_that_fails_stops_no_other",),
    ),
    Mutant(
        "runs",
        "a long lease of an item counts as hanging",
        (Edit("tierkeeper/engine/run_life.py", "max(_LONGEST_SECONDS, _CAPS", "max(_LONGEST_SECONDS, 0 * _CAPS"),),
        (f"{JOB}test_a_longer_lease_of_an_item_is_no_hanging",),
    ),
    Mutant(
        "runs",
        "a batch of verify shows no progress before its end",
        (Edit("tierkeeper/engine/reconcile/verify.py", ", pinned=pinned, progressed=progressed)", ", pinned=pinned)"),),
        (f"{JOB}test_progress_within_a_batch_is_progress_of_its_run",),
    ),
    Mutant(
        "runs",
        "a batch of converge shows no progress before its end",
        (Edit("tierkeeper/engine/converge/converge.py", "        worker.progressed()\n", ""),),
        (f"{JOB}test_progress_within_a_batch_is_progress_of_its_run",),
    ),
    Mutant(
        "runs",
        "a run that begins ends no silent one",
        (Edit("tierkeeper/engine/run_life.py", "    end_silent(connection)\n    return", "    return"),),
        (f"{JOB}test_what_a_killed_process_left_is_over_in_minutes",),
    ),
    Mutant(
        "runs",
        "a failed recompute is not continued",
        (Edit("tierkeeper/catalog/runs.py", "state IN ('running', 'failed') AND NOT", "state = 'running' AND NOT"),),
        (f"{JOB}test_a_recompute_that_fails_is_told_and_continued",),
    ),
)

_QUANTITIES = (
    Mutant(
        "durations",
        "a number without a unit is seconds",
        (
            Edit(
                _GRAMMAR,
                "    if _BARE.fullmatch(written):\n",
                "    if _BARE.fullmatch(written) and (written := f'{written}s') == '':\n",
            ),
        ),
        ("tests/unit/base/test_quantities.py::test_no_unit", "tests/unit/policy/test_durations.py::test_refused"),
    ),
    Mutant(
        "durations",
        "m is minutes where it might be months",
        (Edit(_GRAMMAR, "        if not calendar:\n", "        if True:\n"),),
        (
            "tests/unit/base/test_quantities.py::test_amounts_refused",
            "tests/unit/policy/test_durations.py::test_refused",
        ),
    ),
    Mutant(
        "durations",
        "a unit that is written twice counts once",
        (Edit(_GRAMMAR, "        if unit in amounts:\n", "        if False:\n"),),
        (
            "tests/unit/base/test_quantities.py::test_unusable_duration",
            "tests/unit/policy/test_durations.py::test_refused",
        ),
    ),
    Mutant(
        "durations",
        "units stand in any order",
        (Edit(_GRAMMAR, "_ORDER.index(larger) > _ORDER.index(unit)]", "_ORDER.index(larger) > len(_ORDER)]"),),
        ("tests/unit/base/test_quantities.py::test_units_stand_in_one_order",),
    ),
    Mutant(
        "durations",
        "a text of any length is read",
        (
            Edit(
                _GRAMMAR,
                "    if len(written := text.strip().lower()) > LONGEST_TEXT:\n",
                "    if not (written := text.strip().lower()) and LONGEST_TEXT < 0:\n",
            ),
        ),
        ("tests/unit/policy/test_durations.py::test_refused",),
    ),
)

GUARDS = (*_BYTES, *_PROTECTION, *_WORK, *_QUANTITIES)
