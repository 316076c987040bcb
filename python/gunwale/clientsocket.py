# SPDX-License-Identifier: MIT
"""gunicorn.socket of the environ: the client's connection as a Python socket.

Called by src/py/clientsocket.c when an application first looks at it. The socket is a copy of the server's descriptor, and
both share O_NONBLOCK, which the server needs. Python's own sockets wait by poll() whenever they have a timeout: so "blocking"
is a timeout that never runs out, and the flag is never touched. gevent's sockets never touch it either.

Asking (getpeername, fileno, recv with MSG_PEEK ...) changes nothing. Reading, writing or closing calls `take` first: from
then on the server neither reads another request from the connection nor writes an error page into it.
"""

import _socket
import functools
import os
import socket

FOREVER_S = 24 * 86400.0  # what fits into poll()'s milliseconds
TAKING = (
    "send sendall sendto sendmsg sendfile recvfrom recvfrom_into recvmsg recvmsg_into shutdown detach dup makefile"
).split()


class _Patient:
    """Blocking without O_NONBLOCK being cleared."""

    def settimeout(self, value):
        super().settimeout(FOREVER_S if value is None else value)

    def setblocking(self, flag):
        self.settimeout(None if flag else 0.0)

    def gettimeout(self):
        value = super().gettimeout()
        return None if value == FOREVER_S else value

    def getblocking(self):
        return self.gettimeout() != 0.0

    timeout = property(gettimeout)


class _Client:
    take = None
    tls = None

    def recv(self, size, flags=0):
        if not flags & socket.MSG_PEEK:
            self._take_over()
        if not flags & socket.MSG_DONTWAIT:
            return super().recv(size, flags)
        # Both kinds would wait although they are told not to.
        before = super().gettimeout()
        super().settimeout(0.0)
        try:
            return super().recv(size, flags)
        finally:
            super().settimeout(before)

    def recv_into(self, buffer, nbytes=0, flags=0):
        if not flags & socket.MSG_PEEK:
            self._take_over()
        return super().recv_into(buffer, nbytes, flags)

    def close(self):
        """Ends the connection, although the server has a descriptor of it too."""
        if self.fileno() >= 0:
            self._take_over()
            if not getattr(self, "_io_refs", 0):
                try:
                    super().shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the client was faster
        super().close()

    def _take_over(self):
        if self.take is not None:
            self.take()

    def end_request(self):
        """The server goes on with the connection, or ends it itself."""
        self.take = None
        super().close()


def _taking(name):
    def method(self, *args, **kwargs):
        self._take_over()
        return getattr(super(_Client, self), name)(*args, **kwargs)

    method.__name__ = name
    return method


for _name in TAKING:
    setattr(_Client, _name, _taking(_name))


class _Encrypted:
    """What an ssl.SSLSocket tells of the other side. Reading and writing is the server's alone: `take` refuses."""

    def getpeercert(self, binary_form=False):
        """The client's certificate, as SSLSocket gives it: None when it showed none."""
        der = self.tls[0]
        return der if der is None or binary_form else _decode(der)

    def version(self):
        return self.tls[1]

    def cipher(self):
        return self.tls[2]

    def selected_alpn_protocol(self):
        return self.tls[3]


def _decode(der):
    """The dictionary that Python's ssl module makes of a certificate; it reads only files."""
    import ssl

    memory = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(memory, ssl.DER_cert_to_PEM_cert(der).encode("ascii"))
        return ssl._ssl._test_decode_cert(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)


@functools.lru_cache(maxsize=None)
def _class_for(base, is_encrypted):
    """Of what socket.socket is now: gevent replaces it."""
    bases = (_Client, _Patient, base) if issubclass(base, _socket.socket) else (_Client, base)
    if is_encrypted:
        bases = (_Encrypted, *bases)
    return type("ClientSocket", bases, {"__module__": __name__})


def open_socket(fd, take, tls):
    sock = _class_for(socket.socket, tls is not None)(fileno=os.dup(fd))
    sock.setblocking(True)
    sock.tls = tls
    sock.take = take
    return sock
