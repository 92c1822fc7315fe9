"""Answers of an S3 server that cannot be read, or do not come: what they say of its objects, and of writes."""

from mutations.mutant import Edit, Mutant

_S3 = "tierkeeper/stores/s3/store.py"
_ONCE = "tierkeeper/stores/s3/once.py"
_SIGNED = "tierkeeper/stores/s3/signed.py"
_ERRORS_OF_STORES = "tierkeeper/stores/errors.py"
_S3_ERRORS = "tierkeeper/stores/s3/errors.py"
_SLOW = "tests/integration/stores/s3/test_slow.py::"
_ODD_DELETES = "tests/integration/engine/collect/test_odd_deletes.py::"
_ODD = "tests/integration/engine/operations/test_odd_answers.py::test_what_a_proxy_spoils_parks_nothing"
_ERRORS = "tests/unit/stores/s3/test_errors.py::"

_ODD_ANSWERS = (
    Mutant(
        "odd answers",
        "an answer that cannot be understood is its object's fault",
        (Edit(_ERRORS_OF_STORES, "class Garbled(StoreUnusable):", "class Garbled(StorePermanent):"),),
        (f"{_ERRORS}test_odd_answers_are_no_objects_fault", _ODD),
    ),
    Mutant(
        "odd answers",
        "an answer without an ETag is its object's fault",
        (Edit(_ERRORS_OF_STORES, "class Unnamed(StoreUnusable):", "class Unnamed(StorePermanent):"),),
        (f"{_ERRORS}test_odd_answers_are_no_objects_fault",),
    ),
    Mutant(
        "odd answers",
        "what botocore cannot read is a defect of ours",
        (
            Edit(
                "tierkeeper/stores/s3/clients.py",
                '        core.register_component("response_parser_factory", errors.Parsers())\n',
                "",
            ),
        ),
        (_ODD,),
    ),
    Mutant(
        "odd answers",
        "a defect of ours is an answer that cannot be understood",
        (
            Edit(
                _S3_ERRORS,
                "    except UnreadableAnswer as error:\n",
                "    except (UnreadableAnswer, *_UNREAD) as error:\n",
            ),
        ),
        (f"{_ERRORS}test_a_fault_of_our_own_is_not_told_of_a_server",),
    ),
    Mutant(
        "odd answers",
        "the log is told of an odd answer for every object",
        (Edit(_S3_ERRORS, "    if _throttle.due((tier, kind)):\n", "    if True:\n"),),
        (f"{_ERRORS}test_an_odd_answer_is_logged_whole_and_once",),
    ),
    Mutant(
        "odd answers",
        "health does not ask how a tier tells of an object",
        (Edit(_S3, "        tier_mark.check(self.place)\n", ""),),
        (_ODD,),
    ),
    Mutant(
        "odd answers",
        "what cannot be read as XML is raised as it is",
        (Edit(_SIGNED, "(ET.ParseError, LookupError, ValueError)", "(ET.ParseError,)"),),
        (f"{_ODD_DELETES}test_an_odd_copy_parks_nothing",),
    ),
    Mutant(
        "odd answers",
        "what cannot be read as text is raised as it is",
        (Edit(_SIGNED, 'decode(errors="replace")', "decode()"),),
        (f"{_ODD_DELETES}test_an_odd_copy_parks_nothing",),
    ),
    Mutant(
        "odd answers",
        "what cannot be read keeps its connection",
        (Edit(_S3_ERRORS, "                    close()  #", "                    close  #"),),
        ("tests/integration/stores/s3/test_moto.py::test_what_cannot_be_read_keeps_no_connection",),
    ),
    Mutant(
        "odd answers",
        "a checksum without an ETag is one of the whole",
        (Edit("tierkeeper/stores/s3/answers.py", 'if not etag or "-" in etag or', 'if "-" in (etag or "") or'),),
        ("tests/integration/engine/operations/test_odd_answers.py::test_what_may_be_of_parts_is_none",),
    ),
    Mutant(
        "odd answers",
        "a bulk delete that fails stops the other tiers",
        (
            Edit(
                "tierkeeper/stores/gate.py",
                "    except Exception as error:\n        raise fault",
                "    except BufferError as error:\n        raise fault",
            ),
        ),
        (f"{_ODD_DELETES}test_a_delete_that_fails_in_a_way_of_its_own_ends_no_reconcile",),
    ),
)

_OUTCOMES = (
    Mutant(
        "outcomes",
        "a copy that was refused each time has an unknown outcome",
        (Edit(_ONCE, "                if refused:\n                    raise\n", ""),),
        (f"{_SLOW}test_what_fails_soon_is_tried_again",),
    ),
    Mutant(
        "outcomes",
        "a copy has the outcome of its last attempt alone",
        (Edit(_ONCE, "refused and errors.is_refused(error)", "errors.is_refused(error)"),),
        (f"{_SLOW}test_one_lost_answer_leaves_the_outcome_unknown",),
    ),
    Mutant(
        "outcomes",
        "a write that is not answered tells nothing of its outcome",
        (Edit(_S3, "            raise OutcomeUnknown(**error.data) from error\n", "            raise\n"),),
        (f"{_SLOW}test_a_write_that_is_not_answered",),
    ),
    Mutant(
        "outcomes",
        "a write has the outcome of its last try alone",
        (Edit(_S3, "if tries.refused or not", "if errors.is_refused(error) or not"),),
        (f"{_SLOW}test_a_write_whose_first_try_may_have_been_done",),
    ),
    Mutant(
        "outcomes",
        "what the thin client lost was never tried",
        (
            Edit(
                _SIGNED,
                "        except OSError as error:\n            attempts.lost(error)\n",
                "        except OSError:\n",
            ),
        ),
        (f"{_SLOW}test_a_write_whose_first_try_may_have_been_done",),
    ),
    Mutant(
        "outcomes",
        "a failure that the thin client was told of was never tried",
        (
            Edit(
                _SIGNED,
                "            attempts.answered(answer.status)\n        return",
                "            pass\n        return",
            ),
        ),
        (f"{_SLOW}test_a_write_whose_first_try_may_have_been_done",),
    ),
    Mutant(
        "outcomes",
        "nobody counts botocore's tries",
        (Edit("tierkeeper/stores/s3/clients.py", '"needs-retry.s3"', '"never"'),),
        (f"{_SLOW}test_a_write_whose_first_try_may_have_been_done",),
    ),
    Mutant(
        "outcomes",
        "content that is lost is told as content that is out of reach",
        (
            Edit(
                "tierkeeper/base/errors.py",
                "    exit_code = 7\n    retryable = False\n",
                "    exit_code = 7\n    retryable = False\n    code = 'NoReadableCopy'\n",
            ),
        ),
        ("tests/unit/base/test_error_classes.py",),
    ),
)

ANSWERING = (*_ODD_ANSWERS, *_OUTCOMES)
