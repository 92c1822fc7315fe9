"""old and new workers on one catalog, migrated under the old one's feet"""
import sys, subprocess, os, random, time
sys.path.insert(0, "/work/main/tests")
import pytest
from datetime import timedelta
import services, invariants
from pathlib import Path
from faults import effects
from faults.crew import crews, items
from acceptance.nodes import Valkey
OLD={"PYTHONPATH":"/tmp/f1old:/tmp/f1old/client/src"}
def test_mix(tmp_path, postgres_server):
    postgres_server.create_database("mixold")
    url=postgres_server.url("mixold")
    folder=tmp_path/"run"; folder.mkdir(); os.chdir(folder)
    v=Valkey(folder)
    env={"TIERKEEPER_CATALOG__URL":url,"TIERKEEPER_HOME":str(folder/"home"),"TIERKEEPER_BROKER__URL":v.url,
     **{f"TIERKEEPER_TIERS__{t.upper()}__URL": (folder/t).as_uri()+"?fsync=no"+("" if t=="hot" else "&layout=cas") for t in ("hot","warm","cold")},
     "PATH":os.environ["PATH"],"HOME":str(folder),**OLD}
    print(subprocess.run([sys.executable,"-c","from tierkeeper.cli.main import main; main()","init"],env=env,cwd=folder,capture_output=True,text=True))
    import sqlalchemy
    # crews() does keeper.init() = migrate to new; so start an old worker first
    from faults import crew as c
    import contextlib
    orig=c.Keeper.init
    with contextlib.ExitStack() as st:
        c.Keeper.init=lambda self: None
        crew=st.enter_context(crews(folder,catalog=url,broker=v.url))
        c.Keeper.init=orig
        crew.hire("old",env=OLD); crew.ready()
        rnd=random.Random(1)
        sent={}
        def load(n):
            hs=[]
            for _ in range(n):
                share={f"p{len(sent)+i}.bin":rnd.randbytes(100) for i in range(20)}
                sent.update(share); hs.append(crew.client.store_many(items(share,age=timedelta(days=10))))
            crew.sweep(); return hs
        for h in load(3): print({r.get("outcome",str(r)[:200]) for r in h.get(30)["results"]})
        print("MIGRATE", crew.keeper.init())
        crew.hire("new"); crew.ready()
        hs=load(20)
        time.sleep(1); hs+=load(20)
        for h in hs:
            a=h.get(60)
            print({r.get("outcome",str(r)[:300]) for r in a["results"]} if "results" in a else a)
        n=len(sent)
        try:
            crew.until(lambda: crew.count("placements","tier='warm'")==n and crew.settled(), meanwhile=crew.sweep, what="warm",timeout=60)
        except AssertionError as e: print(str(e)[:6000])
        for w in crew.workers.values():
            print(w.name, w.logs().count(b'"task done"'), w.logs().count(b"unexpected error"), w.logs().count(b"CatalogNotReady"))
        print(crew.workers["old"].logs()[-3000:].decode())
        effects.check_stored_once(crew, sent); effects.check_moved_once(crew,sent,tier="warm"); invariants.check_settled(crew.keeper)
    v.teardown()
