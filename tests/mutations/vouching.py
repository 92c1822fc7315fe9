"""R15 to R18, broken one at a time: what counts, what names its bytes, who vouches for them, and when."""

from mutations import places
from mutations.mutant import Edit, Mutant
from mutations.places import CONVERGE, INGEST, PLACEMENTS, SETTLEMENT, TRANSFER

_TESTS = places.VOUCHING
_LATER = "tests/integration/engine/copies/test_vouching_later.py::"
_REFUTED = "tests/integration/engine/copies/test_refuted_sources.py::"
_MOVED = "tests/integration/engine/copies/test_moved_buckets.py::"
_CHECKING = "tierkeeper/engine/copies/check.py"
_READING = "tierkeeper/engine/read/reader.py"
_DAMAGE = "tierkeeper/engine/copies/damage.py"
_MIGRATIONS = "tests/integration/catalog/test_migrations.py::"
_UNIT = "tests/unit/engine/copies/test_fates.py::"

_R15 = (
    Mutant(
        "R15",
        "a copy that nobody vouches for counts",
        (
            Edit(
                SETTLEMENT,
                " and placement.missed_at is None and placement.vouched is not None\n",
                " and placement.missed_at is None\n",
            ),
        ),
        (f"{_TESTS}test_on_the_word_of_an_unvouched_copy_nothing_is_doomed",),
    ),
    Mutant(
        "R15",
        "a copy that nobody vouches for is rescued",
        (
            Edit(
                SETTLEMENT,
                "    return placement.state is PlacementState.DOOMED and _sound(placement)\n",
                "    return placement.state is PlacementState.DOOMED and placement.damaged_at is None\n",
            ),
            Edit(PLACEMENTS, " AND missed_at IS NULL AND vouched IS NOT NULL\n", "\n"),
        ),
        (f"{_TESTS}test_a_doomed_unvouched_copy_is_read_before_it_is_rescued",),
    ),
    Mutant(
        "R15",
        "a store joins a copy that nobody vouches for",
        (
            Edit(
                INGEST,
                "        held = {p.tier for p in copies[blob] if fates.good(p)}\n",
                "        held = {p.tier for p in copies[blob] if p.state.value == 'present'}\n",
            ),
        ),
        (f"{_TESTS}test_store_joins_no_copy_that_nobody_vouches_for",),
    ),
    Mutant(
        "R15",
        "a store dooms what nobody vouches for elsewhere",
        (
            Edit(
                "tierkeeper/engine/ingest/commit.py",
                "{p.tier for p in copies[blob] if p.state is PlacementState.PRESENT} | tiers",
                "{p.tier for p in copies[blob] if fates.good(p)} | tiers",
            ),
        ),
        (f"{_TESTS}test_a_store_under_another_name_dooms_no_copy_in_doubt",),
    ),
    Mutant(
        "R15",
        "a copy that nobody vouches for serves ranges",
        (
            Edit(
                "tierkeeper/engine/read/reader.py",
                "            if not whole and copy.vouched is None:\n",
                "            if False:\n",
            ),
        ),
        (f"{_TESTS}test_an_unvouched_copy_serves_no_ranges",),
    ),
    Mutant(
        "R15",
        "an unvouched source comes before a vouched one",
        (
            Edit(
                SETTLEMENT,
                "key=lambda p: (p.vouched is None, p.state is not PlacementState.PRESENT))\n",
                "key=lambda p: p.state is not PlacementState.PRESENT)\n",
            ),
            Edit(
                CONVERGE,
                "key=lambda p: (p.vouched is None, engine.store(p.tier).realm != store.realm))\n",
                "key=lambda p: engine.store(p.tier).realm != store.realm)\n",
            ),
        ),
        (
            f"{_UNIT}test_what_is_vouched_for_is_the_first_source",
            f"{_TESTS}test_vouched_sources_come_first",
        ),
    ),
)

