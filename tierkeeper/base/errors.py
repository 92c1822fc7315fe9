"""The errors a user can meet. The docstring is the message, its {names} are the data (see the client's errors)."""

from tierkeeper_client.errors import (
    BrokerUnavailable,
    InvalidInput,
    InvalidName,
    OversizedContent,
    TierkeeperError,
)

__all__ = [
    "AcceptedMeanwhile",
    "AlreadyThere",
    "AnswerMissing",
    "ArtifactDeleted",
    "ArtifactNotFound",
    "ArtifactPurged",
    "BrakeOn",
    "BrokerUnavailable",
    "BrokerUnreachable",
    "BrokerUnsupported",
    "CatalogEncoding",
    "CatalogInUse",
    "CatalogLimited",
    "CatalogNotReady",
    "CatalogReadOnly",
    "CatalogRefused",
    "CatalogRestored",
    "CatalogUnavailable",
    "CommandConflict",
    "ContentCorrupt",
    "ContentDiffers",
    "ContentLost",
    "DeletesDisabled",
    "DumpMissing",
    "DumpUnusable",
    "EventsHeld",
    "FileUnusable",
    "HeldArtifact",
    "InvalidInput",
    "InvalidName",
    "InvalidPosition",
    "MonthChanged",
    "NamesRefused",
    "NoReadableCopy",
    "NotDeleted",
    "NothingToSelect",
    "OutputFull",
    "OversizedContent",
    "Parked",
    "ParkedNotFound",
    "PlanNotFound",
    "PlanUnusable",
    "PoliciesLeftOver",
    "PolicyInvalid",
    "PolicyNotFound",
    "PolicyTie",
    "RetentionLocked",
    "RunGrew",
    "RunNotAwaiting",
    "RunNotFound",
    "SegmentMismatch",
    "SettingInvalid",
    "SourceChanged",
    "SourceRefused",
    "StagedContentMissing",
    "SweepAtWork",
    "TierkeeperError",
    "TooManyPolicies",
    "TooManyVersions",
    "UnknownTier",
    "UnreadableClock",
    "UnreadableRow",
]


class ArtifactNotFound(TierkeeperError):
    """Artifact {ref} does not exist. Look for it with `tierkeeper find`."""

    exit_code = 3


class ArtifactDeleted(TierkeeperError):
    """Artifact {ref} is deleted; it can be undeleted until {until}. Use `tierkeeper undelete`, or ask
    for it with --deleted.
    """

    exit_code = 3


class ArtifactPurged(TierkeeperError):
    """Artifact {ref} was purged at {at} and is gone for good. `tierkeeper explain` says who, why and when."""

    exit_code = 3


class NotDeleted(TierkeeperError):
    """Artifact {ref} is {state}, so there is nothing to undelete."""

    exit_code = 5


class AlreadyThere(TierkeeperError):
    """Artifact {ref} is already in {tier} and nowhere else. Choose another tier."""

    exit_code = 5


class UnknownTier(TierkeeperError):
    """There is no tier {tier!r}. Tiers are: {known}."""

    exit_code = 4


class RetentionLocked(TierkeeperError):
    """Artifact {ref} is under {mode} retention until {until} and cannot be purged before."""

    exit_code = 5


class HeldArtifact(TierkeeperError):
    """Artifact {ref} is under legal hold ({holds}) and cannot be purged until it is released."""

    exit_code = 5


class UnreadableRow(TierkeeperError):
    """The row of {ref} cannot be read ({columns}), so nobody knows what protects it. `tierkeeper doctor --mend-times
    --reason …` mends it.
    """

    exit_code = 5


class CommandConflict(TierkeeperError):
    """Key {key!r} was used before with other arguments. Use a fresh key for a different command."""

    exit_code = 4


class ContentDiffers(TierkeeperError):
    """The content of {ref} has SHA-256 {actual}, not {expected} as announced. Send it again."""

    exit_code = 4


class ContentCorrupt(TierkeeperError):
    """The copy of {ref} in {tier} does not have the SHA-256 it was stored with. It is reported; read
    again for another copy.
    """

    exit_code = 6


class InvalidPosition(InvalidInput):
    """Position {position!r} is not usable: {problem}. Read from the beginning, or from one that was read here."""


