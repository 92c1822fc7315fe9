import time
from integration.keeper.conftest import *
from integration.keeper.house import House
from tierkeeper.catalog import brake
from tierkeeper.catalog.database import now
from tierkeeper.engine import survey, brake as braking
import sqlalchemy as sa
from datetime import timedelta

def test_perf(open_house):
    house = open_house(engine={"grace": "0s"})
    house.store("a", age=timedelta(days=1))
    n = 200_000
    house.sql("SET session_replication_role = replica") 
    with house.keeper.engine.catalog.engine.begin() as c:
        c.execute(sa.text("SET LOCAL session_replication_role = replica"))
        c.execute(sa.text("INSERT INTO artifacts (id,name_id,tenant,version,blob_id,sha256,size,content_type,created_at,wanted) SELECT gen_random_uuid(), name_id, tenant, version+g, blob_id, sha256, size, content_type, created_at, wanted FROM artifacts, generate_series(1,%d) g" % n))
        c.execute(sa.text("UPDATE names SET latest_version = 1"))
        c.execute(sa.text("INSERT INTO schedule (artifact_id, tenant, due_at, step, deletes) SELECT id, tenant, now() - interval '1 hour', 'purge', 'default' FROM artifacts WHERE version > 1"))
    with house.keeper.engine.catalog.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        c.execute(sa.text("VACUUM ANALYZE"))
    e = house.keeper.engine
    with e.catalog.reading() as c:
        for name, f in {
            "tenants": lambda: brake.tenants_due(c, now=now(c)),
            "holders": lambda: brake.holders(c),
            "weigh 1001": lambda: brake.weigh(c, brake.Scope("acme","",frozenset()), now=now(c), window=timedelta(days=1), most=1001),
            "weigh 10001": lambda: brake.weigh(c, brake.Scope("acme","",frozenset()), now=now(c), window=timedelta(days=1), most=10001),
            "population": lambda: brake.population(c, "acme", now=now(c), window=timedelta(days=1)),
            "samples": lambda: brake.samples(c, brake.Scope("acme","",frozenset()), now=now(c), limit=10),
        }.items():
            t=time.perf_counter(); r=f(); print(name, round((time.perf_counter()-t)*1000,1), "ms", str(r)[:60])
    t=time.perf_counter(); print(house.keeper.rotate()); print("rotate 1", time.perf_counter()-t)
    t=time.perf_counter(); print(house.keeper.rotate()); print("rotate 2", time.perf_counter()-t)
    (run,) = [r for r in house.keeper.runs() if r.kind.value=="purge"]
    print(run.counts, run.arguments["limit"])
    t=time.perf_counter(); house.keeper.steer.approve(run.id, by="k", reason="r"); print("approve", time.perf_counter()-t)
    with house.keeper.engine.catalog.engine.begin() as c:
        c.execute(sa.text("SET LOCAL session_replication_role = replica"))
        c.execute(sa.text("DELETE FROM schedule")); c.execute(sa.text("DELETE FROM artifacts WHERE version > 1"))
