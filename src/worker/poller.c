/* SPDX-License-Identifier: MIT */
/*
 * poller.c - epoll.
 *
 * Called by sync.c and conn.c. Knows nothing of what it watches.
 */
#include "base/base.h"

#include "worker/poller.h"

#include "base/fd.h"

int poller_init(struct poller *poller)
{
	poller->count = 0;
	poller->fd = epoll_create1(EPOLL_CLOEXEC);
	return poller->fd < 0 ? -errno : 0;
}

void poller_release(struct poller *poller)
{
	fd_close(&poller->fd);
	poller->count = 0;
}

static int add(struct poller *poller, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data = { .ptr = data } };

	return epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int poller_add_connection(struct poller *poller, int fd, void *data)
{
	return add(poller, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, data);
}

int poller_add_listener(struct poller *poller, int fd, void *data, bool once)
{
	return add(poller, fd, EPOLLIN | EPOLLEXCLUSIVE | (once ? EPOLLET : 0u), data);
}

int poller_add_wake(struct poller *poller, int fd, void *data)
{
	return add(poller, fd, EPOLLIN, data);
}

int poller_remove(struct poller *poller, int fd)
{
	struct epoll_event unused = { .events = 0 };

	return epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, &unused) < 0 ? -errno : 0;
}

int poller_wait(struct poller *poller, int timeout_ms)
{
	const int count = epoll_wait(poller->fd, poller->events, POLLER_EVENTS, timeout_ms);

	poller->count = MAX(count, 0);
	return count < 0 && errno != EINTR ? -errno : 0;
}

int poller_take(const struct poller *poller, int timeout_ms, struct epoll_event *ret_event)
{
	const int count = epoll_wait(poller->fd, ret_event, 1, timeout_ms);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	return count;
}