class NoReadableCopy(TierkeeperError):
    """No copy of {ref} could be read: {reasons}. Once its tiers answer, `tierkeeper reconcile` looks for it."""

    exit_code = 6
    retryable = True


class ContentLost(NoReadableCopy):
    """No copy of {ref} could be read: {reasons}. Every copy was found damaged or is gone: `tierkeeper reconcile` reads
    them once more; otherwise only storing it again brings the content back.
    """

    exit_code = 7
    retryable = False


class SourceChanged(TierkeeperError):
    """{source} changed while it was read: {how}. Nothing was stored of it. Store it again once nothing writes to it, or
    store a snapshot of it.
    """

    exit_code = 6
    retryable = True


class SourceRefused(TierkeeperError):
    """Source {url} is refused: {problem}. {fix}"""

    exit_code = 4


class StagedContentMissing(TierkeeperError):
    """Staged content {name} is not in {place} (or was taken already). Stage it again and send the message again; the
    producer's staging_url has to be that place, by whatever path or address.
    """

    exit_code = 4


class PolicyInvalid(TierkeeperError):
    """{source}, line {line}: {problem} {fix}"""

    exit_code = 4


class PolicyTie(TierkeeperError):
    """Policies {first} and {second} are equally specific and both match {example}. Make one of them more specific."""

    exit_code = 4


class PoliciesLeftOver(TierkeeperError):
    """Policies that the import {name} made are no longer in {source}: {policies}. Nothing was changed, and they stay in force. Look with --dry-run; --remove-missing removes them, and what they govern falls to the next policy that matches."""  # noqa: E501  one message

    exit_code = 5


class TooManyPolicies(TierkeeperError):
    """There would be {count} policies{of}; the limit is {limit}. Let a pattern stand for many, or remove some first."""

    exit_code = 4


class TooManyVersions(TierkeeperError):
    """{ref} has more than {limit} versions, too many for one verb of all, and none was changed. Select them by a filter
    (`--workflow`, `--name`, `--all-versions`): each is then asked by itself.
    """

    exit_code = 4


class PolicyNotFound(TierkeeperError):
    """There is no policy {name!r}. `tierkeeper policy list` shows the ones there are."""

    exit_code = 3


class UnreadableClock(TierkeeperError):
    """Policy {policy} counts the age from metadata field {field!r}, which {problem}. Send it as an ISO 8601 date."""

    exit_code = 4


class SettingInvalid(TierkeeperError):
    """Setting {name} ({source}): {problem} {fix}"""

    exit_code = 4


class CatalogUnavailable(TierkeeperError):
    """The catalog did not answer: {reason}. Check the database, and host and port in catalog.url, and try again."""

    exit_code = 6
    retryable = True
    of_all = True


class CatalogRefused(CatalogUnavailable):
    """The catalog cannot be used: {reason}. {fix}"""

    exit_code = 4


class CatalogLimited(CatalogUnavailable):
    """The catalog's server ended what it was asked, at its {limit}: {reason}. Try again. {fix}"""


class CatalogReadOnly(CatalogUnavailable):
    """The catalog takes no changes: {reason}. Wait for its standby to be promoted, or make room where a full disk was
    locked; or let its user write: ALTER ROLE … RESET default_transaction_read_only.
    """


class CatalogEncoding(TierkeeperError):
    """The catalog's database has the encoding {encoding}, in which not every name can be written. Make one in UTF8
    (`CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`) and set TIERKEEPER_CATALOG__URL to it.
    """

    exit_code = 4
    of_all = True


class AnswerMissing(TierkeeperError):
    """Nothing answered the question {question!r}: standard input is at its end, and nothing more was done. Answer yes
    before it is asked, with {option}.
    """

    exit_code = 4


class NamesRefused(InvalidInput):
    """{count} of {files} cannot be stored: {problem}. {fix}"""


class FileUnusable(TierkeeperError):
    """{file} cannot be used: {reason}. Check the path, who owns it, and its permissions."""

    exit_code = 4


class OutputFull(TierkeeperError):
    """The output could not be written: {reason}. Make room, or write somewhere else, and give the command again."""

    exit_code = 6
    retryable = True
    of_all = True


