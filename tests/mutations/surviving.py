"""R21, broken one at a time: what is looked at before the last other copy goes, and what is concluded."""

from mutations.mutant import Edit, Mutant

_TESTS = "tests/integration/engine/collect/test_survivors.py::"
_LOOK = "tierkeeper/engine/collect/survivors.py"
_LOOKING = "tierkeeper/engine/copies/presence.py"
_CANDIDATES = "tierkeeper/engine/collect/judgement.py"
_COLLECT = "tierkeeper/engine/collect/collect.py"
_UNSEEN = "tierkeeper/catalog/unseen.py"
_LEAVING = "        unseen.mark_left(connection, judged.unseen, now=catalog_now(connection))\n"


def _broken(how: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant("R21", how, (Edit(file, old, new),), tuple(f"{_TESTS}{test}" for test in tests))


def _archived(how: str, old: str, new: str, test: str, *, file: str = "tierkeeper/engine/copies/check.py") -> Mutant:
    return Mutant("R21", how, (Edit(file, old, new),), (f"tests/integration/engine/copies/test_archived.py::{test}",))


def _left(how: str, file: str, old: str, new: str, test: str) -> Mutant:
    return Mutant("R21", how, (Edit(file, old, new),), (f"tests/integration/engine/collect/test_unseen.py::{test}",))


def _weak(how: str, old: str, new: str, test: str) -> Mutant:
    edits = (Edit("tierkeeper/engine/copies/check.py", old, new),)
    return Mutant("R21", how, edits, (f"tests/integration/engine/copies/test_weak_etags.py::{test}",))


def _moved(how: str, old: str, new: str, test: str, *, file: str = "tierkeeper/engine/copies/read_budget.py") -> Mutant:
    edits = (Edit(file, old, new),)
    return Mutant("R21", how, edits, (f"tests/integration/engine/copies/test_moved_buckets.py::{test}",))


SURVIVING = (
    _broken(
        "the last other copy goes without a look",
        _CANDIDATES,
        "if other.id != copy.id and fates.good(other)]",
        "if other.id == copy.id and False]",
        "test_a_bucket_whose_mark_came_back",
        "test_a_bucket_that_was_emptied_costs_nothing",
    ),
    _broken(
        "of two copies of a content none is looked at",
        "tierkeeper/catalog/placements.py",
        "GROUP BY blob_id HAVING count(*) > 1",
        "GROUP BY blob_id HAVING count(*) > 2",
        "test_a_bucket_that_was_emptied_costs_nothing",
    ),
    _broken(
        "the decision does not ask for what was seen",
        _CANDIDATES,
        "if seen is not None and any(",
        "if seen is None and any(",
        "test_no_answer_is_none",
    ),
    _broken(
        "another copy than the one that was seen will do",
        _CANDIDATES,
        "seen.get(other.id) != key_of(other.form) for other in to_see",
        "not seen for other in to_see",
        "test_the_decision_asks_for_those_that_were_seen",
    ),
    _broken(
        "a tier that is no longer configured needs no look",
        _CANDIDATES,
        "if other.id != copy.id and fates.good(other)]",
        "if other.id != copy.id and fates.good(other) and other.tier in engine.stores]",
        "test_copies_in_a_tier_that_is_gone_are_not_seen",
    ),
    _broken(
        "a bound store needs no look",
        _CANDIDATES,
        "if other.id != copy.id and fates.good(other)]",
        "if other.id != copy.id and fates.good(other) and not engine.store(other.tier).bound]",
        "test_a_folder_that_was_put_back_from_an_older_copy_costs_nothing",
    ),
    _broken(
        "a version needs no look",
        _CANDIDATES,
        "if other.id != copy.id and fates.good(other)]",
        "if other.id != copy.id and fates.good(other) and other.store_version is None]",
        "test_a_version_that_was_deleted_by_its_id_costs_nothing",
    ),
    _broken(
        "a HEAD is enough where nothing names the bytes",
        _LOOK,
        "    return store is not None and not store.bound and copy.pin is None and copy.store_version is None\n",
        "    return False\n",
        "test_other_bytes_of_what_nobody_named_cost_nothing",
    ),
    _broken(
        "what a batch has no time to read was seen",
        _LOOKING,
        "            return 0, error\n",
        "            return 0, None\n",
        "test_what_cannot_be_read_now_was_not_seen",
    ),
    _broken(
        "what was read keeps no pin",
        _LOOK,
        "    noted = unvouched.vouch(catalog, copies, reading.pins, caller=caller)\n",
        "    noted = unvouched.vouch(catalog, copies, {}, caller=caller)\n",
        "test_what_was_read_has_a_name_then",
    ),
    _broken(
        "what was seen counts without the mark after it",
        _LOOKING,
        "    tiers -= engine.refused(tiers).keys()  # the marks again: answers of another place do not count\n",
        "",
        "test_what_is_seen_elsewhere_was_not_seen",
    ),
    _broken(
        "no answer is a right one",
        _LOOKING,
        "            return 1, failure\n",
        "            return 1, None\n",
        "test_no_answer_is_none",
    ),
    _broken(
        "one wrong answer is enough",
        _LOOKING,
        "            return 2, look(engine, copy)  # again: a store may err once\n",
        '            return 1, Wrong("once", missing=True)\n',
        "test_a_wrong_answer_once_is_none",
    ),
    _broken(
        "other bytes of equal length are those that were committed",
        "tierkeeper/engine/copies/check.py",
        "        head = engine.store(copy.tier).head(key_of(copy.form))\n",
        "        head = engine.store(copy.tier).head(type(key_of(copy.form))(copy.location))\n",
        "test_other_bytes_cost_nothing",
    ),
    _weak(
        "a pin that cannot be checked is kept for ever",
        "        if reads is None:\n            raise\n",
        "        raise\n",
        "test_a_name_that_cannot_be_checked_is_given_up",
    ),
    _moved(
        "a look reads copies whose pin is refused for as long as that takes",
        "            self._require(copy, self._begins_until)\n",
        "",
        "test_what_a_look_has_no_time_to_read_is_not_known",
    ),
    _moved(
        "a read goes on for as long as it takes",
        "        return partial(self._require, copy, self._goes_on_until)\n",
        "        return lambda: None\n",
        "test_a_read_that_takes_too_long_is_given_up",
    ),
    _moved(
        "what was left unread is no answer of its tier",
        "        except Unread as error:  # does not count against its tier\n            return 0, error\n",
        "",
        "test_what_a_look_has_no_time_to_read_is_not_known",
        file=_LOOKING,
    ),
    _weak(
        "what cannot be checked by its pin is right",
        "            raise\n        return _whole_by_another_name(engine, copy, reads)\n",
        "            raise\n        return None\n",
        "test_other_bytes_behind_a_name_that_cannot_be_checked",
    ),
    _archived(
        "what must be thawed is read",
        "    if not store.must_thaw:\n",
        "    if True:\n",
        "test_it_is_seen_by_its_servers_sha256",
    ),
    _archived(
        "what must be thawed is right without a SHA-256",
        "    if head.sha256 is None:\n        raise Unread(",
        "    if False:\n        raise Unread(",
        "test_without_one_it_was_not_seen",
    ),
    _archived(
        "what must be thawed is read where its pin is refused",
        "lambda: whole(engine, copy, reads=reads), vouched=vouched)",
        "lambda: check(engine, copy, opener.noted(copy.form, tier=''), pinned=False), vouched=vouched)",
        "test_a_refused_pin_thaws_nothing",
    ),
    _archived(
        "what a server vouches for was read",
        "Vouched.SERVER if engine.store(copy.tier).must_thaw else Vouched.READ",
        "Vouched.READ",
        "test_a_refused_pin_thaws_nothing",
    ),
    _archived(
        "what was taken over by a HEAD keeps no pin",
        "            return Vouched.SERVER, one.version or head.pin\n",
        "            return Vouched.SERVER, one.version\n",
        "test_what_is_taken_over_has_a_name",
        file="tierkeeper/engine/recovery/adopt.py",
    ),
    _left(
        "what was left comes first again",
        _COLLECT,
        _LEAVING,
        "",
        "test_what_was_left_comes_last",
    ),
    _left(
        "right bytes are damaged where their name cannot be noted",
        "tierkeeper/engine/copies/check.py",
        "        raise StoreTransient(tier=copy.tier, reason=reason)\n",
        "        return Wrong(reason, missing=False)\n",
        "test_right_bytes_whose_name_cannot_be_noted_are_not_damaged",
    ),
    _left(
        "bytes whose SHA-256 was never noted are wrong",
        "tierkeeper/engine/copies/opener.py",
        "form.sha256 is None or form.size is None:\n        raise StoreTransient(",
        "form.sha256 is None or form.size is None:\n        return Content(b'', 0)\n        raise StoreTransient(",
        "test_bytes_whose_sha256_was_never_noted_are_not_damaged",
    ),
    _left(
        "a look that gives up asks for the same copies each time",
        _LOOK,
        "    random.shuffle(staying)  # a check that gives up leaves other copies unchecked each time\n",
        "",
        "test_some_that_fail_hide_no_others_for_ever",
    ),
    _left(
        "what was not asked for is told nobody",
        _LOOKING,
        "_tell([*unseen, *(answer for",
        "_tell([*unseen, *(answer for _ in () for",
        "test_what_was_not_asked_for_is_told",
    ),
    _left(
        "what lies in a tier that is not configured is told nobody",
        _LOOKING,
        "_tell([*unseen, *(answer",
        "_tell([*(answer",
        "test_what_was_not_asked_for_is_told",
    ),
    _left(
        "a dry run puts off what it would leave",
        _COLLECT,
        _LEAVING,
        _LEAVING.removeprefix("    "),
        "test_a_dry_run_leaves_nothing_for_later",
    ),
    _left(
        "what is left is left for the first time, each time",
        _UNSEEN,
        "THEN unseen_since",
        "THEN w.now",
        "test_what_is_left_for_a_day_is_told",
    ),
    _left(
        "what was kept for another reason meanwhile was left all the time",
        _UNSEEN,
        " AND delete_after > w.now - {LATELY} THEN",
        " THEN",
        "test_what_is_left_for_a_day_is_told",
    ),
    _left(
        "what is no longer left is told",
        "tierkeeper/catalog/health.py",
        " AND delete_after > statement_timestamp() - {unseen.LATELY}\n",
        "\n",
        "test_what_is_left_for_a_day_is_told",
    ),
    _left(
        "what was left before it was doomed anew is told",
        "tierkeeper/catalog/health.py",
        " AND unseen_since >= doomed_at",
        "",
        "test_what_is_left_for_a_day_is_told",
    ),
    _broken(
        "what is missing is not reported",
        _LOOK,
        "        if wrong is not None and not dry_run:\n",
        "        if wrong is not None and dry_run:\n",
        "test_a_bucket_that_was_emptied_costs_nothing",
    ),
)