_R16_AND_R17 = (
    Mutant(
        "R16",
        "a copy is read and copied without its pin",
        (
            Edit(
                "tierkeeper/engine/copies/opener.py",
                "    return ObjectKey(form.location, form.version, form.pin)\n",
                "    return ObjectKey(form.location, form.version)\n",
            ),
        ),
        (f"{_MOVED}test_verify_names_right_bytes_anew",),
    ),
    Mutant(
        "R16",
        "a read that meets other bytes than the pin names reports nothing",
        (
            Edit(
                "tierkeeper/engine/read/reader.py",
                "isinstance(error, (ObjectNotFound, ContentMismatch))",
                "isinstance(error, ObjectNotFound)",
            ),
        ),
        ("tests/integration/engine/read/test_pinned_reads.py::test_what_the_server_refuses_by_its_pin_is_reported",),
    ),
    Mutant(
        "R16",
        "what heals keeps the pin of the bytes before",
        (
            Edit(
                PLACEMENTS,
                "damaged_at = NULL, verified_at = :now, vouched = 'read', pin = coalesce(store_version, :pin),\n",
                "damaged_at = NULL, verified_at = :now, vouched = 'read',\n",
            ),
        ),
        (f"{_TESTS}test_healing_vouches_too",),
    ),
    Mutant(
        "R16",
        "a pin that is refused is not read without",
        (Edit(_CHECKING, "if not pinned or not _is_named_by_etag(copy):", "if True:"),),
        (f"{_MOVED}test_a_reader_names_right_bytes_anew",),
    ),
    Mutant(
        "R16",
        "a dry run names bytes anew",
        (Edit("tierkeeper/engine/collect/survivors.py", "reads=None if dry_run else reads)", "reads=reads)"),),
        (f"{_MOVED}test_a_dry_run_names_nothing_anew",),
    ),
    Mutant(
        "R16",
        "what a store tells between chunks counts for nothing",
        (Edit(_READING, "pieces = _confirming_errors(engine, row, copy, chunks)", "pieces = chunks"),),
        ("tests/integration/engine/read/test_pinned_reads.py::test_what_is_told_between_chunks_is_reported",),
    ),
    Mutant(
        "R18",
        "what is read to vouch for it has no pin",
        (Edit(PLACEMENTS, "coalesce(p.pin, p.store_version, w.pin)", "coalesce(p.pin, p.store_version)"),),
        (f"{_MOVED}test_what_was_read_to_vouch_for_it_is_named_by_that_read",),
    ),
    Mutant(
        "R18",
        "what heals has not the pin of its read",
        (
            Edit(
                PLACEMENTS,
                "vouched = 'read', pin = coalesce(store_version, :pin),\n        missed",
                "vouched = 'read', pin = store_version,\n        missed",
            ),
        ),
        (f"{_MOVED}test_what_heals_is_named_by_that_read",),
    ),
    Mutant(
        "R17",
        "what nobody vouches for is committed unread",
        (
            Edit(
                TRANSFER,
                "    vouched, pin = _vouched(stored, source), stored.pin\n",
                "    vouched, pin = _vouched(stored, source) or Vouched.WRITTEN, stored.pin\n",
            ),
        ),
        (f"{_TESTS}test_a_copy_that_nobody_vouches_for_is_read_before_its_commit",),
    ),
    Mutant(
        "R17",
        "a pinned copy of an unvouched source counts",
        (
            Edit(
                TRANSFER,
                "    if stored.vouched is Vouched.PINNED and not _is_pinned(source):\n",
                "    if False:\n",
            ),
        ),
        (f"{_TESTS}test_a_pinned_copy_of_an_unvouched_source_is_read",),
    ),
    Mutant(
        "R17",
        "a pinned copy counts though its source was found bad meanwhile",
        (Edit("tierkeeper/engine/converge/commit.py", "    done = _founded(done, copies)\n", ""),),
        (f"{_TESTS}test_a_pinned_copy_is_not_committed_when_its_source_was_found_bad_meanwhile",),
    ),
    Mutant(
        "R17",
        "copies stay vouched for when what they may be made from is refuted",
        (Edit(_DAMAGE, "doubted = set() if wrong.missing else ", "doubted = set() if others else "),),
        (f"{_REFUTED}test_what_was_copied_from_a_refuted_source_is_no_longer_believed",),
    ),
    Mutant(
        "R17",
        "a missing copy refutes bytes",
        (Edit(_DAMAGE, "doubted = set() if wrong.missing else ", "doubted = "),),
        (f"{_REFUTED}test_what_was_copied_from_a_source_that_went_missing_stays_believed",),
    ),
    Mutant(
        "R17",
        "what was read itself comes into doubt with its source",
        (Edit(PLACEMENTS, " AND vouched = 'pinned' AND verified_at IS NULL", " AND vouched = 'pinned'"),),
        (f"{_REFUTED}test_what_was_read_since_stays_believed",),
    ),
    Mutant(
        "R17",
        "a dump that nobody vouches for is as good as read",
        (Edit("tierkeeper/engine/recovery/dump.py", "if checksum is None and not each.vouched:", "if False:"),),
        ("tests/integration/engine/recovery/test_dump.py::test_a_dump_that_nobody_vouches_for_deletes_nothing",),
    ),
    Mutant(
        "R17",
        "a server vouches without a SHA-256",
        (
            Edit(
                TRANSFER,
                "    if stored.vouched is Vouched.SERVER and stored.sha256 is None:\n",
                "    if False:\n",
            ),
        ),
        (f"{_TESTS}test_a_copy_that_nobody_vouches_for_is_read_before_its_commit",),
    ),
    Mutant(
        "R17",
        "what must be thawed is copied from a source without a pin",
        (
            Edit(
                TRANSFER,
                " and source.form.whole and (_is_pinned(source) or not target.must_thaw)\n",
                "\n",
            ),
        ),
        (f"{_TESTS}test_what_must_be_thawed_is_streamed_unless_it_is_pinned",),
    ),
)

