"""A one-node Ceph RGW: a real S3 server that checks signatures and runs lifecycle rules."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import certificate
from tests.servers.processes import LOOPBACK, Processes, ServerError, free_ports, processes
from tests.servers.server import Server

ACCESS_KEY, SECRET_KEY = "lakeaccess", "lakesecret123"
STORAGE_CLASSES = ("STANDARD_IA", "GLACIER_IR", "GLACIER")
PACKAGES = {
    "radosgw": "radosgw",
    "radosgw-admin": "radosgw",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "ceph": "ceph-common",
    "monmaptool": "ceph-common",
    "openssl": "openssl",
}
# One copy, no cephx, no admin socket (its path may get too long). Only msgr2: by msgr1 a command can overtake the
# cluster's id, is refused with "wrong fsid", and one OSD in four never comes up; radosgw must then be told "crc", as
# its own default wants cephx. Impatient paxos: the pools are there after 1 s instead of 11.
CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr1 = false
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
run dir = {folder}/run
log file = {folder}/log/$name.log
admin socket =
pid file =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
paxos propose interval = 0.05
paxos min wait = 0.01
mon data avail crit = 1
mon data avail warn = 2
mon max pg per osd = 2000
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd memory target = 939524096
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{http} ssl_endpoint=127.0.0.1:{https} ssl_certificate={tls} tcp_nodelay=1
rgw thread pool size = 64
rgw dns name = localhost
"""


def missing_packages() -> list[str]:
    """The Debian packages that this machine lacks."""
    return sorted({package for command, package in PACKAGES.items() if not shutil.which(command)})


@contextmanager
def rgw(folder: Path, *, day_seconds: int | None = None) -> Iterator[Server]:
    """A fresh, empty server that lives in `folder`; `day_seconds` is how long lifecycle rules take a day to be."""
    if missing := missing_packages():
        raise ServerError(f"Ceph RGW needs: apt-get install --no-install-recommends {' '.join(missing)}")
    folder = folder.resolve()
    for name in ("mon", "osd", "run"):
        (folder / name).mkdir(parents=True)
    tls = certificate.create(folder)
    mon, http, https = free_ports(3)
    text = CONFIGURATION.format(fsid=uuid.uuid4(), mon=mon, folder=folder, http=http, https=https, tls=tls.with_key)
    if day_seconds is not None:
        text += f"rgw lc debug interval = {day_seconds}\n"
    _conf(folder).write_text(text)
    with processes(folder / "log") as children:
        _start_cluster(children, folder, mon)
        _start_gateway(children, folder, http)
        urls = f"http://{LOOPBACK}:{http}", f"https://{LOOPBACK}:{https}"
        yield Server("rgw", *urls, tls.ca_bundle, ACCESS_KEY, SECRET_KEY, "us-east-1", folder)


def create_user(server: Server | Path, uid: str) -> tuple[str, str]:
    """Another user of a running server: the access key and the secret key."""
    folder = server.folder if isinstance(server, Server) else server
    assert folder is not None, "only RGW has users"
    command = _admin(folder, "user", "create", f"--uid={uid}", f"--display-name={uid}")
    keys = json.loads(Processes(folder / "log").run(command))["keys"][0]
    return keys["access_key"], keys["secret_key"]


def _conf(folder: Path) -> Path:
    return folder / "ceph.conf"


def _admin(folder: Path, *arguments: str) -> list[str]:
    return ["radosgw-admin", "-c", str(_conf(folder)), "-n", "client.rgw", *arguments]


def _start_cluster(children: Processes, folder: Path, mon: int) -> None:
    conf, monmap, osd = ["-c", str(_conf(folder))], str(folder / "monmap"), str(uuid.uuid4())
    children.run(["monmaptool", *conf, "--create", "--addv", "a", f"[v2:{LOOPBACK}:{mon}]", monmap])
    children.run(["ceph-mon", *conf, "-i", "a", "--mkfs", "--monmap", monmap])
    children.spawn("ceph-mon", ["ceph-mon", *conf, "-i", "a", "-f"])
    children.run(["ceph", *conf, "osd", "new", osd])
    children.run(["ceph-osd", *conf, "-i", "0", "--mkfs", "--osd-uuid", osd])
    children.spawn("ceph-osd", ["ceph-osd", *conf, "-i", "0", "-f"])


def _start_gateway(children: Processes, folder: Path, http: int) -> None:
    keys = [f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}"]
    children.run(_admin(folder, "user", "create", "--uid=lake", "--display-name=lake", *keys))
    for name in STORAGE_CLASSES:
        place = ["--placement-id=default-placement", f"--storage-class={name}"]
        pool = f"--data-pool=default.rgw.{name.lower()}.data"
        children.run(_admin(folder, "zonegroup", "placement", "add", "--rgw-zonegroup=default", *place))
        children.run(_admin(folder, "zone", "placement", "add", "--rgw-zone=default", *place, pool))
    children.spawn("radosgw", ["radosgw", "-c", str(_conf(folder)), "-n", "client.rgw", "-f"])
    children.wait_for(http)
