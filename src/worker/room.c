/* SPDX-License-Identifier: MIT */
/*
 * room.c - room for new clients: how many a worker may have, who goes when one more comes, when accepting is given a rest.
 *
 * Called by loop.c, and by conn.c when a connection closes. Closes only who is idle; reads nothing from anybody.
 */
#include "base/base.h"

#include "worker/room.h"

#include <poll.h>
#include <sys/resource.h>

#include "base/log.h"
#include "worker/conn.h"
#include "worker/service.h"
#include "worker/wire.h"

enum {
	RESERVE = 32, /* descriptors that clients leave to the application, if idle ones can be closed for it */
	RESERVE_PART = 16, /* but not more than this part of all */
	FDS_MAX_MS = 5000, /* then it is tried whether there is room for more clients */
	REST_MS = 250, /* without a descriptor; an idle connection may be closed then */
	TELL_AGAIN_MS = 60000,
};

static void read_fd_limit(struct room *room)
{
	struct rlimit limit;

	room->fd_limit = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

static uint64_t get_reserve(const struct room *room)
{
	return MAX(MIN(room->fd_limit / RESERVE_PART, (uint64_t)RESERVE), UINT64_C(1));
}

void room_init(struct room *room, size_t open_max)
{
	*room = (struct room){ .open_max = open_max };
	read_fd_limit(room);
}

void room_note_close(struct room *room)
{
	room->accept_again_ms = 0;
}

static size_t get_most(const struct service *service)
{
	const struct room *room = &service->room;

	return service->now_ms < room->fds_max_until_ms ? MIN(room->open_max, room->fds_max) : room->open_max;
}

static bool may_accept(const struct service *service)
{
	return !service->is_draining && service->now_ms >= service->room.accept_again_ms;
}

bool room_is_left(const struct service *service)
{
	return may_accept(service) && service->open_count < get_most(service);
}

/* Like a drain: a client that was just answered may be sending its next request. */
static bool is_spare(const struct service *service, const struct conn *conn)
{
	return service->now_ms - conn->idle_since_ms > service->timer_ms[TIMER_LAST_CHANCE];
}

/* The kept-alive connection that has been silent for longest; NULL if none may be closed for another client. */
static struct conn *find_spare(const struct service *service)
{
	LIST_EACH (&service->timers[TIMER_IDLE], link) {
		struct conn *conn = LIST_ENTRY(link, struct conn, timer.link);

		if (!is_spare(service, conn))
			break;
		if (conn->state == CONN_IDLE && !conn->is_away && !conn->turn.is_queued)
			return conn;
	}
	return NULL;
}

/* The reserve is no reason to keep anybody out: an application may hold any number of descriptors for good. */
bool room_wants_clients(const struct service *service)
{
	if (!may_accept(service) || service->open_count > service->room.open_max)
		return false;
	return service->open_count < service->room.open_max || find_spare(service) != NULL;
}

uint64_t room_next_ms(const struct service *service)
{
	const struct room *room = &service->room;

	if (service->is_draining)
		return UINT64_MAX;
	if (service->now_ms < room->accept_again_ms)
		return room->accept_again_ms;
	if (service->open_count < room->open_max || room_wants_clients(service))
		return UINT64_MAX;
	LIST_EACH (&service->timers[TIMER_IDLE], link) {
		const struct conn *conn = LIST_ENTRY(link, struct conn, timer.link);

		if (!is_spare(service, conn))
			return conn->idle_since_ms + service->timer_ms[TIMER_LAST_CHANCE] + 1;
	}
	return UINT64_MAX;
}

void room_note_idle(const struct service *service)
{
	const struct list *idle = &service->timers[TIMER_IDLE];

	if (UNLIKELY(service->has_stacks && service->open_count >= service->room.open_max && idle->next->next == idle))
		worker_wake(service->worker);
}

/* False: there were none to close. */
static bool close_idle(struct service *service, size_t most)
{
	struct conn *conn;
	bool result = false;

	while (service->open_count > most && (conn = find_spare(service)) != NULL) {
		if (wire_has_unread(conn)) {
			conn->may_read = true;
			service_queue(service, &conn->turn);
		} else {
			conn_close(conn);
			result = true;
		}
	}
	return result;
}

/* So many descriptors shall be free that are not. */
static void want_fds(struct service *service, uint64_t count)
{
	service->room.fds_max = service->open_count > count ? service->open_count - (size_t)count : 1;
	service->room.fds_max_until_ms = service->now_ms + FDS_MAX_MS;
}

/* The kernel gives the lowest free number: all below this one are in use. */
static void look_at_fd(struct service *service, int fd)
{
	struct room *room = &service->room;

	if (LIKELY((uint64_t)fd + get_reserve(room) < room->fd_limit))
		return;
	read_fd_limit(room); /* the application may have changed it */
	if ((uint64_t)fd + get_reserve(room) >= room->fd_limit && (uint64_t)fd < room->fd_limit)
		want_fds(service, (uint64_t)fd + 1 + get_reserve(room) - room->fd_limit);
}

static bool is_time_to_tell(const struct service *service, uint64_t *told_ms)
{
	if (*told_ms != 0 && service->now_ms < *told_ms + TELL_AGAIN_MS)
		return false;
	*told_ms = service->now_ms;
	return true;
}

static void tell_closing(struct service *service)
{
	struct room *room = &service->room;

	if (is_time_to_tell(service, &room->told_closing_ms))
		log_warning("Almost out of open files (limit %llu): idle connections are closed for new ones",
		            (unsigned long long)room->fd_limit);
}

void room_make(struct service *service)
{
	const size_t most = get_most(service);

	if (LIKELY(service->open_count <= most))
		return;
	if (close_idle(service, most) && most < service->room.open_max)
		tell_closing(service);
}

static bool is_shortage(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM;
}

/* accept4() looks for a descriptor before it looks for a client, whom a sibling may have taken. */
static bool has_client(const struct service_listener *listener)
{
	struct pollfd item = { .fd = listener->fd, .events = POLLIN };

	return poll(&item, 1, 0) > 0;
}

int room_accept(struct service *service, struct service_listener *listener, struct conn **ret_conn)
{
	struct room *room = &service->room;
	int code = conn_accept(service, listener, ret_conn);

	if (UNLIKELY(is_shortage(code))) {
		if (!has_client(listener))
			return -EAGAIN;
		read_fd_limit(room);
		want_fds(service, get_reserve(room));
		if (close_idle(service, room->fds_max)) {
			tell_closing(service);
			code = conn_accept(service, listener, ret_conn);
		}
	}
	if (code == 0) {
		look_at_fd(service, (*ret_conn)->fd);
	} else if (is_shortage(code)) {
		room->accept_again_ms = service->now_ms + REST_MS;
		worker_wake(service->worker); /* who looks after deadlines may wait for a later one */
		if (is_time_to_tell(service, &room->told_refused_ms))
			log_error("Cannot accept a connection: %s", strerror(-code));
	}
	return code;
}
