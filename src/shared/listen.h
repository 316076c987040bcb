/* SPDX-License-Identifier: MIT */
/*
 * listen.h - listening sockets: parse an address of `bind`, bind it, name it, pass it on.
 */
#ifndef SHARED_LISTEN_H
#define SHARED_LISTEN_H

#include "base/base.h"
#include "base/err.h"

#include <sys/socket.h>

enum listen_kind { LISTEN_TCP, LISTEN_UNIX, LISTEN_FD };

/* One address of `bind`, parsed as gunicorn does: HOST, HOST:PORT, :PORT, [v6]:PORT, tcp://HOST:PORT, unix:PATH, unix://PATH, fd://N. */
struct listen_address {
	enum listen_kind kind;
	char *host; /* lower case, without brackets; TCP only */
	uint16_t port;
	bool is_ipv6;
	char *path; /* unix only */
	int fd;     /* fd:// only */
};

struct listener {
	struct listen_address address;
	int fd;         /* owned */
	char *name;     /* "http://127.0.0.1:8000", "unix:/run/a.sock"; the port the kernel gave when 0 was asked for */
	bool must_unlink; /* a unix socket that we made */
	dev_t device;     /* of its file, so that nobody else's is unlinked */
	ino_t inode;
};

struct listen_options {
	int backlog;
	bool reuse_port;
	bool binds_only; /* listen_begin() comes later */
	int umask;      /* of unix sockets */
	long uid, gid;  /* owner of unix sockets; -1: leave */
};

/*
 * 0, or -EINVAL with gunicorn's sentence ("'x' is not a valid port number."); then nothing is held. Host names are not looked
 * up here.
 */
int listen_parse(const char *text, struct listen_address *ret_address, struct err *err);
void listen_address_release(struct listen_address *address);
bool listen_address_equals(const struct listen_address *a, const struct listen_address *b);
/*
 * Binds and listens: close-on-exec, non-blocking, SO_REUSEADDR, TCP_NODELAY. Takes over *address_take (also on failure, but
 * an fd:// stays open then). The umask of the process changes for a moment. Blocks only to look up a host name.
 * 0 or -errno (-EADDRINUSE and -EADDRNOTAVAIL are worth another try later); err gets gunicorn's sentence:
 * "connection to ('127.0.0.1', 8000) failed: [Errno 98] Address already in use", or "'/path' is not a socket" (-ENOTSOCK).
 */
int listen_open(struct listener *ret_listener, struct listen_address *address_take, const struct listen_options *options,
                struct err *err);
/* Whether the socket fd is bound to that address (port 0: to any port of that host). Blocks to look up a host name. */
bool listen_is_at(const struct listen_address *address, int fd);
/*
 * The same for a socket that is bound and listens already: takes over fd (not on failure) and *address_take. A unix socket's
 * file is not ours until listen_own(). 0 or -errno with a sentence.
 */
int listen_adopt(struct listener *ret_listener, struct listen_address *address_take, int fd, struct err *err);
/* Tells all processes that share the socket that nobody will serve it: what waits in its queue is for those who leave. */
void listen_leave(const struct listener *listener);
bool listen_is_leaving(int fd);
/* From now on its unix socket is ours to unlink. */
void listen_own(struct listener *listener);
/* Listens, where that was put off. 0 or -errno. */
int listen_begin(const struct listener *listener, int backlog);
/* Whether another TCP socket may be bound, or may begin to listen, beside this one: both need it, and the same user. */
void listen_set_beside(const struct listener *listener, bool is_on);
/*
 * How many unsent bytes the kernel takes for each connection that is accepted from now on (TCP_NOTSENT_LOWAT, inherited); 0: its
 * own default, megabytes. A unix socket has no such thing.
 */
void listen_set_send_low_watermark(const struct listener *listener, uint64_t bytes);
/* Every address of its family. */
bool listen_is_any(const struct listen_address *address);
/* Closes; unlinks a unix socket when must_unlink and do_unlink are set and the file is still ours. Harmless when zeroed. */
void listen_close(struct listener *listener, bool do_unlink);
/* Python's repr of the address for gunicorn's log lines: ('127.0.0.1', 8000) or /path; the caller frees. */
char *listen_address_repr(const struct listen_address *address);
/* The kernel's queue: *ret_waiting connections of at most *ret_limit. 0 or -errno (-EOPNOTSUPP for unix sockets), and both are 0. */
int listen_queue(const struct listener *listener, uint32_t *ret_waiting, uint32_t *ret_limit);

#endif
