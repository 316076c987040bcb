/* SPDX-License-Identifier: MIT */
/*
 * sockets_cure.c - kernel memory of sockets, given back.
 *
 * Called by agent.c, in its thread, while the other threads open and close sockets as they like: what is done to one is done to a
 * duplicate whose identity (SO_COOKIE) was checked, so that a number that was used again meanwhile hits nobody.
 */
#include "base/base.h"

#include "worker/sockets_internal.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/fd.h"

enum { UNCLAMPED_BYTES = 1 << 20 };

/* A duplicate of just that socket; -1: it is gone. */
static int hold(const struct socket_item *item)
{
	int fd = fcntl(item->fd, F_DUPFD_CLOEXEC, 3);

	if (fd >= 0 && (item->cookie == 0 || sockets_cookie(fd) != item->cookie))
		fd_close(&fd);
	return fd;
}

/* Its queues are freed at once, the peer gets a reset, and whoever waits for it wakes. */
static bool cut(const struct socket_item *item)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	const struct timespec pause = { .tv_nsec = 2 * 1000 * 1000 };
	int fd = hold(item), result = -1;

	if (fd < 0)
		return false;
	for (int i = 0; i < 3 && result != 0; i++) {
		result = connect(fd, &nobody, sizeof(nobody));
		if (result == 0 || errno != EBUSY)
			break;
		/* Since 6.4 not while somebody is inside recv(): he must come out first. */
		(void)shutdown(fd, SHUT_RDWR);
		(void)nanosleep(&pause, NULL);
	}
	fd_close(&fd);
	return result == 0;
}

/* What was done to how many, and how much they held. */
struct tally {
	size_t count;
	uint64_t bytes;
	struct socket_item largest;
};

static void tally_add(struct tally *tally, const struct socket_item *item)
{
	tally->count++;
	tally->bytes += item->memory_bytes;
	if (item->memory_bytes > tally->largest.memory_bytes)
		tally->largest = *item;
}

/* In words; returns how many. */
static size_t tally_tell(const struct tally *tally, const char *did, char *text, size_t size)
{
	if (tally->count == 0)
		(void)snprintf(text, size, "%s nothing", did);
	else
		(void)snprintf(text, size, "%s %zu %s, %.1f MB; the largest: %s (%.1f MB)", did, tally->count,
		               tally->count == 1 ? "connection" : "connections", (double)tally->bytes / 1048576,
		               tally->largest.peer, (double)tally->largest.memory_bytes / 1048576);
	return tally->count;
}

size_t sockets_shed(struct sockets *sockets, uint64_t bytes, uint64_t now_ms, char *ret_text, size_t size)
{
	struct tally tally = { .count = 0 };

	sockets_look(sockets, now_ms);
	sockets_sort(sockets);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sockets->item_count && tally.bytes < bytes; i++) {
			struct socket_item *item = &sockets->items[i];

			if (!item->is_tcp || item->is_client != (round == 0))
				continue;
			sockets_name_peer(item);
			if (cut(item))
				tally_add(&tally, item);
		}
	}
	return tally_tell(&tally, "closed", ret_text, size);
}

/* They push when they have news, which may be seldom; those who wait for it are not forgotten. */
static bool is_for_waiting(uint16_t port)
{
	static const uint16_t ports[] = { 1433, 1521, 3306, 4222, 5432, 5433, 5671, 5672, 6379, 6380, 9092, 11211, 27017 };

	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		if (ports[i] == port)
			return true;
	return false;
}

size_t sockets_defuse(struct sockets *sockets, uint64_t silence_ms, uint64_t now_ms, char *ret_text, size_t size)
{
	struct tally tally = { .count = 0 };

	sockets_look(sockets, now_ms);
	for (size_t i = 0; i < sockets->item_count; i++) {
		struct socket_item *item = &sockets->items[i];

		if (!item->is_tcp || item->is_client || item->unread_bytes < SOCKETS_DEFUSE_BYTES || item->since_ms == 0 ||
		    now_ms - item->since_ms < silence_ms)
			continue;
		sockets_name_peer(item);
		if (!is_for_waiting(item->peer_port) && cut(item))
			tally_add(&tally, item);
	}
	return tally_tell(&tally, "emptied", ret_text, size);
}

static void note_clamped(struct sockets *sockets, uint64_t cookie)
{
	for (size_t i = 0; i < sockets->clamped_count; i++)
		if (sockets->clamped[i] == cookie)
			return;
	if (sockets->clamped_count < SOCKETS_CLAMPED_MAX)
		sockets->clamped[sockets->clamped_count++] = cookie;
}

void sockets_unclamp(struct sockets *sockets, int fd)
{
	const int window = UNCLAMPED_BYTES, room = UNCLAMPED_BYTES / 2;
	const uint64_t cookie = sockets_cookie(fd);

	for (size_t i = 0; i < sockets->clamped_count; i++) {
		if (sockets->clamped[i] != cookie)
			continue;
		sockets->clamped[i] = sockets->clamped[--sockets->clamped_count];
		/* The kernel does not size it by itself any more: enough for a fast connection. */
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
		(void)setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &window, sizeof(window));
		return;
	}
}

size_t sockets_clamp(struct sockets *sockets, uint64_t now_ms, char *ret_text, size_t size)
{
	const int room = SOCKETS_CLAMP_TO_BYTES;
	struct tally tally = { .count = 0 };

	sockets_look(sockets, now_ms);
	for (size_t i = 0; i < sockets->item_count; i++) {
		struct socket_item *item = &sockets->items[i];
		int fd;

		if (!item->is_tcp || item->is_client || item->unread_bytes < SOCKETS_CLAMP_BYTES || (fd = hold(item)) < 0)
			continue;
		/* No smaller window is announced than was; but it does not open again. */
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
		(void)setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &room, sizeof(room));
		fd_close(&fd);
		note_clamped(sockets, item->cookie);
		sockets_name_peer(item);
		tally_add(&tally, item);
	}
	return tally_tell(&tally, "held back", ret_text, size);
}
