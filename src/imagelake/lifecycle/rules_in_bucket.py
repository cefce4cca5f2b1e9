"""The lifecycle configuration of a bucket, read and written as the bytes it is; and what kind of store has it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from imagelake.lifecycle.backends import BACKENDS, Backend, recognise
from imagelake.lifecycle.rules_document import Configuration
from imagelake.storage.s3.bucket_storage import S3Storage
from imagelake.storage.s3.client import NotSupported, is_aws, translated

_ABSENT = "NoSuchLifecycleConfiguration"
_OPERATION = "{}.s3.{}BucketLifecycleConfiguration"
_answer: ContextVar[dict[str, Any] | None] = ContextVar("answer", default=None)
_request: ContextVar[bytes | None] = ContextVar("request", default=None)
_preparing = threading.Lock()


@dataclass(frozen=True)
class BucketRules:
    """The configuration of a bucket, as the bytes that are sent: a client would drop what it does not know."""

    storage: S3Storage

    def read(self) -> Configuration:
        """The bucket's current configuration."""
        client, bucket, body_slot = self._client(), self.storage.bucket, dict[str, Any]()
        token = _answer.set(body_slot)
        try:
            with translated("read the lifecycle rules of", f"s3://{bucket}"):
                try:
                    answer = client.get_bucket_lifecycle_configuration(Bucket=bucket)
                except client.exceptions.ClientError as error:
                    if error.response.get("Error", {}).get("Code") != _ABSENT:
                        raise
                    return Configuration(None)
        finally:
            _answer.reset(token)
        return Configuration(body_slot["body"], answer.get("TransitionDefaultMinimumObjectSize"))

    def write(self, data: bytes | None, minimum: str | None) -> None:
        """Replace all of it; None removes it."""
        client, bucket = self._client(), self.storage.bucket
        with translated("write the lifecycle rules of", f"s3://{bucket}"):
            if data is None:
                client.delete_bucket_lifecycle(Bucket=bucket)
                return
            also = {"TransitionDefaultMinimumObjectSize": minimum} if minimum else {}
            token = _request.set(data)
            try:
                client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": []}, **also)
            finally:
                _request.reset(token)

    def _client(self) -> Any:
        client = self.storage.client
        with _preparing:  # a handler of the same id is registered once
            events, name = client.meta.events, "imagelake-lifecycle"
            events.register(_OPERATION.format("before-parse", "Get"), _store_answer, unique_id=f"{name}-get")
            events.register(_OPERATION.format("before-call", "Put"), _send_request, unique_id=f"{name}-put")
        return client


def _store_answer(response_dict: Mapping[str, Any], **_: object) -> None:
    body_slot = _answer.get()
    if body_slot is not None:
        body_slot["body"] = response_dict["body"]


def _send_request(params: dict[str, Any], **_: object) -> None:
    data = _request.get()
    if data is not None:
        params["body"] = data


def detect(storage: S3Storage, named: str) -> tuple[Backend, str]:
    """The backend that a setting names, or that the endpoint and its answers show; and how that is known."""
    if named != "auto":
        return BACKENDS[named], "lifecycle.backend"
    endpoint = storage.client.meta.endpoint_url
    with translated("look at", storage.root):
        answer = storage.client.head_bucket(Bucket=storage.bucket)
    return recognise(urlsplit(endpoint).hostname or "", is_aws(endpoint), answer["ResponseMetadata"]["HTTPHeaders"])


def versioning(storage: S3Storage) -> str:
    """Enabled, Suspended, or Disabled: whether the bucket keeps noncurrent versions."""
    try:
        with translated("read the versioning of", f"s3://{storage.bucket}"):
            return str(storage.client.get_bucket_versioning(Bucket=storage.bucket).get("Status") or "Disabled")
    except NotSupported:
        return "Disabled"
