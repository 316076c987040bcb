/* SPDX-License-Identifier: MIT */
/*
 * tls_internal.h - between tls.c and tlscontext.c. Nobody else includes it.
 */
#ifndef WORKER_TLS_INTERNAL_H
#define WORKER_TLS_INTERNAL_H

#include "base/base.h"
#include "py/py.h"
#include "worker/openssl.h"

struct tls;

struct tls_context {
	SSL_CTX *ctx;
	BIO_METHOD *bio_method;
	PyObject *owner; /* the ssl.SSLContext that ctx belongs to; NULL: ctx is ours */
	bool suppresses_ragged_ends;
};

/* tls.c: how OpenSSL reaches the socket. NULL: no memory. */
BIO_METHOD *tls_new_bio_method(void);
/* tls.c: for tlspeer.c. */
const SSL *tls_get_ssl(const struct tls *tls);

#endif
