# SPDX-License-Identifier: MIT
"""Unix sockets, several addresses, reuse_port."""

import os
import socket
import stat

import pytest
from rawclient import RawClient, free_port, wait_until

pytestmark = pytest.mark.quick


def test_serves_on_a_unix_socket_and_removes_it(server):
    server.start(bind="unix:socket")
    path = server.folder / "socket"
    assert server.listening in (["unix:socket"], [f"unix:{path}"])
    assert stat.S_ISSOCK(os.stat(path).st_mode) and os.stat(path).st_mode & 0o777 == 0o777
    assert server.get("/").body == b"hello"
    environ = server.get("/environ").json()
    assert environ["REMOTE_ADDR"] == "" and "REMOTE_PORT" not in environ
    assert environ["SERVER_NAME"] == "localhost" and environ["SERVER_PORT"] == "80"
    server.stop()
    assert not path.exists()


def test_socket_mode_is_apart_from_umask(server):
    server.start(bind="unix:socket", args=["--socket-mode", "0660", "--umask", "027"])
    assert os.stat(server.folder / "socket").st_mode & 0o777 == 0o660
    assert server.get("/").body == b"hello"


def test_socket_mode_has_bounds(server):
    result = server.run(["-b", "unix:socket", "--socket-mode", "01777", "basic:app"])
    assert result.returncode == 1
    assert "socket_mode must be between 0 and 511, got 01777" in result.stderr


def test_a_leftover_socket_is_replaced(server):
    with socket.socket(socket.AF_UNIX) as leftover:
        leftover.bind(str(server.folder / "socket"))
    server.start(bind="unix:socket")
    assert server.get("/").body == b"hello"


def test_another_kind_of_file_is_not_removed(server):
    server.write("socket", "precious")
    result = server.run(["-b", "unix:socket", "basic:app"])
    assert result.returncode == 1
    assert server.read("socket") == "precious"


def test_several_addresses(server):
    server.start(args=["-b", "unix:socket", "-b", "127.0.0.2:0"])
    assert len(server.listening) == 3
    assert server.get("/").body == b"hello"
    for other in server.listening:
        address = str(server.folder / "socket") if other.startswith("unix:") else (other[7:].split(":")[0], int(other.rsplit(":", 1)[1]))
        with RawClient(address) as client:
            assert client.request().body == b"hello"
    assert len(server.status()["listeners"]) == 3


def test_ipv6(server):
    if not os.path.exists("/proc/net/if_inet6") or not open("/proc/net/if_inet6").read().strip():
        pytest.skip("no IPv6 here")
    server.start(bind="[::1]:0")
    assert server.listening[0].startswith("http://[::1]:")
    port = int(server.listening[0].rsplit(":", 1)[1])
    with socket.create_connection(("::1", port), 10) as sock:
        sock.sendall(b"GET /environ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := sock.recv(65536):
            data += piece
    assert b'"REMOTE_ADDR": "::1"' in data and b'"SERVER_NAME": "::1"' in data


def test_reuse_port(server, servers):
    """Two servers share a port."""
    port = free_port()
    both = [server, servers()]
    for one in both:
        one.spawn(["-b", f"127.0.0.1:{port}", "--reuse-port", "--status-file", one.status_path, "basic:app"])
    for one in both:
        one.address = ("127.0.0.1", port)
        one.wait_ready()
    seen = set()

    def both_answered():
        seen.add(server.get("/facts").json()["ppid"])
        return seen >= {one.pid for one in both}

    wait_until(both_answered)


def test_an_inherited_socket(server):
    """fd://N: a socket that the parent opened."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        os.set_inheritable(sock.fileno(), True)
        server.start(bind=f"fd://{sock.fileno()}", pass_fds=[sock.fileno()])
        assert server.address == sock.getsockname()
        assert server.get("/").body == b"hello"
