/* SPDX-License-Identifier: MIT */
/*
 * opening.h - what a connection does before the first byte of HTTP: the PROXY header, then the TLS handshake.
 *
 * The GIL is held in all calls; nothing waits.
 */
#ifndef WORKER_OPENING_H
#define WORKER_OPENING_H

#include "base/base.h"
#include "worker/conn.h"

/* The state that a new connection begins in. */
enum conn_state opening_state(const struct service *service);
/* State PROXY: goes on reading the header. */
void opening_read_proxy(struct conn *conn);
/* State SHAKE: goes on with the handshake. The GIL is let go while OpenSSL computes; the connection is `away` then. */
void opening_shake(struct conn *conn);

#endif
