"""What guards the import of S3 lifecycle files, broken one at a time."""

from mutations.mutant import Edit, Mutant

LIFECYCLE = "tierkeeper/policy/s3/lifecycle.py"
RULES = "tierkeeper/policy/s3/rules.py"
XML = "tierkeeper/policy/s3/xml_nodes.py"
FILES = "tests/unit/policy/s3/test_files.py::"
REFUSED = "tests/unit/policy/s3/test_lifecycle.py::"

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
)
