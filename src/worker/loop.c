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
#include "base/log.h"
#include "shared/listen.h"
#include "worker/batch.h"
#include "worker/conn.h"
#include "worker/exchange.h"
#include "worker/siblings.h"
#include "worker/wire.h"

enum {
	ACCEPT_PAUSE_MS = 500, /* out of file descriptors */
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

static bool has_room(const struct service *service)
{
	return !service->is_draining && service->open_count < service->open_max &&
	       service->now_ms >= service->accept_again_ms;
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

/* With as many connections as may be open one more is let in only in the place of an idle one. */
static bool wants_clients(const struct service *service)
{
	if (has_room(service))
		return true;
	return !service->is_draining && service->open_count == service->open_max &&
	       service->now_ms >= service->accept_again_ms && find_spare(service) != NULL;
}

/* The new one is in already, so that nothing is closed for a client that a sibling took. */
static void make_room(struct service *service)
{
	struct conn *conn;

	while (service->open_count > service->open_max && (conn = find_spare(service)) != NULL) {
		if (wire_has_unread(conn)) {
			conn->may_read = true;
			service_queue(service, &conn->turn);
		} else {
			conn_close(conn);
		}
	}
}

void loop_update_listeners(struct service *service)
{
	const bool is_wanted = wants_clients(service);

	for (size_t i = 0; i < service->listener_count; i++) {
		if (is_wanted)
			watch_listener(service, &service->listeners[i]);
		else
			unwatch_listener(service, &service->listeners[i]);
	}
}

static void note_accept(struct service *service, struct service_listener *listener, int code)
{
	if (code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM) {
		log_error("Cannot accept a connection: %s", strerror(-code));
		service->accept_again_ms = service->now_ms + ACCEPT_PAUSE_MS;
		return;
	}
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

	for (size_t count = service->open_count / 2; count > 0 && has_room(service); count--) {
		siblings_first(service);
		if (conn_accept(service, listener, &conn) != 0)
			break;
		service_queue(service, &conn->turn);
	}
}

static void run_listener(struct service *service, struct service_listener *listener)
{
	struct conn *conn;
	int code;

	if (!wants_clients(service))
		return;
	siblings_first(service);
	code = conn_accept(service, listener, &conn);
	note_accept(service, listener, code);
	if (code < 0)
		return;
	make_room(service);
	if (service->has_stacks) /* other stacks must hear of those that are queued before this one is busy */
		service_queue(service, &conn->turn);
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
		while (conn_accept(service, &service->listeners[i], &conn) == 0)
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

