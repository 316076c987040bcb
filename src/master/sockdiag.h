/* SPDX-License-Identifier: MIT */
/*
 * sockdiag.h - kernel memory of the TCP sockets of the network namespace, from outside: for where agents cannot tell.
 *
 * NETLINK_SOCK_DIAG (needs no privilege; not in gVisor), else the queues of /proc/net/tcp and tcp6, else "mem" of
 * /proc/net/sockstat. All sockets of the namespace count: in a container those are the service's. Of a connection within it both
 * ends count, as the kernel holds the memory of both. Seen by none of them: what a socket holds after shutdown() of both sides.
 */
#ifndef MASTER_SOCKDIAG_H
#define MASTER_SOCKDIAG_H

#include "base/base.h"

enum sockdiag_method { SOCKDIAG_NONE, SOCKDIAG_NETLINK, SOCKDIAG_PROC, SOCKDIAG_SOCKSTAT };

struct sockdiag; /* opaque: the netlink socket is kept */

/*
 * root: put in front of /proc; "" for the real one. has_netlink false: as if it were forbidden. Never NULL. The kernel may load
 * its module tcp_diag now. It looks at the network namespace of now, whatever this process enters later.
 */
struct sockdiag *sockdiag_new(const char *root, bool has_netlink);
void sockdiag_free(struct sockdiag *sockdiag); /* accepts NULL */

/* READING_UNKNOWN where the method in use cannot tell. */
struct sockdiag_reading {
	enum sockdiag_method method;
	uint64_t sockets;       /* that are connected, or closing; none that listens, none in TIME_WAIT */
	/*
	 * Receive and send side and what is reserved for them, as the kernel accounts it. SOCKDIAG_PROC: the bytes queued, without
	 * overhead. SOCKDIAG_SOCKSTAT: of the whole machine, all namespaces: for people, never to decide anything.
	 */
	uint64_t memory_bytes;
	uint64_t receive_bytes;
	uint64_t send_bytes;
};
/*
 * Half a millisecond for walking the machine's table, and 0.6 microseconds a socket; SOCKDIAG_PROC: 5 milliseconds and 1.5, with
 * those in TIME_WAIT. Bounded: after 200,000 sockets it stops and reports what it saw. Never waits or allocates.
 */
void sockdiag_read(struct sockdiag *sockdiag, struct sockdiag_reading *ret_reading);
const char *sockdiag_method_name(enum sockdiag_method method); /* "none", "sock_diag", "proc", "sockstat" */

#endif
