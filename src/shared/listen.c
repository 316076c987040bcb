/* SPDX-License-Identifier: MIT */
/*
 * listen.c - listening sockets.
 *
 * Called by the master, which binds, and (parsing alone) by whoever checks settings. Never logs; never tries twice: the
 * master's loop does that.
 */
#include "base/base.h"

#include "shared/listen.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/span.h"

enum { DEFAULT_PORT = 8000 };

/* --- addresses --- */

/* As Python's int(): blanks around and a plus sign are fine. */
static bool to_number(struct span text, uint64_t max, uint64_t *ret_value)
{
	text = span_trim(text, " \t\n\r\f\v");
	if (text.len > 1 && text.at[0] == '+')
		text = span_of(text.at + 1, text.len - 1);
	return span_to_u64(text, ret_value) && *ret_value <= max;
}

static struct span cut_front(struct span text, size_t len)
{
	return span_of(text.at + len, text.len - len);
}

static bool is_ipv6(const char *host)
{
	struct in6_addr unused;
	return inet_pton(AF_INET6, host, &unused) == 1 || strchr(host, '%') != NULL;
}

/* gunicorn: util.py parse_address(), with what it lets pass: "[::1]x" is port 8000, "a:1:2" is port 1. */
static int parse_tcp(struct span text, struct listen_address *ret_address, struct err *err)
{
	struct span host = text, port = SPAN_NONE;
	bool has_port = false;
	ssize_t closing = span_find(text, ']');
	if (closing >= 0 && span_find(text, '[') >= 0) {
		host = span_of(text.at + 1, (size_t)MAX(closing - 1, 0));
		struct span behind = cut_front(text, (size_t)closing + 1);
		has_port = behind.len != 0 && behind.at[0] == ':';
		if (has_port)
			port = cut_front(behind, 1);
	} else if (span_find(text, ':') >= 0) {
		struct span rest = text;
		(void)span_split(&rest, ':', &host);
		(void)span_split(&rest, ':', &port);
		has_port = true;
	} else if (text.len == 0) {
		host = SPAN_LIT("0.0.0.0");
	}

	uint64_t number = DEFAULT_PORT;
	if (has_port && !to_number(port, UINT16_MAX, &number))
		return err_set(err, -EINVAL, "'%.*s' is not a valid port number.", SPAN_ARG(port));
	ret_address->kind = LISTEN_TCP;
	ret_address->port = (uint16_t)number;
	ret_address->host = span_dup(host);
	for (char *c = ret_address->host; *c != '\0'; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
	ret_address->is_ipv6 = is_ipv6(ret_address->host);
	return 0;
}

int listen_parse(const char *text, struct listen_address *ret_address, struct err *err)
{
	struct span rest = span_from_str(text);
	*ret_address = (struct listen_address){ .fd = FD_NONE };
	if (span_starts_with(rest, SPAN_LIT("unix:"))) {
		rest = cut_front(rest, 5);
		if (span_starts_with(rest, SPAN_LIT("//")))
			rest = cut_front(rest, 2);
		if (rest.len == 0)
			return err_set(err, -EINVAL, "'%s' names no path.", text);
		ret_address->kind = LISTEN_UNIX;
		ret_address->path = span_dup(rest);
		return 0;
	}
	if (span_starts_with(rest, SPAN_LIT("fd://"))) {
		uint64_t fd;
		rest = cut_front(rest, 5);
		if (!to_number(rest, INT32_MAX, &fd))
			return err_set(err, -EINVAL, "'%.*s' is not a valid file descriptor.", SPAN_ARG(rest));
		ret_address->kind = LISTEN_FD;
		ret_address->fd = (int)fd;
		return 0;
	}
	if (span_starts_with(rest, SPAN_LIT("tcp://")))
		rest = cut_front(rest, 6);
	return parse_tcp(rest, ret_address, err);
}

void listen_address_release(struct listen_address *address)
{
	if (address == NULL)
		return;
	free(address->host);
	free(address->path);
	*address = (struct listen_address){ .fd = FD_NONE };
}

bool listen_address_equals(const struct listen_address *a, const struct listen_address *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case LISTEN_TCP:
		return a->port == b->port && strcmp(a->host, b->host) == 0;
	case LISTEN_UNIX:
		return strcmp(a->path, b->path) == 0;
	case LISTEN_FD:
		return a->fd == b->fd;
	}
	return false;
}

