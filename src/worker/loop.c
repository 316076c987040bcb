/* SPDX-License-Identifier: MIT */
/*
 * loop.c - what the loops of all worker classes have in common.
 *
 * Called by sync.c, gthread.c and gevent.c, which differ in who waits for events and who runs the turns. Must not wait itself.
 */
#include "base/base.h"

#include "worker/loop.h"

#include <poll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shared/listen.h"
#include "worker/batch.h"
#include "worker/conn.h"
#include "worker/exchange.h"
#include "worker/room.h"
#include "worker/siblings.h"

enum {
	BEAT_MS = 1000,
	SHORT_BEAT_MS = 250, /* with a timeout of one second */
};

int loop_beat_ms(const struct service *service)
{
	return service->settings->timeout == 1 ? SHORT_BEAT_MS : BEAT_MS;
}

static void watch_listener(struct service *service, struct service_listener *listener)
{
	if (!listener->is_watched &&
	    poller_add_listener(&service->poller, listener->fd, &listener->turn, service->has_stacks) == 0)
		listener->is_watched = true;
}

static void unwatch_listener(struct service *service, struct service_listener *listener)
{
	if (listener->is_watched)
		(void)poller_remove(&service->poller, listener->fd);
	listener->is_watched = false;
	list_remove(&listener->turn.link);
	listener->turn.is_queued = false;
}

void loop_update_listeners(struct service *service)
{
	const bool is_wanted = room_wants_clients(service);

	for (size_t i = 0; i < service->listener_count; i++) {
		if (is_wanted)
			watch_listener(service, &service->listeners[i]);
		else
			unwatch_listener(service, &service->listeners[i]);
	}
}

static void note_accept(struct service *service, struct service_listener *listener, int code)
{
	/* Watched again it tells of those who wait still, also where it is watched edge-triggered. */
	if (code < 0 && code != -EAGAIN)
		unwatch_listener(service, listener);
	/*
	 * The kernel wakes the exclusive waiter that has waited longest in its list, which never changes by itself: the
	 * first worker would get every connection of a quiet service. Queue at the end again. A listener that is watched
	 * edge-triggered tells by this, too, whether there are more.
	 */
	if (code == 0 && (service->settings->workers > 1 || service->has_stacks) && listener->is_watched) {
		unwatch_listener(service, listener);
		watch_listener(service, listener);
	}
}

/*
 * Whoever still waits was wanted by no idle sibling, and shall not wait for as many rounds as there are clients before him: half
 * as many again are let in.
 */
static void admit_more(struct service *service, struct service_listener *listener)
{
	struct conn *conn;

	for (size_t count = service->open_count / 2; count > 0 && room_is_left(service); count--) {
		siblings_first(service);
		if (room_accept(service, listener, &conn) != 0)
			break;
		service_queue(service, &conn->turn);
	}
}

static void run_listener(struct service *service, struct service_listener *listener)
{
	struct conn *conn;
	int code;

	if (!room_wants_clients(service))
		return;
	siblings_first(service);
	code = room_accept(service, listener, &conn);
	note_accept(service, listener, code);
	if (code < 0)
		return;
	if (service->has_stacks) /* other stacks must hear of those that are queued before this one is busy */
		service_queue(service, &conn->turn);
	room_make(service);
	admit_more(service, listener);
	if (!service->has_stacks)
		conn_run(conn);
}

void loop_take_event(struct service *service, const struct epoll_event *event)
{
	struct turn *turn = event->data.ptr;

	if (turn == NULL)
		worker_woken(service->worker);
	else if (turn->is_listener)
		service_queue(service, turn);
	else
		conn_wake(LIST_ENTRY(turn, struct conn, turn), event->events);
}

bool loop_run_next(struct service *service)
{
	struct turn *turn;

	if (list_is_empty(&service->turns))
		return false;
	turn = LIST_ENTRY(service->turns.next, struct turn, link);
	list_remove(&turn->link);
	turn->is_queued = false;
	if (turn->is_listener)
		run_listener(service, LIST_ENTRY(turn, struct service_listener, turn));
	else
		conn_run(LIST_ENTRY(turn, struct conn, turn));
	return true;
}

void loop_run_turns(struct service *service, uint64_t max_ms)
{
	const uint64_t until_ms = service->now_ms + max_ms;

	while (loop_run_next(service)) {
		batch_end_turn(service->worker->batch, service);
		if (service->now_ms >= until_ms)
			break;
	}
	batch_flush(service->worker->batch);
}

void loop_look_at_listeners(struct service *service)
{
	for (size_t i = 0; i < service->listener_count; i++) {
		struct service_listener *listener = &service->listeners[i];
		struct pollfd item = { .fd = listener->fd, .events = POLLIN };

		if (listener->is_watched && poll(&item, 1, 0) > 0)
			service_queue(service, &listener->turn);
	}
}

void loop_take_events(struct service *service)
{
	for (int i = 0; i < service->poller.count; i++)
		loop_take_event(service, &service->poller.events[i]);
	if (service->poller.count == 0 && list_is_empty(&service->turns))
		loop_look_at_listeners(service);
}

void loop_expire(struct service *service)
{
	struct timer *due;

	while ((due = service_take_due(service)) != NULL)
		conn_expire(LIST_ENTRY(due, struct conn, timer));
}

/*
 * The whole service stops, or a reload gave up the address: whoever has knocked before the doors closed is let in, later ones are
 * refused at once, by the kernel. The socket itself lives until the last process has done the same, so that nobody gets lost
 * between two of them. A socket that others go on serving is left to them.
 */
static void close_listeners(struct service *service)
{
	const bool is_stopping =
		atomic_load_explicit(&service->worker->board->head->is_stopping, memory_order_relaxed) != 0;
	struct conn *conn;

	for (size_t i = 0; i < service->listener_count; i++) {
		if (!is_stopping && !listen_is_leaving(service->listeners[i].fd))
			continue;
		while (room_accept(service, &service->listeners[i], &conn) == 0)
			service_queue(service, &conn->turn);
		fd_close(&service->listeners[i].fd);
	}
}

void loop_begin_drain(struct service *service)
{
	service->now_ms = clock_ms();
	service->is_draining = true;
	loop_update_listeners(service);
	close_listeners(service);
	LIST_EACH (&service->conns, link)
		conn_drain(LIST_ENTRY(link, struct conn, link));
}

void loop_cut_all(struct service *service)
{
	LIST_EACH (&service->conns, link)
		conn_cut(LIST_ENTRY(link, struct conn, link));
}

void loop_close_all(struct service *service)
{
	while (!list_is_empty(&service->conns))
		conn_close(LIST_ENTRY(service->conns.next, struct conn, link));
	conn_free_spares(service);
	exchange_free_spares(service);
}

