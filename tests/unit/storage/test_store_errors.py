"""What an object store refuses, in one line each: a certificate, a region, a request; by boto3 and by delta-rs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import SSLError
from deltalake.exceptions import TableNotFoundError

from imagelake.cli.main import main
from imagelake.config.settings import S3Settings
from imagelake.errors import ConfigError, NotFound
from imagelake.storage import open_storage
from imagelake.storage.base import Denied, Storage
from imagelake.storage.s3.client import translated
from imagelake.tables.delta.delta_log import delta_table
from imagelake.tables.delta.store_errors import explained, store_errors

ANSWERS = {
    "moved": (301, "PermanentRedirect", ""),
    "signed": (400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
    "secret": (403, "AccessDenied", ""),
    "stolen": (403, "SignatureDoesNotMatch", ""),
}
"""Bucket to the status and the code that a store answers everything in it with."""


class Store(BaseHTTPRequestHandler):
    """A store that refuses every request, as its bucket says."""

    def do_GET(self) -> None:
        status, code, more = next(answer for name, answer in ANSWERS.items() if f"/{name}" in self.path)
        body = f"<Error><Code>{code}</Code><Message>no</Message>{more}</Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output is not the place."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def bucket(endpoint: str, name: str) -> Storage:
    return open_storage(f"s3://{name}/lake", S3Settings(endpoint=endpoint, region="us-east-1", attempts=1))


@pytest.mark.parametrize(
    ("name", "kind", "words", "hint"),
    [
        ("moved", ConfigError, "another region", "s3.region"),
        ("signed", ConfigError, "the bucket lies in region eu-west-1", "s3.region"),
        ("secret", Denied, "AccessDenied", "docs/serving.md"),
        ("stolen", Denied, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_boto3_and_delta_rs_say_the_same_of_a_store_that_refuses(
    endpoint: str, name: str, kind: type, words: str, hint: str
) -> None:
    storage = bucket(endpoint, name)
    for work in (
        lambda: storage.read("imagelake.json"),
        lambda: delta_table(storage, "tables/gold/versions"),
    ):
        with pytest.raises(kind) as raised:
            work()
        message = str(raised.value)
        assert (words in message, f"s3://{name}/lake" in message, "\n" in message) == (True, True, False), message
        assert hint in str(raised.value.hint)
        assert "hush" not in f"{message} {raised.value.hint}"


def test_a_verb_on_a_store_that_refuses_is_one_line_and_2(
    endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "conf.yaml"
    conf.write_text(f"s3: {{endpoint: '{endpoint}', region: us-east-1, attempts: 1}}\n")
    assert main(["show", "--lake", "s3://signed/lake", "--conf", str(conf)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "error: cannot read s3://signed/lake/imagelake.json: the bucket lies in region eu-west-1",
        "hint: s3.region (AWS_REGION) names the bucket's region",
    ]


STEPS = (
    "Kernel error -> Generic S3 error",
    "Error performing GET https://store/b/x in 172ms, after 1 retries, max_retries",
    "1, retry_timeout",
    "5s  - HTTP error",
    "error sending request",
    "client error (Connect)",
    "invalid peer certificate",
)
RUSTLS = "\n   \x1b[31m↳\x1b[0m ".join((*STEPS, "{}\n"))
"""What delta-rs says of a certificate, cause below cause, with colours."""


@pytest.mark.parametrize(
    ("name", "reason", "hint"),
    [
        ("Other(OtherError(CaUsedAsEndEntity))", "CA:TRUE", "that an authority has signed"),
        ("UnknownIssuer", "nobody who is trusted here has signed it", "s3.ca_bundle"),
        ("NotValidForName", "another host name", "s3.endpoint"),
        ("Expired", "it has expired", "renew"),
        ("BadEncoding", "BadEncoding", "s3.ca_bundle"),
    ],
)
def test_a_certificate_that_delta_rs_refuses_is_named_with_the_reason(name: str, reason: str, hint: str) -> None:
    error = explained(RUSTLS.format(name), "s3://b/x")
    assert isinstance(error, ConfigError)
    assert error.message.startswith("cannot open s3://b/x: the store's certificate is refused: ")
    assert (reason in error.message, hint in str(error.hint)) == (True, True), (error.message, error.hint)
    assert "\x1b" not in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        (
            "[SSL: X] certificate verify failed: self-signed certificate (_ssl.c:1006)",
            "self-signed certificate",
            "bundle",
        ),
        (
            "[SSL: X] certificate verify failed: certificate has expired (_ssl.c:1006)",
            "certificate has expired",
            "bundle",
        ),
        ("hostname 'a' doesn't match 'b'", "hostname 'a' doesn't match 'b'", "s3.endpoint"),
    ],
)
def test_a_certificate_that_boto3_refuses_is_named_with_the_reason(text: str, reason: str, hint: str) -> None:
    with pytest.raises(ConfigError) as raised, translated("read", "s3://b/x"):
        raise SSLError(endpoint_url="https://store/b/x", error=text)
    assert raised.value.message == f"cannot read s3://b/x: the store's certificate is refused: {reason}"
    assert hint in str(raised.value.hint)


def test_a_bucket_that_is_not_there_is_not_found() -> None:
    error = explained("Generic S3 error\n 404 Not Found\n <Error><Code>NoSuchBucket</Code></Error>", "s3://b/x")
    assert isinstance(error, NotFound)


@pytest.mark.parametrize("error", [OSError("disk is full"), TableNotFoundError("403 Forbidden in a name")])
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, store_errors("s3://b/x"):
        raise error
    assert raised.value is error
