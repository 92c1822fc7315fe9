"""A catalog with many artifacts, filled by SQL, and the plans of the statements that real calls send to it.

Every statement is explained as it is sent, before it runs: a new statement is seen by itself. With its parameters, and
with the plan for any parameters, which PostgreSQL may use for a statement that stays prepared on its connection. The
rows that are filled in are in order, verified, and due in some days: what there is to do does not depend on them.
"""

import itertools
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer

from support.house import TENANT
from support.services import execute
from tierkeeper import catalog
from tierkeeper.catalog.statements import PLANNED_ANEW

#: tables that grow with the number of artifacts; the audit log has a partition a month
LARGE: Final = ("artifacts", "names", "blobs", "placements", "schedule", "events_", "commands", "history")
#: pages that a scan may read: of a partition that is nearly empty, say
FEW_PAGES: Final = 8
_FILL: Final = """
CREATE TEMPORARY TABLE bulk ON COMMIT DROP AS
SELECT n, uuidv7() AS artifact, uuidv7() AS named, uuidv7() AS blob, uuidv7() AS placement,
    CASE WHEN n % 2 = 0 THEN '<tenant>' ELSE 'tenant-' || n % 20 END AS tenant, 'flow-' || n % 40 AS workflow,
    'item-' || lpad(n::text, 8, '0') AS name, sha256(convert_to(n::text, 'UTF8')) AS sha256,
    now() - n % 6 * interval '1 day' - n * interval '1 millisecond' AS created_at,
    date_trunc('month', now()) + n::float8 / <size> * (now() - date_trunc('month', now())) AS at,
    CASE WHEN n % 5 < 3 THEN 'hot' ELSE 'warm' END AS tier
FROM generate_series(1, <size>) AS n;
INSERT INTO tenants (id, scope) SELECT DISTINCT tenant, tenant FROM bulk ON CONFLICT DO NOTHING;
INSERT INTO blobs (id, scope, sha256, size) SELECT blob, tenant, sha256, 1000 FROM bulk;
INSERT INTO names (id, tenant, workflow, name, latest_version) SELECT named, tenant, workflow, name, 1 FROM bulk;
INSERT INTO artifacts (
    id, name_id, tenant, version, blob_id, sha256, size, content_type, created_at, stored_at, policy_id, wanted
)
SELECT artifact, named, bulk.tenant, 1, blob, sha256, 1000, 'text/plain', created_at, created_at, p.id, ARRAY[tier]
FROM bulk CROSS JOIN policies p
WHERE p.name = 'default' AND p.removed_at IS NULL;
INSERT INTO placements (
    id, blob_id, tier, location, state, token, stored_size, stored_sha256, placed_by, vouched, verified_at, made_at
)
SELECT placement, blob, tier, 'cas/' || placement, 'present', placement, 1000, sha256, 'default v1: phase 0d',
    'written', created_at, created_at
FROM bulk;
INSERT INTO schedule (artifact_id, tenant, due_at, step)
SELECT artifact, tenant, now() + (1 + n % 30) * interval '1 day', 'move to warm' FROM bulk;
INSERT INTO events (subject, revision, at, type, tenant, workflow, name, version, actor, after)
SELECT artifact, 1, at, 'stored', tenant, workflow, name, 1, 'bulk', '{"size": 1000}' FROM bulk;
INSERT INTO history (subject, revision, at, type, tenant, actor, after)
SELECT uuidv7(), 1, at, 'stored', tenant, 'bulk', '{"size": 1000}' FROM bulk;
INSERT INTO commands (tenant, key, item, verb, arguments_hash, result, at)
SELECT tenant, artifact::text, 0, 'store', sha256, jsonb_build_object('artifact', artifact), created_at FROM bulk;
INSERT INTO runs (id, kind, state, actor, started_at, seen_at, finished_at)
SELECT uuidv7(), CASE WHEN n % 20 = 0 THEN 'dump' ELSE 'rotate' END, 'done', 'beat', at, at, at
FROM (SELECT n, now() - n::float8 / <size> * interval '20 days' AS at FROM generate_series(1, <size> / 10) AS n) AS old;
"""
_EXPLAIN: Final = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON)"
_NUMBERS = itertools.count()
#: the name of which all that :func:`fill_alike` writes shares the content, and the one of which it writes versions
SHARED: Final = "shared"
VERSIONED: Final = "versioned"
_FILL_ALIKE: Final = """
CREATE TEMPORARY TABLE alike ON COMMIT DROP AS
SELECT n, uuidv7() AS artifact, uuidv7() AS named, uuidv7() AS blob, uuidv7() AS placement, n % 2 = 0 AS ended
FROM generate_series(1, <size>) AS n;
CREATE TEMPORARY TABLE seed ON COMMIT DROP AS
SELECT a.*, names.workflow, names.name
FROM artifacts a JOIN names ON names.id = a.name_id
WHERE names.tenant = '<tenant>' AND names.name IN ('<shared>', '<versioned>');
INSERT INTO names (id, tenant, workflow, name, latest_version)
SELECT named, tenant, workflow, name || '-' || n, 1 FROM alike CROSS JOIN seed WHERE name = '<shared>';
INSERT INTO artifacts (
    id, name_id, tenant, version, blob_id, sha256, size, content_type, created_at, stored_at, policy_id, wanted, state,
    purged_at
)
SELECT artifact, named, tenant, 1, blob_id, sha256, size, content_type, created_at, stored_at, policy_id,
    CASE WHEN ended THEN '{}' ELSE wanted END, CASE WHEN ended THEN 'purged' ELSE state END,
    CASE WHEN ended THEN now() END
FROM alike CROSS JOIN seed
WHERE name = '<shared>';
INSERT INTO schedule (artifact_id, tenant, due_at, step)
SELECT artifact, tenant, now() + interval '1 day', 'move to warm'
FROM alike CROSS JOIN seed
WHERE name = '<shared>' AND NOT ended;
UPDATE alike SET artifact = uuidv7();
INSERT INTO blobs (id, scope, sha256, size)
SELECT blob, '<tenant>', sha256(convert_to('version ' || n, 'UTF8')), 1000 FROM alike;
INSERT INTO placements (
    id, blob_id, tier, location, state, token, stored_size, stored_sha256, placed_by, vouched, verified_at, made_at
)
SELECT placement, blob, 'hot', 'cas/' || placement, 'present', placement, 1000,
    sha256(convert_to('version ' || n, 'UTF8')), 'default v1: phase 0d', 'written', created_at, created_at
FROM alike CROSS JOIN seed
WHERE name = '<versioned>';
INSERT INTO artifacts (
    id, name_id, tenant, version, blob_id, sha256, size, content_type, created_at, stored_at, policy_id, wanted
)
SELECT artifact, name_id, tenant, 1 + n, blob, sha256(convert_to('version ' || n, 'UTF8')), 1000, content_type,
    created_at, stored_at, policy_id, wanted
FROM alike CROSS JOIN seed
WHERE name = '<versioned>';
UPDATE names SET latest_version = 1 + <size> WHERE tenant = '<tenant>' AND name = '<versioned>';
INSERT INTO schedule (artifact_id, tenant, due_at, step)
SELECT artifact, tenant, now() + interval '1 day', 'move to warm' FROM alike CROSS JOIN seed WHERE name = '<versioned>';
"""


