/* SPDX-License-Identifier: MIT */
/*
 * sockets.c - the kernel memory of this process's sockets, measured.
 *
 * Called by agent.c, in its thread, while the other threads open and close sockets as they like.
 */
#include "base/base.h"

#include "worker/sockets_internal.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"

enum {
	QUIET_BYTES = 4096, /* what an idle socket may hold: a page in advance */
	FDS_MAX = 1 << 20,
	FDS_GUESS = 1024,   /* where the kernel does not tell how many there may be */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
	struct sockaddr_storage storage;
};

static uint16_t port_of(const union address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohs(address->v4.sin_port);
	return address->any.sa_family == AF_INET6 ? ntohs(address->v6.sin6_port) : 0;
}

static bool get_name(int fd, union address *ret_address)
{
	socklen_t len = sizeof(*ret_address);

	memset(ret_address, 0, sizeof(*ret_address));
	return getsockname(fd, &ret_address->any, &len) == 0;
}

struct sockets *sockets_new(const int *listen_fds, size_t listen_count)
{
	struct sockets *sockets = calloc(1, sizeof(*sockets));
	union address address;

	if (sockets == NULL)
		return NULL;
	for (size_t i = 0; i < listen_count && sockets->listen_count < SOCKETS_PORTS_MAX; i++) {
		sockets->listen_fds[sockets->listen_count++] = listen_fds[i];
		if (!get_name(listen_fds[i], &address))
			continue;
		if (address.any.sa_family == AF_UNIX)
			sockets->has_unix_listener = true;
		else
			sockets->ports[sockets->port_count++] = port_of(&address);
	}
	return sockets;
}

/* ---- one socket ---- */

/* Kernel memory of a socket; false: it is none. */
static bool read_memory(int fd, uint64_t *ret_bytes)
{
	uint32_t values[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(values);
	int queued = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &len) == 0) {
		/* What was set aside in advance is signed: it may be owed for a moment. */
		const int32_t ahead = (int32_t)values[SK_MEMINFO_FWD_ALLOC];

		*ret_bytes = (uint64_t)values[SK_MEMINFO_RMEM_ALLOC] +
		             MAX(values[SK_MEMINFO_WMEM_ALLOC], values[SK_MEMINFO_WMEM_QUEUED]) + (uint64_t)MAX(ahead, 0);
		return true;
	}
	if (errno != ENOPROTOOPT)
		return false;
	/* gVisor: at least what waits. */
	*ret_bytes = 0;
	if (ioctl(fd, FIONREAD, &queued) == 0)
		*ret_bytes += (uint64_t)MAX(queued, 0);
	if (ioctl(fd, SIOCOUTQ, &queued) == 0)
		*ret_bytes += (uint64_t)MAX(queued, 0);
	return true;
}

static uint64_t read_queue(int fd, unsigned long request)
{
	int queued = 0;

	return ioctl(fd, request, &queued) == 0 && queued > 0 ? (uint64_t)queued : 0;
}

uint64_t sockets_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

/* Bytes that ever arrived; 0 where the kernel can't tell. */
static uint64_t received_of(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_bytes_received : 0;
}

void sockets_name_peer(struct socket_item *item)
{
	union address address;
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "";

	memset(&address, 0, sizeof(address));
	item->peer[0] = '\0';
	item->peer_port = 0;
	if (getpeername(item->fd, &address.any, &len) != 0)
		return;
	item->peer_port = port_of(&address);
	if (address.any.sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host));
	else if (address.any.sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof(host));
	else if (address.any.sa_family == AF_UNIX)
		(void)snprintf(item->peer, sizeof(item->peer), "unix");
	if (host[0] != '\0')
		(void)snprintf(item->peer, sizeof(item->peer), strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
		               (unsigned)item->peer_port);
}

static bool is_our_port(const struct sockets *sockets, uint16_t port)
{
	for (size_t i = 0; i < sockets->port_count; i++)
		if (sockets->ports[i] == port)
			return true;
	return false;
}

static int compare_memories(const void *a, const void *b)
{
	const struct socket_memory *left = a, *right = b;

	return left->cookie < right->cookie ? -1 : left->cookie > right->cookie;
}

/* Since when nobody has taken anything from it. */
static uint64_t silent_since(struct sockets *sockets, const struct socket_item *item, uint64_t now_ms)
{
	const struct socket_memory wanted = { .cookie = item->cookie };
	const int before = 1 - sockets->now;
	const struct socket_memory *old = bsearch(&wanted, sockets->memories[before], sockets->memory_counts[before],
	                                   sizeof(wanted), compare_memories);
	struct socket_memory *memory = &sockets->memories[sockets->now][sockets->memory_counts[sockets->now]];
	const uint64_t received = received_of(item->fd);

	if (received < item->unread_bytes) /* not known */
		return 0;
	*memory = (struct socket_memory){ item->cookie, received - item->unread_bytes, now_ms };
	if (old != NULL && old->consumed == memory->consumed)
		memory->since_ms = old->since_ms;
	sockets->memory_counts[sockets->now]++;
	return memory->since_ms;
}