_R18 = (
    Mutant(
        "R18",
        "a copy that was found bad meanwhile is vouched for",
        (
            Edit(
                PLACEMENTS,
                "WHERE p.id = w.id AND {READABLE}\n    RETURNING p.id\n",
                "WHERE p.id = w.id AND {KEPT}\n    RETURNING p.id\n",
            ),
        ),
        (f"{_TESTS}test_what_changed_while_it_was_read_is_not_vouched_for",),
    ),
    Mutant(
        "R18",
        "a copy that is being deleted is vouched for",
        (
            Edit(
                PLACEMENTS,
                "WHERE p.id = w.id AND {READABLE}\n    RETURNING p.id\n",
                "WHERE p.id = w.id AND damaged_at IS NULL\n    RETURNING p.id\n",
            ),
        ),
        (f"{_TESTS}test_what_changed_while_it_was_read_is_not_vouched_for",),
    ),
    Mutant(
        "R18",
        "converge reads nothing that nobody vouches for",
        (Edit(CONVERGE, "    if decided.doubts:\n", "    if False:\n"),),
        (f"{_TESTS}test_a_wrong_unvouched_copy_is_made_anew_in_the_same_turn",),
    ),
    Mutant(
        "R18",
        "verify takes last what nobody vouches for",
        (
            Edit(
                "tierkeeper/engine/reconcile/verify.py",
                "((unvouched, 1.0), (unread, 0.5), (to_come, 1.0), (oldest, 1.0), (unread, 1.0))",
                "((unread, 0.5), (to_come, 1.0), (oldest, 1.0), (unread, 1.0), (unvouched, 1.0))",
            ),
        ),
        (f"{_LATER}test_verify_takes_first_what_nobody_vouches_for",),
    ),
    Mutant(
        "R18",
        "the upgrade vouches for what had no checksum",
        (
            Edit(
                "models/migrations/versions/0004_vouched.py",
                'where="checksum IS NULL AND (vouched IS NOT NULL',
                'where="false AND (vouched IS NOT NULL',
            ),
        ),
        (f"{_MIGRATIONS}test_what_no_checksum_vouched_for_is_in_doubt_after_the_upgrade",),
    ),
)

VOUCHING = (*_R15, *_R16_AND_R17, *_R18)
