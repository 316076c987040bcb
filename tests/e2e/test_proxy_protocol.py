# SPDX-License-Identifier: MIT
"""PROXY protocol, versions 1 and 2: whose request it is, who may say so, and what is refused."""

import socket
import struct

import certs
import pytest
from load import Load
from rawclient import RawClient, wait_until
from server import SLOW
from test_reload import reload

pytestmark = pytest.mark.quick

LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(source=("192.0.2.7", 40000), destination=("198.51.100.1", 443), command=1, tlvs=b""):
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    ends = b"".join(socket.inet_pton(family, end[0]) for end in (source, destination))
    ends += struct.pack(">HH", source[1], destination[1]) + tlvs
    return SIGNATURE + bytes([0x20 | command, 0x21 if ":" in source[0] else 0x11]) + struct.pack(">H", len(ends)) + ends


def local():
    return SIGNATURE + b"\x20\x00\x00\x00"


def who(client):
    environ = client.request("GET", "/environ").json()
    return {key: value for key, value in environ.items() if key.startswith(("REMOTE_", "PROXY_"))}


TOLD = {
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": "40000",
    "PROXY_PROTOCOL": "TCP4",
    "PROXY_ADDR": "198.51.100.1",
    "PROXY_PORT": "443",
}


@pytest.fixture(scope="module")
def shared(module_servers):
    return module_servers().start(args=["--proxy-protocol", "--access-logfile", "-"])


@pytest.mark.parametrize("prelude", [LINE, version_2(), version_2(tlvs=b"\x03\x00\x04\x01\x02\x03\x04" * 200)])
def test_the_client_is_who_the_header_names(shared, prelude):
    with shared.raw(prelude=prelude) as client:
        for _ in range(3):  # also those that follow
            assert who(client) == TOLD
    wait_until(lambda: shared.read("out").count('192.0.2.7 - - [') >= 3, 10 * SLOW)


def test_ipv6(shared):
    for prelude in (
        b"PROXY TCP6 2001:DB8:0:0::1 2001:db8::2 1 65535\r\n",
        version_2(("2001:db8::1", 1), ("2001:db8::2", 65535)),
    ):
        with shared.raw(prelude=prelude) as client:
            told = who(client)
        assert told["REMOTE_ADDR"] == "2001:db8::1" and told["REMOTE_PORT"] == "1"
        assert (told["PROXY_PROTOCOL"], told["PROXY_ADDR"], told["PROXY_PORT"]) == ("TCP6", "2001:db8::2", "65535")


@pytest.mark.parametrize(
    "prelude, protocol",
    [(local(), "LOCAL"), (b"PROXY UNKNOWN\r\n", "UNSPEC"), (SIGNATURE + b"\x21\x00\x00\x02xx", "UNSPEC")],
)
def test_who_is_not_told_is_the_peer(shared, prelude, protocol):
    with shared.raw(prelude=prelude) as client:
        told = who(client)
        assert told == {
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": str(client.sock.getsockname()[1]),
            "PROXY_PROTOCOL": protocol,
        }


@pytest.mark.parametrize("prelude", [LINE, version_2()])
def test_byte_by_byte(shared, prelude):
    with shared.raw() as client:
        for byte in prelude + b"GET /environ HTTP/1.1\r\nHost: h\r\n\r\n":
            client.send(bytes([byte]))
        assert client.read_response().json()["REMOTE_ADDR"] == "192.0.2.7"


