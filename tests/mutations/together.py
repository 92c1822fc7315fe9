"""Small objects that are written together: durable before they count, each with an outcome of its own."""

from functools import partial

from mutations.mutant import Edit, one_edit

_WRITING = "tierkeeper/stores/filesystem/writing.py"
_STORE = "tierkeeper/stores/filesystem/store.py"
_TREE = "tierkeeper/stores/filesystem/tree.py"
_SYNCING = "tierkeeper/stores/filesystem/syncing.py"
_GATE = "tierkeeper/stores/gate.py"
_ENGINE = "tierkeeper/engine/ingest/writing.py"
_FOLDERS = "tests/integration/stores/filesystem/test_store.py::"
_TESTS = "tests/integration/engine/ingest/test_together.py::"
_DURABLE = f"{_FOLDERS}test_many_copies_are_durable_before_they_count"
_MEANWHILE = f"{_FOLDERS}test_many_whose_folder_goes_or_that_are_collected"
_together = partial(one_edit, "together")


TOGETHER = (
    _together(
        "files appear whose bytes are not on the disk",
        Edit(
            _WRITING,
            "going:\n                syncing.all_of(staging)\n            placed",
            "going:\n                pass\n            placed",
        ),
        _DURABLE,
    ),
    _together(
        "copies count whose names are not on the disk",
        Edit(_WRITING, "                syncing.all_of(staging)\n                _require", "                _require"),
        _DURABLE,
    ),
    _together(
        "a file system that went read-only meanwhile is believed",
        Edit(_WRITING, "                _require_writable(staging)\n", ""),
        f"{_FOLDERS}test_where_the_disk_fails_none_of_many_counts[3]",
    ),
    _together(
        "copies are written together where nothing tells of all",
        Edit(_STORE, "        if not self.puts_together:\n", "        if False:\n"),
        f"{_FOLDERS}test_who_may_not_tell_of_failed_writes_is_not_asked",
    ),
    _together(
        "each of many waits for the disk by itself",
        Edit(_WRITING, "put.info, synced=False)", "put.info, synced=True)"),
        _DURABLE,
    ),
    _together(
        "a failed write of the file system is not told",
        Edit(_SYNCING, "library[name](*arguments) != 0", "library[name](*arguments) > 0"),
        f"{_FOLDERS}test_a_real_disk_makes_many_durable",
    ),
    _together(
        "an old kernel is asked",
        Edit(_SYNCING, "release < _LEAST", "False"),
        f"{_FOLDERS}test_who_may_not_tell_of_failed_writes_is_not_asked",
    ),
    _together(
        "any file system is asked",
        Edit(_SYNCING, "_kind(fd) in _KNOWN", "_kind(fd) != 0"),
        f"{_FOLDERS}test_who_may_not_tell_of_failed_writes_is_not_asked",
    ),
    _together(
        "one bad item stops the others",
        Edit(
            _WRITING,
            "                except Exception as error:  # noqa: BLE001  one stops no other",
            "                except ZeroDivisionError as error:",
        ),
        f"{_FOLDERS}TestReadable::test_many_are_put_as_one_is",
    ),
    _together(
        "what was begun of a bad one stays",
        Edit(
            _WRITING,
            "            for each in begun.values():\n",
            "            for each in list(begun.values())[:-1]:\n",
        ),
        f"{_FOLDERS}test_where_the_disk_fails_none_of_many_counts",
    ),
    _together(
        "a folder that goes fails its item",
        Edit(
            _TREE,
            "            self.place(moves, folders)\n        except",
            "            raise FileNotFoundError\n        except",
        ),
        _MEANWHILE,
    ),
    _together(
        "one that was collected stops the others",
        Edit(
            _TREE,
            "        except Exception as error:  # noqa: BLE001  one stops no other\n",
            "        except OSError as error:\n",
        ),
        _MEANWHILE,
    ),
    _together(
        "an adapter's own fault is an outcome",
        Edit(_GATE, " else fault(store.config.tier, raised)", " else raised"),
        "tests/integration/engine/operations/test_broken_adapters.py::test_what_many_come_to_is_behind_the_gate",
    ),
    _together(
        "large ones are written with the small",
        Edit(_ENGINE, "item.content.size <= _SMALL", "True"),
        f"{_TESTS}test_small_ones_are_written_together",
    ),
    _together(
        "few are written together",
        Edit(_ENGINE, "if 0 < _least(engine.store(tier)) * number <= len(those):", "if True:"),
        f"{_TESTS}test_few_are_written_singly",
    ),
    _together(
        "an item that failed among many is committed",
        Edit(_ENGINE, "    if isinstance(result, Exception):\n        raise result\n", ""),
        f"{_TESTS}test_each_has_its_own_outcome",
    ),
    _together(
        "a group that fails stops the batch",
        Edit(
            _ENGINE,
            "        except Exception:  # noqa: BLE001  whoever's fault it is: each by itself shows it\n",
            "        except ZeroDivisionError:\n",
        ),
        f"{_TESTS}test_each_has_its_own_outcome",
    ),
    _together(
        "the leases of a group that waits for the disk end",
        Edit(_ENGINE, "        with self._renewal.silent():", "        if True:"),
        f"{_TESTS}test_a_group_that_waits_for_the_disk_keeps_its_leases",
    ),
    _together(
        "a batch ends while its calls are at work",
        Edit("tierkeeper/engine/copies/transfer.py", "        wait(futures)\n", "        pass\n"),
        "tests/unit/engine/test_renewal.py::test_what_fails_waits_for_the_calls_at_work",
    ),
    _together(
        "how many jobs of maintain failed is not told",
        Edit("tierkeeper/engine/operations/maintain.py", 'work.add({"jobs failed": len(failed)})', "pass"),
        "tests/integration/engine/test_run_life.py::test_a_job_of_maintain_that_fails_stops_no_other",
    ),
)
