"""The working folder decides which code a process runs, by one way at a time."""

from mutations.mutant import Edit, Mutant

_START = "worker/start.py"
_APP = "worker/app.py"
_TESTS = "tests/unit/worker/test_start.py::"
_STARTED = (f"{_TESTS}test_what_up_starts_runs_nothing_of_the_working_folder",)
_OTHERS = (f"{_TESTS}test_neither_threads_nor_django_look_there",)
_HELPERS = (f"{_TESTS}test_helper_processes_and_a_configuration_of_ones_own",)
_LEFT = "tests/unit/cli/support/test_homelock.py::test_what_a_killed_command_left_keeps_others_away"
_RULE = "starting"

STARTING = (
    Mutant(
        _RULE,
        "up starts processes by Celery's own command",
        (
            Edit(
                "tierkeeper/cli/support/programs.py",
                '"-P", "-m", "worker.start", supervised.FLAG',
                '"-m", "celery", "-A", "worker.app"',
            ),
        ),
        _STARTED,
    ),
    Mutant(
        _RULE,
        "processes of a killed supervisor stay",
        (Edit("tierkeeper/base/supervised.py", "    signal.pthread_kill(main, signal.SIGTERM)", "    del main"),),
        ("tests/unit/base/test_supervised.py::test_a_process_is_told_to_end_when_its_supervisor_was_killed",),
    ),
    Mutant(
        _RULE,
        "a process does not hear of its supervisor's end",
        (Edit(_START, "        supervised.end_with_supervisor()\n", ""),),
        (f"{_TESTS}test_a_supervised_process_ends_with_its_supervisor",),
    ),
    Mutant(
        _RULE,
        "a second set begins beside what a killed up left",
        (
            Edit(
                "tierkeeper/cli/support/supervisor.py",
                "pass_fds=() if self._lock is None else (self._lock.file.fileno(),),",
                "pass_fds=(),",
            ),
        ),
        (_LEFT,),
    ),
    Mutant(
        _RULE,
        "what a killed up left is not named",
        (Edit("tierkeeper/cli/support/homelock.py", " or runs(first):\n", " or first:\n"),),
        (_LEFT,),
    ),
    Mutant(
        _RULE,
        "a new home is made silently",
        (Edit("tierkeeper/cli/support/session.py", '            self.output.say(f"made', '            str(f"made'),),
        ("tests/unit/cli/support/test_session.py::test_a_home_that_the_command_made_is_told_once",),
    ),
    Mutant(
        _RULE,
        "tasks are imported from the working folder first",
        (Edit(_APP, "    loader=loader.InstalledLoader,\n", ""),),
        _STARTED,
    ),
    Mutant(
        _RULE,
        "Flower runs the configuration that lies there",
        (Edit(_START, '    os.environ.setdefault("FLOWER_CONF", os.devnull)\n', ""),),
        _STARTED,
    ),
    Mutant(
        _RULE,
        "helper processes import from there",
        (Edit(_START, 'os.environ["PYTHONSAFEPATH"] = "1"', 'os.environ.setdefault("PYTHONSAFEPATH", "")'),),
        _HELPERS,
    ),
    Mutant(
        _RULE,
        "a start without safe path is none of its business",
        (Edit(_START, "if not sys.flags.safe_path:", "if False:"),),
        (f"{_TESTS}test_without_safe_path_nothing_is_started",),
    ),
    Mutant(
        _RULE,
        "threads get Celery's default app",
        (Edit(_APP, "app.set_default()", "app.set_current()"),),
        _OTHERS,
    ),
    Mutant(
        _RULE,
        "Django's support puts the folder first",
        (Edit(_APP, "    fixups=[],", "    fixups=None,"),),
        _OTHERS,
    ),
    Mutant(
        _RULE,
        "Flower keeps what it likes",
        (Edit(_START, '    os.environ.setdefault("FLOWER_MAX_TASKS", str(FLOWER_TASKS))\n', ""),),
        (f"{_TESTS}test_flower_keeps_few_tasks",),
    ),
    Mutant(
        _RULE,
        "the last events of a worker are lost",
        (Edit("worker/consumer.py", '""Send the last events."""\n        self._send_events()\n', '""Nothing."""\n'),),
        ("tests/integration/tasks/test_task_events.py::test_events_arrive_though_their_worker_ends",),
    ),
)
