"""PostgreSQL as a store for records: a copy is a row with its exact bytes and, where it is JSON, queryable ``jsonb``.

``postgres:`` is the catalog's server, ``postgres://user@host/database`` another one; the store has a schema and
connections of its own in both cases (options: ``schema=tierkeeper_records``, ``limit=16MiB`` per record, ``pool=…``
connections, ``timeout=10s`` to get one, ``statement_timeout=60s``; others are passed to libpq, such as ``sslmode``).
"""

import contextlib
import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, Self
from uuid import UUID

import psycopg
from psycopg import Connection, errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from tierkeeper.base.clock import utc
from tierkeeper.base.quantities import Unusable, format_size
from tierkeeper.base.states import Vouched
from tierkeeper.connections import MARGIN, PatientConnection, parameters
from tierkeeper.stores import tier_mark
from tierkeeper.stores.base import DeleteResult, DeleteState, ObjectInfo, ObjectKey, Store, StoreConfig, Stored
from tierkeeper.stores.content import read_exactly
from tierkeeper.stores.errors import ObjectNotFound, StoreDenied, StoreError, StorePermanent
from tierkeeper.stores.options import Options
from tierkeeper.stores.postgres import records_table
from tierkeeper.stores.postgres.errors import translating
from tierkeeper.stores.tier_mark import TierMark
from tierkeeper.values.plain import plain
from tierkeeper_client.digest import CHUNK

MIB = 1024 * 1024
_PAGE = 1000  # rows per page of a listing
_LOCATION = re.compile(r"records/(\d{4}-\d{2}-\d{2})/([0-9a-f-]{36})")
_DAY_PREFIX = re.compile(r"records/(\d{4}-\d{2}-\d{2})/")
_TOO_DEEP = (
    errors.StatementTooComplex,
    errors.ProgramLimitExceeded,
)  # for jsonb; then no document is stored

_INSERT = sql.SQL("""
    WITH given AS MATERIALIZED (SELECT %(content)b::bytea AS content),  -- a CASE over constants is evaluated in whole
    decoded AS MATERIALIZED (SELECT CASE WHEN %(json)s THEN convert_from(content, 'UTF8') END AS body FROM given)
    INSERT INTO {table} (placement, day, tenant, workflow, name, version, content, document, content_type,
                         sha256, size, created, metadata)
    SELECT %(placement)s, %(day)s, %(tenant)s, %(workflow)s, %(name)s, %(version)s, content,
           CASE WHEN pg_input_is_valid(body, 'jsonb') THEN body::jsonb END, %(content_type)s,
           %(sha256)s, %(size)s, %(created)s, %(metadata)s
    FROM given, decoded
    ON CONFLICT (day, placement) DO NOTHING
""")


class _Session(PatientConnection):
    """A connection, and the row of the mark that it read when it was last taken from the pool."""

    found: tuple[object] | None = None