def test_the_header_and_two_requests_in_one_piece(shared):
    with shared.raw() as client:
        client.send(LINE + b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" * 2)
        assert [client.read_response().body for _ in range(2)] == [b"abc", b"abc"]


@pytest.mark.parametrize("prelude, cause", [
    (b"", "Invalid PROXY header: missing"),
    (b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "Invalid PROXY line: invalid port"),
    (b"PROXY TCP4 1.2.3.444 5.6.7.8 1 2\r\n", "Invalid PROXY line: invalid address"),
    (b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", "Invalid PROXY line: invalid address"),
    (b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", "Invalid PROXY line: protocol not supported"),
    (b"PROXY UNKNOWN" + b" " * 200, "Invalid PROXY line: line too long"),
    (SIGNATURE + b"\x21\x11\x00\x04abcd", "Invalid PROXY header: addresses too short"),
    (SIGNATURE + b"\x31", "Invalid PROXY header: unsupported version"),
    (SIGNATURE + b"\x21\x11\xff\xff", "Invalid PROXY header: header too long"),
])  # fmt: skip
def test_what_is_no_header_is_refused(shared, prelude, cause):
    mark = shared.mark()
    with shared.raw(prelude=prelude) as client:
        response = client.request("GET", "/")
        assert response.code == 400 and cause in response.text
        client.expect_close()
    shared.wait_log(rf"\[WARNING\] Invalid request from ip=127.0.0.1: {cause}$", since=mark)


def test_a_connection_without_a_byte_is_no_event(shared):
    mark = shared.mark()
    shared.raw().close()
    with shared.raw(prelude=LINE[:10]) as client:
        client.half_close()
        client.expect_close()
    with shared.raw(prelude=LINE) as client:
        assert client.request().text == "hello"
    assert not shared.log_contains(r"\[(WARNING|ERROR)\]", since=mark)


def test_only_proxies_of_ours_may(server):
    server.start(args=["--proxy-protocol", "v1", "--proxy-allow-from", "192.0.2.0/24"])
    with server.raw(prelude=LINE) as client:
        response = client.request()
        assert response.code == 403 and response.reason == "Forbidden" and "Request forbidden" in response.text
    server.wait_log(r"\[WARNING\] Invalid request from ip=127.0.0.1: Proxy request from '127.0.0.1' not allowed$")


@pytest.mark.parametrize("mode, accepted, refused", [("v1", LINE, version_2()), ("v2", version_2(), LINE)])
def test_the_version_that_is_set(server, mode, accepted, refused):
    server.start(conf=f"proxy_protocol = {mode!r}\nproxy_allow_ips = '*'\n")
    with server.raw(prelude=accepted) as client:
        assert who(client) == TOLD
    with server.raw(prelude=refused) as client:
        assert client.request().code == 400


def test_off_is_off(server):
    server.start()
    with server.raw(prelude=LINE) as client:
        assert client.request().code == 400
    assert server.get("/").text == "hello"


def test_on_a_unix_socket(server):
    server.start(bind="unix:socket", args=["--proxy-protocol", "v2", "--proxy-allow-from", "192.0.2.1"])
    with server.raw(prelude=version_2()) as client:
        assert who(client) == TOLD
        assert who(client) == TOLD
    with server.raw() as client:
        for byte in version_2() + b"GET /environ HTTP/1.1\r\nHost: h\r\n\r\n":
            client.send(bytes([byte]))
        assert client.read_response().json()["REMOTE_ADDR"] == "192.0.2.7"
    with server.raw(prelude=local()) as client:
        assert who(client) == {"REMOTE_ADDR": "", "PROXY_PROTOCOL": "LOCAL"}


@pytest.mark.parametrize("prelude", [LINE, version_2()])
def test_before_tls(server, prelude):
    server.start(args=["--proxy-protocol", *certs.tls_args()])
    context = certs.authority().client_context()
    with server.raw(tls=context, prelude=prelude) as client:
        assert who(client) == TOLD
        assert client.request("GET", "/environ").json()["wsgi.url_scheme"] == "https"
    with RawClient(server.address) as client:  # no page in plain text: the handshake has not been
        client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.read_to_end() == b""
    server.wait_log(r"\[WARNING\] Invalid request from ip=127.0.0.1: Invalid PROXY header: missing$")


def test_proxies_of_ours_are_believed_by_their_own_address(server):
    """X-Forwarded-Proto comes from the proxy, not from the client that its PROXY header names."""
    server.start(conf="proxy_protocol = True\n")
    with server.raw(prelude=LINE) as client:
        environ = client.request("GET", "/environ", headers={"X-Forwarded-Proto": "https"}).json()
    assert environ["wsgi.url_scheme"] == "https" and environ["REMOTE_ADDR"] == "192.0.2.7"


def test_no_request_fails_while_workers_are_replaced(server):
    server.start(args=["--proxy-protocol", "--max-requests", "200"], workers=2)
    before = set(server.workers())
    with Load(server.address, clients=2, prelude=LINE) as kept, Load(
        server.address, clients=2, keep_alive=False, prelude=version_2()
    ) as fresh:
        wait_until(lambda: kept.count >= 300 and fresh.count >= 100, 60 * SLOW)
        reload(server)
    kept.check(at_least=300)
    fresh.check(at_least=100)
    assert not before & set(server.workers())
