"""What costs the same however large the catalog is: each guard broken."""

from mutations.mutant import Edit, Mutant

_SCHEDULE = "tierkeeper/catalog/schedule.py"
_BROWSE = "tierkeeper/catalog/browse.py"
_MATCH = "tierkeeper/policy/match.py"
_MATCHES = "tests/unit/policy/test_match.py::"
_IN_FORCE = "tierkeeper/engine/policies/in_force.py"
_PAGES = "tierkeeper/catalog/recomputing.py"
_ARTIFACTS = "tierkeeper/catalog/artifacts.py"
_MANY = "tests/integration/engine/collect/test_many_artifacts.py::"
_RECOMPUTING = "tierkeeper/engine/policies/recompute.py"
_WORKING = "WHERE id = :id AND state = 'running' FOR NO KEY UPDATE"
_ANY = "WHERE id = :id FOR NO KEY UPDATE"
_RECOMPUTE = "tests/integration/engine/policies/test_recompute.py::"
_LARGE = ("tests/integration/engine/test_large_catalogs.py::test_no_statement_grows_with_the_catalog",)
_STABLE = "tests/unit/catalog/test_stable_times.py::"

GROWING = (
    Mutant(
        "growth",
        "rotate compares the whole schedule with a volatile time",
        (
            Edit(
                _SCHEDULE,
                '        WHERE {due("statement_timestamp()")}\n            AND {unleased("statement_timestamp()")}\n',
                '        WHERE {due("clock_timestamp()")}\n            AND {unleased("statement_timestamp()")}\n',
            ),
        ),
        (f"{_STABLE}test_no_statement_compares_with_a_volatile_time",),
    ),
    Mutant(
        "growth",
        "each page of a list reads all those before it",
        (
            Edit(
                _BROWSE,
                "    yield tenant, NAME.c.workflow > after.workflow\n",
                "    yield tenant, NAME.c.workflow + '' > after.workflow\n",
            ),
        ),
        _LARGE,
    ),
    Mutant(
        "growth",
        "each page of a name's versions reads all those before it",
        (Edit(_BROWSE, "ARTIFACT.c.version > after.version)", "ARTIFACT.c.version + 0 > after.version)"),),
        _LARGE,
    ),
    Mutant(
        "growth",
        "a page of a recompute looks at all names",
        (
            Edit(
                _PAGES,
                "FROM ({_names(which, order)} LIMIT :names) AS n\n",
                "FROM ({_names(which, order)} LIMIT 1000 * :names) AS n\n",
            ),
        ),
        _LARGE,
    ),
    Mutant(
        "growth",
        "each page of a recompute reads the names of all those before it",
        (Edit(_PAGES, '"n.workflow > :after_workflow AND', "\"n.workflow || '' > :after_workflow AND"),),
        _LARGE,
    ),
    Mutant(
        "growth",
        "stats counts each copy of a large catalog",
        (Edit("tierkeeper/catalog/copy_counts.py", "    if pages <= SMALL:\n", "    if pages:\n"),),
        _LARGE,
    ),
    Mutant(
        "growth",
        "what the others want is read of each artifact of a content",
        (
            Edit(
                "tierkeeper/catalog/artifacts.py",
                "                    AND a.wanted > wish.wanted\n",
                "                    AND a.wanted || '{}' > wish.wanted\n",
            ),
        ),
        _LARGE,
    ),
    Mutant(
        "growth",
        "the artifact of a copy is the first of all that have the content",
        (Edit("tierkeeper/catalog/verification.py", "ORDER BY a.wanted DESC LIMIT 1", "ORDER BY a.id LIMIT 1"),),
        _LARGE,
    ),
    Mutant(
        "growth",
        "a verb changes any number of versions in one transaction",
        (Edit("tierkeeper/engine/verbs/verbs.py", "        if len(found) > MOST:\n", "        if not found:\n"),),
        ("tests/integration/keeper/test_verbs.py::test_too_many_versions_for_one_verb",),
    ),
    Mutant(
        "policies",
        "each is compared with each",
        (
            Edit(
                _MATCH,
                "of.tenant, _beginnings(of))].append(policy)",
                'None, ("", "", ""))].append(policy)',
            ),
        ),
        (f"{_MATCHES}test_ties_of_many_policies_are_found_at_once",),
    ),
    Mutant(
        "policies",
        "any number of them may be active",
        (Edit(_MATCH, "    if len(after) > max(MOST, len(before)):\n", "    if len(after) < 0:\n"),),
        (f"{_MATCHES}test_no_more_policies_than_the_bounds",),
    ),
    Mutant(
        "policies",
        "any number of a tenant may be active",
        (Edit(_MATCH, " and count > max(MOST_OF_TENANT, known[tenant]):", " and count < 0:"),),
        (f"{_MATCHES}test_no_more_policies_than_the_bounds",),
    ),
    Mutant(
        "policies",
        "those of all tenants govern nothing of one that has its own",
        (Edit(_MATCH, "for tenant in (subject.tenant, None):", "for tenant in (subject.tenant,):"),),
        (f"{_MATCHES}test_a_set_of_policies_finds_the_governing_one",),
    ),
    Mutant(
        "recompute",
        "what the version before governed is not looked at",
        (Edit(_IN_FORCE, "[*before, *(policy.match", "[*(policy.match"),),
        (f"{_RECOMPUTE}test_what_a_policy_gives_up_is_hastened",),
    ),
    Mutant(
        "recompute",
        "the user waits for all artifacts",
        (Edit(_RECOMPUTING, "Counter(), most=IN_FOREGROUND)", "Counter())"),),
        (f"{_RECOMPUTE}test_a_large_edit_is_left_to_the_workers",),
    ),
    Mutant(
        "recompute",
        "an edit has the errors of others",
        (
            Edit(
                _RECOMPUTING,
                "        _continue(engine, edit, Counter(), most=IN_FOREGROUND)\n",
                "        recompute(engine)\n",
            ),
        ),
        (f"{_RECOMPUTE}test_an_edit_ends_with_its_own_error_alone",),
    ),
    Mutant(
        "many artifacts",
        "collect asks some of those that have the content",
        (Edit(_ARTIFACTS, "for part in rows.partitions(_AT_ONCE):", "for part in [next(rows.partitions(_AT_ONCE))]:"),),
        (f"{_MANY}test_each_artifact_protects",),
    ),
    Mutant(
        "many artifacts",
        "receipts are given although another copy is left",
        (Edit(_ARTIFACTS, "                WHERE p.blob_id = b.id\n", "                WHERE p.id = b.id\n"),),
        (f"{_MANY}test_another_copy_keeps_the_artifacts_whole",),
    ),
    Mutant(
        "many artifacts",
        "a copy's row goes before all have their receipts",
        (Edit("tierkeeper/engine/collect/collect.py", "    if len(ended) == _ENDED:\n", "    if ended is None:\n"),),
        (f"{_MANY}test_each_artifact_has_one_receipt",),
    ),
    Mutant(
        "many artifacts",
        "what protects an artifact is not asked beside the decision about it",
        (Edit("tierkeeper/engine/moment.py", ", decide.protects(facts, policy, self.now)\n", ", ()\n"),),
        (f"{_MANY}test_each_artifact_protects",),
    ),
    Mutant(
        "growth",
        "content of a message is read in a thread",
        (
            Edit(
                "tierkeeper/engine/ingest/ingest.py",
                "in named if isinstance(item.args.content, InlineContent)}",
                "in ()}",
            ),
        ),
        ("tests/integration/engine/ingest/test_sources.py::test_content_of_a_message_is_hashed_without_a_thread",),
    ),
    Mutant(
        "growth",
        "given files are hashed one after another",
        (
            Edit(
                "tierkeeper/engine/ingest/ingest.py",
                "for item in named if isinstance(item.args.content",
                "for item in asked if isinstance(item.args.content",
            ),
        ),
        ("tests/integration/engine/ingest/test_sources.py::test_content_of_a_message_is_hashed_without_a_thread",),
    ),
    Mutant(
        "recompute",
        "a run that others ended is continued",
        (
            Edit(_RECOMPUTING, "runs.resume, run):\n        return ", "runs.resume, run):\n        pass "),
            Edit(_PAGES, _WORKING, _ANY),
        ),
        (f"{_RECOMPUTE}test_a_run_that_was_ended_before_it_is_taken_up_is_left",),
    ),
    Mutant(
        "recompute",
        "a run that others end meanwhile is continued",
        (Edit(_PAGES, _WORKING, _ANY),),
        (f"{_RECOMPUTE}test_a_run_that_was_ended_while_it_is_continued_stops",),
    ),
    Mutant(
        "recompute",
        "a page is begun while another one is at work",
        (Edit(_PAGES, _WORKING, _WORKING.replace(" FOR NO KEY UPDATE", "")),),
        (f"{_RECOMPUTE}test_workers_take_the_pages_of_a_run_in_turn",),
    ),
    Mutant(
        "recompute",
        "a page leaves out the other versions of its last name",
        (
            Edit(
                _PAGES,
                "(:after_workflow, :after_name) THEN :after_version ELSE 0",
                "(:after_workflow, :after_name) THEN :after_version + 1 ELSE 0",
            ),
        ),
        (f"{_RECOMPUTE}test_pages_have_all_that_a_match_fits",),
    ),
    Mutant(
        "recompute",
        "only the first tenant is looked at",
        (
            Edit(
                _PAGES,
                "at = _At(at.reach + 1) if reach.tenant is not None else _At(at.reach, at.tenant)",
                "at = _At(at.reach + 1)",
            ),
        ),
        (f"{_RECOMPUTE}test_pages_have_all_that_a_match_fits",),
    ),
)
