"""The marks of tiers: what is concluded only where the mark was read, and who may make and mark a place (R19, R22)."""

from mutations.mutant import Edit, Mutant

_TESTS = "tests/integration/engine/trust/test_tier_marks.py::"
_RESTS = "tests/integration/engine/verbs/test_verb_rests.py::"
_PLACES = "tests/integration/engine/trust/test_tier_places.py::"
_FOLDERS = "tests/integration/stores/filesystem/test_store.py::"
_FOUNDING = "tests/integration/engine/operations/test_founding.py::"
_CLONES = "tests/integration/engine/copies/test_clones.py::"
_STORES = "tests/integration/engine/ingest/test_store_rests.py::"

MARKING = (
    Mutant(
        "tier marks",
        "a copy in a folder that is away acknowledges a store",
        (
            Edit(
                "tierkeeper/engine/ingest/ingest.py",
                "    away |= engine.marks.refused((s for",
                "    engine.marks.refused((s for",
            ),
        ),
        (f"{_STORES}test_a_copy_in_a_tier_that_is_away_acknowledges_nothing",),
    ),
    Mutant(
        "tier marks",
        "a tier that is not configured confirms",
        (Edit("tierkeeper/engine/context.py", " for t in asked if t not in self.stores}", " for t in ()}"),),
        (f"{_STORES}test_a_tier_that_is_not_configured_is_in_nobodys_way",),
    ),
    Mutant(
        "tier marks",
        "a tier that is not configured refuses a whole batch",
        (Edit("tierkeeper/engine/ingest/ingest.py", " or tier not in engine.stores:", ":"),),
        (f"{_STORES}test_who_needs_a_tier_that_is_not_configured_is_refused_alone",),
    ),
    Mutant(
        "tier marks",
        "a copy in a tier that is not configured refuses a whole batch",
        (
            Edit(
                "tierkeeper/engine/ingest/ingest.py",
                "(elsewhere - unread.keys())) - away.keys()",
                "(elsewhere - unread.keys()))",
            ),
        ),
        (f"{_STORES}test_who_needs_a_tier_that_is_not_configured_is_refused_alone",),
    ),
    Mutant(
        "tier marks",
        "an answer names tiers that are away",
        (
            Edit(
                "tierkeeper/engine/ingest/commit.py",
                '_result_of(row, ours, "stored"',
                '_result_of(row, present_tiers, "stored"',
            ),
        ),
        (f"{_STORES}test_the_answer_names_no_tier_that_is_away",),
    ),
    Mutant(
        "tier marks",
        "what is unchanged names tiers that are away",
        (
            Edit(
                "tierkeeper/engine/ingest/commit.py",
                '_result_of(last, ours, "unchanged"',
                '_result_of(last, present_tiers, "unchanged"',
            ),
        ),
        (f"{_STORES}test_the_answer_names_no_tier_that_is_away",),
    ),
    Mutant(
        "tier marks",
        "what left its first tier is unchanged while the tier that has it is away",
        (Edit("tierkeeper/engine/ingest/commit.py", "any(p.tier in confirmed and fates", "any(fates"),),
        (f"{_STORES}test_what_left_its_first_tier_rests_on_no_tier_that_is_away",),
    ),
    Mutant(
        "R22",
        "another catalog's place is adopted by a tier that has no copies yet",
        (
            Edit(
                "tierkeeper/engine/trust/places.py", "    if whose is None and not copies and", "    if not copies and"
            ),
        ),
        (f"{_PLACES}test_a_living_installations_place_is_not_adopted_unseen",),
    ),
    Mutant(
        "tier marks",
        "a tier that gives no answer has good copies all the same",
        (
            Edit(
                "tierkeeper/engine/collect/collect.py",
                "            for tier, error in self.engine.unconfirmed().items()\n",
                "            for tier, error in self.engine.unconfirmed().items() if isinstance(error, TierNotOurs)\n",
            ),
        ),
        (f"{_TESTS}test_a_tier_that_does_not_confirm_is_no_other_copy",),
    ),
    Mutant(
        "tier marks",
        "what was read of the catalog is good for ever",
        (
            Edit(
                "tierkeeper/engine/mark_check.py",
                "self._identity if monotonic() - self._identity_at < KNOWN else None",
                "self._identity",
            ),
        ),
        (f"{_PLACES}test_a_worker_notices_that_another_place_was_adopted",),
    ),
    Mutant(
        "tier marks",
        "a folder's mark that was admitted once is admitted for ever",
        (Edit("tierkeeper/stores/filesystem/store.py", "            self.guard(admitted[1])", "            pass"),),
        (f"{_PLACES}test_a_worker_notices_that_another_place_was_adopted",),
    ),
    Mutant(
        "tier marks",
        "a mark that was read once is good before every later batch",
        (
            Edit(
                "tierkeeper/engine/mark_check.py",
                "(before and now - self._seen.get(tier, -inf) < RECENT)",
                "(before and tier in self._seen)",
            ),
        ),
        (f"{_TESTS}test_a_place_that_was_away_when_a_batch_began",),
    ),
    Mutant(
        "tier marks",
        "a folder is used whoever's mark it has",
        (
            Edit(
                "tierkeeper/stores/filesystem/store.py",
                "        if self.guard is None:\n            return\n        identity",
                "        if self.guard is not None:\n            return\n        identity",
            ),
        ),
        (f"{_TESTS}test_nothing_is_concluded_while_a_place_is_away",),
    ),
    Mutant(
        "tier marks",
        "converge believes an upload without the mark after it",
        (
            Edit(
                "tierkeeper/engine/copies/transfer.py",
                "        if result.upload is not None and result.intent.tier in refused\n",
                "        if result.upload is None and result.intent.tier in refused\n",
            ),
        ),
        (f"{_TESTS}test_an_upload_to_another_place_is_not_believed",),
    ),
    Mutant(
        "tier marks",
        "store believes an upload without the mark after it",
        (Edit("tierkeeper/engine/ingest/ingest.py", "    away |= engine.refused(used - away.keys())\n", ""),),
        (f"{_TESTS}test_a_store_to_another_place_is_refused",),
    ),
    Mutant(
        "tier marks",
        "what is gone from another place is a receipt",
        (
            Edit(
                "tierkeeper/engine/collect/collect.py", "    away |= engine.refused({tier for tier, _ in calls})\n", ""
            ),
        ),
        (f"{_TESTS}test_a_delete_in_another_place_is_no_receipt",),
    ),
    Mutant(
        "tier marks",
        "a copy is called damaged without the mark",
        (
            Edit(
                "tierkeeper/engine/copies/damage.py",
                "    if not confirmed and engine.refused([placement.tier]):\n        return None\n",
                "",
            ),
        ),
        (f"{_TESTS}test_what_is_said_of_another_place_is_not_noted",),
    ),
    Mutant(
        "R22",
        "init marks a place in which none of the known copies is",
        (
            Edit(
                "tierkeeper/engine/trust/places.py",
                "    if copies:\n        _require_copy(engine, tier)\n",
                "    if False:\n        _require_copy(engine, tier)\n",
            ),
        ),
        (f"{_PLACES}test_an_upgrade_refuses_a_place_without_its_copies",),
    ),
    Mutant(
        "R22",
        "init marks a second place of a tier in which some of its copies are",
        (
            Edit(
                "tierkeeper/engine/trust/places.py",
                "    if tier in known.tiers:  # the place",
                "    if False:  # the place",
            ),
        ),
        (f"{_PLACES}test_a_tier_that_has_a_mark_gets_no_second_one",),
    ),
    Mutant(
        "tier marks",
        "a pipe where a mark belongs is waited for",
        (Edit("client/src/tierkeeper_client/files.py", ' | getattr(os, "O_NONBLOCK", 0)', ""),),
        (f"{_FOLDERS}test_a_mark_that_is_no_plain_file",),
    ),
    Mutant(
        "tier marks",
        "what cannot be read as a mark is replaced by who knows of another",
        (
            Edit(
                "tierkeeper/stores/tier_mark.py",
                "        if over is None:\n            return True\n        raise\n",
                "        return True\n",
            ),
        ),
        (f"{_FOLDERS}test_a_mark_that_is_no_plain_file",),
    ),
    Mutant(
        "tier marks",
        "a first start that made one place made all",
        (
            Edit(
                "tierkeeper/engine/operations/founding.py",
                "known is not None and known.founded",
                "known is not None and known.tiers",
            ),
        ),
        (f"{_FOUNDING}test_an_interrupted_first_start_goes_on",),
    ),
    Mutant(
        "tier marks",
        "init stops at the first tier that does not answer",
        (
            Edit(
                "tierkeeper/engine/trust/places.py",
                "        except StoreError as error:\n            done",
                "        except TierNotOurs as error:\n            done",
            ),
        ),
        (f"{_FOUNDING}test_a_tier_that_does_not_answer_hinders_no_other",),
    ),
    Mutant(
        "tier marks",
        "what lies below home by name is made, wherever it leads",
        (Edit("tierkeeper/engine/trust/places.py", "Path(place.path).resolve()", "Path(place.path)"),),
        (f"{_FOUNDING}test_what_an_embedded_catalog_may_make",),
    ),
    Mutant(
        "tier marks",
        "the records of another server are made as the catalog's own",
        (Edit("tierkeeper/engine/trust/places.py", " and options.keys() <= _OF_THE_STORE", ""),),
        (f"{_FOUNDING}test_what_an_embedded_catalog_may_make",),
    ),
    Mutant(
        "R22",
        "of two hosts that mark a tier at the same time the second one is believed",
        (
            Edit(
                "tierkeeper/engine/trust/places.py",
                "    if current.tiers.get(tier) not in",
                "    if None not in",
            ),
        ),
        (f"{_PLACES}test_of_two_inits_of_an_upgrade_one_marks",),
    ),
    Mutant(
        "tier marks",
        "right bytes in another place heal",
        (
            Edit(
                "tierkeeper/engine/copies/damage.py",
                "    if damaged is None or engine.refused([placement.tier]):\n",
                "    if damaged is None:\n",
            ),
        ),
        (f"{_CLONES}test_a_clone_heals_nothing",),
    ),
    Mutant(
        "tier marks",
        "a lock is asked for wherever the name leads",
        (
            Edit(
                "tierkeeper/engine/copies/worm.py",
                "    away = engine.refused({lock.tier for lock in locks}) if locks else {}\n",
                "    away = {}\n",
            ),
        ),
        (f"{_CLONES}test_a_lock_in_a_clone_is_none",),
    ),
    Mutant(
        "tier marks",
        "a tier that does not tell needs no lock",
        (Edit("tierkeeper/engine/copies/worm.py", "lockable.get(p.tier, True)", "lockable.get(p.tier, False)"),),
        ("tests/unit/engine/copies/test_worm.py::test_wanted",),
    ),
    Mutant(
        "tier marks",
        "a commit asks the tiers",
        (
            Edit(
                "tierkeeper/engine/converge/commit.py",
                "blob_copies, lockable=lockable,",
                "blob_copies, lockable=worm.ask(engine, worm.tiers_of([policy])),",
            ),
        ),
        ("tests/integration/engine/copies/test_lock_questions.py::test_no_tier_is_asked_within_a_commit",),
    ),
    Mutant(
        "tier marks",
        "a lock in another place is noted",
        (Edit("tierkeeper/engine/copies/worm.py", "    away |= engine.refused({lock.tier for lock in sent})\n", ""),),
        (f"{_CLONES}test_a_lock_in_a_clone_is_none",),
    ),
    Mutant(
        "tier marks",
        "a dump in another place is one",
        (
            Edit(
                "tierkeeper/engine/recovery/dump.py",
                "    engine.marks.confirm(store)\n    _complete(",
                "    _complete(",
            ),
        ),
        (f"{_CLONES}test_a_dump_in_a_clone_is_none",),
    ),
    Mutant(
        "tier marks",
        "a place without twins trusts the catalog",
        (
            Edit(
                "tierkeeper/engine/trust/epoch.py",
                "engine.marks.confirm(store)  # another place has no twins",
                "pass  # no twins",
            ),
        ),
        (f"{_CLONES}test_a_place_without_twins_trusts_no_catalog",),
    ),
    Mutant(
        "tier marks",
        "objects of another place are taken over",
        (
            Edit(
                "tierkeeper/engine/recovery/adopt.py",
                "    away = engine.refused(one.tier for one in candidates)\n",
                "    away = {}\n",
            ),
        ),
        (f"{_CLONES}test_objects_of_a_clone_are_not_taken_over",),
    ),
    Mutant(
        "tier marks",
        "a store may fail in a way of its own at its mark",
        (
            Edit(
                "tierkeeper/engine/mark_check.py",
                "        self.judge(store, read(store))\n",
                "        self.judge(store, store.mark())\n",
            ),
        ),
        (
            "tests/integration/engine/operations/test_odd_answers.py::test_a_store_of_somebody_elses_that_fails_in_its_own_way",
        ),
    ),
    Mutant(
        "tier marks",
        "a mark that was not read is one that is not there",
        (
            Edit(
                "tierkeeper/engine/trust/places.py",
                "    except TierNotOurs:  # the place is missing, or a write to it will raise what is wrong\n",
                "    except (TierNotOurs, MarkNotRead):\n",
            ),
            Edit("tierkeeper/engine/trust/places.py", "import MarkUnreadable,", "import MarkNotRead, MarkUnreadable,"),
        ),
        ("tests/integration/engine/trust/test_marks_not_read.py",),
    ),
    Mutant(
        "tier marks",
        "a mark on a failing disk says that the place is another one",
        (
            Edit(
                "tierkeeper/stores/filesystem/tier_mark.py",
                "        raise MarkNotRead(tier=tier, place=tree.root, reason=str(error.strerror)) from error\n",
                "        raise TierNotOurs(tier=tier, reason=str(error.strerror)) from error\n",
            ),
        ),
        ("tests/integration/engine/trust/test_marks_not_read.py::test_a_folder_whose_mark_cannot_be_read",),
    ),
    Mutant(
        "tier marks",
        "a spoiled mark in a bucket says that the place is another one",
        (
            Edit(
                "tierkeeper/stores/s3/tier_mark.py",
                "no fault of other objects\n"
                "        raise MarkNotRead(tier=place.tier, place=_url(place), reason=str(error)) from error\n",
                "no fault of other objects\n        return None\n",
            ),
        ),
        ("tests/integration/engine/operations/test_odd_answers.py::test_a_mark_that_a_proxy_spoils_is_not_known",),
    ),
    Mutant(
        "tier marks",
        "an answer that cannot be understood is the library's matter",
        (
            Edit(
                "tierkeeper/stores/s3/errors.py",
                "    except _ODD as error:\n",
                "    except ZeroDivisionError as error:\n",
            ),
        ),
        ("tests/unit/stores/s3/test_errors.py::test_an_answer_that_cannot_be_understood_is_the_tiers_fault[raised0]",),
    ),
    Mutant(
        "tier marks",
        "a catalog is accepted twice at once",
        (
            Edit(
                "tierkeeper/engine/recovery/accept.py",
                "    if known is not None and known.line != line:\n",
                "    if known is None:\n",
            ),
        ),
        ("tests/integration/engine/trust/test_tier_places.py::test_who_accepts_a_catalog_second_is_told_so",),
    ),
    Mutant(
        "R22",
        "the place of another tier is adopted",
        (
            Edit(
                "tierkeeper/engine/trust/places.py", "        _require_free(engine, store, before)\n", "        pass\n"
            ),
        ),
        (f"{_PLACES}test_the_place_of_another_tier_is_not_adopted",),
    ),
    Mutant(
        "tier marks",
        "a tier that left the settings loses its copies' place",
        (
            Edit(
                "tierkeeper/engine/trust/places.py",
                "    if copies or other in engine.stores:",
                "    if other in engine.stores:",
            ),
        ),
        (f"{_PLACES}test_the_place_of_a_tier_that_is_gone_is_adopted_without_its_copies",),
    ),
    Mutant(
        "R19",
        "a verb counts copies in tiers that are away",
        (Edit("tierkeeper/engine/verbs/verbs.py", "in tiers - away.keys())", "in tiers)"),),
        (f"{_RESTS}test_a_restored_copy_is_not_counted_while_its_tier_is_away",),
    ),
    Mutant(
        "R19",
        "a move has nothing to do on the catalog's word",
        (Edit("tierkeeper/engine/verbs/verbs.py", "        raise away[min(relied)]\n", "        pass\n"),),
        (f"{_RESTS}test_a_move_to_where_it_is_asks_the_tier",),
    ),
    Mutant(
        "R19",
        "a promotion is refused on the catalog's word",
        (
            Edit(
                "tierkeeper/engine/verbs/verbs.py",
                '        engine.marks.confirm(engine.store(error.data["tier"]), before=True, bound=True)\n',
                "        str(error)\n",
            ),
        ),
        (f"{_RESTS}test_a_move_to_where_it_is_asks_the_tier",),
    ),
    Mutant(
        "tier marks",
        "what collect leaves of a tier that is away is no error",
        (Edit("tierkeeper/engine/collect/collect.py", "errors=len(left)", "errors=0"),),
        (f"{_TESTS}test_nothing_is_concluded_while_a_place_is_away",),
    ),
)
