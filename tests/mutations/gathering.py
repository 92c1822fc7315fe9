"""Single stores that are stored together: whose is what, and nobody waits for ever or is forgotten."""

from mutations.mutant import Edit, Mutant

_GATHERING = "tierkeeper/engine/ingest/gathering.py"
_INGEST = "tierkeeper/engine/ingest/ingest.py"
_COMMIT = "tierkeeper/engine/ingest/commit.py"
_TESTS = "tests/integration/engine/ingest/test_gathering.py::"
_TOGETHER = f"{_TESTS}test_what_waits_is_stored_together"
_BOUNDS = f"{_TESTS}test_the_bounds_of_a_batch"
_CRASH = f"{_TESTS}test_a_leader_that_crashes"
_TWICE = f"{_TESTS}test_a_message_that_comes_twice_at_once"
_AWAY = f"{_TESTS}test_a_catalog_that_is_away_is_told_to_each"
_SLOW = f"{_TESTS}test_a_slow_leader_holds_up_no_other"
_DEFECT = f"{_TESTS}test_a_defect_is_alone_in_the_end"


def _gathered(what: str, edit: Edit, *tests: str) -> Mutant:
    return Mutant("gathering", what, (edit,), tests)


GATHERING = (
    _gathered(
        "who is alone is stored by the worker",
        Edit(_GATHERING, "by = batch[0].caller if len(batch) == 1 else callers.WORKER", "by = callers.WORKER"),
        f"{_TESTS}test_one_alone_waits_for_nobody",
    ),
    _gathered(
        "an event names who led",
        Edit(_COMMIT, "locks=bool(missing), caller=item.caller)", "locks=bool(missing), caller=items[0].caller)"),
        _TOGETHER,
    ),
    _gathered(
        "all commands of a batch have one key",
        Edit(_COMMIT, "DeliveredItem(self.args.tenant, self.caller.key,", 'DeliveredItem(self.args.tenant, "one",'),
        _TOGETHER,
    ),
    _gathered(
        "a command's number is its place in the batch",
        Edit(
            _INGEST,
            'commit.AskedStore(position, args, own.keyed(), "store", 0)',
            'commit.AskedStore(position, args, own.keyed(), "store", position)',
        ),
        _TOGETHER,
    ),
    _gathered(
        "those that came last go first",
        Edit(_GATHERING, "member = self._waiting.popleft()", "member = self._waiting.pop()"),
        _TOGETHER,
    ),
    _gathered(
        "a message may be twice in a batch",
        Edit(_GATHERING, "if member.command in commands or size", "if size"),
        _TWICE,
    ),
    _gathered("a batch has any number of stores", Edit(_GATHERING, " and len(batch) < MOST:", ":"), _BOUNDS),
    _gathered(
        "a batch has any number of bytes", Edit(_GATHERING, " or size + member.size > MOST_BYTES:", ":"), _BOUNDS
    ),
    _gathered(
        "what does not fit is forgotten",
        Edit(_GATHERING, "            self._waiting.extendleft(reversed(left))\n", ""),
        _BOUNDS,
    ),
    _gathered(
        "what does not fit changes its order",
        Edit(_GATHERING, "extendleft(reversed(left))", "extendleft(left)"),
        f"{_TESTS}test_what_does_not_fit_keeps_its_order",
    ),
    _gathered(
        "a defect of one is everybody's",
        Edit(_GATHERING, "            elif _is_everybodys(error):", "            elif batch:"),
        _DEFECT,
    ),
    _gathered(
        "what a lock took too long for is everybody's",
        Edit(_GATHERING, " and not isinstance(error, CatalogLimited)", ""),
        f"{_TESTS}test_a_limit_on_time_is_whose_it_is",
    ),
    _gathered(
        "a tier's one error is raised in many threads",
        Edit(
            _GATHERING,
            "member.done(copy.copy(outcome) if isinstance(outcome, BaseException) else outcome)",
            "member.done(outcome)",
        ),
        f"{_TESTS}test_a_tier_that_is_away_is_told_to_each",
    ),
    _gathered(
        "an error keeps its store alive",
        Edit(_GATHERING, "        del member, batch  #", "        #"),
        f"{_TESTS}test_a_refused_store_is_let_go",
    ),
    _gathered(
        "a catalog that is away is asked again for each half",
        Edit(_GATHERING, "            elif _is_everybodys(error):", "            elif not batch:"),
        _AWAY,
    ),
    _gathered(
        "one error is raised in many threads",
        Edit(_GATHERING, "member.done(copy.copy(error))", "member.done(error)"),
        _AWAY,
    ),
    _gathered(
        "who waits for a leader that crashed waits for ever",
        Edit(_GATHERING, "            if other.outcome is None:", "            if False:"),
        _CRASH,
    ),
    _gathered(
        "a leader that crashes leads for ever",
        Edit(
            _GATHERING,
            "        finally:\n            self._leave(member, batch)\n",
            "        finally:\n            pass\n        self._leave(member, batch)\n",
        ),
        f"{_TESTS}test_who_waits_behind_a_crash_is_stored",
    ),
    _gathered(
        "each leads for itself",
        Edit(_GATHERING, " and all(now - began > PATIENCE for began in self._leading.values())", ""),
        _TOGETHER,
    ),
    _gathered(
        "there is any number of leaders",
        Edit(_GATHERING, "if len(self._leading) < LEADERS and all(", "if all("),
        _SLOW,
    ),
    _gathered(
        "a slow leader is waited for",
        Edit(_GATHERING, "if member in self._waiting and self._leads(member):", "if False:"),
        _SLOW,
    ),
    _gathered(
        "who came to lead waits too",
        Edit(_GATHERING, "                        self._waiting.remove(member)\n", "                        pass\n"),
        _SLOW,
    ),
    _gathered("nobody follows a leader", Edit(_GATHERING, "self._waiting.popleft().woken.set()", "pass"), _TOGETHER),
    _gathered(
        "who no longer waits is stored",
        Edit(_GATHERING, "if member in self._waiting:  # it was interrupted", "if False:"),
        f"{_TESTS}test_who_was_interrupted_is_not_stored",
    ),
)
