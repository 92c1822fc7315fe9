"""What keeps a worker alive whatever a broker holds, and what becomes of it, broken one at a time."""

from mutations.mutant import Edit, Mutant

JUDGE = "worker/judge.py"
TRANSPORTS = "worker/transports.py"
CONSUMER = "worker/consumer.py"
LETTERS = "tierkeeper/catalog/dead_letters.py"

UNIT = "tests/unit/worker/"
JUDGED = f"{UNIT}test_judge.py::"
CARRIED = f"{UNIT}test_transports.py::"
RETURNED = "tests/integration/tasks/test_unacknowledged.py::"
KEPT = "tests/integration/engine/operations/test_dead_letters.py::"

_UNACKNOWLEDGED = (
    Mutant(
        "unacknowledged",
        "kombu is given what it drops",
        (Edit(TRANSPORTS, "if entry is None or _is_restorable(entry, this.channel, connected):", "if True:"),),
        (f"{RETURNED}test_what_cannot_be_restored_is_refused_and_stops_nothing",),
    ),
    Mutant(
        "unacknowledged",
        "what cannot be restored is dropped",
        (
            Edit(
                TRANSPORTS,
                "            pipe.lpush(queues[0], dumps(_carrier(entry))).execute()",
                "            pipe.execute()",
            ),
        ),
        (f"{RETURNED}test_what_cannot_be_restored_is_refused_and_stops_nothing",),
    ),
    Mutant(
        "unacknowledged",
        "a message goes where no list is",
        (Edit(TRANSPORTS, 'in {b"list", b"none"} for key', "for key"),),
        (f"{RETURNED}test_what_cannot_be_restored_is_refused_and_stops_nothing",),
    ),
    Mutant(
        "unacknowledged",
        "a server that has no room stops the loop",
        (
            Edit(
                TRANSPORTS,
                "            except this.channel.connection_errors:\n",
                "            except (*this.channel.connection_errors, *this.channel.channel_errors):\n",
            ),
        ),
        (f"{RETURNED}test_a_server_without_room_loses_nothing",),
    ),
)
_JUDGING = (
    Mutant(
        "shape",
        "headers of any type are taken",
        (
            Edit(
                JUDGE,
                "        if problem := check(headers.get(name)):\n",
                "        if (problem := check(None)) and False:\n",
            ),
        ),
        (f"{JUDGED}test_each_case_is_refused_or_taken",),
    ),
    Mutant(
        "shape",
        "a body is nested as deeply as it likes",
        (Edit(JUDGE, "        if depth > MESSAGE_DEPTH:\n", "        if False:\n"),),
        (f"{JUDGED}test_each_case_is_refused_or_taken",),
    ),
    Mutant(
        "shape",
        "a body is as wide as it likes",
        (Edit(JUDGE, "        _check_width(body)\n", ""),),
        (f"{JUDGED}test_a_wide_body_is_not_parsed",),
    ),
    Mutant(
        "shape",
        "commas of texts count as members",
        (Edit(JUDGE, ' and _members(_STRING.sub(b"", body)) > MAX_MEMBERS', ""),),
        (f"{JUDGED}test_texts_have_no_members",),
    ),
    Mutant(
        "shape",
        "producers may send metadata that the judge refuses",
        (
            Edit(
                "client/src/tierkeeper_client/limits.py",
                "MOST_DEPTH: Final = MESSAGE_DEPTH - 5",
                "MOST_DEPTH: Final = MESSAGE_DEPTH - 4",
            ),
        ),
        (f"{JUDGED}test_the_deepest_metadata_that_a_setting_allows_are_taken",),
    ),
    Mutant(
        "shape",
        "a made up refusal is kept as what it is not",
        (Edit("client/src/tierkeeper_client/contract.py", "    raw: Annotated[Base64,", "    raw: Annotated[str,"),),
        ("tests/unit/client/test_contract.py::test_a_made_up_refusal_is_a_typed_error",),
    ),
    Mutant(
        "shape",
        "what follows a task is not judged",
        (Edit(JUDGE, "    for call in calls:\n", "    for call in calls[:0]:\n"),),
        (f"{JUDGED}test_each_case_is_refused_or_taken",),
    ),
    Mutant(
        "shape",
        "a sender chooses time limits",
        (Edit(JUDGE, '        "timelimit": [None, None],\n', '        "timelimit": headers.get("timelimit"),\n'),),
        (f"{JUDGED}test_only_what_a_task_needs_goes_on",),
    ),
    Mutant(
        "shape",
        "a message may be held for ever",
        (Edit(JUDGE, "        if ahead is not None and ahead > self._max_age:\n", "        if False:\n"),),
        (f"{JUDGED}test_a_message_may_wait_as_long_as_it_is_trusted",),
    ),
    Mutant(
        "signature",
        "the judge goes on after a bad signature",
        (
            Edit(
                JUDGE, "        if problem := self.problem(headers, body):\n", "        if (problem := '') or False:\n"
            ),
        ),
        (f"{JUDGED}test_a_body_is_parsed_after_its_signature",),
    ),
    Mutant(
        "shape",
        "kombu remembers the body of a refused message",
        (
            Edit(
                CONSUMER,
                "    message.errors, message._decoded_cache = [], None",
                "    message.errors = []",
            ),
        ),
        (f"{UNIT}test_consumer.py::test_nothing_of_a_refused_message_goes_on_but_its_id",),
    ),
)
_CARRYING = (
    Mutant(
        "transport",
        "an envelope that cannot be read ends the worker",
        (Edit(TRANSPORTS, "        readable = False\n", "        raise\n"),),
        (f"{CARRIED}test_an_unreadable_envelope_is_carried_by_one_of_ours",),
    ),
    Mutant(
        "transport",
        "a sender chooses the delivery tag",
        (
            Edit(
                TRANSPORTS,
                '            "delivery_tag": str(uuid4()),\n',
                '            "delivery_tag": properties.get("delivery_tag"),\n',
            ),
        ),
        (f"{CARRIED}test_an_envelope_returns_to_the_queue_that_it_came_from",),
    ),
    Mutant(
        "transport",
        "a sender chooses where its message returns to",
        (
            Edit(
                TRANSPORTS,
                '            "delivery_info": {"exchange": "", "routing_key": queue, "redelivered": again},\n',
                '            "delivery_info": {**sent, "redelivered": again},\n',
            ),
        ),
        (f"{CARRIED}test_an_envelope_returns_to_the_queue_that_it_came_from",),
    ),
    Mutant(
        "transport",
        "a KeyError breaks the connection",
        (Edit(TRANSPORTS, " for error in errors if error is not KeyError)", " for error in errors)"),),
        (f"{CARRIED}test_who_receives_a_message_ends_nobody",),
    ),
    Mutant(
        "transport",
        "prefetch is counted over all queues",
        (Edit(TRANSPORTS, "        return True\n", "        return False\n"),),
        (f"{CARRIED}test_prefetch_is_never_global",),
    ),
    Mutant(
        "transport",
        "a client outlives the pool of its connections",
        (Edit(TRANSPORTS, " or self._shared.connection_pool is not this.pool", ""),),
        (f"{CARRIED}test_one_client_for_each_pool",),
    ),
)
_KEEPING = (
    Mutant(
        "dead letters",
        "as many are kept as come",
        (Edit(LETTERS, " WHERE kind = 'malformed') <= :most\n", " WHERE kind = 'malformed') >= 0 * :most\n"),),
        (f"{KEPT}test_more_dead_letters_than_are_kept_are_counted",),
    ),
    Mutant(
        "dead letters",
        "a tally that counted nothing tells of messages that are gone",
        (Edit("tierkeeper/catalog/deliveries.py", "            _TELLS,\n", ""),),
        (f"{KEPT}test_a_tally_that_counted_nothing_is_not_listed",),
    ),
    Mutant(
        "dead letters",
        "the tally of those not kept keeps the time of its skip",
        (
            Edit(
                LETTERS,
                "last_at = clock_timestamp(), skipped_by = NULL, skipped_at = NULL\n    WHERE key",
                "last_at = clock_timestamp(), skipped_by = NULL\n    WHERE key",
            ),
        ),
        (f"{KEPT}test_what_is_listed_again_was_not_skipped",),
    ),
    Mutant(
        "dead letters",
        "a kept message that cannot be unpacked stops those behind it",
        (
            Edit(
                "tierkeeper/engine/operations/deliveries.py",
                "    except (zlib.error, ValueError, RecursionError) as error:\n",
                "    except NotImplementedError as error:\n",
            ),
        ),
        ("tests/integration/engine/operations/test_parked.py::test_a_message_that_cannot_be_unpacked_stops_no_other",),
    ),
    Mutant(
        "dead letters",
        "they never end",
        (Edit(LETTERS, "AND last_at < statement_timestamp() - :kept", "AND last_at > statement_timestamp() + :kept"),),
        (f"{KEPT}test_dead_letters_end",),
    ),
    Mutant(
        "dead letters",
        "an operator has one sent again",
        (
            Edit(
                "tierkeeper/engine/operations/parked.py",
                '        messages = of[StuckKind.DELIVERY] + (dead if decision == "skipped" else [])\n',
                "        messages = of[StuckKind.DELIVERY] + dead\n",
            ),
        ),
        (f"{KEPT}test_a_dead_letter_is_not_sent_again",),
    ),
    Mutant(
        "cluster",
        "a worker begins on a Redis cluster",
        (
            Edit(
                "tierkeeper/engine/operations/broker.py",
                '.get("cluster_enabled", 0)) == 1\n',
                '.get("cluster_enabled", 0)) == 2\n',
            ),
        ),
        ("tests/integration/tasks/test_cluster.py::test_health_and_up_say_the_same",),
    ),
)
DEAD_LETTERS = (*_UNACKNOWLEDGED, *_JUDGING, *_CARRYING, *_KEEPING)
