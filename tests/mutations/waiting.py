"""A transaction reads its moment after its locks, broken where a transaction waits: it reads it before them."""

from mutations.mutant import Edit, Mutant
from mutations.places import VERBS

_ENGINE = "tierkeeper/engine/"
_DAMAGE = f"{_ENGINE}copies/damage.py"
_RECOMPUTE = f"{_ENGINE}policies/recompute.py"
_TESTS = "tests/integration/engine/test_waiting.py::"
_TIME = f"{_TESTS}test_the_time_is_read_after_the_locks"
_OF_SURVEY = (
    "    brake_counts.open_alone(connection, scope.tenant)  # no commit begins a run or adds to one meanwhile\n"
    "    found = None if waiting is None else runs.lock_for_approval(connection, waiting)\n"
)
_OF_VERB = "    schedule.lock(connection, [a.id for a in peek])\n"
_READ = "    moment = Moment.read(connection, engine)\n"


def _early(what: str, file: str, locks: str, moment: str, case: str, *, after: str = "") -> Mutant:
    """Return the mutant in which the moment, which follows the locks, comes before them."""
    return Mutant(
        "moment",
        f"{what} reads its moment before its locks",
        (Edit(file, locks + moment + after, moment + locks + after),),
        (f"{_TIME}[{case}]",),
    )


WAITING = (
    _early("a recompute", _RECOMPUTE, "    schedule.lock(connection, ids)\n", _READ, "a recompute"),
    _early(
        "a survey",
        f"{_ENGINE}gates/survey.py",
        _OF_SURVEY,
        _READ,
        "a survey",
    ),
    Mutant(
        "moment",
        "a verb reads its moment before its locks",
        (
            Edit(VERBS, _READ + "    now = moment.now\n    copies", "    now = moment.now\n    copies"),
            Edit(VERBS, _OF_VERB, _READ + _OF_VERB),
        ),
        (f"{_TIME}[a verb]",),
    ),
    Mutant(
        "moment",
        "the switch for deletes is written with the time of before its lock",
        (
            Edit(
                "tierkeeper/catalog/switches.py",
                "    before = deletes(connection, lock=True)\n",
                "    now = catalog_now(connection)\n    before = deletes(connection, lock=True)\n",
            ),
            Edit(
                "tierkeeper/catalog/switches.py",
                "        return False\n    now = catalog_now(connection)\n",
                "        return False\n",
            ),
        ),
        (f"{_TIME}[the switch for deletes]",),
    ),
    Mutant(
        "moment",
        "a founding is written with the time of before its lock",
        (
            Edit(
                "tierkeeper/catalog/identity.py",
                "        founded, now = replace(known, founded=True), catalog_now(connection)\n",
                "        founded = replace(known, founded=True)\n",
            ),
            Edit(
                "tierkeeper/catalog/identity.py",
                "    known = read(connection, lock=True)\n    if known is not None and not known.founded:\n",
                "    now = catalog_now(connection)\n    known = read(connection, lock=True)\n"
                "    if known is not None and not known.founded:\n",
            ),
        ),
        (f"{_TIME}[a founding]",),
    ),
    _early(
        "an adoption",
        f"{_ENGINE}recovery/adopt.py",
        "        (row,) = artifacts.lock(connection, [needing.id])\n        schedule.lock(connection, [needing.id])\n",
        "        now = catalog_now(connection)\n",
        "an adoption",
    ),
    _early(
        "what writes access times",
        f"{_ENGINE}read/access_times.py",
        "    schedule.lock(connection, times)\n",
        _READ,
        "access times",
    ),
    _early(
        "a report of damage",
        _DAMAGE,
        "    rows = _owners(connection, placement)\n",
        "    now = clocks(connection)\n",
        "damage",
    ),
    _early(
        "a copy that heals",
        _DAMAGE,
        "    rows = _owners(connection, placement)\n",
        "    now = catalog_now(connection)\n",
        "a copy that heals",
        after="    if not placements.mark_healed(",
    ),
    _early(
        "a copy that is found again",
        _DAMAGE,
        "    rows = _owners(connection, placement)\n",
        "    now = catalog_now(connection)\n",
        "a copy that is found again",
        after="    if not placements.mark_found_again(",
    ),
    _early(
        "a new pin",
        f"{_ENGINE}copies/pins.py",
        "    rows = artifacts.lock(connection, [artifact for artifact, _ in owners])\n",
        "    now = catalog_now(connection)\n",
        "a new pin",
    ),
    Mutant(
        "moment",
        "a survey that ends a run decides before it waits",
        (
            Edit(
                f"{_ENGINE}gates/survey.py",
                _OF_SURVEY + _READ,
                _READ + _OF_SURVEY,
            ),
        ),
        (f"{_TESTS}test_a_deadline_that_passes_while_a_survey_waits",),
    ),
    Mutant(
        "recompute",
        "a recompute decides by rows that it did not lock",
        (Edit(_RECOMPUTE, "    schedule.lock(connection, ids)\n", ""),),
        (f"{_TESTS}test_a_recompute_decides_by_the_rows_of_after_its_wait",),
    ),
    Mutant(
        "approval",
        "one that has expired allows what is foreseen",
        (
            Edit(
                f"{_ENGINE}gates/bulk.py",
                "approved is None or _expired(connection, settings, approved) else",
                "approved is None else",
            ),
        ),
        ("tests/integration/engine/gates/test_approval.py::test_an_approval_of_a_command_ends",),
    ),
    Mutant(
        "approval",
        "a pin is told in the name of the sweep that carries a rejection out",
        (Edit(f"{_ENGINE}gates/approval.py", 'actor=said["by"],', 'actor="beat",'),),
        ("tests/integration/engine/gates/test_approval.py::test_a_sweep_pins_in_the_name_of_who_rejected",),
    ),
)
