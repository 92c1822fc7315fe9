"""The bounds of what an S3 server sends, taken away one at a time: it drips, floods, or lists without end."""

from mutations.mutant import Edit, Mutant

_RECEIVING = "client/src/tierkeeper_client/receiving_s3.py"
_CLIENTS = "tierkeeper/stores/s3/clients.py"
_LISTS = "tierkeeper/stores/s3/lists.py"
_PLACE = "tierkeeper/stores/s3/place.py"
_PROBE = "tierkeeper/stores/s3/probe.py"
_ENDLESS = "tests/integration/stores/s3/test_endless.py::"
_ASKED = "tests/integration/stores/s3/test_lists.py::"
_DRIPS = (f"{_ENDLESS}test_an_answer_that_drips",)
_STEADY = (f"{_ENDLESS}test_content_that_is_slow_and_steady",)
_WITHOUT_END = (f"{_ENDLESS}test_an_answer_without_end",)
_SAVES = "self._left = min(self._patience, self._left + count / LEAST_RATE)"

UNENDING = (
    Mutant(
        "endless",
        "each byte of an answer has a time-out of its own",
        (Edit(_RECEIVING, "self._left -= time.monotonic() - began", "self._left -= 0.0"),),
        _DRIPS,
    ),
    Mutant(
        "endless",
        "content may drip",
        (Edit(_RECEIVING, _SAVES, "self._left = self._patience"),),
        (f"{_ENDLESS}test_content_that_drips",),
    ),
    Mutant(
        "endless",
        "fast content lets the rest drip",
        (Edit(_RECEIVING, _SAVES, "self._left += count / LEAST_RATE"),),
        (f"{_ENDLESS}test_content_that_drips",),
    ),
    Mutant(
        "endless",
        "the socket has no more time after fast content than before",
        (Edit(_RECEIVING, "if self._left != self._timeout:", "if self._left < self._timeout:"),),
        (f"{_ENDLESS}test_content_that_pauses_after_it_was_slow",),
    ),
    Mutant(
        "endless",
        "content has to come as soon as other answers",
        (Edit(_RECEIVING, "        if self._streamed:\n", "        if False:\n"),),
        _STEADY,
    ),
    Mutant(
        "endless",
        "boto3's content has to come as soon as other answers",
        (Edit(_RECEIVING, "CONTENT if request.stream_output else", ""),),
        _STEADY,
    ),
    Mutant(
        "endless",
        "an answer may have any size",
        (Edit(_RECEIVING, "        if self._received > self._most:\n", "        if False:\n"),),
        _WITHOUT_END,
    ),
    Mutant(
        "endless",
        "an error may have the size of content",
        (Edit(_RECEIVING, "if self._bounds.content and status in _CONTENT:", "if self._bounds.content:"),),
        _WITHOUT_END,
    ),
    Mutant(
        "endless",
        "a list may be as large as other answers",
        (Edit(_RECEIVING, "LIST if listed else SMALL", "SMALL"),),
        (f"{_ENDLESS}test_a_large_list",),
    ),
    Mutant(
        "endless",
        "a head of a 100 Continue that breaks off is read for ever",
        (Edit(_RECEIVING, "def _consume_headers(", "def _consume_all_headers("),),
        (f"{_ENDLESS}test_a_server_that_hangs_up_in_its_100",),
    ),
    Mutant(
        "endless",
        "boto3's answers have no bounds",
        (Edit(_CLIENTS, "            receiving_s3.bound(client)\n            client.meta", "            client.meta"),),
        _DRIPS,
    ),
    Mutant(
        "endless",
        "the thin client's answers have no bounds",
        (Edit("tierkeeper/stores/s3/signed.py", "receiving_s3.pool(", "urllib3.connection_from_url("),),
        _DRIPS,
    ),
    Mutant(
        "endless",
        "STS' answers have no bounds",
        (Edit(_CLIENTS, "        receiving_s3.bound(client)\n        return", "        return"),),
        (f"{_ENDLESS}test_the_service_that_gives_a_roles_credentials",),
    ),
    Mutant(
        "endless",
        "a producer's uploads have no bounds",
        (Edit("client/src/tierkeeper_client/staging_s3.py", "        receiving_s3.bound(self._client)\n", ""),),
        (f"{_ENDLESS}test_an_upload_to_staging",),
    ),
    Mutant(
        "endless",
        "a late answer is told without what came of it",
        (Edit("tierkeeper/stores/s3/errors.py", "told = receiving_s3.reason_of(error)", "told = None"),),
        _DRIPS,
    ),
    Mutant(
        "endless",
        "empty pages of a list are read for ever",
        (Edit(_LISTS, "if empty == EMPTY_PAGES and", "if False and"),),
        (f"{_ASKED}test_a_list_of_empty_pages",),
    ),
    Mutant(
        "endless",
        "empty pages of a list count though others are between them",
        (Edit(_LISTS, "empty = 0 if any(page.get(name) for name in _ENTRIES) else empty + 1", "empty += 1"),),
        (f"{_ASKED}test_a_list_with_empty_pages",),
    ),
    Mutant(
        "endless",
        "a bucket is asked under a lock",
        (
            Edit(
                _PLACE,
                "            self._lockable = self._ask_lockable()\n",
                "            with self._lock:\n                self._lockable = self._ask_lockable()\n",
            ),
        ),
        (f"{_ASKED}test_the_buckets_abilities_are_asked_without_a_lock",),
    ),
    Mutant(
        "endless",
        "an answer of before hides that a bucket became versioned",
        (Edit(_PLACE, "                if self._versioned is None:  # it", "                if True:  # it"),),
        (f"{_ASKED}test_the_buckets_abilities_are_asked_without_a_lock",),
    ),
    Mutant(
        "endless",
        "all threads wait for one that probes",
        (Edit(_PROBE, "acquire(timeout=0 if self._known else _ASKED)", "acquire()"),),
        (f"{_ASKED}test_a_probe_keeps_nobody",),
    ),
)
