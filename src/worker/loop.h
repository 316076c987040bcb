/* SPDX-License-Identifier: MIT */
/*
 * loop.h - what the loops of all worker classes have in common: clients let in, events taken, deadlines kept, the drain.
 *
 * The GIL is held in all calls and guards everything that hangs on the service; nothing here waits, but the turns run code of
 * the application, which may let other threads or greenlets in.
 */
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include "base/base.h"
#include "worker/service.h"

/* How long a loop may sleep between two signs of life: a second, or less where `timeout` is so short that it would be close. */
int loop_beat_ms(const struct service *service);

/* Watches the listeners while new clients are wanted. */
void loop_update_listeners(struct service *service);
/*
 * Only one waiter in all workers is woken for a client. When that one is stopped or killed before it accepts, nobody else hears of
 * the client: so a worker without anything else to do looks by itself.
 */
void loop_look_at_listeners(struct service *service);
/* One event of the poller: notes it at whom it belongs to, and queues whose turn it is. */
void loop_take_event(struct service *service, const struct epoll_event *event);
/* All events of the poller's last wait. With none and nothing queued the listeners are looked at. */
void loop_take_events(struct service *service);
/* Ends what has taken too long. service->now_ms is the present. */
void loop_expire(struct service *service);
/* Takes the next turn out of the queue and runs it. False: the queue was empty. */
bool loop_run_next(struct service *service);
/* Runs turns until the queue is empty or `max_ms` have gone by. */
void loop_run_turns(struct service *service, uint64_t max_ms);
/* No more clients; those there are finish. */
void loop_begin_drain(struct service *service);
/* The process leaves while threads or greenlets still have requests, which nothing may be taken away from. */
void loop_cut_all(struct service *service);
/* Closes all connections and frees their memory. */
void loop_close_all(struct service *service);

#endif
