"""Runs inside the private root, as the first process of its own process namespace: the Ceph cluster.

It starts a monitor, one object store daemon with its data in memory, and the gateway, and waits. When it ends, for
whatever reason, the kernel ends every daemon with it. Standard library only: the root's Python has nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

HOME = Path("/run/ceph-test")  # below a tmpfs of this mount namespace
CONF = HOME / "ceph.conf"
STORAGE_CLASSES = ("WARM", "COLD", "STANDARD_IA", "GLACIER")  # besides STANDARD
PATIENCE = 60  # seconds for each daemon to come up

CONF_TEXT = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_v2},v1:127.0.0.1:{mon_v1}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc secure
run dir = {home}
log to file = false
log to stderr = true
mon cluster log to file = false
debug mon = 0/0
debug ms = 0/0
debug rgw = 0/0
# one daemon holds everything, once
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 2000
# a commit of the monitor map need not wait for company
paxos propose interval = 0.05
paxos min wait = 0.02

[mon.a]
mon data = {home}/mon

[osd.0]
osd data = {home}/osd
osd objectstore = memstore
memstore device bytes = {size}
osd max object name len = 1024

[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw thread pool size = 64
rgw enable usage log = false
rgw enable ops log = false
"""


def run(*command: str, check: bool = True) -> str:
    """Run one of Ceph's tools and return what it prints."""
    done = subprocess.run([*command, "-c", str(CONF)], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def daemon(*command: str) -> subprocess.Popen[bytes]:
    """Start a daemon in the foreground; its words go to our own output."""
    return subprocess.Popen([*command, "-f", "-c", str(CONF)], stdin=subprocess.DEVNULL)


def wait_until(what: str, *command: str, says: str) -> None:
    """Wait until the tool's output has the words; give up after :data:`PATIENCE` seconds."""
    until = time.monotonic() + PATIENCE
    while says not in run(*command, check=False):
        if time.monotonic() > until:
            sys.exit(f"{what} did not come up in {PATIENCE} s")
        time.sleep(0.1)


def start_monitor(fsid: str, *, mon_v2: int, mon_v1: int) -> subprocess.Popen[bytes]:
    """Make the monitor's map and its store, and start it."""
    address = f"[v2:127.0.0.1:{mon_v2},v1:127.0.0.1:{mon_v1}]"
    monmap, keyring = str(HOME / "monmap"), str(HOME / "keyring")
    run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monmap)
    run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
    process = daemon("ceph-mon", "-i", "a")
    wait_until("the monitor", "ceph", "--connect-timeout", "2", "mon", "dump", says="mon.a")
    return process


def start_object_store() -> subprocess.Popen[bytes]:
    """Register the one object store daemon and start it."""
    (HOME / "osd").mkdir()
    identity = str(uuid.uuid4())
    run("ceph", "osd", "new", identity)
    run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
    process = daemon("ceph-osd", "-i", "0")
    wait_until("the object store", "ceph", "--connect-timeout", "2", "osd", "stat", says="1 up")
    return process


def make_storage_classes() -> None:
    """Give the default placement more storage classes, each with a data pool of its own."""
    run("radosgw-admin", "user", "list")  # the first call makes the default zone and zonegroup
    group = json.loads(run("radosgw-admin", "zonegroup", "get", "--rgw-zonegroup", "default"))
    zone = json.loads(run("radosgw-admin", "zone", "get", "--rgw-zone", "default"))
    for target in group["placement_targets"]:
        if target["name"] == "default-placement":
            target["storage_classes"] = ["STANDARD", *STORAGE_CLASSES]
    for pool in zone["placement_pools"]:
        if pool["key"] == "default-placement":
            for name in STORAGE_CLASSES:
                pool["val"]["storage_classes"][name] = {"data_pool": f"default.rgw.{name.lower()}.data"}
    for kind, document in (("zonegroup", group), ("zone", zone)):
        file = HOME / f"{kind}.json"
        file.write_text(json.dumps(document))
        run("radosgw-admin", kind, "set", f"--rgw-{kind}", "default", "--infile", str(file))


def end_with_input() -> None:
    """End at once, and with us everything, when whoever started us is gone."""
    sys.stdin.read()
    os._exit(0)


def main() -> int:
    """Start everything and wait; it is over when a daemon ends."""
    parser = argparse.ArgumentParser()
    for name in ("port", "mon-v1", "mon-v2", "size"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("access-key", "secret-key"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    args = parser.parse_args()
    if args.until_eof:
        threading.Thread(target=end_with_input, daemon=True).start()

    HOME.mkdir(parents=True)
    fsid = str(uuid.uuid4())
    CONF.write_text(
        CONF_TEXT.format(fsid=fsid, home=HOME, port=args.port, mon_v1=args.mon_v1, mon_v2=args.mon_v2, size=args.size)
    )
    daemons = [start_monitor(fsid, mon_v2=args.mon_v2, mon_v1=args.mon_v1), start_object_store()]
    make_storage_classes()
    run(
        *("radosgw-admin", "user", "create", "--uid", "test", "--display-name", "test"),
        *("--access-key", args.access_key, "--secret-key", args.secret_key),
    )
    daemons.append(daemon("radosgw", "-n", "client.rgw.a"))
    while all(process.poll() is None for process in daemons):
        time.sleep(0.5)
    return 1


if __name__ == "__main__":
    sys.exit(main())
