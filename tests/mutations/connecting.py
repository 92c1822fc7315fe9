"""What connections to the catalog send, and what guards them behind a pooler and in a schema, broken in turn."""

from functools import partial

from mutations.mutant import Edit, Mutant, one_edit

_CONNECTIONS = "tierkeeper/connections.py"
_DATABASE = "tierkeeper/catalog/database.py"
_ERRORS = "tierkeeper/catalog/driver_errors.py"
_MIGRATE = "tierkeeper/catalog/migrate.py"
_POOLED = "tests/integration/catalog/test_pgbouncer.py::"
_MIGRATIONS = "tests/integration/catalog/test_migrations.py::"
_SENT = "tests/integration/catalog/test_database.py::"


def _pooled(what: str, edit: Edit, test: str) -> Mutant:
    return Mutant("behind a pooler", what, (edit,), (f"{_POOLED}{test}",))


_refused = partial(one_edit, "a catalog that refuses")
_sent = partial(one_edit, "what a connection sends")


CONNECTING = (
    _pooled(
        "options that are dropped are not noticed",
        Edit(_CONNECTIONS, "        if self.pgconn.options:\n", "        if False:\n"),
        "test_options_are_refused_with_what_to_do",
    ),
    _refused(
        "a limit of the role ends an upgrade",
        Edit(
            _CONNECTIONS, "for name, since in _LIMITS.items() if self.info.server_version >= since}", "for name in ()}"
        ),
        f"{_MIGRATIONS}test_limits_of_the_database_end_no_upgrade",
    ),
    _refused(
        "a limit on transactions ends ours",
        Edit(_CONNECTIONS, '    "transaction_timeout": 17_00_00,\n', ""),
        f"{_MIGRATIONS}test_limits_of_the_database_are_not_ours",
    ),
    _refused(
        "a limit is told as a server that is away",
        Edit(_ERRORS, "    if state in _LIMITS and _CANCELED not in reason:\n", "    if False:\n"),
        "tests/unit/catalog/test_driver_errors.py::test_a_limit_of_the_server_is_named",
    ),
    _pooled(
        "an upgrade that a limit ended does not say the way around",
        Edit(_MIGRATE, "        if isinstance(found, CatalogLimited) and not", "        if False and not"),
        "test_limits_of_the_role",
    ),
    _pooled(
        "statements are prepared",
        Edit(_CONNECTIONS, "        self.prepare_threshold = None\n", ""),
        "test_nothing_is_prepared",
    ),
    _pooled(
        "the limits stay in a session that is lent out",
        Edit(_CONNECTIONS, 'sql.SQL("SET LOCAL {} = {}")', 'sql.SQL("SET {} = {}")'),
        "test_every_transaction_is_bounded",
    ),
    _pooled(
        "the limits of a transaction take its snapshot",
        Edit(_CONNECTIONS, 'sql.SQL("SET LOCAL {} = {}")', """sql.SQL("SET LOCAL {} = {}; SELECT")"""),
        "test_a_dump_is_of_after_its_lock",
    ),
    _pooled(
        "a transaction has no limits",
        Edit(_DATABASE, "            set_each_time(connection)\n            result", "            result"),
        "test_every_transaction_is_bounded",
    ),
    _pooled(
        "a reader has no limits",
        Edit(_DATABASE, "                set_each_time(connection)\n                yield", "                yield"),
        "test_every_transaction_is_bounded",
    ),
    Mutant(
        "behind a pooler",
        "a reader's transaction has not begun",
        (
            Edit(
                _DATABASE,
                "                connection.begin()\n                set_each_time",
                "                set_each_time",
            ),
        ),
        ("tests/integration/catalog/test_database.py::test_a_reader_is_in_a_transaction",),
    ),
    Mutant(
        "behind a pooler",
        "a snapshot sees what is committed meanwhile",
        (Edit(_DATABASE, "        if snapshot:\n", "        if False:\n"),),
        ("tests/integration/catalog/test_database.py::test_a_snapshot_is_one_moment",),
    ),
    Mutant(
        "reading",
        "a plan of an empty catalog scans for good",
        (Edit(_DATABASE, '{"enable_seqscan": "off", ', '{"enable_seqscan": "on", '),),
        ("tests/integration/engine/test_kept_plans.py::test_plans_of_an_empty_catalog_stay_right",),
    ),
    Mutant(
        "reading",
        "one plan is kept for all values",
        (
            Edit(
                "tierkeeper/catalog/statements.py",
                "    return statement.execution_options(**{PLANNED_ANEW: True})\n",
                "    return statement\n",
            ),
        ),
        ("tests/integration/engine/test_large_catalogs.py::test_no_statement_grows_with_the_catalog",),
    ),
    Mutant(
        "reading",
        "what is planned anew is prepared",
        (Edit("tierkeeper/connections.py", "prepare=False if self.planned_anew else prepare", "prepare=prepare"),),
        ("tests/integration/catalog/test_database.py::test_what_depends_on_its_values_is_not_prepared",),
    ),
    Mutant(
        "reading",
        "a plan that a job made is kept",
        (Edit(_DATABASE, "        driver.prepares(False)", "        driver.prepares(True)"),),
        ("tests/integration/catalog/test_database.py::test_what_takes_time_is_not_prepared",),
    ),
    Mutant(
        "reading",
        "a plan of before an upgrade is a defect",
        (Edit(_DATABASE, " or is_stale_plan(error.orig)", ""),),
        ("tests/integration/catalog/test_database.py::test_a_plan_of_before_an_upgrade_is_made_again",),
    ),
    Mutant(
        "reading",
        "a thread that does not end holds its place",
        (Edit("worker/watchdog.py", "if (exhausted or seen.overdue) and", "if exhausted and"),),
        ("tests/integration/tasks/test_watchdog.py::test_a_thread_that_does_not_end_ends_its_worker",),
    ),
    Mutant(
        "reading",
        "a reader may write",
        (Edit(_DATABASE, '{"postgresql_readonly": True}', "{}"),),
        ("tests/integration/catalog/test_database.py::test_a_reader_cannot_write",),
    ),
    Mutant(
        "reading",
        "a reader forgets what is prepared",
        (
            Edit(
                _DATABASE,
                "            yield connection\n            connection.commit()\n",
                "            yield connection\n",
            ),
        ),
        ("tests/integration/catalog/test_database.py::test_what_is_read_again_is_prepared",),
    ),
    Mutant(
        "reading",
        "a rehearsal is carried out",
        (
            Edit(
                _DATABASE,
                "        with self._transaction() as connection:\n            yield connection\n",
                "        with self._transaction() as connection:\n            yield connection\n"
                "            connection.commit()\n",
            ),
        ),
        ("tests/integration/catalog/test_database.py::test_a_rehearsal_leaves_nothing",),
    ),
    _refused(
        "a catalog that was downgraded cannot go further back",
        Edit(
            "tierkeeper/keeper/facade.py",
            "return migrate.downgrade(self.settings.catalog.url",
            "return migrate.downgrade(self.engine.settings.catalog.url",
        ),
        "tests/integration/cli/commands/test_catalog.py::test_a_catalog_goes_back_and_comes_again",
    ),
    _refused(
        "what a statement would meet again is an outage",
        Edit(
            _ERRORS,
            "    if cause.sqlstate is None:\n",
            "    if isinstance(cause, psycopg.OperationalError):\n",
        ),
        "tests/unit/catalog/test_driver_errors.py::test_only_what_may_pass_is_unavailability",
    ),
    _refused(
        "a rule of the audit log is a privilege to grant",
        Edit(
            "models/migrations/versions/0015_a_rule_is_no_privilege.py",
            'op.execute(FUNCTION.format(code="restrict_violation"))',
            'op.execute(FUNCTION.format(code="insufficient_privilege"))',
        ),
        "tests/integration/catalog/test_walls.py::test_a_wall_is_no_cause_of_another_kind",
    ),
    _refused(
        "an upgrade makes tables in another schema",
        Edit(_MIGRATE, "    if at is not None and at != new:\n", "    if False:\n"),
        f"{_MIGRATIONS}test_half_a_catalog_is_not_made",
    ),
    _refused(
        "a privilege that is missing is the driver's error",
        Edit(_ERRORS, "    if isinstance(cause, _DENIED):\n", "    if False:\n"),
        f"{_MIGRATIONS}test_a_user_who_may_not_read",
    ),
    _refused(
        "a mistake in its URL is told as one of a tier",
        Edit("tierkeeper/keeper/facade.py", "        _check_catalog_url(settings)\n        numbers", "        numbers"),
        "tests/unit/keeper/test_unusable_urls.py::test_the_catalog_is_not_told_as_a_tier",
    ),
    _sent(
        "a null among ids ends their list",
        Edit(
            _CONNECTIONS,
            "self._null if each is None else self._item + each.bytes for each in obj]",
            "self._item + each.bytes for each in obj if each is not None]",
        ),
        f"{_SENT}test_ids_come_back_as_they_were",
    ),
    _sent(
        "ids are binary in the text of a statement",
        Edit(_CONNECTIONS, "format is PyFormat.AUTO and UUID in kinds", "UUID in kinds"),
        f"{_SENT}test_ids_are_written_into_a_text_as_text",
    ),
    _sent(
        "of a stream that is cut a cursor stays",
        Edit(_CONNECTIONS, "        if not self.connection.closed:\n", "        if self._name:\n"),
        f"{_SENT}test_a_stream_that_is_cut_leaves_no_cursor_open",
    ),
)
