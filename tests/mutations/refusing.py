"""Refusals hidden, one at a time: words, counts, alarms, what a server lacks; the gate; the write that health tries."""

from mutations.mutant import Edit, Mutant

_DELETE = "tierkeeper/stores/s3/delete.py"
_BROKEN = "tests/integration/engine/operations/test_broken_adapters.py::"
_GATE = "tierkeeper/stores/gate.py"
_WRITES = "tests/integration/engine/operations/test_tier_writes.py::"
_TESTS = "tests/integration/engine/collect/test_refused_deletes.py::"
_TOLD = (f"{_TESTS}test_a_refused_delete_is_told_everywhere_until_it_succeeds",)
_ONE_BY_ONE = (f"{_TESTS}test_a_server_without_bulk_deletes_and_lists_of_uploads_deletes_one_by_one",)

REFUSING = (
    Mutant(
        "refusals",
        "why a copy was not deleted is dropped",
        (
            Edit(
                "tierkeeper/engine/collect/collect.py",
                "    refusals.note_copies(connection, reasons, token=token, now=now)\n",
                "",
            ),
        ),
        _TOLD,
    ),
    Mutant(
        "refusals",
        "a refusal never turns health bad",
        (
            Edit(
                "tierkeeper/engine/operations/health.py",
                "if since is not None and look.now - since > REFUSED:",
                "if False:",
            ),
        ),
        _TOLD,
    ),
    Mutant(
        "refusals",
        "a copy that a lock keeps is tried each minute",
        (
            Edit(
                "tierkeeper/catalog/placements.py",
                "ELSE CAST(:longest AS interval) END",
                "ELSE 0 * CAST(:longest AS interval) + 2 * CAST(:lease AS interval) END",
            ),
        ),
        (f"{_TESTS}test_what_a_lock_of_the_stores_own_keeps_is_no_alarm",),
    ),
    Mutant(
        "refusals",
        "a verify that ends early tells nothing",
        (
            Edit(
                "tierkeeper/engine/reconcile/verify.py",
                "            if more := over(deadline):\n                break\n",
                "            if over(deadline):\n                return work.result(more=True)\n",
            ),
        ),
        (f"{_TESTS}test_a_verify_that_ends_early_tells_what_was_refused",),
    ),
    Mutant(
        "refusals",
        "a transient error is a refusal",
        (
            Edit(
                "tierkeeper/stores/refusals.py",
                "return None if isinstance(error, StoreTransient) else",
                "return",
            ),
        ),
        (f"{_TESTS}test_a_transient_error_is_no_refusal",),
    ),
    Mutant(
        "refusals",
        "a dump that prunes nothing ends the refusal of pruning",
        (
            Edit(
                "tierkeeper/engine/recovery/dump.py",
                "        note(RunKind.DUMP.value, None)\n",
                "        note(PRUNING, None)\n",
            ),
        ),
        ("tests/integration/engine/recovery/test_dump.py::test_only_a_pruning_ends_what_was_refused_to_one",),
    ),
    Mutant(
        "refusals",
        "a copy that must be thawed ends a refusal",
        (
            Edit(
                "tierkeeper/engine/reconcile/verify.py",
                """            continue
        if not isinstance(found, TierkeeperError):
            refused.setdefault(tier, None)""",
                """            refused[tier] = None
        if not isinstance(found, TierkeeperError):
            refused.setdefault(tier, None)""",
            ),
        ),
        (f"{_TESTS}test_what_must_be_thawed_ends_no_refusal",),
    ),
    Mutant(
        "refusals",
        "one that is not repeated stays for good",
        (Edit("tierkeeper/catalog/refusals.py", "if row.at < now - kept]", "if row.at < now - 99 * kept]"),),
        (f"{_TESTS}test_a_refusal_that_is_not_repeated_ends",),
    ),
    Mutant(
        "refusals",
        "a staging place that refuses its listing is told nowhere",
        (
            Edit(
                "tierkeeper/engine/operations/maintain.py",
                "            _note_staging(engine, reason, caller=caller)\n",
                "            str(reason)\n",
            ),
        ),
        (f"{_TESTS}test_staging_that_refuses_its_listing_stops_no_other_housekeeping",),
    ),
    Mutant(
        "refusals",
        "what a lock keeps turns health bad",
        (
            Edit(
                "tierkeeper/catalog/health.py",
                "FROM placements WHERE {REFUSED} AND refusal_code <> '{LOCKED}'",
                "FROM placements WHERE {REFUSED}",
            ),
        ),
        (f"{_TESTS}test_what_a_lock_of_the_stores_own_keeps_is_no_alarm",),
    ),
    Mutant(
        "refusals",
        "why an orphan was not deleted is dropped",
        (
            Edit(
                "tierkeeper/engine/reconcile/orphans.py",
                "        catalog.run(caller, _note_refused, tier, refused)\n",
                "        pass\n",
            ),
        ),
        (f"{_TESTS}test_a_refused_delete_of_an_orphan_is_told_until_it_succeeds",),
    ),
    Mutant(
        "refusals",
        "a refused listing is dropped",
        (
            Edit(
                "tierkeeper/engine/reconcile/comparison.py",
                "            self._away = str(error)\n            self._refuse(error)\n",
                "            self._away = str(error)\n",
            ),
        ),
        (f"{_TESTS}test_a_refused_listing_is_told_until_reconcile_gets_it",),
    ),
    Mutant(
        "refusals",
        "403 counts as a call that the server lacks",
        (
            Edit(
                "tierkeeper/stores/s3/errors.py",
                "in {_NOT_IMPLEMENTED, _METHOD_NOT_ALLOWED}",
                "in {_NOT_IMPLEMENTED, _METHOD_NOT_ALLOWED, _FORBIDDEN}",
            ),
        ),
        _TOLD,
    ),
    Mutant(
        "refusals",
        "a server without bulk deletes deletes nothing",
        (
            Edit(
                _DELETE,
                "            if not place.lacking.learn(Call.BULK_DELETE, error):\n                raise\n",
                "            raise error\n",
            ),
        ),
        _ONE_BY_ONE,
    ),
    Mutant(
        "refusals",
        "a server that lists no uploads deletes nothing",
        (
            Edit(
                _DELETE,
                "        if not place.lacking.learn(Call.LIST_UPLOADS, error):\n            raise\n",
                "        raise error\n",
            ),
        ),
        _ONE_BY_ONE,
    ),
    Mutant(
        "refusals",
        "what a server lacks is asked for again and again",
        (
            Edit(
                _DELETE,
                "        if Call.BULK_DELETE in place.lacking:\n",
                "        if False:\n",
            ),
        ),
        _ONE_BY_ONE,
    ),
    Mutant(
        "the gate",
        "a class of stores has no gate",
        (Edit("tierkeeper/stores/base.py", "        gate.build(cls)\n", ""),),
        (f"{_BROKEN}test_every_method_of_an_adapter_has_the_gate",),
    ),
    Mutant(
        "the gate",
        "what a store lists comes past it",
        (Edit(_GATE, "        return _Gated(store, found)\n", "        return found\n"),),
        (f"{_BROKEN}test_what_a_reader_raises_is_not_the_stores",),
    ),
    Mutant(
        "the gate",
        "a store does not see its own exceptions",
        (Edit(_GATE, "    if any(each is store for each in entered):\n", "    if False:\n"),),
        (f"{_BROKEN}test_a_store_sees_its_own_exceptions",),
    ),
    Mutant(
        "the gate",
        "what a reader raises is the store's",
        (
            Edit(
                _GATE,
                "            return self._opened.__exit__(kind, raised, trace)\n",
                "            raise fault(self._store.config.tier, raised)\n",
            ),
        ),
        (f"{_BROKEN}test_what_a_reader_raises_is_not_the_stores",),
    ),
    Mutant(
        "the gate",
        "what the content raises is the store's",
        (
            Edit(
                _GATE,
                "        return error if raised is None or",
                "        return error if True or raised is None or",
            ),
        ),
        (f"{_BROKEN}test_a_source_that_fails_is_no_fault_of_the_tier",),
    ),
    Mutant(
        "the gate",
        "a redirect is followed until the stack is full",
        (
            Edit(
                "tierkeeper/stores/s3/clients.py",
                '            client.meta.events.register_first("needs-retry.s3.HeadBucket", errors.end_redirects)\n',
                "",
            ),
        ),
        (f"{_BROKEN}test_a_redirect_is_told_at_once_with_its_address",),
    ),
    Mutant(
        "writes",
        "health tries no write",
        (Edit("tierkeeper/engine/operations/health.py", "    store.check_writes()\n", ""),),
        (f"{_WRITES}test_a_folder_that_takes_no_writes_is_bad",),
    ),
    Mutant(
        "writes",
        "a bucket that locks gets a probe",
        (
            Edit(
                "tierkeeper/stores/s3/writes.py",
                "if time.monotonic() >= self._until and not self._place.lockable:",
                "if time.monotonic() >= self._until:",
            ),
        ),
        (f"{_WRITES}test_a_bucket_that_locks_gets_no_probe",),
    ),
    Mutant(
        "writes",
        "a bucket is probed with each look",
        (Edit("tierkeeper/stores/s3/writes.py", "            self._until = time.monotonic() + LIFE\n", ""),),
        (f"{_WRITES}test_a_bucket_that_takes_no_writes_is_bad",),
    ),
    Mutant(
        "writes",
        "a probe of a versioned bucket leaves a marker",
        (
            Edit(
                "tierkeeper/stores/s3/writes.py",
                "(result,) = delete.delete(place, [ObjectKey(location, version)])",
                "place.client.delete_object(**place.address(location, None))\n"
                "            (result,) = delete.delete(place, [ObjectKey(location, version)])",
            ),
        ),
        (f"{_WRITES}test_a_bucket_that_takes_no_writes_is_bad",),
    ),
)
