"""What the stores can do with lifecycle rules, and what that costs. docs/lifecycle.md shows this as a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_KIB = 1024
_RGW_REQUEST = re.compile(r"tx[0-9a-f]{21}-[0-9a-f]{10}-")


@dataclass(frozen=True)
class StorageClass:
    """A class whose objects are read at once. Prices in US dollars: a GiB a month, a GiB read, 1,000 objects moved."""

    name: str
    min_days: int = 1
    billed_days: int = 0
    billed_bytes: int = 0
    price: float | None = None
    read_price: float = 0.0
    move_price: float = 0.0


@dataclass(frozen=True)
class Backend:
    """A kind of store: which actions and filters of a rule it carries out.

    `classes`: where rules may move objects. `size_filter`: whether a rule can leave small objects out. `default_rule`:
    a rule that holds while nothing was ever configured, and that the first configuration would end. `source`: how this
    is known.
    """

    name: str
    source: str
    noncurrent: bool = True
    classes: tuple[StorageClass, ...] = ()
    size_filter: bool = False
    price: float | None = None
    default_rule: bytes | None = None

    def storage_class(self, name: str) -> StorageClass | None:
        """The class of that name, if rules can move objects there."""
        return next((storage_class for storage_class in self.classes if storage_class.name == name), None)


_AWS_CLASSES = (
    StorageClass("STANDARD_IA", 30, 30, 128 * _KIB, 0.0125, 0.01, 0.01),
    StorageClass("GLACIER_IR", 1, 90, 128 * _KIB, 0.004, 0.03, 0.02),
)
_R2_DEFAULT = (
    b"<Rule><ID>Default Multipart Abort Rule</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>"
    b"<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
    b"</Rule>"
)

BACKENDS: Mapping[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend(
            "aws",
            "Amazon S3 user guide: lifecycle elements, constraints of transitions; list prices of us-east-1",
            classes=_AWS_CLASSES,
            size_filter=True,
            price=0.023,
        ),
        Backend(
            "r2",
            "Cloudflare's documentation: object lifecycles, storage classes, pricing; R2 keeps no noncurrent versions",
            noncurrent=False,
            classes=(StorageClass("STANDARD_IA", 1, 30, 0, 0.01, 0.01, 0.009),),
            price=0.015,
            default_rule=_R2_DEFAULT,
        ),
        Backend(
            "ceph",
            "measured on Ceph RGW 16.2: rules are carried out; a size in a filter is dropped when the rule is stored",
            classes=(StorageClass("STANDARD_IA"), StorageClass("GLACIER_IR")),
        ),
        Backend("seaweedfs", "measured on SeaweedFS 4.44: transitions are answered 501; older ones refuse more"),
        Backend(
            "moto",
            "measured on moto 5.2: rules are stored and never carried out; a size beside a prefix is dropped",
            classes=tuple(StorageClass(c.name, 1, c.billed_days, c.billed_bytes, c.price) for c in _AWS_CLASSES),
            price=0.023,
        ),
        Backend(
            "other", "not a store that imagelake knows: only what every S3 server with rules does", noncurrent=False
        ),
    )
}


def recognise(host: str, is_aws: bool, headers: Mapping[str, str]) -> tuple[Backend, str]:
    """The backend behind an endpoint, and what gave it away: its host name, or the headers of an answer."""
    if is_aws:
        return BACKENDS["aws"], f"the host {host}"
    if host.endswith(".r2.cloudflarestorage.com"):
        return BACKENDS["r2"], f"the host {host}"
    server = headers.get("server", "")
    for sign, name in (("AmazonS3", "aws"), ("SeaweedFS", "seaweedfs"), ("Ceph", "ceph"), ("Werkzeug", "moto")):
        if sign in server:
            return BACKENDS[name], f"the header Server: {server}"
    if _RGW_REQUEST.match(headers.get("x-amz-request-id", "")) or "x-rgw-object-count" in headers:
        return BACKENDS["ceph"], "its request ids"
    return BACKENDS["other"], f"no sign of another (Server: {server or 'none'})"