class BrokerUnreachable(TierkeeperError):
    """The broker did not answer: {reason}. Check it, and TIERKEEPER_BROKER__URL with its password, and try again."""

    exit_code = 6
    retryable = True
    of_all = True


class BrokerUnsupported(TierkeeperError):
    """{setting} leads to a node of a Redis cluster, and messages cannot go through a cluster: Celery reads several
    queues at once, which lie on different nodes. Use one Redis or Valkey server (with replicas), or RabbitMQ.
    """

    exit_code = 4


class CatalogNotReady(TierkeeperError):
    """The catalog is at revision {found}, this version needs {needed}. {fix}"""

    exit_code = 6
    of_all = True


class DeletesDisabled(TierkeeperError):
    """Deletes are switched off ({reason}). No bytes are deleted until `tierkeeper deletes on --reason …` switches
    them on again.
    """

    exit_code = 5


class AcceptedMeanwhile(TierkeeperError):
    """The catalog was accepted meanwhile by somebody else; nothing is left to do. See `tierkeeper doctor`."""

    exit_code = 5


class CatalogRestored(TierkeeperError):
    """The catalog may be an older copy of itself: {reason}. Nothing is deleted until an operator has looked
    (`tierkeeper doctor`) and says `tierkeeper doctor --accept-restore`.
    """

    exit_code = 5


class CatalogInUse(TierkeeperError):
    """The catalog has {what} already, and only an empty one is rebuilt. Make a new database and
    `tierkeeper init` it.
    """

    exit_code = 5


class DumpMissing(TierkeeperError):
    """Tier {tier} has no complete dump{named}. `tierkeeper catalog dumps` lists them; `--objects-only` rebuilds
    from the objects alone.
    """

    exit_code = 3


class DumpUnusable(TierkeeperError):
    """Dump {name} cannot be used: {problem}. Name another with --dump, or rebuild with --objects-only."""

    exit_code = 6


class SegmentMismatch(TierkeeperError):
    """{file} does not have the events of {month}: {problem}. The month stays in the catalog. Move the file away, and
    give the command again.
    """

    exit_code = 5


class MonthChanged(TierkeeperError):
    """The events of {month} changed while they were exported: {problem}. The month stays in the catalog. Move its file
    away, and give the command again.
    """

    exit_code = 5


class EventsHeld(TierkeeperError):
    """Others held the audit log each of {tries} times that {month} was to be detached. It stays in the catalog, and its
    file is there; give the command again when no dump, report or backup reads the log.
    """

    exit_code = 6
    retryable = True


class RunNotFound(TierkeeperError):
    """There is no run {run!r}. `tierkeeper runs list` shows the latest."""

    exit_code = 3


class SweepAtWork(TierkeeperError):
    """Run {run} ({kind}) is at work and does what is due, so no other began. `tierkeeper runs show {run}` says more."""

    exit_code = 5


class PlanNotFound(TierkeeperError):
    """There is no plan {plan!r}. `tierkeeper lifecycle plans` lists the stored ones."""

    exit_code = 3


class PlanUnusable(TierkeeperError):
    """Plan {plan} cannot be applied: {problem}. {fix}"""

    exit_code = 5


class RunNotAwaiting(TierkeeperError):
    """Run {run} is {state}, so there is nothing to decide about it. `tierkeeper runs show` says more."""

    exit_code = 5


class RunGrew(TierkeeperError):
    """Run {run} waits with {count} by now, more than {at_most}. Nothing was changed. Look again with `tierkeeper runs
    show`, and approve what it says.
    """

    exit_code = 5


class BrakeOn(TierkeeperError):
    """To purge {count} artifacts of {tenant} at once is more than the brake lets go, {limit}. Nothing was changed.
    Look at the selection, approve it with `tierkeeper runs approve {run} --reason …`, and give this command again.
    """

    exit_code = 5


class NothingToSelect(TierkeeperError):
    """Nothing matches {filter}. Widen the filter, or look with `tierkeeper ls`."""

    exit_code = 3


class Parked(TierkeeperError):
    """Task {task} with key {key!r} is parked: {reason}. Its message is kept; `tierkeeper parked retry` sends
    it again.
    """

    exit_code = 5


class ParkedNotFound(TierkeeperError):
    """Nothing that is parked fits {item}. `tierkeeper parked list` shows what there is."""

    exit_code = 3
