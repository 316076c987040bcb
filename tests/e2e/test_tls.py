# SPDX-License-Identifier: MIT
"""TLS: what a client sees, slow and hostile clients, client certificates, renewed and broken certificates, the hook."""

import contextlib
import os
import re
import resource
import select
import shutil
import socket
import ssl
import subprocess
import threading
import zlib

import certs
import pytest
from classes import class_arguments
from load import Load
from rawclient import wait_until
from server import SLOW
from test_reload import reload

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def client_context():
    return certs.authority().client_context()


@pytest.fixture(scope="module")
def shared(module_servers):
    """One server for the tests that only ask."""
    return module_servers().start(args=certs.tls_args(), workers=2)


def common_name(client):
    return dict(item[0] for item in client.sock.getpeercert()["subject"])["commonName"]


def get(server, context, target="/", **arguments):
    with server.raw(tls=context) as client:
        return client.request("GET", target, headers={"Connection": "close"}, **arguments)


# ---- what a client sees


def test_serves_https_and_says_so(shared, client_context):
    assert shared.listening[0].startswith("https://127.0.0.1:")
    assert shared.status()["listeners"][0]["address"] == shared.listening[0]
    with shared.raw(tls=client_context) as client:
        environ = client.request("GET", "/environ").json()
        assert environ["wsgi.url_scheme"] == "https" and environ["SERVER_PORT"] == str(shared.address[1])
        assert environ["REMOTE_ADDR"] == "127.0.0.1" and "HTTPS" not in environ
        assert common_name(client) == "localhost"


def test_chooses_http_1_1_and_nothing_else(shared):
    context = certs.authority().client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with shared.raw(tls=context) as client:
        assert client.sock.selected_alpn_protocol() == "http/1.1"
        assert client.request().text == "hello"
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)application.protocol"):
        shared.raw(tls=context)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_versions(shared, version):
    context = certs.authority().client_context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with shared.raw(tls=context) as client:
        assert client.sock.version() == version.replace("_", ".")
        for _ in range(3):
            assert client.request().text == "hello"


def test_old_versions_are_refused(shared):
    context = certs.authority().client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shared.raw(tls=context)
    assert get(shared, certs.authority().client_context()).text == "hello"


def test_the_end_is_said(shared, client_context):
    """RawClient does not suppress ragged ends: without a farewell reading would raise."""
    with shared.raw(tls=client_context) as client:
        assert client.request(headers={"Connection": "close"}).text == "hello"
        client.expect_close()
    with shared.raw(tls=client_context) as client:  # the keep-alive time ends
        assert client.request().text == "hello"
        client.expect_close(timeout=15 * SLOW)


def test_a_client_that_leaves_without_farewell_is_no_event(shared, client_context):
    mark = shared.mark()
    client = shared.raw(tls=client_context)
    client.send("GET / HT")
    client.sock.shutdown(socket.SHUT_RDWR)  # Python sends no alert
    client.close()
    assert get(shared, client_context).text == "hello"
    assert not shared.log_contains(r"\[(ERROR|WARNING|CRITICAL)\]", since=mark)


def test_plain_http_is_told(shared):
    with shared.raw() as client:
        response = client.request("GET", "/")
        assert response.code == 400 and "Plain HTTP" in response.text
        client.expect_close()


def test_sessions_are_resumed_by_every_worker(shared, client_context):
    with shared.raw(tls=client_context) as client:
        assert client.request().text == "hello"
        session = client.sock.session
    pids = set()

    def resumed_by_both():
        with shared.raw(tls=client_context, session=session) as again:
            pids.add(again.request("GET", "/pid").text)
            assert again.sock.session_reused
        return len(pids) == 2

    wait_until(resumed_by_both, 15 * SLOW)


def test_renegotiation_is_refused(shared):
    """openssl s_client asks for it when it reads an R."""
    process = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % shared.address[1], "-tls1_2"],
        input=b"R\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        capture_output=True,
        check=False,
        timeout=15 * SLOW,
    )
    assert b"RENEGOTIATING" in process.stdout + process.stderr
    assert b"no renegotiation" in process.stdout + process.stderr
    assert b"hello" not in process.stdout