char *listen_address_repr(const struct listen_address *address)
{
	switch (address->kind) {
	case LISTEN_TCP:
		return xasprintf("('%s', %u)", address->host, (unsigned)address->port);
	case LISTEN_UNIX:
		return xstrdup(address->path);
	case LISTEN_FD:
		break;
	}
	return xasprintf("fd://%d", address->fd);
}

/* --- sockets --- */

static int fail(struct err *err, const struct listen_address *address, int result)
{
	if (!err_is_set(err)) {
		char room[128];
		char *repr = listen_address_repr(address);
		(void)err_set(err, result, "connection to %s failed: [Errno %d] %s", repr, -result,
		              strerror_r(-result, room, sizeof room));
		free(repr);
	}
	return result;
}

static int set_flag(int fd, int level, int option)
{
	int on = 1;
	return setsockopt(fd, level, option, &on, sizeof on) < 0 ? -errno : 0;
}

/*
 * gunicorn: sock.py create_sockets(): host names are IPv4; the empty host is every address.
 *
 * NEEDSWORK: a name server that does not answer stops the master's loop for as long, when a reload changes `bind` to a host name
 * (one that stays is not looked up again). The candidate's template could do it, as it does for statsd.
 */
static int resolve(const struct listen_address *address, struct sockaddr_storage *ret_at, socklen_t *ret_len,
                   struct err *err)
{
	char port[8];
	(void)snprintf(port, sizeof port, "%u", (unsigned)address->port);
	struct addrinfo hints = {
		.ai_family = address->is_ipv6 ? AF_INET6 : AF_INET,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV | (address->is_ipv6 ? AI_NUMERICHOST : 0),
	};
	struct addrinfo *found = NULL;
	int code = getaddrinfo(address->host[0] != '\0' ? address->host : NULL, port, &hints, &found);
	if (code == EAI_SYSTEM)
		return fail(err, address, -errno);
	if (code != 0) {
		char *repr = listen_address_repr(address);
		(void)err_set(err, -EADDRNOTAVAIL, "connection to %s failed: [Errno %d] %s", repr, code, gai_strerror(code));
		free(repr);
		return -EADDRNOTAVAIL;
	}
	memcpy(ret_at, found->ai_addr, found->ai_addrlen);
	*ret_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int bind_tcp(int *ret_fd, const struct listen_address *address, const struct listen_options *options, struct err *err)
{
	struct sockaddr_storage at;
	socklen_t len = 0;
	int result = resolve(address, &at, &len, err);
	if (result < 0)
		return result;
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	result = set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
	if (result == 0 && options->reuse_port)
		result = set_flag(fd, SOL_SOCKET, SO_REUSEPORT);
	if (result == 0 && bind(fd, (struct sockaddr *)&at, len) < 0)
		result = -errno;
	if (result < 0)
		fd_close(&fd);
	*ret_fd = fd;
	return result;
}

/* gunicorn: sock.py UnixSocket.__init__() */
static int remove_old_socket(const char *path, struct err *err)
{
	struct stat info;
	if (stat(path, &info) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(info.st_mode))
		return err_set(err, -ENOTSOCK, "'%s' is not a socket", path);
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_unix(struct listener *listener, const struct listen_options *options, struct err *err)
{
	const char *path = listener->address.path;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat info;
	if (strlen(path) >= sizeof at.sun_path)
		return err_set(err, -ENAMETOOLONG, "connection to %s failed: a unix socket's path has at most %zu bytes", path,
		               sizeof at.sun_path - 1);
	memcpy(at.sun_path, path, strlen(path));
	int result = remove_old_socket(path, err);
	if (result < 0)
		return result;
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return -errno;
	/* Not chmod() afterwards: somebody could connect in between. */
	mode_t old = umask((mode_t)options->umask & 0777);
	if (bind(listener->fd, (struct sockaddr *)&at, sizeof at) < 0)
		result = -errno;
	(void)umask(old);
	if (result < 0)
		return result;
	listener->must_unlink = true;
	if (stat(path, &info) < 0)
		return -errno;
	listener->device = info.st_dev;
	listener->inode = info.st_ino;
	if ((options->uid != -1 || options->gid != -1) && chown(path, (uid_t)options->uid, (gid_t)options->gid) < 0)
		return -errno;
	return 0;
}

/* From systemd, a parent or `fd://N`: used as it is. The number stays, so that a reload finds the same address again. */
static int adopt(struct listener *listener, struct err *err)
{
	int fd = listener->address.fd;
	int type = 0;
	socklen_t len = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	if (type != SOCK_STREAM)
		return err_set(err, -EPROTOTYPE, "fd://%d is not a stream socket", fd);
	int result = fd_set_cloexec(fd, true);
	if (result == 0)
		result = fd_set_nonblock(fd, true);
	if (result == 0)
		listener->fd = fd;
	return result;
}

bool listen_is_at(const struct listen_address *address, int fd)
{
	struct sockaddr_storage wanted;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
	} at = { 0 }, want = { 0 };
	socklen_t len = sizeof at;
	if (address->kind == LISTEN_FD)
		return address->fd == fd;
	if (getsockname(fd, &at.any, &len) < 0)
		return false;
	if (address->kind == LISTEN_UNIX)
		return at.any.sa_family == AF_UNIX && strncmp(at.un.sun_path, address->path, sizeof at.un.sun_path) == 0;
	if (resolve(address, &wanted, &len, NULL) < 0 || wanted.ss_family != at.any.sa_family)
		return false;
	memcpy(&want, &wanted, MIN((size_t)len, sizeof want));
	if (at.any.sa_family == AF_INET)
		return want.v4.sin_addr.s_addr == at.v4.sin_addr.s_addr && (address->port == 0 || want.v4.sin_port == at.v4.sin_port);
	return memcmp(&want.v6.sin6_addr, &at.v6.sin6_addr, sizeof at.v6.sin6_addr) == 0 &&
	       (address->port == 0 || want.v6.sin6_port == at.v6.sin6_port);
}

/* What it is bound to, from the kernel: the port may have been 0, and an adopted socket tells nothing else. */
static char *name_socket(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
	} at = { 0 };
	socklen_t len = sizeof at;
	char host[INET6_ADDRSTRLEN];
	if (getsockname(fd, &at.any, &len) < 0)
		return xasprintf("fd://%d", fd);
	switch (at.any.sa_family) {
	case AF_INET:
		(void)inet_ntop(AF_INET, &at.v4.sin_addr, host, sizeof host);
		return xasprintf("http://%s:%u", host, (unsigned)ntohs(at.v4.sin_port));
	case AF_INET6:
		(void)inet_ntop(AF_INET6, &at.v6.sin6_addr, host, sizeof host);
		return xasprintf("http://[%s]:%u", host, (unsigned)ntohs(at.v6.sin6_port));
	case AF_UNIX:
		/* An abstract name begins with NUL, shown as @. */
		if (len > offsetof(struct sockaddr_un, sun_path) && at.un.sun_path[0] == '\0')
			at.un.sun_path[0] = '@';
		return xasprintf("unix:%.*s", (int)sizeof at.un.sun_path, at.un.sun_path);
	default:
		return xasprintf("fd://%d", fd);
	}
}

