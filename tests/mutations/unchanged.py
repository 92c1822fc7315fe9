"""Items of a batch that are answered as unchanged by one question: each reason why one is not clearly so."""

from mutations.mutant import Edit, Mutant

_SQL = "tierkeeper/catalog/unchanged.py"
_ENGINE = "tierkeeper/engine/ingest/unchanged.py"
_TESTS = "tests/integration/engine/ingest/test_unchanged.py::"
_DOUBT = "test_what_is_in_doubt_takes_every_step"
_DIFFERS = "test_what_differs_is_a_new_version"


def _unchanged(what: str, edit: Edit, test: str) -> Mutant:
    return Mutant("unchanged", what, (edit,), (f"{_TESTS}{test}",))


UNCHANGED = (
    _unchanged(
        "what was purged is there unchanged",
        Edit(_SQL, "    WHERE a.state = 'live'\n        AND b.scope", "    WHERE b.scope"),
        "test_what_was_purged_is_stored_again",
    ),
    _unchanged("other content is unchanged", Edit(_SQL, "a.sha256 = w.sha256", "true"), _DIFFERS),
    _unchanged("another type is unchanged", Edit(_SQL, "        AND a.content_type = w.content_type\n", ""), _DIFFERS),
    _unchanged("other metadata are unchanged", Edit(_SQL, "        AND a.metadata = w.metadata\n", ""), _DIFFERS),
    _unchanged("other tags are unchanged", Edit(_SQL, "        AND a.tags = w.tags\n", ""), _DIFFERS),
    _unchanged(
        "what no active policy decided is unchanged",
        Edit(
            _SQL,
            "        AND a.policy_id = ANY(:policies)\n",
            "        AND (a.policy_id = ANY(:policies)) IS NOT FALSE\n",
        ),
        _DOUBT,
    ),
    _unchanged("what wants nothing is unchanged", Edit(_SQL, "        AND a.wanted <> '{{}}'\n", ""), _DOUBT),
    _unchanged(
        "what lacks a wanted copy is unchanged",
        Edit(_SQL, "        AND a.wanted <@ c.tiers\n", ""),
        "test_a_copy_of_another_item_makes_none_unchanged",
    ),
    _unchanged("a copy in any state counts", Edit(_SQL, "            AND {VOUCHED}\n", ""), _DOUBT),
    _unchanged("a copy that was not found counts", Edit(_SQL, "            AND missed_at IS NULL\n", ""), _DOUBT),
    _unchanged(
        "a copy under a purged name counts", Edit(_SQL, "IS DISTINCT FROM 'purged'", "IS DISTINCT FROM ''"), _DOUBT
    ),
    _unchanged("content of another scope is unchanged", Edit(_SQL, " AND b.scope = t.scope\n", "\n"), _DOUBT),
    _unchanged(
        "a delivery with a key leaves no answer",
        Edit(_ENGINE, "    if caller.key or not contents:", "    if not contents:"),
        "test_a_delivery_with_a_key_finds_its_answer_again",
    ),
    _unchanged("what is forced is unchanged", Edit(_ENGINE, " or args.force or ", " or "), _DIFFERS),
    _unchanged(
        "a name that comes twice is compared with what was there before",
        Edit(_ENGINE, " or names[args.tenant, args.workflow, args.name] > 1:", ":"),
        "test_a_name_that_comes_twice_is_stored_in_the_order_of_the_batch",
    ),
    _unchanged(
        "another checksum is no reason",
        Edit(_ENGINE, "if args.sha256 not in {None, sha256.hex()} or (", "if ("),
        "test_what_is_refused_is_refused_again",
    ),
    _unchanged(
        "the future is no reason",
        Edit(_ENGINE, " or (args.created is not None and args.created > moment.now):", ":"),
        "test_what_is_refused_is_refused_again",
    ),
    _unchanged(
        "a policy that cannot read the metadata is not asked",
        Edit(_ENGINE, "        if (by_metadata or args.metadata) and not", "        if args.metadata and not"),
        "test_a_policy_that_cannot_read_the_metadata_refuses",
    ),
    _unchanged(
        "a copy in a tier that is away is answered for",
        Edit(_ENGINE, " for each in found if each.wanted <= confirmed\n", " for each in found\n"),
        "test_a_copy_in_a_tier_that_is_away_is_not_answered_for",
    ),
    _unchanged(
        "a tier that is away is named",
        Edit(_ENGINE, " - engine.marks.refused(map(engine.store, tiers), bound=True).keys()", ""),
        "test_one_of_two_tiers_that_is_not_there_is_not_named",
    ),
    _unchanged(
        "a tier that is not configured stops a batch",
        Edit(_ENGINE, " for tier in each.tiers if tier in engine.stores}", " for tier in each.tiers}"),
        "test_one_of_two_tiers_that_is_not_there_is_not_named",
    ),
    _unchanged(
        "a pipe is read twice",
        Edit(_ENGINE, "    if not file.seekable():", "    if False:"),
        "test_what_cannot_be_read_twice_or_at_once_takes_every_step",
    ),
    Mutant(
        "unchanged",
        "a catalog without statistics goes through all rows for each item",
        (
            Edit(_SQL, "AND name = w.name\n            OFFSET 0\n", "AND name = w.name\n"),
            Edit(_SQL, "version = n.latest_version\n            OFFSET 0\n", "version = n.latest_version\n"),
            Edit(_SQL, "WHERE id = a.blob_id OFFSET 0)", "WHERE id = a.blob_id)"),
        ),
        (f"{_TESTS}test_a_catalog_that_nobody_analysed_costs_no_more",),
    ),
)
