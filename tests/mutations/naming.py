"""R16 and R17 where the bytes are: what an S3 store says of its copies, and how it asks for them."""

from mutations.mutant import Edit, Mutant

_S3 = "tierkeeper/stores/s3/store.py"
_COPY = "tierkeeper/stores/s3/copy.py"
_LOOK = "tierkeeper/stores/s3/heads.py"
_MULTIPART = "tierkeeper/stores/s3/multipart.py"
_ONCE = "tierkeeper/stores/s3/once.py"
_ORIGIN = "tierkeeper/stores/s3/origin.py"
_PROBE = "tierkeeper/stores/s3/probe.py"
_NAMING = "tests/integration/stores/s3/test_naming.py::"
_SLOW = "tests/integration/stores/s3/test_slow.py::"
_WEAK = "tests/integration/engine/copies/test_weak_etags.py::"

_R16 = (
    Mutant(
        "R16",
        "a read by a pin takes whatever is there",
        (Edit(_LOOK, "    if found != etag:\n", "    if False:\n"),),
        (f"{_NAMING}test_something_else_right_after_a_write",),
    ),
    Mutant(
        "R16",
        "a weak ETag names bytes",
        (Edit("tierkeeper/stores/s3/answers.py", ' or given.startswith("W/")', ""),),
        ("tests/integration/engine/copies/test_moved_buckets.py::test_a_server_whose_etags_are_weak",),
    ),
    Mutant(
        "R16",
        "an ETag names bytes although the look has none",
        (Edit(_LOOK, "    if answers.etag(found) is None:\n        etag = None\n", ""),),
        ("tests/integration/engine/copies/test_moved_buckets.py::test_a_server_whose_etags_are_weak",),
    ),
    Mutant(
        "R16",
        "no ETag is the right one",
        (Edit(_LOOK, "        raise Unnamed(tier=place.tier, location=location)\n", "        return\n"),),
        (f"{_NAMING}test_without_an_etag_nobody_knows_what_is_there",),
    ),
    Mutant(
        "R16",
        "what a server can do is good for ever in a process",
        (Edit(_PROBE, "if time.monotonic() >= self._until and self._asking", "if not self._known and self._asking"),),
        ("tests/integration/engine/trust/test_server_abilities.py::test_what_was_seen_is_kept",),
    ),
    Mutant(
        "time-outs",
        "parts that a server copies tell no progress",
        (Edit(_MULTIPART, "        report()\n", ""),),
        (f"{_SLOW}test_slow_parts_are_copied_once",),
    ),
    Mutant(
        "time-outs",
        "a copy is waited for once",
        (Edit("tierkeeper/settings/order.py", " + pauses + 2 * seconds + ", " + seconds + "),),
        ("tests/unit/settings/test_time_outs.py",),
    ),
    Mutant(
        "R16",
        "the pin of a write is what a look finds after it",
        (
            Edit(
                _S3,
                "        pin = answers.pin(answer)\n        if answer",
                "        pin = answers.pin(heads.head(self.place, ObjectKey(location)))\n        if answer",
            ),
        ),
        (f"{_NAMING}test_something_else_right_after_a_write",),
    ),
    Mutant(
        "R16",
        "the look after a copy takes whatever is there",
        (
            Edit(
                _LOOK,
                "    require(place, location, etag, found)\n    return replace(checked",
                "    return replace(checked",
            ),
            Edit(_LOOK, "head(place, ObjectKey(location, version))", "head(place, ObjectKey(location))"),
        ),
        (f"{_NAMING}test_something_else_right_after_a_copy",),
    ),
    Mutant(
        "R16",
        "a copy by no pin is believed without a look",
        (Edit(_ORIGIN, "        return self.by_etag and etag is not None and ", "        return "),),
        (f"{_NAMING}test_an_answer_names_the_source",),
    ),
    Mutant(
        "R16",
        "a copy whose answer names another version is believed without a look",
        (Edit(_ORIGIN, 'return answer.get("CopySourceVersionId") == version', "return True"),),
        (f"{_NAMING}test_an_answer_names_the_source",),
    ),
    Mutant(
        "R16",
        "a copy whose answer has another SHA-256 is believed",
        (Edit(_COPY, "            heads.checked(self._place, reported, info)\n", ""),),
        ("tests/integration/stores/s3/test_signed.py::test_a_copy_whose_answer_has_another_sha256",),
    ),
    Mutant(
        "R16",
        "an ETag of an answer's body is a pin though no HEAD tells one",
        (Edit(_COPY, "            if heads.is_named(self._place, reported.version):", "            if True:"),),
        (f"{_WEAK}test_a_copy_is_not_named_by_what_no_look_tells",),
    ),
    Mutant(
        "R16",
        "what was written is named without its version",
        (
            Edit(
                _S3,
                'get("ChecksumSHA256") == checksum and heads.tells_version(self.place, answer):',
                'get("ChecksumSHA256") == checksum:',
            ),
        ),
        (f"{_NAMING}test_a_version_that_no_answer_names_is_looked_up",),
    ),
    Mutant(
        "R16",
        "what was copied is named without its version",
        (Edit(_COPY, "        if not heads.tells_version(self._place, answer):\n            return None\n", ""),),
        (f"{_NAMING}test_a_version_that_no_answer_names_is_looked_up",),
    ),
    Mutant(
        "R16",
        "no version's id is one",
        (Edit(_LOOK, '    return answer.get("VersionId") is not None or not place.versioned\n', "    return True\n"),),
        (f"{_NAMING}test_what_has_no_version_is_not_looked_up",),
    ),
    Mutant(
        "R16",
        "that a HEAD told an ETag is good for ever",
        (
            Edit(
                _LOOK,
                " or time.monotonic() < place.told_etags_until\n",
                " or place.told_etags_until != 0\n",
            ),
        ),
        (f"{_WEAK}test_a_copy_is_named_once_a_look_told_etags",),
    ),
    Mutant(
        "R16",
        "what a look finds after a lost answer is vouched for",
        (
            Edit(
                _COPY,
                "        if isinstance(answer, Stored):\n            return answer\n",
                "        if isinstance(answer, Stored):\n            return replace(answer, vouched=Vouched.PINNED)\n",
            ),
        ),
        (f"{_SLOW}test_a_slow_copy_is_made_once",),
    ),
    Mutant(
        "R16",
        "a part that was found after a lost answer is taken for one that was named",
        (Edit(_MULTIPART, "                        recovered.append(part.number)\n", ""),),
        (f"{_SLOW}test_slow_parts_are_copied_once",),
    ),
    Mutant(
        "R16",
        "what its metadata calls ours is vouched for",
        (
            Edit(
                _S3,
                '            raise StorePermanent(tier=self.config.tier, reason=f"something else is at {location}")\n'
                "        return stored\n",
                '            raise StorePermanent(tier=self.config.tier, reason=f"something else is at {location}")\n'
                "        return replace(stored, vouched=Vouched.WRITTEN)\n",
            ),
        ),
        (f"{_NAMING}test_what_may_be_ours",),
    ),
    Mutant(
        "R16",
        "a part is named by what a proxy made of its ETag",
        (Edit(_MULTIPART, '    return etag.removeprefix("W/")\n', "    return etag\n"),),
        (f"{_WEAK}test_what_is_in_parts_is_stored_and_moves",),
    ),
    Mutant(
        "R16",
        "a large source whose ETag is not told never moves",
        (Edit(_COPY, "        except Unnamed:", "        except BufferError:"),),
        (f"{_WEAK}test_what_is_in_parts_is_stored_and_moves",),
    ),
    Mutant(
        "R16",
        "an upload in parts is named by its answer's body alone",
        (Edit(_S3, "heads.is_named(self.place, version) and ", ""),),
        (f"{_NAMING}test_an_upload_in_parts_is_named_as_heads_name_it",),
    ),
)