# ---- bytes


def test_large_upload_and_download(shared, client_context):
    data = os.urandom(1 << 20) * 12
    with shared.raw(tls=client_context) as client:
        answer = client.request("POST", "/count", body=data).json()
        assert answer == {"bytes": len(data), "crc": zlib.crc32(data)}
        response = client.request("GET", "/whole?mb=12")
        assert response.body == bytes(range(256)) * 4096 * 12
        response = client.request("GET", "/big?mb=6&length=1")
        assert response.body == bytes(range(256)) * 4096 * 6
        response = client.request("GET", "/big?mb=6")
        assert response.body == bytes(range(256)) * 4096 * 6 and response.chunks


def test_requests_that_share_a_record_are_all_answered(shared, client_context):
    """OpenSSL holds what the kernel has given already: no event tells of it any more."""
    request = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc%03d"
    with shared.raw(tls=client_context) as client:
        client.send(b"".join(request % number for number in range(60)))
        for number in range(60):
            assert client.read_response().body == b"abc%03d" % number


def test_interim_responses(shared, client_context):
    with shared.raw(tls=client_context) as client:
        client.send("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert client.read_head().code == 100
        client.send("abc")
        assert client.read_response().body == b"abc"


def test_a_request_in_records_of_one_byte(shared, client_context):
    with shared.raw(tls=client_context) as client:
        for byte in b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
            client.send(bytes([byte]))
        assert client.read_response().body == b"abc"


class Tunnel:
    """A handshake by hand: what the client sends goes into records, and those out as the test likes."""

    def __init__(self, context):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def shake(self, sock, send):
        while True:
            try:
                self.object.do_handshake()
                send(sock, self.outgoing.read())
                return
            except ssl.SSLWantReadError:
                send(sock, self.outgoing.read())
                data = sock.recv(65536)
                assert data, "closed during the handshake"
                self.incoming.write(data)

    def ask(self, sock, send):
        self.object.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        send(sock, self.outgoing.read())
        answer = b""
        while True:
            try:
                data = self.object.read(65536)
                if not data:
                    return answer
                answer += data
            except ssl.SSLWantReadError:
                self.incoming.write(sock.recv(65536))


def byte_by_byte(sock, data):
    for byte in data:
        sock.sendall(bytes([byte]))


def test_a_handshake_byte_by_byte(shared, client_context):
    tunnel = Tunnel(client_context)
    with shared.raw() as client:
        tunnel.shake(client.sock, byte_by_byte)
        assert tunnel.ask(client.sock, byte_by_byte).endswith(b"hello")


def test_the_first_request_comes_with_the_end_of_the_handshake(shared, client_context):
    tunnel = Tunnel(client_context)
    held = []
    with shared.raw() as client:
        tunnel.shake(client.sock, lambda sock, data: held.append(data) or (len(held) == 1 and sock.sendall(data)))
        last = b"".join(held[1:])
        assert tunnel.ask(client.sock, lambda sock, data: sock.sendall(last + data)).endswith(b"hello")


def test_a_file_goes_through_tls(server, client_context):
    server.write("big.bin", "")
    content = os.urandom(1 << 20) * 5 + b"the end"
    (server.folder / "big.bin").write_bytes(content)
    server.write(
        "files.py",
        """
        def app(environ, start_response):
            file = open("big.bin", "rb")
            start_response("200 OK", [("Content-Length", environ["QUERY_STRING"])] if environ["QUERY_STRING"] else [])
            return environ["wsgi.file_wrapper"](file)
        """,
    )
    server.start("files:app", args=certs.tls_args())
    with server.raw(tls=client_context) as client:
        assert client.request("GET", "/").body == content
        assert client.request("GET", f"/?{len(content)}").body == content
        assert client.request("GET", "/?70000").body == content[:70000]


def test_a_slow_reader_holds_nobody_up(server, client_context):
    server.start(args=certs.tls_args())
    with server.raw(tls=client_context, receive_buffer=4096) as slow:
        slow.send_request("GET", "/whole?mb=8")
        head = slow.read_head()
        for _ in range(5):
            assert get(server, client_context).text == "hello"
        assert slow.read_exactly(int(head.header("Content-Length"))) == bytes(range(256)) * 4096 * 8
        assert slow.request().text == "hello"


# ---- slow and hostile clients


def hello_bytes(context):
    """A whole ClientHello."""
    tunnel = Tunnel(context)
    with contextlib.suppress(ssl.SSLWantReadError):
        tunnel.object.do_handshake()
    return tunnel.outgoing.read()


def test_stalled_handshakes_slow_nobody_and_hold_no_stop(server, client_context):
    count = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 200:
        if hard < count + 200:
            pytest.skip("too few file descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    server.start(args=[*certs.tls_args(), "--worker-connections", "1200"])
    hello = hello_bytes(client_context)
    pieces = [b"", hello[:3], hello[:100], hello]  # silent, cut in the header, cut behind it, no second flight
    with contextlib.ExitStack() as stack:
        for number in range(count):
            client = stack.enter_context(server.raw())
            client.send(pieces[number % len(pieces)])
        server.wait_status(lambda status: status["totals"]["connections_open"] >= count)
        with server.raw(tls=client_context) as client:
            for _ in range(20):
                assert client.request().text == "hello"
        server.signal("TERM")
        server.wait_exit(timeout=12)


def test_rubbish_instead_of_a_handshake(shared, client_context):
    for rubbish in (b"\x00" * 300, b"\x16\x03\x01\xff\xff" + os.urandom(400), b"SSH-2.0-OpenSSH_9\r\n", b"\x80\x2e\x01\x00\x02"):
        with shared.raw() as client:
            client.send(rubbish)
            client.half_close()
            client.read_to_end()
    assert get(shared, client_context).text == "hello"


# ---- client certificates


def ask_with(server, context):
    """The answer, or None when the handshake was refused (TLS 1.3 says so at the first read)."""
    try:
        return get(server, context).text
    except ssl.SSLError as error:
        assert re.search("(?i)alert|certificate", str(error)), error
        return None


@pytest.mark.parametrize("needed, without, stranger", [("0", "hello", "hello"), ("1", "hello", None), ("2", None, None)])
def test_client_certificates(server, needed, without, stranger):
    own = certs.authority()
    server.start(args=[*certs.tls_args(), "--ca-certs", own.cert, "--cert-reqs", needed, "--log-level", "debug"])
    known = own.client_context("client")
    assert ask_with(server, known) == "hello"
    assert ask_with(server, own.client_context()) == without
    unknown = own.client_context()
    unknown.load_cert_chain(*certs.authority("Somebody Else").issue("client"))
    assert ask_with(server, unknown) == stranger
    if stranger is None:
        server.wait_log(r"\[DEBUG\] TLS handshake with ip=127.0.0.1 failed: certificate verify failed: \S+")
    if without is None:
        server.wait_log(r"\[DEBUG\] TLS handshake with ip=127.0.0.1 failed: peer did not return a certificate")
    with server.raw(tls=known) as client:  # resumed, and still known
        assert client.request().text == "hello"
        session = client.sock.session
    with server.raw(tls=known, session=session) as client:
        assert client.request().text == "hello" and client.sock.session_reused


WHO = """
import json
def app(environ, start_response):
    sock = environ["gunicorn.socket"]
    shown = [sock.getpeercert(), (sock.getpeercert(True) or b"").hex(), sock.version(), sock.cipher(), sock.selected_alpn_protocol()]
    try:
        sock.sendall(b"plain")
    except OSError as error:
        shown.append(str(error))
    start_response("200 OK", [])
    return [json.dumps(shown).encode()]
"""


def test_the_application_is_told_who_the_client_is(server):
    own = certs.authority()
    server.write("who.py", WHO)
    server.start("who:app", args=[*certs.tls_args(), "--ca-certs", own.cert, "--cert-reqs", "1"])
    context = own.client_context("somebody")
    context.set_alpn_protocols(["http/1.1"])
    with server.raw(tls=context) as client:
        for _ in range(2):
            shown = client.request().json()
            assert ["commonName", "somebody"] in [item[0] for item in shown[0]["subject"]]
            assert bytes.fromhex(shown[1]) == ssl.PEM_cert_to_DER_cert((own.folder / "somebody.pem").read_text())
            assert shown[2] == client.sock.version() and shown[3] == list(client.sock.cipher())
            assert shown[4] == "http/1.1"
            assert shown[5] == "gunicorn.socket cannot be read or written on a TLS connection"
    with server.raw(tls=own.client_context()) as client:
        shown = client.request().json()
        assert shown[0] is None and shown[1] == "" and shown[4] is None


# ---- configuration


def broken(name):
    """(arguments, what the sentence says)"""
    cert, key = certs.server_pair()
    folder = certs.authority().folder
    (folder / "rubbish.pem").write_text("this is no PEM\n")
    other_key = certs.authority("Somebody Else").issue("other")[1]
    return {
        "no such certificate": (["--certfile", "/no/such.pem"], "certfile: cannot read '/no/such.pem': No such file"),
        "no such key": (["--certfile", cert, "--keyfile", "/no/key.pem"], "keyfile: cannot read '/no/key.pem': No such file"),
        "no such authority": ([*certs.tls_args(), "--ca-certs", "/no/ca.pem"], "ca_certs: cannot read '/no/ca.pem': No such"),
        "rubbish": (["--certfile", folder / "rubbish.pem", "--keyfile", key], "certfile: '.*rubbish.pem' holds no usable"),
        "rubbish key": (["--certfile", cert, "--keyfile", folder / "rubbish.pem"], "keyfile: '.*rubbish.pem' holds no usable"),
        "rubbish authority": ([*certs.tls_args(), "--ca-certs", folder / "rubbish.pem"], "ca_certs: '.*rubbish.pem' holds no"),
        "key of another": (["--certfile", cert, "--keyfile", other_key], "keyfile: '.*other-key.pem' .*: key values mismatch"),
        "key only": (["--keyfile", key], "keyfile: '.*' needs a certificate; set certfile too"),
        "certificate only": (["--certfile", cert], "certfile: '.*' holds no usable private key, and keyfile is not set"),
        "ciphers": ([*certs.tls_args(), "--ciphers", "NO-SUCH"], "ciphers: 'NO-SUCH' is no cipher list"),
        "cert_reqs": ([*certs.tls_args(), "--cert-reqs", "3"], r"cert_reqs: 3 is not 0 \(no certificate\), 1 "),
    }[name]


@pytest.mark.parametrize("name", [
    "no such certificate", "no such key", "no such authority", "rubbish", "rubbish key", "rubbish authority", "key of another",
    "key only", "certificate only", "ciphers", "cert_reqs",
])  # fmt: skip
def test_a_broken_configuration_ends_the_start_with_a_sentence(server, name):
    arguments, sentence = broken(name)
    result = server.run(["--bind", "127.0.0.1:0", *arguments, "basic:app"])
    assert result.returncode == 1
    assert re.search(rf"^Error: {sentence}", result.stderr, re.MULTILINE), result.stderr
    assert "Traceback" not in result.stderr
    result = server.run(["--check-config", *arguments, "basic:app"])
    assert result.returncode == 0 and re.search(rf"^Warning: {sentence}", result.stderr, re.MULTILINE)


def test_a_key_with_a_password_is_refused_without_asking(server):
    cert, key = certs.server_pair()
    certs.openssl("ec", "-in", key, "-aes128", "-passout", "pass:secret", "-out", server.folder / "locked.pem")
    result = server.run(["--bind", "127.0.0.1:0", "--certfile", cert, "--keyfile", "locked.pem", "basic:app"])
    assert result.returncode == 1 and "keyfile: 'locked.pem' holds no usable private key" in result.stderr


def test_certificate_and_key_in_one_file(server, client_context):
    cert, key = certs.server_pair()
    (server.folder / "both.pem").write_text(key.read_text() + cert.read_text())
    server.start(args=["--certfile", "both.pem"])
    assert get(server, client_context).text == "hello"


def test_ciphers_are_what_is_offered(server):
    server.start(args=[*certs.tls_args(), "--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"])
    context = certs.authority().client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with server.raw(tls=context) as client:
        assert client.sock.cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    with pytest.raises(ssl.SSLError):
        server.raw(tls=context)


def test_every_address_speaks_tls(server, client_context):
    server.start(bind="unix:socket", args=[*certs.tls_args(), "-b", "127.0.0.1:0"])
    assert server.listening[0].startswith("unix:") and server.listening[1].startswith("https://")
    environ = get(server, client_context, "/environ").json()
    assert environ["wsgi.url_scheme"] == "https" and environ["SERVER_PORT"] == "443"


def test_what_a_trusted_proxy_says_counts_more(server, client_context):
    server.start(args=certs.tls_args())
    with server.raw(tls=client_context) as client:
        answer = client.request("GET", "/environ", headers={"X-Forwarded-Proto": "http"}).json()
        assert answer["wsgi.url_scheme"] == "http"
        assert client.request("GET", "/environ").json()["wsgi.url_scheme"] == "https"


def test_the_key_needs_to_be_readable_for_root_only(server, client_context, need_root):
    cert, key = certs.server_pair()
    shutil.copy(key, server.folder / "key.pem")
    (server.folder / "key.pem").chmod(0o600)
    server.copy_apps()
    # Preloaded: Python's own folder need not be readable for nobody.
    server.start(args=["--certfile", cert, "--keyfile", "key.pem", "--user", "nobody", "--preload"])
    assert get(server, client_context).text == "hello"
    reload(server)
    assert get(server, client_context).text == "hello"


# ---- reload, recycle


def test_hup_takes_the_renewed_certificate_and_no_broken_one(server, client_context):
    cert, key = server.folder / "cert.pem", server.folder / "key.pem"

    def install(pair):
        shutil.copy(pair[0], cert)
        shutil.copy(pair[1], key)

    def name():
        with server.raw(tls=client_context) as client:
            assert client.request().text == "hello"
            return common_name(client)

    install(certs.server_pair("before"))
    server.start(args=["--certfile", "cert.pem", "--keyfile", "key.pem"], workers=2)
    assert name() == "before"
    with server.raw(tls=client_context) as kept:
        assert kept.request().text == "hello"
        install(certs.server_pair("after"))
        reload(server)
        assert name() == "after"
    cert.write_text("rubbish")
    mark = server.mark()
    old = server.workers()
    server.signal("HUP")
    server.wait_log(r"certfile: 'cert.pem' holds no usable certificate", since=mark)
    wait_until(lambda: server.status()["reload"]["state"] != "running", 15 * SLOW)
    assert server.workers() == old and name() == "after"


def test_no_request_fails_while_workers_are_replaced(server, client_context):
    server.start(args=[*certs.tls_args(), "--max-requests", "150"], workers=2)
    before = set(server.workers())
    with Load(server.address, clients=3, tls=client_context) as kept, Load(
        server.address, clients=2, keep_alive=False, tls=client_context
    ) as fresh:
        wait_until(lambda: kept.count >= 300, 60 * SLOW)
        for _ in range(2):
            reload(server)
        wait_until(lambda: fresh.count >= 50, 60 * SLOW)
    kept.check(at_least=300)
    fresh.check(at_least=50)
    assert not before & set(server.workers())


def test_a_handshake_that_has_begun_is_served_by_a_worker_that_leaves(server, client_context):
    server.start(args=certs.tls_args())
    tunnel = Tunnel(client_context)
    with server.raw() as client:
        state = {}

        def first_flight_then_hup(sock, data):
            sock.sendall(data)
            if not state:
                state["mark"] = server.mark()
                assert select.select([sock], [], [], 15 * SLOW)[0], "no answer to the first flight"
                server.signal("HUP")
                server.wait_log(r"Handling signal: hup", since=state["mark"])

        tunnel.shake(client.sock, first_flight_then_hup)
        assert tunnel.ask(client.sock, lambda sock, data: sock.sendall(data)).endswith(b"hello")


# ---- the hook

HOOK = """
certfile = {cert!r}
keyfile = {key!r}
def ssl_context(config, default_ssl_context_factory):
    import ssl
    context = default_ssl_context_factory()
    {body}
    return context
"""


def hook(body):
    cert, key = certs.server_pair()
    return HOOK.format(cert=str(cert), key=str(key), body=body)


def test_the_hook_makes_the_context(server, client_context):
    server.start(
        conf=hook("assert config.is_ssl and config.ssl_options['certfile'] == certfile; context.minimum_version = ssl.TLSVersion.TLSv1_3"),
        workers=2,
    )
    with server.raw(tls=client_context) as client:
        assert client.sock.version() == "TLSv1.3"
        data = os.urandom(300000)
        assert client.request("POST", "/echo", body=data).body == data
    old = certs.authority().client_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        server.raw(tls=old)
    server.write("gunicorn.conf.py", hook("context.maximum_version = ssl.TLSVersion.TLSv1_2"))
    reload(server)
    with server.raw(tls=client_context) as client:
        assert client.sock.version() == "TLSv1.2" and client.request().text == "hello"


@pytest.mark.parametrize("body, sentence", [
    ("context.sni_callback = lambda *names: None", "ssl_context: sni_callback is not supported: "),
    ("context.keylog_filename = 'keys'", "ssl_context: keylog_filename is not supported: "),
    ("context = 5", "ssl_context: the hook returned int, not an ssl.SSLContext"),
    ("context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)", "ssl_context: the hook returned a context for clients"),
    ("context.load_cert_chain('/no/such')", "ssl_context: .*No such file"),
])  # fmt: skip
def test_what_a_hook_must_not_return(server, body, sentence):
    server.write("gunicorn.conf.py", hook(body))
    result = server.run(["--bind", "127.0.0.1:0", "basic:app"])
    assert result.returncode == 1 and re.search(rf"^Error: {sentence}", result.stderr, re.MULTILINE), result.stderr


# ---- other clients, other classes


def test_requests_of_pypi(server, packages):
    server.start(args=certs.tls_args())
    script = f"""
import json, requests
with requests.Session() as session:
    session.trust_env = False  # REQUESTS_CA_BUNDLE would win
    session.verify = {str(certs.authority().cert)!r}
    base = "https://localhost:{server.address[1]}"
    for _ in range(3):
        assert session.get(base + "/").text == "hello"
    assert session.post(base + "/echo", data=b"x" * 100000).content == b"x" * 100000
    assert session.get(base + "/big?mb=2").content == bytes(range(256)) * 8192
print("fine")
"""
    result = subprocess.run([packages + "/bin/python", "-c", script], capture_output=True, text=True, timeout=60 * SLOW, check=False)
    assert result.stdout == "fine\n", result.stderr


@pytest.mark.parametrize("name", ["gthread", "gevent"])
def test_clients_side_by_side(request, server, client_context, name):
    env = {"VIRTUAL_ENV": request.getfixturevalue("packages")} if name == "gevent" else None
    conf = hook("context.minimum_version = ssl.TLSVersion.TLSv1_3") if name == "gevent" else None
    server.start(args=[*certs.tls_args(), *class_arguments(name)], env=env, conf=conf)
    data = os.urandom(1 << 20)
    errors = []

    def ask():
        try:
            for _ in range(5):
                with server.raw(tls=client_context) as client:
                    assert client.request("POST", "/count", body=data).json()["crc"] == zlib.crc32(data)
                    assert client.request("GET", "/whole?mb=2").body == bytes(range(256)) * 8192
        except Exception as error:
            errors.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 * SLOW)
        assert not thread.is_alive()
    assert not errors


def test_handshakes_go_on_while_a_thread_is_at_them(server, client_context):
    """Each piece wakes another thread. What only ThreadSanitizer sees is a report, which ends the test as well."""
    server.start(args=[*certs.tls_args(), *class_arguments("gthread")])
    (worker,) = server.workers()
    hello = hello_bytes(client_context)

    def knock():
        for _ in range(40):
            with server.raw() as client:
                for at in range(0, len(hello), 100):
                    client.send(hello[at : at + 100])
                client.sock.recv(100)

    threads = [threading.Thread(target=knock) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 * SLOW)
        assert not thread.is_alive()
    assert get(server, client_context).text == "hello"
    assert server.workers() == [worker]
