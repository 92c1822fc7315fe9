"""What guards the import of S3 lifecycle files, broken one at a time."""

from mutations.mutant import Edit, Mutant

LIFECYCLE = "tierkeeper/policy/s3/lifecycle.py"
RULES = "tierkeeper/policy/s3/rules.py"
SCALARS = "tierkeeper/policy/s3/scalars.py"
XML = "tierkeeper/policy/s3/xml_nodes.py"
IN_FORCE = "tierkeeper/engine/policies/in_force.py"
IMPORTS = "tierkeeper/engine/policies/imports.py"
FILES = "tests/unit/policy/s3/test_files.py::"
REFUSED = "tests/unit/policy/s3/test_lifecycle.py::"
REPLACED = "tests/integration/engine/policies/test_imports.py::"

IMPORTING = (
    Mutant(
        "S3 files",
        "a disabled rule is imported",
        (Edit(RULES, '        return status == "Enabled"\n', "        return True\n"),),
        (f"{FILES}test_a_file_as_people_have_it",),
    ),
    Mutant(
        "S3 files",
        "a document type is taken",
        (Edit(XML, "    parser.setProperty(xml.sax.handler.property_lexical_handler, built)\n", ""),),
        (f"{REFUSED}test_no_configuration",),
    ),
    Mutant(
        "S3 files",
        "a filter that shares a prefix counts as within the other",
        (Edit(LIFECYCLE, " and set(outer.tags) <= set(inner.tags) and least and most", ""),),
        (f"{REFUSED}test_refused",),
    ),
    Mutant(
        "S3 files",
        "the sooner end of a wider rule is not remarked",
        (Edit(LIFECYCLE, "own is None or end < own", "own is None"),),
        (f"{FILES}test_a_file_as_people_have_it",),
    ),
    Mutant(
        "S3 files",
        "a policy that is no longer in the file stays in force",
        (Edit(IMPORTS, "return [row for row in former if row.name not in names]", "return []"),),
        (f"{REPLACED}test_an_import_replaces_the_one_before",),
    ),
    Mutant(
        "S3 files",
        "a policy that is no longer in the file is removed unasked",
        (Edit(IN_FORCE, "not (dry_run or of.remove_missing)", "False"),),
        (f"{REPLACED}test_an_import_replaces_the_one_before",),
    ),
    Mutant(
        "S3 files",
        "an import takes the policies of another tenant's",
        (Edit(IMPORTS, "        if row.tenant != of.tenant:\n", "        if False:\n"),),
        (f"{REPLACED}test_an_import_takes_no_other_ones_policies",),
    ),
    Mutant(
        "S3 files",
        "what an earlier release imported ties with its rule",
        (
            Edit(
                IMPORTS, "        and known[name].match in matches\n", "        and known[name].match not in matches\n"
            ),
        ),
        (f"{REPLACED}test_an_import_of_an_earlier_release_is_taken_over",),
    ),
    Mutant(
        "S3 files",
        "an import takes over whatever is called alike",
        (Edit(IMPORTS, "        and known[name].match in matches\n", ""),),
        (f"{REPLACED}test_an_import_of_an_earlier_release_is_taken_over",),
    ),
    Mutant(
        "S3 files",
        "an import takes over what is called otherwise",
        (Edit(IMPORTS, '        and (name == of.name or name.startswith(f"{of.name}-"))\n', ""),),
        (f"{REPLACED}test_an_import_takes_over_what_matches_the_same_alone",),
    ),
    Mutant(
        "S3 files",
        "an edit by hand hides a policy from its import",
        (Edit(IN_FORCE, "imported_as=imported_as.get(policy.name)", "imported_as=None"),),
        (f"{REPLACED}test_what_is_edited_by_hand_stays_of_its_import",),
    ),
    Mutant(
        "S3 files",
        "a text of XML is a flag by what it says",
        (Edit(SCALARS, "name in _FLAGS and _FLAG", "_FLAG"),),
        (f"{FILES}test_a_file_as_people_have_it",),
    ),
    Mutant(
        "S3 files",
        "white space of a tag's value is lost",
        (Edit(XML, "text if self.name in _AS_WRITTEN else text.strip()", "text.strip()"),),
        (f"{FILES}test_a_file_as_people_have_it",),
    ),
    Mutant(
        "S3 files",
        "rules that cannot overlap are compared",
        (Edit(LIFECYCLE, "by_prefix.get(group[0].prefix[:length], ())", "range(len(groups))"),),
        (f"{REFUSED}test_only_rules_that_can_overlap_are_compared",),
    ),
    Mutant(
        "S3 files",
        "days are compared by the calendar",
        (Edit("tierkeeper/policy/durations.py", "    if months == others:", "    if False:"),),
        (f"{REFUSED}test_only_rules_that_can_overlap_are_compared",),
    ),
    Mutant(
        "S3 files",
        "a prefix with which no name begins is taken",
        (Edit(RULES, "        if problem is None and prefix:\n", "        if False:\n"),),
        (f"{REFUSED}test_refused",),
    ),
    Mutant(
        "S3 files",
        "what may stand in a name is judged as the whole of it",
        (
            Edit(
                "client/src/tierkeeper_client/identifiers.py",
                '    befores, afters = ("",) if begins else (_NEIGHBOUR, ""), ("",) if ends else (_NEIGHBOUR, "")\n',
                '    befores, afters = ("",), ("",)\n',
            ),
        ),
        ("tests/unit/policy/test_document.py::test_patterns_that_some_name_fits",),
    ),
    Mutant(
        "S3 files",
        "a pattern that no name fits is taken",
        (Edit("tierkeeper/policy/checks.py", "    yield from _names(policy)\n", ""),),
        ("tests/unit/policy/test_document.py::test_refused",),
    ),
)