_R17 = (
    Mutant(
        "R17",
        "the source of a copy is not named to the server",
        (Edit(_ORIGIN, '{"CopySourceIfMatch": etag} if self.by_etag else {}', "{}"),),
        (f"{_NAMING}test_a_source_that_changes_while_it_is_copied", f"{_NAMING}test_a_server_that_asks"),
    ),
    Mutant(
        "R17",
        "a server is believed to ask a condition that it takes",
        (
            Edit(
                _PROBE,
                "    return _status(lambda: copy(_WRONG)) == _REFUSED and _status(lambda: copy(etag)) == _OK\n",
                "    return _status(lambda: copy(etag)) == _OK\n",
            ),
        ),
        (f"{_NAMING}test_a_server_that_does_not_ask",),
    ),
    Mutant(
        "R17",
        "a copy is vouched for though nothing named its source",
        (Edit(_COPY, "    return Vouched.PINNED if named else None\n", "    return Vouched.PINNED\n"),),
        (f"{_NAMING}test_a_server_that_does_not_ask", f"{_NAMING}test_a_server_that_asks"),
    ),
    Mutant(
        "R17",
        "parts that no server is known to have checked are vouched for",
        (
            Edit(
                _S3,
                "            return stored  # without a pin",
                "            return replace(stored, vouched=Vouched.WRITTEN)  # without a pin",
            ),
        ),
        (f"{_NAMING}test_parts_that_nobody_checked",),
    ),
)

_ASKED_ONCE = (
    Mutant(
        "once",
        "a copy that may be under way is begun again",
        (Edit(_ONCE, "            if result is None and took > seconds * SOON:\n", "            if False:\n"),),
        (f"{_SLOW}test_a_copy_that_never_comes",),
    ),
    Mutant(
        "once",
        "a copy is begun again before anybody looked",
        (
            Edit(
                _ONCE,
                "            tried += 1\n            result = look()\n",
                "            tried += 1\n            result = None\n",
            ),
        ),
        (f"{_SLOW}test_what_fails_soon_is_tried_again",),
    ),
    Mutant(
        "url",
        "a plus in a secret is read as a blank",
        (
            Edit(
                "client/src/tierkeeper_client/urls.py",
                '        pairs = parse_qsl(query.replace("+", "%2B"), ',
                "        pairs = parse_qsl(query, ",
            ),
        ),
        ("tests/unit/stores/test_urls.py::test_a_secret_is_read_as_it_is",),
    ),
)

NAMING = (*_R16, *_R17, *_ASKED_ONCE)
