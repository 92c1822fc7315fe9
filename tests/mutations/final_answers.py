"""Which answer of a key stays, and which one a producer gets."""

from mutations.mutant import Edit, Mutant

_TESTS = "tests/integration/tasks/test_answers.py::"
_ANY = f"{_TESTS}test_no_error_is_a_final_answer"
_OWN = f"{_TESTS}test_a_handle_waits_for_the_answer_to_its_own_message"
_RESULTS = "worker/results.py"
_BASE = "tasks/base.py"

FINAL_ANSWERS = (
    Mutant(
        "final answers",
        "Celery keeps the first refusal of a key",
        (Edit("worker/app.py", "app.loader.override_backends = ", "_unused = "),),
        (_ANY,),
    ),
    Mutant(
        "final answers",
        "a typed error is a final answer",
        (Edit(_BASE, "return {**error.as_dict(), FINAL_FIELD: False}", "return error.as_dict()"),),
        (_ANY,),
    ),
    Mutant(
        "final answers",
        "a batch with a failed item is final",
        (Edit("tasks/store_many.py", "{FINAL_FIELD: False} if failed else {}", "{}"),),
        (f"{_TESTS}test_a_failed_item_leaves_its_batch_open",),
    ),
    Mutant(
        "final answers",
        "a result is replaced by a later refusal",
        (Edit(_RESULTS, ' and is_final(known["result"])', ' and not is_final(known["result"])'),),
        (f"{_TESTS}test_a_final_answer_stays",),
    ),
    Mutant(
        "final answers",
        "a handle takes the answer to another message",
        (
            Edit(
                "client/src/tierkeeper_client/handle.py",
                'return meta["status"] != states.SUCCESS or not is_final(meta["result"])',
                "return False",
            ),
        ),
        (_OWN,),
    ),
    Mutant(
        "final answers",
        "an answer that was replaced leaves its handle waiting",
        (Edit(_RESULTS, "return sendings[-_MOST_SENDINGS:]", "return sendings[-1:]"),),
        (_OWN,),
    ),
    Mutant(
        "final answers",
        "a refused message loses its producer's mark",
        (Edit("worker/consumer.py", "        message.headers[SENDING_HEADER] = sending\n", "        pass\n"),),
        ("tests/integration/tasks/test_signed.py::test_a_refused_message_can_be_sent_again_signed",),
    ),
    Mutant(
        "final answers",
        "a kept message loses its producer's mark",
        (Edit(_BASE, "            headers[contract.SENDING_HEADER] = sending\n", "            pass\n"),),
        ("tests/unit/tasks/test_base.py::test_a_kept_message_stays_recognisable",),
    ),
)