int listen_open(struct listener *ret_listener, struct listen_address *address_take, const struct listen_options *options,
                struct err *err)
{
	struct listener made = { .address = *address_take, .fd = FD_NONE };
	int result = 0;
	*address_take = (struct listen_address){ .fd = FD_NONE };
	*ret_listener = (struct listener){ .fd = FD_NONE };

	switch (made.address.kind) {
	case LISTEN_TCP:
		result = bind_tcp(&made.fd, &made.address, options, err);
		break;
	case LISTEN_UNIX:
		result = bind_unix(&made, options, err);
		break;
	case LISTEN_FD:
		result = adopt(&made, err);
		break;
	}
	if (result < 0)
		goto out;
	/* Accepted sockets inherit it. A unix socket refuses, which is fine. */
	(void)set_flag(made.fd, IPPROTO_TCP, TCP_NODELAY);
	if (!options->binds_only && listen(made.fd, options->backlog) < 0) {
		result = -errno;
		goto out;
	}
	made.name = made.address.kind == LISTEN_UNIX ? xasprintf("unix:%s", made.address.path) : name_socket(made.fd);
	*ret_listener = made;
	return 0;
out:
	(void)fail(err, &made.address, result);
	if (made.address.kind == LISTEN_FD)
		made.fd = FD_NONE;
	listen_close(&made, true);
	return result;
}

