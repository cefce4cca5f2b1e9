"""The connection to an object store: the only importer of boto3, and what its errors mean."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore import exceptions as boto
from botocore.config import Config

from imagelake.config.settings import S3Settings
from imagelake.errors import ConfigError, Conflict, ImagelakeError, IntegrityError, NotFound
from imagelake.storage.base import Denied
from imagelake.storage.s3 import hints

DEFAULT_REGION = "us-east-1"

ATTEMPTS = 8
"""How often a write is tried while others write the same object."""

CUT: tuple[type[Exception], ...] = (boto.IncompleteReadError, boto.HTTPClientError)
"""A body that ended early."""

_COPY_PART = 256 << 20  # larger objects are copied in such parts, several at a time
_ABSENT = frozenset(("404", "NoSuchKey", "NotFound", "NoSuchUpload", "NoSuchCORSConfiguration"))
_TAKEN = frozenset(("412", "PreconditionFailed"))
_BUSY = frozenset(("409", "ConditionalRequestConflict", "OperationAborted"))
_DENIED = frozenset(("403", "AccessDenied", "AllAccessDisabled"))
_WRONG_KEYS = frozenset(("SignatureDoesNotMatch", "InvalidAccessKeyId"))
_ELSEWHERE = frozenset(
    ("301", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
)
_REFUSED = re.compile(r"(?:certificate verify failed: |(?=hostname '))(.+?)(?: \(_ssl\.c:\d+\))?$", re.MULTILINE)
_EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired"))
_JAVA_CHAIN = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
_NO_KEYS = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)


@dataclass(frozen=True)
class Keys:
    """Credentials of one moment; never shown."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class ConditionFailed(Conflict):
    """A conditional write failed: the object exists, or is not the expected one."""


class Busy(Conflict):
    """Somebody else is writing the same object at this moment."""


class NotSupported(ImagelakeError):
    """The store does not know this request."""


def connect(settings: S3Settings, keys: Keys | None = None) -> Any:
    """The client of this process, made when it is first asked for: neither pickles nor forks share connections."""
    return _client(settings, keys, os.getpid())


