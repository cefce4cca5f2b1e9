"""What delta-rs says when an object store refuses it, as errors of ours.

Its first line is `Generic S3 error` whatever happened; the cause stands in the lines below. Source of the words: the
object_store and rustls crates that delta-rs is built on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from deltalake.exceptions import DeltaError, TableNotFoundError

from imagelake.errors import ConfigError, ImagelakeError, NotFound
from imagelake.storage.base import Denied
from imagelake.storage.s3 import hints

_CODE = re.compile(r"<Code>(\w+)</Code>")
_REGION = re.compile(r"<Region>([\w-]+)</Region>|expecting '([\w-]+)'")
_CERTIFICATE = re.compile(r"invalid peer certificate\W*(.+)")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_WRONG_REGION = re.compile("PermanentRedirect|AuthorizationHeaderMalformed|incorrectly configured region")
_DENIED = re.compile(r"AccessDenied|lacked the necessary privileges|403 Forbidden|Unauthenticated|401 Unauthorized")
_WRONG_KEYS = re.compile("SignatureDoesNotMatch|InvalidAccessKeyId")

REASONS = {
    "CaUsedAsEndEntity": "it is the certificate of an authority (CA:TRUE), which may not be a server's own",
    "UnknownIssuer": "nobody who is trusted here has signed it",
    "NotValidForName": "it is for another host name",
    "Expired": "it has expired",
    "NotValidYet": "it is not valid yet",
    "UnsupportedCertVersion": "it is not of X.509 version 3",
}
"""What rustls calls a certificate that it refuses, in words."""

_HINTS = {
    "CaUsedAsEndEntity": "give the store a certificate that an authority has signed",
    "NotValidForName": hints.OTHER_HOST,
    "Expired": "renew the store's certificate",
}
KEYS_HINT = "check the access key and the secret: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Errors that the store is the cause of as ours, naming what was opened; all others stay as they are."""
    try:
        yield
    except TableNotFoundError:
        raise
    except (DeltaError, OSError) as error:
        explanation = explained(str(error), uri)
        if explanation is None:
            raise
        raise explanation from None


def explained(text: str, uri: str) -> ImagelakeError | None:
    """The error that a text of delta-rs stands for; None for one that the store is not the cause of."""
    text = _ANSI.sub("", text)
    certificate = _CERTIFICATE.search(text.replace("\n", " "))
    if certificate:
        name = next((name for name in REASONS if name in certificate[1]), None)
        reason = REASONS[name] if name else certificate[1].strip(" ↳")
        hint = _HINTS.get(name or "", hints.TRUST)
        return ConfigError(f"cannot open {uri}: the store's certificate is refused: {reason}", hint=hint)
    if _WRONG_REGION.search(text):
        region = _REGION.search(text)
        where = f"the bucket lies in region {region[1] or region[2]}" if region else "the bucket lies in another region"
        return ConfigError(f"cannot open {uri}: {where}", hint=hints.REGION)
    code = _CODE.search(text)
    if code and code[1] == "NoSuchBucket":
        return NotFound(f"cannot open {uri}: there is no such bucket", hint="correct the s3:// URI or s3.endpoint")
    if _WRONG_KEYS.search(text):
        return Denied(f"cannot open {uri}: {code[1] if code else 'the keys are refused'}", hint=KEYS_HINT)
    if _DENIED.search(text):
        return Denied(f"cannot open {uri}: {code[1] if code else 'access is denied'}", hint=hints.DENIED)
    return None