static void look_closely(struct sockets *sockets, int fd, uint64_t bytes, uint64_t now_ms)
{
	struct socket_item *item = &sockets->items[sockets->item_count];
	union address address;
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	*item = (struct socket_item){ .fd = fd, .memory_bytes = bytes, .cookie = sockets_cookie(fd) };
	if (!get_name(fd, &address))
		return;
	item->is_tcp = (address.any.sa_family == AF_INET || address.any.sa_family == AF_INET6) &&
	               getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == IPPROTO_TCP;
	/* Of the unix sockets those that were accepted have the listener's name. */
	item->is_client = item->is_tcp ? is_our_port(sockets, port_of(&address))
	                               : address.any.sa_family == AF_UNIX && sockets->has_unix_listener &&
	                                         address.local.sun_path[0] != '\0';
	item->unread_bytes = read_queue(fd, FIONREAD);
	item->unsent_bytes = read_queue(fd, SIOCOUTQ);
	if (item->is_client)
		sockets->client_bytes += bytes;
	else
		sockets->upstream_bytes += bytes;
	sockets->unread_bytes += item->unread_bytes;
	if (item->is_tcp && item->unread_bytes > 0)
		item->since_ms = silent_since(sockets, item, now_ms);
	sockets->item_count++;
}

static void look_at(struct sockets *sockets, int fd, uint64_t now_ms)
{
	uint64_t bytes;

	for (size_t i = 0; i < sockets->listen_count; i++)
		if (sockets->listen_fds[i] == fd)
			return;
	if (!read_memory(fd, &bytes))
		return;
	if (sockets->clamped_count > 0 && bytes <= SOCKETS_CLAMP_TO_BYTES)
		sockets_unclamp(sockets, fd);
	sockets->open_count++;
	if (bytes > QUIET_BYTES && sockets->item_count < SOCKETS_ITEMS_MAX)
		look_closely(sockets, fd, bytes, now_ms);
	else if (bytes > QUIET_BYTES)
		sockets->upstream_bytes += bytes;
}

/* All descriptors have smaller numbers; the kernel's table only ever grows. */
static int count_fds(void)
{
	char text[2048];
	const char *line = NULL;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		ssize_t len = read(fd, text, sizeof(text) - 1);

		text[MAX(len, (ssize_t)0)] = '\0';
		line = strstr(text, "\nFDSize:");
		fd_close(&fd);
	}
	return line != NULL ? (int)MIN(strtol(line + 8, NULL, 10), (long)FDS_MAX) : FDS_GUESS;
}

void sockets_look(struct sockets *sockets, uint64_t now_ms)
{
	const int fds = count_fds();

	sockets->now = 1 - sockets->now;
	sockets->open_count = sockets->client_bytes = sockets->upstream_bytes = sockets->unread_bytes = 0;
	sockets->item_count = sockets->memory_counts[sockets->now] = 0;
	/* Not the folder /proc/self/fd: to ask of a number that is free costs a twentieth of naming one that is not. */
	for (int fd = 0; fd < fds; fd++)
		look_at(sockets, fd, now_ms);
	qsort(sockets->memories[sockets->now], sockets->memory_counts[sockets->now], sizeof(struct socket_memory), compare_memories);
}

/* ---- the board ---- */

static int compare_largest_first(const void *a, const void *b)
{
	const struct socket_item *left = a, *right = b;

	return left->memory_bytes > right->memory_bytes ? -1 : left->memory_bytes < right->memory_bytes;
}

void sockets_sort(struct sockets *sockets)
{
	qsort(sockets->items, sockets->item_count, sizeof(struct socket_item), compare_largest_first);
}

static void put_largest(struct sockets *sockets, struct board_line *line)
{
	for (size_t i = 0; i < BOARD_SOCKETS; i++) {
		struct board_socket values = { .memory_bytes = 0 };
		struct socket_item *item = &sockets->items[i];

		if (i >= sockets->item_count) {
			board_set_socket(&line->agent.sockets[i], &values, "");
			continue;
		}
		sockets_name_peer(item);
		values.memory_bytes = item->memory_bytes;
		values.unread_bytes = item->unread_bytes;
		values.unsent_bytes = item->unsent_bytes;
		values.since_ms = item->since_ms;
		values.is_client = item->is_client;
		board_set_socket(&line->agent.sockets[i], &values, item->peer);
	}
}

#define PUT(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

void sockets_scan(struct sockets *sockets, struct board_line *line, uint64_t now_ms)
{
	sockets_look(sockets, now_ms);
	sockets_sort(sockets);
	put_largest(sockets, line);
	PUT(line->agent.sockets_open, sockets->open_count);
	PUT(line->agent.sockets_client_bytes, sockets->client_bytes);
	PUT(line->agent.sockets_upstream_bytes, sockets->upstream_bytes);
	PUT(line->agent.sockets_unread_bytes, sockets->unread_bytes);
	PUT(line->agent.sockets_ms, now_ms);
}
