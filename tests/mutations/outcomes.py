"""The outcome of a COMMIT whose reply is lost, and when it is believed: each guard broken."""

from mutations.mutant import Edit, Mutant

_DATABASE = "tierkeeper/catalog/database.py"
_OUTCOMES = "tierkeeper/catalog/outcomes.py"
_TESTS = "tests/integration/catalog/test_outcomes.py::"
_CLAIM = f"{_TESTS}test_a_claim_that_runs_again_finds_its_leases"
_DOUBT = f"{_TESTS}test_another_server_is_not_believed"
_BELIEVED = "    if lifetime != transaction.lifetime or not row.unbroken or row.status is None:\n"

OUTCOMES = (
    Mutant(
        "outcome",
        "a unit that was committed is run again",
        (Edit(_DATABASE, "        if outcome is TransactionStatus.COMMITTED:\n", "        if False:\n"),),
        (f"{_TESTS}test_counts_are_added_once", f"{_TESTS}test_no_ghost_run_is_begun"),
    ),
    Mutant(
        "outcome",
        "a unit that was rolled back is taken for committed",
        (
            Edit(
                _DATABASE,
                "        if outcome is TransactionStatus.COMMITTED:\n",
                "        if outcome is not TransactionStatus.UNKNOWN:\n",
            ),
        ),
        (f"{_TESTS}test_what_was_rolled_back_is_run_again",),
    ),
    Mutant(
        "outcome",
        "an outcome that is not known is taken for committed",
        (
            Edit(
                _DATABASE,
                "        if outcome is TransactionStatus.COMMITTED:\n",
                "        if outcome is not TransactionStatus.ABORTED:\n",
            ),
        ),
        (f"{_TESTS}test_a_checkpoint_since_is_not_believed",),
    ),
    Mutant(
        "outcome",
        "a transaction in progress is run beside itself",
        (
            Edit(
                _DATABASE,
                "                if found is not TransactionStatus.IN_PROGRESS:\n",
                "                if found:\n",
            ),
        ),
        (f"{_TESTS}test_a_transaction_in_progress_is_waited_for",),
    ),
    Mutant(
        "outcome",
        "another lifetime of the server is believed",
        (Edit(_OUTCOMES, _BELIEVED, "    if lifetime is None or not row.unbroken or row.status is None:\n"),),
        (f"{_DOUBT}[another server]", f"{_DOUBT}[another timeline]", f"{_DOUBT}[started again]"),
    ),
    Mutant(
        "outcome",
        "an id that was given out again after a crash is believed",
        (
            Edit(
                _OUTCOMES,
                "checkpoint_lsn < CAST(:flushed AS pg_lsn) AND pg_current_wal_flush_lsn()",
                "pg_current_wal_flush_lsn()",
            ),
        ),
        (f"{_TESTS}test_an_id_that_was_given_again_is_not_believed",),
    ),
    Mutant(
        "outcome",
        "a server whose log is shorter than it was is believed",
        (
            Edit(
                _OUTCOMES,
                " AND pg_current_wal_flush_lsn() >= CAST(:flushed AS pg_lsn) AS unbroken",
                " AS unbroken",
            ),
        ),
        (f"{_DOUBT}[an older copy]",),
    ),
    Mutant(
        "outcome",
        "what stands for a hidden identifier is believed",
        (Edit(_OUTCOMES, "if _CLUSTER.fullmatch(cluster) else None", "if cluster else None"),),
        (f"{_TESTS}test_a_server_that_hides_is_not_believed[at once-pg_control_system()]",),
    ),
    Mutant(
        "outcome",
        "a server that hides lets no unit begin",
        (
            Edit(
                _OUTCOMES,
                "    except _HIDDEN as error:\n        _note_hidden(error)\n        return None\n",
                "    except _HIDDEN:\n        raise\n",
            ),
        ),
        (f"{_TESTS}test_a_server_that_hides_is_not_believed[at once-pg_control_checkpoint()]",),
    ),
    Mutant(
        "outcome",
        "a server that begins to hide lets no unit begin",
        (Edit(_OUTCOMES, "            driver.rollback()\n", "            raise\n"),),
        (f"{_TESTS}test_a_server_that_hides_is_not_believed[later-pg_current_xact_id()]",),
    ),
    Mutant(
        "outcome",
        "a slow BEGIN ends the asking",
        (
            Edit(
                _OUTCOMES,
                "        except (*_HIDDEN, *_STANDBY) as error:\n",
                "        except psycopg.Error as error:\n",
            ),
            Edit(
                _OUTCOMES,
                "            if isinstance(error, _HIDDEN):\n",
                "            if isinstance(error, psycopg.Error):\n",
            ),
        ),
        (f"{_TESTS}test_one_slow_begin_costs_no_protection",),
    ),
    Mutant(
        "outcome",
        "a claim that runs again takes others",
        (
            Edit(
                "tierkeeper/catalog/schedule.py",
                '                AND ({unleased(":now")} OR {_OWN})\n                AND {OF_TENANT}\n',
                '                AND {unleased(":now")}\n                AND {OF_TENANT}\n',
            ),
        ),
        (_CLAIM,),
    ),
    Mutant(
        "outcome",
        "a claim that runs again counts another attempt",
        (
            Edit(
                "tierkeeper/catalog/schedule.py",
                '_ATTEMPTS = f"CASE WHEN s.{_OWN} THEN s.attempts ELSE s.attempts + 1 END"',
                '_ATTEMPTS = "s.attempts + 1"',
            ),
        ),
        (_CLAIM,),
    ),
    Mutant(
        "outcome",
        "the id costs a round trip",
        (
            Edit(
                _OUTCOMES,
                "            xid, flushed, *where = _answers(",
                "            _answers(driver, b'BEGIN; SELECT 1, 2')\n            xid, flushed, *where = _answers(",
            ),
        ),
        (f"{_TESTS}test_the_id_costs_no_round_trip",),
    ),
)