class PostgresStore(Store):
    """Copies as rows of one partitioned table."""

    def __init__(
        self,
        config: StoreConfig,
        *,
        conninfo: str,
        schema: str,
        limit: int,
        pool: int,
        timeout: float,
        statement: float,
    ) -> None:
        super().__init__(config)
        self._schema = schema
        self._limit = limit
        self._conninfo = conninfo
        self._table = sql.Identifier(schema, "records")
        self._mark = sql.Identifier(schema, "tier_mark")
        self._statement = statement
        self._pool = ConnectionPool(
            conninfo,
            min_size=0,
            max_size=pool,
            timeout=timeout,
            kwargs={"autocommit": True},
            connection_class=_Session,
            configure=self._configure,
            check=self._read_mark,  # without it each connection that a restart ended fails one call
            name=f"tierkeeper-{config.tier}",
            open=False,  # opened on first use: the store may be created before a fork
        )

    @classmethod
    def from_url(cls, config: StoreConfig) -> Self:
        """Make the store of ``postgres:`` or ``postgres://…``; raises BadTierUrl."""
        options = Options(config)
        schema = options.text("schema") or "tierkeeper_records"
        limit = options.size("limit", default=16 * MIB, most=64 * MIB)
        pool = options.number("pool", default=min(config.io_threads, 8), most=100)
        timeout = options.seconds("timeout", default=10)
        statement = options.seconds("statement_timeout", default=60)
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
            raise options.bad(f"option schema is {schema!r}.", "Use small letters, digits and _.")
        given = options.rest()
        try:
            server = {**parameters(config.url, connect_timeout=max(1, round(timeout / 2))), **given}
            conninfo = make_conninfo("", **server)
        except Unusable as error:
            raise options.bad(error.problem, f"{error.fix} `postgres:` alone is the catalog's server.") from None
        except psycopg.ProgrammingError as error:  # it names an option of the tier that libpq does not have
            raise options.bad(f"{str(error).strip()}.", "Write postgres://user@host/database?option=…") from None
        for port in server.get("port", "").split(","):
            if port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
                raise options.bad("its port is not a number from 1 to 65535.", "Write postgres://host:5432/database.")
        return cls(
            config, conninfo=conninfo, schema=schema, limit=limit, pool=pool, timeout=timeout, statement=statement
        )

    @property
    def realm(self) -> str:
        """Server, database and schema: within one table a copy stays on the server."""
        server = conninfo_to_dict(self._conninfo)
        return "|".join(["postgres:", *(str(server.get(k, "")) for k in ("host", "port", "dbname")), self._schema])

    @property
    def site(self) -> str:
        """The schema, and the server's host, port and database."""
        server = conninfo_to_dict(self._conninfo)
        where = "/".join(str(server[k]) for k in ("host", "port", "dbname") if server.get(k))
        return f"schema {self._schema} of {where}"

    @property
    def bound(self) -> bool:
        """True: each connection reads the mark right before it is used, in the same session."""
        return True

    @property
    def is_database(self) -> bool:
        """True."""
        return True

    def prepare(self) -> list[str]:
        """Create the schema and the tables where they are missing."""
        with self._session(self._schema) as connection, connection.transaction():
            records_table.lock(connection, self._schema)
            if records_table.exists(connection, self._schema):
                return []
            connection.execute(records_table.create(self._schema))
        return [f"table {self._schema}.records"]

    def check(self) -> None:
        """Raise StoreError if the table cannot be read, or its mark is not the tier's."""
        with self._connection(self._schema) as connection:
            connection.execute(sql.SQL("SELECT FROM {} LIMIT 0").format(self._table))

    def check_writes(self) -> None:
        """Check the right to insert, and delete no row, which a read-only session refuses. A full disk is not seen."""
        statement = sql.SQL("DELETE FROM {} WHERE false").format(self._table)
        with self._connection(self._schema) as connection:
            connection.execute(statement)
            allowed = connection.execute(
                "SELECT has_table_privilege(%s, 'INSERT')", [self._table.as_string(connection)]
            ).fetchone()
        if allowed != (True,):
            raise StoreDenied(tier=self.config.tier, reason=f"its role may not insert into {self._schema}.records")

    def mark(self) -> TierMark | None:
        """Return the mark from the table beside the records; TierNotOurs where the records' table is missing."""
        with self._session(self._schema) as connection:
            connection.execute(sql.SQL("SELECT FROM {} LIMIT 0").format(self._table))
            return self._parsed(records_table.mark(connection, self._mark))

    def write_mark(self, mark: TierMark) -> TierMark:
        """Insert the mark unless there is one."""
        statement = sql.SQL("INSERT INTO {} (mark) VALUES (%s) ON CONFLICT DO NOTHING").format(self._mark)
        with self._session(self._schema) as connection:
            connection.execute(statement, [Jsonb(mark.as_json())])
            return self._written(connection)

    def replace_mark(self, mark: TierMark, *, over: TierMark | None) -> TierMark:
        """Update the mark where it is exactly ``over``."""
        statement = sql.SQL("UPDATE {} SET mark = %s WHERE mark = %s").format(self._mark)
        with self._session(self._schema) as connection:
            current = records_table.mark(connection, self._mark)
            same = tier_mark.is_over(over, lambda: self._parsed(current))
            before = Jsonb(None if current is None else current[0])
            if not same or not connection.execute(statement, [Jsonb(mark.as_json()), before]).rowcount:
                raise StorePermanent(tier=self.config.tier, reason="its mark is another one by now: look at it again")
            return self._written(connection)

    def location(self, info: ObjectInfo) -> str:
        """Return ``records/<day>/<placement>``; the day is the record's creation date (UTC)."""
        return f"records/{utc(info.created).date().isoformat()}/{info.placement}"

    def put(self, location: str, content: BinaryIO, info: ObjectInfo) -> Stored:
        """Insert a row; the first of a day creates its partition. StorePermanent over the option ``limit``."""
        if info.size > self._limit:
            reason = (
                f"{format_size(info.size)} is over the limit of {format_size(self._limit)} for a record: "
                "name another tier in its policy, or raise the tier's option `limit` (at most 64MiB)"
            )
            raise StorePermanent(tier=self.config.tier, reason=reason)
        row = self._row(location, read_exactly(content, info.size + 1), info)
        self._insert(location, _INSERT.format(table=self._table), row)
        return self._confirmed(location, info)

    def copy(self, source: Store, key: ObjectKey, location: str, info: ObjectInfo) -> Stored:
        """Copy within the table; the table's check constraint verifies the bytes again."""
        if source.realm != self.realm:
            raise StorePermanent(
                tier=self.config.tier, reason=f"it cannot copy from tier {source.config.tier} by itself"
            )
        row = self._row(location, b"", info)
        source_day, source_placement = self._address(key.location)
        statement = sql.SQL("""
            INSERT INTO {table} (placement, day, tenant, workflow, name, version, content, document, content_type,
                                 sha256, size, created, metadata)
            SELECT %(placement)s, %(day)s, %(tenant)s, %(workflow)s, %(name)s, %(version)s, content, document,
                   %(content_type)s, %(sha256)s, %(size)s, %(created)s, %(metadata)s
            FROM {table} WHERE day = %(source_day)s AND placement = %(source_placement)s
            ON CONFLICT (day, placement) DO NOTHING
        """).format(table=self._table)
        self.head(key)
        values = {**row, "source_day": source_day, "source_placement": source_placement}
        self._insert(location, statement, values)
        return self._confirmed(location, info)

    def head(self, key: ObjectKey) -> Stored:
        """Return the row's size and SHA-256, which PostgreSQL checked against the bytes when they were written."""
        row = self._select_row(key, sql.SQL("size, sha256, stored"), [])
        return Stored(key.location, row[0], sha256=row[1], modified=utc(row[2]))

    def describe(self, key: ObjectKey) -> ObjectInfo | None:
        """Return the description from the row's columns."""
        columns = "tenant, workflow, name, version, placement, sha256, size, created, content_type, metadata"
        row = dict(zip(columns.split(", "), self._select_row(key, sql.SQL(columns), []), strict=True))
        return ObjectInfo(**{**row, "created": utc(row["created"])})

    @contextlib.contextmanager
    def open(self, key: ObjectKey, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        """Stream the bytes, with a short statement per piece."""
        size = self.head(key).size
        yield self._pieces(key, offset, size if length is None else min(size, offset + length))

    def delete(self, keys: Sequence[ObjectKey]) -> list[DeleteResult]:
        """Delete rows, with a statement per day."""
        failed: dict[ObjectKey, StoreError] = {}
        days: defaultdict[dt.date, list[tuple[UUID, ObjectKey]]] = defaultdict(list)
        for key in keys:
            try:
                day, placement = self._address(key.location)
                days[day].append((placement, key))
            except StoreError as error:
                failed[key] = error
        statement = sql.SQL("DELETE FROM {} WHERE day = %s AND placement = ANY(%s)").format(self._table)
        for day, rows in days.items():
            try:
                with self._connection(f"records/{day}") as connection:
                    connection.execute(statement, [day, [placement for placement, _ in rows]])
            except StoreError as error:
                failed |= {key: error for _, key in rows}
        return [
            DeleteResult(key, DeleteState.FAILED, str(failed[key]), failed[key].code)
            if key in failed
            else DeleteResult(key, DeleteState.DELETED)
            for key in keys
        ]

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """List the rows by day and placement."""
        day = _DAY_PREFIX.match(prefix)
        statement = sql.SQL("""
            SELECT day, placement, size, sha256, stored FROM {table}
            WHERE (day, placement) > (%(day)s, %(placement)s)
              AND day <= %(until)s
              AND starts_with('records/' || to_char(day, 'YYYY-MM-DD') || '/' || placement, %(prefix)s)
            ORDER BY day, placement LIMIT %(page)s
        """).format(table=self._table)
        values: dict[str, Any] = {
            "day": dt.date.fromisoformat(day[1]) if day else dt.date.min,
            "placement": UUID(int=0),
            "until": dt.date.fromisoformat(day[1]) if day else dt.date.max,
            "prefix": prefix,
            "page": _PAGE,
        }
        while True:
            with self._connection(prefix) as connection:
                rows = connection.execute(statement, values).fetchall()
            for row in rows:
                location = f"records/{row[0].isoformat()}/{row[1]}"
                yield Stored(location, row[2], sha256=row[3], modified=utc(row[4]))
            if len(rows) < _PAGE:
                return
            values |= {"day": rows[-1][0], "placement": rows[-1][1]}

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _row(self, location: str, content: bytes, info: ObjectInfo) -> dict[str, Any]:
        day, placement = self._address(location)
        return {
            "placement": placement,
            "day": day,
            "tenant": info.tenant,
            "workflow": info.workflow,
            "name": info.name,
            "version": info.version,
            "content": content,
            "json": _may_be_json(content, info.content_type),
            "content_type": info.content_type,
            "sha256": info.sha256,
            "size": info.size,
            "created": info.created,
            "metadata": Jsonb(plain(info.metadata)),
        }

    def _insert(self, location: str, statement: sql.Composed, row: dict[str, Any]) -> None:
        partition_made = False
        with self._connection(location) as connection:
            while True:
                try:
                    connection.execute(statement, row)
                except errors.CheckViolation as error:
                    if error.diag.constraint_name or partition_made:
                        raise  # not because of a missing partition
                    records_table.make_partition(connection, self._schema, row["day"])
                    partition_made = True
                except _TOO_DEEP:
                    if not row["json"]:
                        raise
                    row = {**row, "json": False}
                else:
                    return

    def _confirmed(self, location: str, info: ObjectInfo) -> Stored:
        """Return the row at ``location``, which an earlier try may have written; StorePermanent for other content."""
        stored = self.head(ObjectKey(location))
        if (stored.size, stored.sha256) != (info.size, info.sha256):
            raise StorePermanent(tier=self.config.tier, reason=f"something else is at {location}")
        return replace(stored, vouched=Vouched.SERVER)

    def _pieces(self, key: ObjectKey, offset: int, end: int) -> Iterator[bytes]:
        wanted = sql.SQL("substring(content FROM %s FOR %s)")
        for start in range(offset, end, CHUNK):
            yield self._select_row(key, wanted, [start + 1, min(CHUNK, end - start)])[0]

    def _select_row(self, key: ObjectKey, wanted: sql.SQL, values: Sequence[object]) -> tuple[Any, ...]:
        day, placement = self._address(key.location)
        statement = sql.SQL("SELECT {} FROM {} WHERE day = %s AND placement = %s").format(wanted, self._table)
        with self._connection(key.location) as connection:
            row: tuple[Any, ...] | None = connection.execute(
                statement, [*values, day, placement], binary=True
            ).fetchone()
        if row is None:
            raise ObjectNotFound(tier=self.config.tier, location=key.location)
        return row

    def _address(self, location: str) -> tuple[dt.date, UUID]:
        match = _LOCATION.fullmatch(location)
        try:
            if match is not None:
                return dt.date.fromisoformat(match[1]), UUID(match[2])
        except ValueError:
            pass  # it matches the pattern, but date or UUID is invalid
        raise StorePermanent(tier=self.config.tier, reason=f"{location!r} is not a location of this store")

    def _configure(self, connection: PatientConnection) -> None:
        """Bound the waits; behind a pooler, which lends sessions out, by the clock of this side alone."""
        connection.patience = self._statement + MARGIN
        connection.set_up({"statement_timeout": str(int(self._statement * 1000))})

    def _read_mark(self, connection: _Session) -> None:
        """Read the mark: one round trip, which also checks the connection."""
        connection.found = records_table.mark(connection, self._mark)

    def _parsed(self, found: tuple[object] | None) -> TierMark | None:
        place = f"the row of {self._schema}.tier_mark"
        return None if found is None else tier_mark.parse(found[0], tier=self.config.tier, place=place)

    def _written(self, connection: Connection[Any]) -> TierMark:
        found = self._parsed(records_table.mark(connection, self._mark))
        if found is None:
            raise StorePermanent(tier=self.config.tier, reason="its mark was removed while it was written")
        return found

    @contextlib.contextmanager
    def _connection(self, about: str) -> Iterator[Connection[Any]]:
        """Yield a session whose mark the guard has accepted."""
        with self._session(about) as connection:
            if self.guard is not None:
                self.guard(self._parsed(connection.found))
            yield connection

    @contextlib.contextmanager
    def _session(self, about: str) -> Iterator[_Session]:
        with translating(tier=self.config.tier, location=about):
            self._pool.open(wait=False)
            with self._pool.connection() as connection:
                yield connection


def _may_be_json(content: bytes, content_type: str) -> bool:
    """Return True if PostgreSQL should try: whether the text is valid JSON is decided by PostgreSQL, as jsonb."""
    if content_type.partition(";")[0].strip().lower() != "application/json" or b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
