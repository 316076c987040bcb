/* SPDX-License-Identifier: MIT */
/*
 * tls.h - TLS: the context that all connections of a template share, and the state of one connection.
 *
 * Only wire.c and opening.c use a struct tls; HTTP knows nothing of it. The GIL is held in all calls; those that compute
 * much let it go meanwhile, and then every other call for the same connection answers -EAGAIN. Nothing waits. Negative
 * results are -errno: -EAGAIN for "after the next event", -EPROTO for what tls_fault() names.
 */
#ifndef WORKER_TLS_H
#define WORKER_TLS_H

#include "base/base.h"
#include "base/err.h"
#include "py/py.h"
#include "shared/settings.h"

#include <sys/types.h>
#include <sys/uio.h>

struct tls_context;
struct tls;

/* Whether the settings ask for TLS. gunicorn: config.py is_ssl */
bool tls_is_wanted(const struct settings *settings);
/*
 * Reads key, certificate and authorities, and asks the hook ssl_context. Where the files can be read: before privileges are
 * dropped, after prepare() of the template. NULL with one sentence that names the setting, the file and the reason.
 */
struct tls_context *tls_context_new(const struct settings *settings, struct err *err);
void tls_context_free(struct tls_context *context);

/* The context must live on. NULL: no memory. */
struct tls *tls_new(const struct tls_context *context, int fd);
void tls_free(struct tls *tls);
/* Goes on with the handshake. 0 when it is done. The GIL is let go. */
int tls_shake(struct tls *tls);
/* The client began with HTTP instead of a handshake. */
bool tls_met_plain_http(const struct tls *tls);
/* Why the last call failed, for the log. Valid until the next call. */
const char *tls_fault(const struct tls *tls);

ssize_t tls_receive(struct tls *tls, void *into, size_t size);
/* Nothing is left of what the kernel gave, and the last time it gave less than was asked for. */
bool tls_is_emptied(const struct tls *tls);
/*
 * (certificate of the client in DER or None, version, (cipher, its version, bits), protocol chosen by ALPN or None): a new tuple,
 * or NULL with an exception.
 */
PyObject *tls_describe(const struct tls *tls);
bool tls_has_pending(const struct tls *tls);
/* Takes bytes: what the kernel does not take is kept, encrypted; tls_flush() sends it. Else as wire_send(). */
ssize_t tls_send(struct tls *tls, const struct iovec *parts, size_t part_count, bool keeps_lock);
/* A thread sends without the lock. */
bool tls_is_busy(const struct tls *tls);
ssize_t tls_send_file(struct tls *tls, int file_fd, off_t *at, size_t size);
int tls_flush(struct tls *tls);
bool tls_has_unsent(const struct tls *tls);
/* Says the farewell. */
void tls_end(struct tls *tls);

#endif
