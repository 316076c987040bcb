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
#include "base/log.h"
#include "py/py.h"
#include "shared/exits.h"
#include "worker/loop.h"
#include "worker/service.h"
#include "worker/worker.h"

enum { TURN_MS = 20 /* so long the queue is worked on before events and signals are looked at again */ };

static int turn(struct service *service)
{
	int code;

	loop_update_listeners(service);
	if (list_is_empty(&service->turns)) {
		const int timeout_ms = service_next_ms(service, loop_beat_ms(service));

		Py_BEGIN_ALLOW_THREADS
		code = poller_wait(&service->poller, timeout_ms);
		Py_END_ALLOW_THREADS
	} else {
		code = poller_wait(&service->poller, 0);
	}
	if (code < 0)
		return code;
	service->now_ms = clock_ms();
	loop_take_events(service);
	loop_expire(service);
	loop_run_turns(service, TURN_MS);
	return 0;
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
			loop_begin_drain(service);
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
	loop_close_all(service);
	service_release(service);
	free(service);
	return exit_code;
}
