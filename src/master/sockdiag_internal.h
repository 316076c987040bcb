/* SPDX-License-Identifier: MIT */
/*
 * sockdiag_internal.h - between sockdiag.c and sockdiag_proc.c only.
 */
#ifndef MASTER_SOCKDIAG_INTERNAL_H
#define MASTER_SOCKDIAG_INTERNAL_H

#include "base/base.h"

#include "master/sockdiag.h"

/* The kernel fills at most 32 KB at once, for a dump as for a file. */
enum { SOCKDIAG_BUFFER_BYTES = 32 * 1024, SOCKDIAG_SOCKET_MAX = 200000 };

/* tcp_states.h of the kernel: connected, or closing with data that may still be under way. Bits 1 << state. */
#define SOCKDIAG_STATES (1U << 1 /* ESTABLISHED */ | 1U << 4 /* FIN_WAIT1 */ | 1U << 5 /* FIN_WAIT2 */ | \
                         1U << 8 /* CLOSE_WAIT */ | 1U << 9 /* LAST_ACK */ | 1U << 11 /* CLOSING */)

struct sockdiag {
	bool has_netlink; /* it answered when it was tried first */
	bool has_netlink6;
	int netlink;
	uint32_t sequence;
	int tcp, tcp6, sockstat; /* kept files of /proc/net */
	_Alignas(8) char buffer[SOCKDIAG_BUFFER_BYTES];
};

/* sockdiag_proc.c. false when nothing can be read; then `reading` is unchanged. */
bool sockdiag_read_proc(struct sockdiag *sockdiag, struct sockdiag_reading *reading);
bool sockdiag_read_sockstat(struct sockdiag *sockdiag, struct sockdiag_reading *reading);

#endif
