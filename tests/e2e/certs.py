# SPDX-License-Identifier: MIT
"""Certificates for the TLS tests, made by the openssl command when they are needed."""

import contextlib
import functools
import pathlib
import ssl
import subprocess
import tempfile

SUBJECT_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder, name="Test Authority"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key, self.cert = self.folder / "ca-key.pem", self.folder / "ca.pem"
        openssl("req", "-x509", *self.new_key(self.key), "-out", self.cert, "-days", "2", "-subj", f"/CN={name}")

    @staticmethod
    def new_key(path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path

    def issue(self, name):
        """(certfile, keyfile) for that common name."""
        cert, key, request = (self.folder / f"{name}{end}" for end in (".pem", "-key.pem", ".csr"))
        openssl("req", *self.new_key(key), "-out", request, "-subj", f"/CN={name}", "-addext", SUBJECT_NAMES)
        openssl(
            "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", "2",
            "-copy_extensions", "copy", "-out", cert,
        )  # fmt: skip
        return cert, key

    def client_context(self, name=None):
        """What a client needs to believe the server, and with a name to be believed itself."""
        context = ssl.create_default_context(cafile=self.cert)
        if name:
            context.load_cert_chain(*self.issue(name))
        return context


def client_hello():
    """The first bytes of a client that begins a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        authority().client_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


@functools.lru_cache(maxsize=None)
def authority(name="Test Authority"):
    """One for each name, for all tests of a process."""
    kept = tempfile.TemporaryDirectory(prefix="gunwale-certs-")
    made = Authority(kept.name, name)
    made.kept = kept  # removed with it
    return made


@functools.lru_cache(maxsize=None)
def server_pair(name="localhost"):
    return authority().issue(name)


def tls_args(pair=None):
    cert, key = pair or server_pair()
    return ["--certfile", cert, "--keyfile", key]