def fill(url: str, size: int, *, tidy: bool = True) -> None:
    """Write ``size`` artifacts, each with all that a store and some sweeps leave; ``tidy`` up as autovacuum would."""
    filled = _FILL.replace("<size>", str(size)).replace("<tenant>", TENANT)
    (_filled if tidy else execute)(url, filled)


#: two commands of each of the first artifacts, so old that no message can ask for them any more
_FILL_OLD_COMMANDS: Final = """
INSERT INTO commands (tenant, key, item, verb, arguments_hash, result, at)
SELECT a.tenant, 'old-' || twice || '-' || a.id, 0, 'store', a.sha256, jsonb_build_object('artifact', a.id),
    now() - interval '100 days' + twice * interval '1 day'
FROM (SELECT * FROM artifacts ORDER BY id LIMIT <size>) AS a CROSS JOIN generate_series(1, 2) AS twice
"""


def fill_alike(url: str, size: int) -> None:
    """Write ``size`` artifacts with the content of :data:`SHARED`, half of them purged, and versions of another name.

    Both names have been stored.
    """
    filled = _FILL_ALIKE.replace("<size>", str(size)).replace("<tenant>", TENANT)
    _filled(url, filled.replace("<shared>", SHARED).replace("<versioned>", VERSIONED))


def fill_old_commands(url: str, size: int) -> None:
    """Write two commands of ``size`` artifacts each that may end."""
    execute(url, _FILL_OLD_COMMANDS.replace("<size>", str(size)))


def _filled(url: str, statements: str) -> None:
    execute(url, statements)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


@dataclass(frozen=True, slots=True)
class ExplainedStatement:
    """How PostgreSQL carried out one statement: the buffers that it used, and the large tables that it scanned.

    ``name``: its name in the catalog's modules, empty for one that is put together.
    """

    buffers: int
    scanned: frozenset[str]
    name: str = ""


