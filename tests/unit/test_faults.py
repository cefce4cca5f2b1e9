"""The proxy that the S3 tests put before a server."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from tests.servers.faults import Fault, Kind, Proxy, Request, Seen, proxy
from tests.servers.moto import moto
from tests.servers.plain import Plain, serving


@pytest.fixture
def upstream() -> Iterator[tuple[Plain, Proxy]]:
    with serving() as (server, address), proxy(address, tls=False) as running:
        yield server, running


def connect(running: Proxy) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(running.endpoint.removeprefix("http://"), timeout=5)


def ask(client: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    client.request(method, path, body)
    answer = client.getresponse()
    return answer.status, answer.read()


def puts(request: Request) -> bool:
    return request.method == "PUT"


def raw(running: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(running.endpoint.rpartition(":")[2])), timeout=5)


def test_one_connection_carries_every_kind_of_answer(upstream: tuple[Plain, Proxy]) -> None:
    server, running = upstream
    client, big = connect(running), bytes(range(256)) * 4000
    for path, body in (("/empty", b""), ("/big", big), ("/chunked", b"in three parts")):
        assert ask(client, "PUT", path, body) == (200, b"")
        assert ask(client, "GET", path) == (200, body)
        assert ask(client, "HEAD", path) == (200, b"")
    first = client.sock
    assert ask(client, "DELETE", "/big") == (204, b"")
    assert ask(client, "GET", "/a%3Db?x=1&y") == (404, b"")
    assert client.sock is first
    assert first is not None
    assert server.hosts == {running.endpoint.removeprefix("http://")}  # what a signature covers stays
    assert running.requests[-1] == Seen("GET", "/a=b", "x=1&y", 404, None)


def test_a_dropped_answer_took_effect_once(upstream: tuple[Plain, Proxy]) -> None:
    server, running = upstream
    running.rules.append(Fault(puts, "drop_answer"))
    with pytest.raises(http.client.RemoteDisconnected):
        ask(connect(running), "PUT", "/once", b"first")
    assert server.kept == {"/once": b"first"}
    assert server.asked == [("PUT", "/once")]
    assert running.requests == [Seen("PUT", "/once", "", 200, "drop_answer")]
    assert ask(connect(running), "PUT", "/once", b"second") == (200, b"")
    assert running.requests[-1].fault is None


def test_a_status_never_reaches_the_server_and_leaves_the_connection_open(upstream: tuple[Plain, Proxy]) -> None:
    server, running = upstream
    running.rules += [Fault(puts, "status", 503, times=2), Fault(lambda request: request.method == "HEAD", "status")]
    client = connect(running)
    for _ in range(2):
        status, body = ask(client, "PUT", "/busy", b"x" * 100_000)
        assert (status, b"<Code>SlowDown</Code>" in body) == (503, True)
    assert ask(client, "HEAD", "/busy") == (500, b"")
    assert server.asked == []
    assert ask(client, "PUT", "/busy", b"x") == (200, b"")
    assert [seen.status for seen in running.requests] == [503, 503, 500, 200]


def test_a_late_status_comes_after_the_effect(upstream: tuple[Plain, Proxy]) -> None:
    server, running = upstream
    running.rules.append(Fault(puts, "late_status", 409))
    status, body = ask(connect(running), "PUT", "/late", b"kept")
    assert (status, b"ConditionalRequestConflict" in body) == (409, True)
    assert server.kept == {"/late": b"kept"}


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 1_000_000])
def test_a_reset_comes_before_the_server_sees_anything(upstream: tuple[Plain, Proxy], body: bytes) -> None:
    server, running = upstream
    running.rules.append(Fault(puts, "reset"))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        ask(connect(running), "PUT", "/reset", body)
    assert server.asked == []
    assert running.requests == [Seen("PUT", "/reset", "", None, "reset")]
    assert ask(connect(running), "PUT", "/reset", body) == (200, b"")


def test_a_cut_answer_ends_amid_its_body(upstream: tuple[Plain, Proxy]) -> None:
    _, running = upstream
    assert ask(connect(running), "PUT", "/whole", b"12345678") == (200, b"")
    running.rules.append(Fault(lambda request: request.method == "GET", "cut_answer"))
    with pytest.raises(http.client.IncompleteRead) as error:
        ask(connect(running), "GET", "/whole")
    assert error.value.partial == b"1234"
    assert ask(connect(running), "GET", "/whole") == (200, b"12345678")


def test_a_slow_answer_waits_but_not_for_the_end_of_the_proxy() -> None:
    with serving() as (server, address), proxy(address, tls=False) as running:
        running.rules += [Fault(puts, "slow", seconds=0.2), Fault(puts, "slow", seconds=60)]
        started = time.monotonic()
        assert ask(connect(running), "PUT", "/slow", b"x") == (200, b"")
        assert time.monotonic() - started >= 0.2
        with raw(running) as client:
            client.sendall(b"PUT /slower HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
            while "/slower" not in server.kept:
                time.sleep(0.01)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("kind", [None, "status", "drop_answer"])
def test_a_client_that_waits_for_100_gets_it_and_the_server_is_not_asked(
    upstream: tuple[Plain, Proxy], kind: Kind | None
) -> None:
    server, running = upstream
    running.rules += [Fault(puts, kind)] if kind else []
    with raw(running) as client, client.makefile("rb") as stream:
        client.sendall(b"PUT /wait HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert stream.readline() + stream.readline() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        line = {None: b"HTTP/1.1 200 OK\r\n", "status": b"HTTP/1.1 500 InternalError\r\n", "drop_answer": b""}
        assert stream.readline() == line[kind]
    assert server.kept == ({} if kind == "status" else {"/wait": b"body"})


def test_a_chunked_request_arrives_whole(upstream: tuple[Plain, Proxy]) -> None:
    server, running = upstream
    client = connect(running)
    client.request("PUT", "/parts", iter([b"one ", b"two ", b"three"]), encode_chunked=True)
    assert client.getresponse().read() == b""
    assert ask(client, "PUT", "/after", b"x") == (200, b"")
    assert server.kept == {"/parts": b"one two three", "/after": b"x"}


def test_a_request_that_breaks_off_never_reaches_the_server(upstream: tuple[Plain, Proxy]) -> None:
    server, running = upstream
    with raw(running) as client:
        client.sendall(b"PUT /broken HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert (server.asked, running.requests) == ([], [])


def test_faults_among_many_clients_fire_as_often_as_told(upstream: tuple[Plain, Proxy]) -> None:
    server, running = upstream
    running.rules.append(Fault(puts, "status", 500, times=20))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: ask(connect(running), "PUT", f"/{i}", b"x")[0], range(60)))
    assert (answers.count(500), answers.count(200), len(server.kept)) == (20, 40, 40)
    assert len(running.requests) == 60


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl to make a certificate with")
def test_clients_may_speak_tls() -> None:
    with serving() as (server, address), proxy(address, tls=True) as running:
        running.rules.append(Fault(puts, "drop_answer"))
        trusting = ssl.create_default_context(cafile=str(running.ca_bundle))
        host = running.endpoint.removeprefix("https://")
        with pytest.raises(http.client.RemoteDisconnected):
            ask(http.client.HTTPSConnection(host, timeout=5, context=trusting), "PUT", "/tls", b"x")
        silent = raw(running)
        client = http.client.HTTPSConnection(host, timeout=5, context=trusting)
        assert ask(client, "GET", "/tls") == (200, b"x")
    with silent:  # a client that never says hello does not keep the proxy
        assert silent.recv(1) == b""
    assert server.asked == [("PUT", "/tls"), ("GET", "/tls")]


def test_boto3_survives_a_503_before_moto() -> None:
    with moto() as server, proxy(server, tls=False) as running:
        client = boto3.client(
            "s3",
            endpoint_url=running.endpoint,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
            region_name=server.region,
            config=Config(retries={"mode": "standard"}),
        )
        client.create_bucket(Bucket="bucket")
        running.rules.append(Fault(lambda request: request.path == "/bucket/key", "status", 503))
        client.put_object(Bucket="bucket", Key="key", Body=b"body")
        assert client.get_object(Bucket="bucket", Key="key")["Body"].read() == b"body"
        seen = [(one.method, one.status) for one in running.requests if one.path == "/bucket/key"]
        assert seen == [("PUT", 503), ("PUT", 200), ("GET", 200)]
