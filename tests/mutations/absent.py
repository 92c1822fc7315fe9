"""What an S3 server's answer lacks, and what no twin of the epoch says: neither is read as none."""

from mutations.mutant import Edit, Mutant

_BODIES = "tierkeeper/stores/s3/bodies.py"
_DELETE = "tierkeeper/stores/s3/delete.py"
_LOCK = "tierkeeper/stores/s3/lock.py"
_MARK = "tierkeeper/stores/s3/tier_mark.py"
_EPOCH = "tierkeeper/engine/trust/epoch.py"
_PAGES = "tests/integration/stores/s3/test_pages.py::"
_EPOCHS = "tests/integration/engine/trust/test_epoch.py::"

_FORMS = (
    Mutant(
        "absent fields",
        "a page is an answer in which nothing is",
        (Edit("tierkeeper/stores/s3/errors.py", '                bodies.require("" if', '                str("" if'),),
        (f"{_PAGES}test_what_a_page_leaves_out_is_not_known",),
    ),
    Mutant(
        "absent fields",
        "an empty body is an answer in which nothing is",
        (Edit(_BODIES, "    if root not in {", "    if root is not None and root not in {"),),
        (f"{_PAGES}test_what_a_page_leaves_out_is_not_known",),
    ),
    Mutant(
        "absent fields",
        "a list that does not say that it is whole is whole",
        (Edit(_BODIES, 'read["IsTruncated"] and', 'read.get("IsTruncated") and'),),
        (f"{_PAGES}test_a_list_that_may_go_on_is_not_whole",),
    ),
    Mutant(
        "absent fields",
        "a list that goes on and does not say where is whole",
        (Edit(_BODIES, "        raise KeyError(_NEXT[kind])", "        pass"),),
        (f"{_PAGES}test_a_list_that_may_go_on_is_not_whole",),
    ),
    Mutant(
        "absent fields",
        "an answer is read in the encoding that it names",
        (Edit(_BODIES, 'target=root, encoding="utf-8"', "target=root"),),
        ("tests/integration/engine/collect/test_odd_deletes.py::test_an_odd_delete_stops_no_other_tier",),
    ),
    Mutant(
        "absent fields",
        "a page deletes",
        (Edit(_DELETE, "                    _require_gone(place, key)\n", "                    pass\n"),),
        (f"{_PAGES}test_a_page_deletes_nothing",),
    ),
    Mutant(
        "absent fields",
        "only a delete with 204 deletes",
        (
            Edit(
                _DELETE,
                '        return\n    raise _still_there(place, key.location, "object")',
                '    raise _still_there(place, key.location, "object")',
            ),
        ),
        (f"{_PAGES}test_a_page_deletes_nothing",),
    ),
    Mutant(
        "absent fields",
        "a page aborts",
        (
            Edit(
                _DELETE,
                "        if _is_done(place.client.abort_multipart_upload(**address)):\n            return\n",
                "        place.client.abort_multipart_upload(**address)\n        return\n",
            ),
        ),
        (f"{_PAGES}test_a_page_aborts_nothing",),
    ),
    Mutant(
        "absent fields",
        "a retention that was accepted holds",
        (
            Edit(
                _LOCK,
                "    if held is None:\n        raise",
                "    if held is None:\n        return until\n        raise",
            ),
        ),
        (f"{_PAGES}test_a_retention_that_is_not_shown_is_none",),
    ),
    Mutant(
        "absent fields",
        "a retention without a mode is one of governance",
        (Edit(_LOCK, 'retention["Mode"]', 'retention.get("Mode", "GOVERNANCE")'),),
        (f"{_PAGES}test_a_retention_that_is_not_shown_is_none",),
    ),
    Mutant(
        "absent fields",
        "a page in the place of a mark is a mark to be replaced",
        (Edit(_MARK, "        _require_listed(place, len(found.content))\n", ""),),
        (f"{_PAGES}test_a_page_is_no_broken_mark",),
    ),
)

_TWINS = (
    Mutant(
        "epoch",
        "no twin is agreement",
        (Edit(_EPOCH, "else _unknown(current, marks_of)", "else None"),),
        (f"{_EPOCHS}test_no_twin_is_no_agreement",),
    ),
    Mutant(
        "epoch",
        "a twin of long ago is agreement",
        (Edit(_EPOCH, "any(number > epoch.number - _KEPT for number in marks_of)", "marks_of"),),
        (f"{_EPOCHS}test_no_twin_is_no_agreement",),
    ),
    Mutant(
        "epoch",
        "the epoch is raised though the twin before is missing",
        (Edit(_EPOCH, "        _write_missing_twin(engine, caller=caller)\n", ""),),
        (f"{_EPOCHS}test_a_twin_that_one_raise_left_out_is_no_finding",),
    ),
    Mutant(
        "epoch",
        "twins in the tier that was the coldest do not count",
        (Edit(_EPOCH, "for store in own_objects.homes(engine):", "for store in [*own_objects.homes(engine)][:1]:"),),
        (f"{_EPOCHS}test_twins_in_the_tier_that_was_the_coldest_count",),
    ),
)

ABSENT = (*_FORMS, *_TWINS)