@dataclass(slots=True)
class ExplainedStatements:
    """The costliest plan of each statement, by what was done and the statement's text."""

    found: dict[tuple[str, str], ExplainedStatement] = field(default_factory=dict)
    generic: dict[tuple[str, str], ExplainedStatement] = field(default_factory=dict)  # for any parameters
    sent: dict[str, set[str]] = field(default_factory=dict)  # the named statements of each act

    @contextmanager
    def of(self, engine: sa.Engine, doing: str) -> Iterator[None]:
        """Explain every statement that reads or changes rows; each runs three times, the first ones undone."""
        names = {id(text): name for name, text in named_statements().items()}
        sent = self.sent.setdefault(doing, set())
        named = dict[sa.Connection, str]()

        def note(connection: sa.Connection, statement: object, *_: object) -> None:
            named[connection] = names.get(id(statement), "")
            sent.add(named[connection])

        def explain(by: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:  # noqa: ANN401, FBT001  SQLAlchemy's
            if not statement.lstrip(" (\n").upper().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
                return
            given = parameters[0] if many else parameters
            with cursor.connection.cursor() as own:
                kinds = [(self.found, _explain), (self.generic, _explain_generic)]
                for plans, explaining in kinds[:1] if context.execution_options.get(PLANNED_ANEW) else kinds:
                    own.execute("SAVEPOINT explained")
                    try:
                        explaining(own, statement, given)
                        plan = replace(_read(own.fetchone()[0][0]["Plan"]), name=named.get(by, ""))
                    finally:
                        own.execute("ROLLBACK TO SAVEPOINT explained; RELEASE SAVEPOINT explained")
                    _add(plans, (doing, statement), plan)

        sa.event.listen(engine, "before_cursor_execute", explain)
        sa.event.listen(engine, "before_execute", note)
        try:
            yield
        finally:
            sa.event.remove(engine, "before_cursor_execute", explain)
            sa.event.remove(engine, "before_execute", note)


def _add(plans: dict[tuple[str, str], ExplainedStatement], key: tuple[str, str], plan: ExplainedStatement) -> None:
    """Keep the costlier of this plan and the known one, and what either scanned."""
    known = plans.get(key, ExplainedStatement(0, frozenset()))
    plans[key] = ExplainedStatement(max(plan.buffers, known.buffers), plan.scanned | known.scanned, plan.name)


def _explain(cursor: psycopg.Cursor[Any], statement: str, parameters: Any) -> None:  # noqa: ANN401  psycopg's
    cursor.execute(f"{_EXPLAIN} {statement}".encode(), parameters)


def _explain_generic(cursor: psycopg.Cursor[Any], statement: str, parameters: Any) -> None:  # noqa: ANN401  psycopg's
    """Explain the plan for any parameters, of the statement as the driver prepares it."""
    query = PostgresQuery(Transformer.from_context(cursor.connection))
    query.convert(statement, parameters)
    name = f"explained_{next(_NUMBERS)}"
    prepared = cursor.connection.pgconn.prepare(name.encode(), query.query, query.types)
    assert prepared.status == psycopg.pq.ExecStatus.COMMAND_OK, prepared.error_message
    cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    order = range(len(query.types)) if query._order is None else query._order
    values = sql.SQL(", ").join(sql.Literal(parameters[key]) for key in order)
    called = sql.SQL(_EXPLAIN + " EXECUTE {}").format(sql.Identifier(name))
    cursor.execute(sql.SQL("{}({})").format(called, values) if query.types else called)


def named_statements() -> dict[str, sa.TextClause]:
    """Return the statements that modules of the catalog have names for, such as ``schedule._CLAIM``."""
    return {
        f"{found.name}.{name}": value
        for found in pkgutil.iter_modules(catalog.__path__)
        for name, value in vars(import_module(f"{catalog.__name__}.{found.name}")).items()
        if isinstance(value, sa.TextClause)
    }


def _read(root: Mapping[str, Any]) -> ExplainedStatement:
    scans = [node for node in _nodes(root) if node["Node Type"] == "Seq Scan" and _buffers(node) > FEW_PAGES]
    names = frozenset(str(node["Relation Name"]) for node in scans)
    return ExplainedStatement(_buffers(root), frozenset(name for name in names if name.startswith(LARGE)))


def _buffers(node: Mapping[str, Any]) -> int:
    return int(node["Shared Hit Blocks"]) + int(node["Shared Read Blocks"])


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
