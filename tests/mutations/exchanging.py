"""Exchanges of the signed client: where an answer ends, whose it is, and what a broken one says of its request."""

from mutations.mutant import Edit, Mutant

_EXCHANGE = "tierkeeper/stores/s3/exchange.py"
_TESTS = "tests/unit/stores/s3/test_exchange.py::"
_ODD = f"{_TESTS}test_what_is_not_understood"
_ENDS = f"{_TESTS}test_what_ends_a_connection"
_CONTENT = f"{_TESTS}test_content_that_is_not_there"
_BOUNDS = f"{_TESTS}test_the_bounds_of_an_answer_are_told"
_MANY = f"{_TESTS}test_many_threads"


def _broken(what: str, edit: Edit, *tests: str) -> Mutant:
    return Mutant("exchange", what, (edit,), tests)


EXCHANGING = (
    _broken(
        "a call under way ends what three odd answers began",
        Edit("tierkeeper/stores/s3/signed.py", "        if self._odd < _MOST_ODD:  # from", "        if True:  # from"),
        "tests/unit/stores/s3/test_given_up.py::test_what_was_under_way_changes_nothing",
    ),
    _broken(
        "a connection is kept behind bytes that belong to no answer",
        Edit(_EXCHANGE, "            if reading.has_more:\n                self._distrust()\n", ""),
        _ENDS,
    ),
    _broken(
        "what came while nobody asked is the next answer",
        Edit(_EXCHANGE, " and not _waited(self.socket, select.POLLIN, 0.0)", ""),
        f"{_TESTS}test_what_comes_unasked",
        f"{_TESTS}test_a_connection_that_the_server_closed_meanwhile",
    ),
    _broken(
        "a connection is used however long it was idle",
        Edit(_EXCHANGE, "time.monotonic() - self.since < _IDLE and ", ""),
        f"{_TESTS}test_a_connection_that_was_unused_for_long",
    ),
    _broken("a connection that the server closes is kept", Edit(_EXCHANGE, ' and "close" not in closing', ""), _ENDS),
    _broken("an old server's connection is kept", Edit(_EXCHANGE, "minor == _NEWER and ", ""), _ENDS),
    _broken(
        "a connection with half a request is used again",
        Edit(_EXCHANGE, "        keep = False\n        try:\n", "        keep = True\n        try:\n"),
        _CONTENT,
    ),
    _broken(
        "content may end before its length",
        Edit(
            _EXCHANGE,
            "        if not block or len(block) > left:\n",
            "        if not block:\n            return\n        if False:\n",
        ),
        _CONTENT,
    ),
    _broken(
        "a success is one before the request was sent",
        Edit(_EXCHANGE, "            elif not whole:\n", "            elif False:\n"),
        f"{_TESTS}test_a_refusal_before_the_request_was_sent",
    ),
    _broken(
        "a server that hangs up while it is sent to is not heard",
        Edit(_EXCHANGE, "except (BrokenPipeError, ConnectionResetError):", "except ZeroDivisionError:"),
        f"{_TESTS}test_a_refusal_before_the_request_was_sent",
    ),
    _broken(
        "an answer has two lengths",
        Edit(_EXCHANGE, 'if coding.lower() != "chunked" or length is not None:', 'if coding.lower() != "chunked":'),
        _ODD,
    ),
    _broken(
        "any coding is that in chunks",
        Edit(_EXCHANGE, 'if coding.lower() != "chunked" or length is not None:', "if length is not None:"),
        _ODD,
    ),
    _broken("a length may be of any form", Edit(_EXCHANGE, "if not _LENGTH.fullmatch(length):", "if False:"), _ODD),
    _broken(
        "what is behind a chunk is dropped",
        Edit(_EXCHANGE, "if self._exactly(len(_END)) != _END:", "if not self._exactly(len(_END)):"),
        _ODD,
    ),
    _broken(
        "encoded content is taken as it is",
        Edit(_EXCHANGE, 'if headers.get("content-encoding", "identity") != "identity":', "if False:"),
        _ODD,
    ),
    _broken(
        "a header may have control characters",
        Edit(_EXCHANGE, r"([\t\x20-\x7e\x80-\xff]*)", r"([\x00-\xff]*)"),
        _ODD,
    ),
    _broken(
        "another protocol is one that is understood",
        Edit(_EXCHANGE, "if status == HTTPStatus.SWITCHING_PROTOCOLS:", "if status == 0:"),
        _ODD,
    ),
    _broken(
        "an answer may be of any size", Edit(_EXCHANGE, "if self._received > self._bounds.most:", "if False:"), _BOUNDS
    ),
    _broken("a length may be of any size", Edit(_EXCHANGE, "if size > self._bounds.most:", "if False:"), _BOUNDS),
    _broken(
        "each wait for an answer has the whole time",
        Edit(_EXCHANGE, "        self._left -= time.monotonic() - began\n", ""),
        _BOUNDS,
    ),
    _broken(
        "a call that takes long has the usual time",
        Edit(_EXCHANGE, "self._read_timeout if seconds is None else seconds)", "self._read_timeout)"),
        f"{_TESTS}test_the_seconds_of_one_answer",
    ),
    _broken(
        "all connections stay open",
        Edit(_EXCHANGE, "            kept = len(self._idle) < self._kept\n", "            kept = True\n"),
        _MANY,
    ),
    _broken(
        "a server that sends what nobody asked for is trusted",
        Edit(_EXCHANGE, "            if connection.has_bytes():\n                self._distrust()\n", ""),
        f"{_TESTS}test_what_comes_unasked",
    ),
    _broken(
        "a connection is kept behind a refusal",
        Edit(
            _EXCHANGE, "MULTIPLE_CHOICES:\n                keep = False\n", "MULTIPLE_CHOICES:\n                pass\n"
        ),
        _ENDS,
    ),
    _broken(
        "an answer that was cut is whole",
        Edit(_EXCHANGE, "suppress_ragged_eofs=False", "suppress_ragged_eofs=True"),
        f"{_TESTS}test_what_was_cut_is_no_answer",
    ),
    _broken("a head has any number of headers", Edit(_EXCHANGE, "if len(lines) > _MOST_FIELDS:", "if False:"), _ODD),
    _broken(
        "a header that ends its line is sent",
        Edit(_EXCHANGE, "if not all(map(is_sendable, [method, target, *headers, *headers.values()])):", "if False:"),
        f"{_TESTS}test_what_cannot_be_sent",
    ),
    _broken(
        "what reading content raises is the server's",
        Edit(
            _EXCHANGE,
            "        for block in blocks:\n            with _translated():\n                try:\n",
            "        with _translated():\n            for block in blocks:\n                try:\n",
        ),
        _CONTENT,
    ),
    _broken(
        "connections stay open after the end",
        Edit(_EXCHANGE, "self._kept, gone = 0, list(self._idle)", "gone = list(self._idle)"),
        _MANY,
    ),
    _broken(
        "a server that was not reached may have carried it out",
        Edit("tierkeeper/stores/s3/attempts.py", "    NotConnected,\n", ""),
        f"{_TESTS}test_nobody_is_there",
    ),
    _broken(
        "a certificate's name is not looked at",
        Edit(_EXCHANGE, "made.hostname_checks_common_name = False", "made.check_hostname = False"),
        f"{_TESTS}test_tls",
    ),
    _broken(
        "a handshake takes as long as it likes",
        Edit(
            _EXCHANGE, "_wait(secured, event, end - time.monotonic())", "_wait(secured, event, self._connect_timeout)"
        ),
        f"{_TESTS}test_a_handshake_that_takes_for_ever",
    ),
    _broken(
        "a header may end its line",
        Edit(_EXCHANGE, r'r"[^\t\x20-\x7e]"', r'r"[^\t\x00-\x7e]"'),
        f"{_TESTS}test_what_a_header_may_have",
    ),
)
