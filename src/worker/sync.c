/* SPDX-License-Identifier: MIT */
/*
 * sync.c - the loop of worker class sync: one request at a time in Python, any number of connections outside it.
 *
 * Called by worker.c. A new client is one turn among others, and the listeners are shared: while this worker is busy a
 * sibling that sleeps in the poller takes the client.
 */
#include "base/base.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "py/py.h"
#include "shared/exits.h"
#include "worker/conn.h"
#include "worker/exchange.h"
#include "worker/service.h"
#include "worker/worker.h"

enum {
	BEAT_MS = 1000,
	TURN_MS = 20,          /* so long the queue is worked on before events and signals are looked at again */
	ACCEPT_PAUSE_MS = 500, /* out of file descriptors */
};

static void watch_listener(struct service *service, struct service_listener *listener)
{
	if (!listener->is_watched && poller_add_listener(&service->poller, listener->fd, &listener->turn) == 0)
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

static bool wants_clients(const struct service *service)
{
	return !service->is_draining && service->open_count < service->open_max &&
	       service->now_ms >= service->accept_again_ms;
}

static void update_listeners(struct service *service)
{
	const bool is_wanted = wants_clients(service);

	for (size_t i = 0; i < service->listener_count; i++) {
		if (is_wanted)
			watch_listener(service, &service->listeners[i]);
		else
			unwatch_listener(service, &service->listeners[i]);
	}
}

static void run_listener(struct service *service, struct service_listener *listener)
{
	struct conn *conn;
	int code;

	if (!wants_clients(service))
		return;
	code = conn_accept(service, listener, &conn);
	if (code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM) {
		log_error("Cannot accept a connection: %s", strerror(-code));
		service->accept_again_ms = service->now_ms + ACCEPT_PAUSE_MS;
		return;
	}
	/*
	 * The kernel wakes the exclusive waiter that has waited longest in its list, which never changes by itself: the
	 * first worker would get every connection of a quiet service. Queue at the end again.
	 */
	if (code == 0 && service->settings->workers > 1 && listener->is_watched) {
		unwatch_listener(service, listener);
		watch_listener(service, listener);
	}
	if (code == 0)
		conn_run(conn);
}

static void take_events(struct service *service)
{
	for (int i = 0; i < service->poller.count; i++) {
		struct turn *turn = service->poller.events[i].data.ptr;

		if (turn == NULL)
			worker_woken(service->worker);
		else if (turn->is_listener)
			service_queue(service, turn);
		else
			conn_wake(LIST_ENTRY(turn, struct conn, turn), service->poller.events[i].events);
	}
}

static void run_turns(struct service *service)
{
	const uint64_t until_ms = service->now_ms + TURN_MS;

	while (!list_is_empty(&service->turns)) {
		struct turn *turn = LIST_ENTRY(service->turns.next, struct turn, link);

		list_remove(&turn->link);
		turn->is_queued = false;
		if (turn->is_listener)
			run_listener(service, LIST_ENTRY(turn, struct service_listener, turn));
		else
			conn_run(LIST_ENTRY(turn, struct conn, turn));
		if (service->now_ms >= until_ms)
			break;
	}
}

/*
 * Only one waiter is woken for a client. When that one is stopped or killed before it accepts, nobody else hears of the client:
 * so a worker without anything else to do looks by itself.
 */
static void look_at_listeners(struct service *service)
{
	for (size_t i = 0; i < service->listener_count; i++)
		if (service->listeners[i].is_watched)
			service_queue(service, &service->listeners[i].turn);
}

static int turn(struct service *service)
{
	struct timer *due;
	int code;

	update_listeners(service);
	if (list_is_empty(&service->turns)) {
		const int timeout_ms = service_next_ms(service, BEAT_MS);

		Py_BEGIN_ALLOW_THREADS
		code = poller_wait(&service->poller, timeout_ms);
		Py_END_ALLOW_THREADS
	} else {
		code = poller_wait(&service->poller, 0);
	}
	if (code < 0)
		return code;
	service->now_ms = clock_ms();
	take_events(service);
	if (service->poller.count == 0 && list_is_empty(&service->turns))
		look_at_listeners(service);
	while ((due = service_take_due(service)) != NULL)
		conn_expire(LIST_ENTRY(due, struct conn, timer));
	run_turns(service);
	return 0;
}

/*
 * The whole service stops: whoever has knocked before the doors closed is let in, later ones are refused at once, by the
 * kernel. The socket itself lives until the last process has done the same, so that nobody gets lost between two of them.
 */
static void close_listeners(struct service *service)
{
	struct conn *conn;

	for (size_t i = 0; i < service->listener_count; i++) {
		while (conn_accept(service, &service->listeners[i], &conn) == 0)
			service_queue(service, &conn->turn);
		fd_close(&service->listeners[i].fd);
	}
}

static void begin_drain(struct service *service)
{
	service->now_ms = clock_ms();
	service->is_draining = true;
	update_listeners(service);
	if (atomic_load_explicit(&service->worker->board->head->is_stopping, memory_order_relaxed) != 0)
		close_listeners(service);
	LIST_EACH (&service->conns, link)
		conn_drain(LIST_ENTRY(link, struct conn, link));
}

static void close_all(struct service *service)
{
	while (!list_is_empty(&service->conns))
		conn_close(LIST_ENTRY(service->conns.next, struct conn, link));
	conn_free_spares(service);
	exchange_free_spares(service);
}

int sync_run(struct worker *worker)
{
	struct service *service = xcalloc(1, sizeof(*service));
	struct err err = ERR_NONE;
	int exit_code = EXIT_WORKER_BOOT;

	if (service_init(service, worker, &err) < 0 || poller_add_wake(&service->poller, worker->wake_fd, NULL) < 0) {
		log_critical("The worker cannot serve: %s", err_is_set(&err) ? err.text : "no wake-up");
		goto out;
	}
	exit_code = EXIT_OK;
	worker_ready(worker);
	for (;;) {
		const enum worker_order order = worker_tick(worker);
		int code;

		if (order == WORKER_QUIT)
			break;
		if (order == WORKER_DRAIN && !service->is_draining)
			begin_drain(service);
		if (service->is_draining && service->open_count == 0)
			break;
		code = turn(service);
		if (code < 0) {
			log_critical("The worker cannot wait for events: %s", strerror(-code));
			exit_code = EXIT_UNHANDLED;
			break;
		}
	}
out:
	close_all(service);
	service_release(service);
	free(service);
	return exit_code;
}