int listen_adopt(struct listener *ret_listener, struct listen_address *address_take, int fd, struct err *err)
{
	struct listener made = { .address = *address_take, .fd = fd };
	int result = fd_set_cloexec(fd, true);
	*address_take = (struct listen_address){ .fd = FD_NONE };
	*ret_listener = (struct listener){ .fd = FD_NONE };
	if (result == 0)
		result = fd_set_nonblock(fd, true);
	if (result < 0) {
		(void)fail(err, &made.address, result);
		listen_address_release(&made.address);
		return result;
	}
	made.name = made.address.kind == LISTEN_UNIX ? xasprintf("unix:%s", made.address.path) : name_socket(fd);
	*ret_listener = made;
	return 0;
}

int listen_begin(const struct listener *listener, int backlog)
{
	return listen(listener->fd, backlog) < 0 ? -errno : 0;
}

void listen_set_beside(const struct listener *listener, bool is_on)
{
	int value = is_on;
	(void)setsockopt(listener->fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value);
}

void listen_set_send_low_watermark(const struct listener *listener, uint64_t bytes)
{
	int value = (int)MIN(bytes, (uint64_t)INT32_MAX);
	(void)setsockopt(listener->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, sizeof value);
}

bool listen_is_any(const struct listen_address *address)
{
	return address->kind == LISTEN_TCP &&
	       (address->host[0] == '\0' || strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0);
}

/*
 * The option is one of the socket, so every process that has it sees it, whatever number it has there. It has no other effect:
 * nobody waits in accept() or recv() here.
 */
static const struct timeval leaving = { .tv_sec = 7777 };

void listen_leave(const struct listener *listener)
{
	(void)setsockopt(listener->fd, SOL_SOCKET, SO_RCVTIMEO, &leaving, sizeof leaving);
}

bool listen_is_leaving(int fd)
{
	struct timeval value = { 0 };
	socklen_t len = sizeof value;
	return getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, &len) == 0 && value.tv_sec == leaving.tv_sec;
}

void listen_own(struct listener *listener)
{
	struct stat info;
	if (listener->address.kind != LISTEN_UNIX || listener->must_unlink || stat(listener->address.path, &info) < 0)
		return;
	listener->must_unlink = true;
	listener->device = info.st_dev;
	listener->inode = info.st_ino;
}

void listen_close(struct listener *listener, bool do_unlink)
{
	/* A zeroed listener holds no fd, although its number reads 0. */
	if (listener == NULL || (listener->fd == 0 && listener->name == NULL))
		return;
	struct stat info;
	if (do_unlink && listener->must_unlink && listener->address.path != NULL && stat(listener->address.path, &info) == 0 &&
	    info.st_dev == listener->device && info.st_ino == listener->inode)
		(void)unlink(listener->address.path);
	fd_close(&listener->fd);
	free(listener->name);
	listen_address_release(&listener->address);
	*listener = (struct listener){ .fd = FD_NONE, .address.fd = FD_NONE };
}

int listen_queue(const struct listener *listener, uint32_t *ret_waiting, uint32_t *ret_limit)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	*ret_waiting = *ret_limit = 0;
	memset(&info, 0, sizeof info);
	if (getsockopt(listener->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	/* On a listening socket the kernel puts the accept queue into these two (net/ipv4/tcp.c, tcp_get_info()). */
	*ret_waiting = info.tcpi_unacked;
	*ret_limit = info.tcpi_sacked;
	return 0;
}