@cache
def _client(settings: S3Settings, keys: Keys | None, _: int) -> Any:
    try:
        session = boto3.session.Session(profile_name=settings.profile)
    except boto.ProfileNotFound as error:
        raise ConfigError(f"s3.profile: {error}", hint="aws configure list-profiles shows those there are") from None
    environ = os.environ
    endpoint = settings.endpoint or environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or None
    region = settings.region or environ.get("AWS_REGION") or session.region_name or DEFAULT_REGION
    in_path = bool(endpoint) if settings.path_style is None else settings.path_style
    config = Config(
        retries={"mode": "adaptive", "total_max_attempts": settings.attempts},
        s3={"addressing_style": "path" if in_path else "auto"},
        max_pool_connections=settings.connections,
        connect_timeout=10,
        signature_version="s3v4",  # botocore would sign URLs the old way, which R2 and newer regions refuse
        # newer checksums than MD5 are refused by many stores; what matters is sent with an MD5 of our own
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    options: dict[str, Any] = {"region_name": region, "endpoint_url": endpoint, "config": config}
    bundle = ca_bundle(settings)
    if bundle:
        options["verify"] = bundle
    if keys is not None:
        options |= {"aws_access_key_id": keys.access_key, "aws_secret_access_key": keys.secret_key}
        options["aws_session_token"] = keys.token
    try:
        return session.client("s3", **options)
    except (ValueError, boto.BotoCoreError) as error:
        raise ConfigError(f"s3.endpoint = {endpoint}: {error}", hint="a full URL such as https://host:port") from None


def frozen_credentials(client: Any) -> Keys | None:
    """The credentials a client signs with now; None when it has none."""
    credentials = client._request_signer._credentials
    if credentials is None:
        return None
    keys = credentials.get_frozen_credentials()
    return Keys(keys.access_key, keys.secret_key, keys.token)


def delta_options(client: Any, settings: S3Settings) -> dict[str, str]:
    """What the client knows, under the names of the object_store crate that delta-rs is built on."""
    endpoint, host_style = client.meta.endpoint_url, client.meta.config.s3.get("addressing_style") != "path"
    options = {
        "aws_region": client.meta.region_name,
        "aws_virtual_hosted_style_request": str(host_style).lower(),
        "aws_allow_http": str(endpoint.startswith("http:")).lower(),
    }
    if not is_aws(endpoint):
        options["aws_endpoint"] = endpoint
    keys = frozen_credentials(client)
    if keys is not None:
        options |= {"aws_access_key_id": keys.access_key, "aws_secret_access_key": keys.secret_key}
        options |= {"aws_session_token": keys.token} if keys.token else {}
    return options


def hadoop_options(client: Any, bucket: str, settings: S3Settings) -> dict[str, str]:
    """What the client knows, as Hadoop's s3a names it, for this bucket alone.

    Java finds credentials by the same rules, unless they are shipped.
    """
    endpoint, in_path = client.meta.endpoint_url, client.meta.config.s3.get("addressing_style") == "path"
    options = {
        "endpoint.region": client.meta.region_name if client.meta.region_name != "auto" else DEFAULT_REGION,
        "path.style.access": str(in_path).lower(),
        "connection.ssl.enabled": str(endpoint.startswith("https:")).lower(),
        "create.conditional.enabled": "true",
        "fast.upload.buffer": "bytebuffer",
        "aws.credentials.provider": _JAVA_CHAIN,
    }
    if not is_aws(endpoint):
        options["endpoint"] = endpoint
    keys = frozen_credentials(client) if settings.ship_credentials else None
    if keys is not None:
        options |= {"access.key": keys.access_key, "secret.key": keys.secret_key}
        kind = "TemporaryAWSCredentialsProvider" if keys.token else "SimpleAWSCredentialsProvider"
        options["aws.credentials.provider"] = f"org.apache.hadoop.fs.s3a.{kind}"
        options |= {"session.token": keys.token} if keys.token else {}
    return {f"fs.s3a.bucket.{bucket}.{name}": value for name, value in options.items()}


def ca_bundle(settings: S3Settings) -> str | None:
    """The file of trusted authorities: what is set, else AWS_CA_BUNDLE."""
    return settings.ca_bundle or os.environ.get("AWS_CA_BUNDLE") or None


def is_aws(endpoint: str) -> bool:
    """Whether a URL is one of AWS's own, which every client finds by region."""
    host = urlsplit(endpoint).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def managed_copy(
    client: Any, source: Mapping[str, str], target: Mapping[str, str], etag: str | None, settings: S3Settings
) -> None:
    """Copy on the server, large objects in parts; Taken when the source's ETag is another."""
    plan = TransferConfig(_COPY_PART, max_concurrency=settings.connections, multipart_chunksize=_COPY_PART)
    same = {"CopySourceIfMatch": etag} if etag else {}
    client.copy(dict(source), target["Bucket"], target["Key"], ExtraArgs=same, Config=plan)


def patiently(call: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    """A call of the client, made again while others are writing the same object (409), which boto3 does not do."""
    for attempt in range(ATTEMPTS):
        try:
            return call(**arguments)
        except boto.ClientError as error:
            if attempt + 1 == ATTEMPTS or error.response.get("Error", {}).get("Code") not in _BUSY:
                raise
            pause(attempt)
    raise AssertionError("the last attempt returns or raises")


def pause(attempt: int) -> None:
    """Wait a little longer after every attempt, each process for a time of its own."""
    time.sleep(min(2.0, 0.05 * 2**attempt) * random.uniform(0.5, 1.5))  # noqa: S311


@contextmanager
def translated(verb: str, uri: str) -> Iterator[None]:
    """The store's errors as ours, naming the object and what was tried with it."""
    try:
        yield
    except boto.ClientError as error:
        raise _as_error(error, verb, uri) from None
    except _NO_KEYS as error:
        raise ConfigError(f"cannot {verb} {uri}: {error}", hint=hints.NO_KEYS) from None
    except boto.SSLError as error:
        raise _untrusted(error, verb, uri) from None
    except (boto.EndpointConnectionError, boto.ConnectTimeoutError) as error:
        raise ImagelakeError(
            f"cannot {verb} {uri}: {_line(error)}", hint="s3.endpoint names the store; is it running and reachable?"
        ) from None
    except boto.ParamValidationError as error:
        raise ConfigError(f"cannot {verb} {uri}: {_line(error)}") from None
    except (boto.BotoCoreError, Boto3Error) as error:
        raise ImagelakeError(f"cannot {verb} {uri}: {_line(error)}", hint="run the same command again") from None


def _untrusted(error: boto.SSLError, verb: str, uri: str) -> ConfigError:
    """The error for a certificate that is refused, with the reason that Python's ssl gives."""
    reason = _REFUSED.search(str(error))
    said = f"the store's certificate is refused: {reason[1]}" if reason else _line(error)
    is_of_other = reason is not None and "match" in reason[1].lower()
    hint = hints.OTHER_HOST if is_of_other else hints.TRUST
    return ConfigError(f"cannot {verb} {uri}: {said}", hint=hint)


def _as_error(error: boto.ClientError, verb: str, uri: str) -> ImagelakeError:
    details: Mapping[str, Any] = error.response.get("Error", {})
    code, said = str(details.get("Code", "")), str(details.get("Message") or "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = f"cannot {verb} {uri}: {code} {said}".rstrip()
    if code == "InvalidRange":
        return IntegrityError(f"{uri} ends before the bytes that were asked for")
    bucket = uri.removeprefix("s3://").partition("/")[0]
    if code == "NoSuchBucket":
        return NotFound(f"there is no bucket {bucket}", hint="create it, or correct the s3:// URI or s3.endpoint")
    if code in _TAKEN:
        return ConditionFailed(f"{uri} is there already, or has changed", hint="run the same command again")
    if code in _BUSY:
        return Busy(message, hint="run the same command again")
    refused = _refused(error, message, f"cannot {verb} {uri}")
    if refused is not None:
        return refused
    if code in _ABSENT:
        return NotFound(f"{uri} does not exist")
    if status in (405, 501) or code in ("NotImplemented", "MethodNotAllowed"):
        return NotSupported(message, hint="this store does not offer it: docs/operate.md says what each can do")
    return ImagelakeError(message, hint="run the same command again")


def _refused(error: boto.ClientError, message: str, attempt: str) -> ConfigError | None:
    """The error for a request from elsewhere, or with keys that are wrong, old or not allowed to; None for others."""
    details: Mapping[str, Any] = error.response.get("Error", {})
    code = str(details.get("Code", ""))
    if code in _ELSEWHERE:
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = details.get("Region") or headers.get("x-amz-bucket-region")
        where = f"the bucket lies in region {region}" if region else f"the bucket lies in another region ({code})"
        return ConfigError(f"{attempt}: {where}", hint=hints.REGION)
    if code in _WRONG_KEYS:
        return Denied(message, hint=f"check the access key and the secret: {hints.NO_KEYS}")
    if code in _EXPIRED:
        return ConfigError(message, hint="renew the credentials, then run the same command again")
    if code in _DENIED:
        return Denied(message, hint=hints.DENIED)
    return None


def _line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


_ROUNDING = 2.0  # seconds by which a Date header may differ from a clock that is right: it is cut, and on its way


def server_microseconds(date: str) -> int:
    """A server's time in microseconds since 1970: to the second by its Date header, below that by our own clock."""
    here = time.time()
    there = parsedate_to_datetime(date).timestamp() if date else here
    return round((here if abs(here - there) <= _ROUNDING else there + here % 1) * 1e6)
