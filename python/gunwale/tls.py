# SPDX-License-Identifier: MIT
"""The hook ssl_context: what it may return, and the factory that it is given. Called in the template, by tlscontext.c.

The server takes OpenSSL's own context out of Python's object. So nothing in it may call back into Python: there is no
SSLSocket that such a function could be given.
"""

from gunwale import hooks

# What the hook returned; keeps the object alive as long as the template and its workers.
context = None


def _make_default(cfg):
    """What gunicorn's default factory makes of certfile, keyfile, ca_certs, cert_reqs and ciphers."""
    import ssl

    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=cfg.ca_certs or None)
    made.load_cert_chain(cfg.certfile, cfg.keyfile or None)
    made.verify_mode = ssl.VerifyMode(cfg.cert_reqs)
    if cfg.ciphers:
        made.set_ciphers(cfg.ciphers)
    return made


def _find_callback(made):
    """The name of something that needs an SSLSocket, or None."""
    for name in ("sni_callback", "_msg_callback", "keylog_filename"):
        if getattr(made, name, None) is not None:
            return name
    return None


def make(cfg):
    """Asks the hook, if there is one, and leaves what it returned in `context`. ValueError with a sentence."""
    global context
    context = None
    hook = hooks.find("ssl_context")
    if hook is None:
        return
    import ssl

    made = hook(cfg, lambda: _make_default(cfg))
    if not isinstance(made, ssl.SSLContext):
        raise ValueError(f"ssl_context: the hook returned {type(made).__name__}, not an ssl.SSLContext")
    if made.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise ValueError("ssl_context: the hook returned a context for clients (PROTOCOL_TLS_CLIENT)")
    name = _find_callback(made)
    if name is not None:
        raise ValueError(
            f"ssl_context: {name.lstrip('_')} is not supported: there is no Python socket that it could be called with"
        )
    context = made
