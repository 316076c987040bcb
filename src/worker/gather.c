/* SPDX-License-Identifier: MIT */
/*
 * gather.c - pieces of a stream that come quickly leave together.
 *
 * Called by exchange.c, push.c and the agent. An output has one owner at any time: the stack that runs its request, or, while it is
 * lent, the lock.
 */
#include "base/base.h"

#include "worker/gather.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "worker/conn.h"
#include "worker/exchange.h"

enum {
	LENT_MAX = 32,         /* streams that wait for their applications at the same time; others send at once */
	QUICK_US = 50,         /* a piece that came so soon after the one before is a quick one; */
	QUICK_STREAK = 8,      /* so many of them in a row, and the next one is likely to be quick, too */
	GATHER_BYTES = 16384,
	GATHER_US = 500,       /* from the first one that was kept */
	RESCUE_MS = 2,
};

struct gather {
	pthread_mutex_t lock; /* guards `lent` and the outputs in there; never kept for long */
	struct exchange *lent[LENT_MAX];
	uint64_t since_us[LENT_MAX];
	size_t count;
	int timer_fd;
	bool is_timed; /* the timer runs */
};

struct gather *gather_new(void)
{
	struct gather *gather = xcalloc(1, sizeof(*gather));

	gather->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (gather->timer_fd < 0) {
		free(gather);
		return NULL;
	}
	(void)pthread_mutex_init(&gather->lock, NULL);
	return gather;
}

int gather_timer_fd(const struct gather *gather)
{
	return gather->timer_fd;
}

/*
 * With the lock: the agent may be about to find nothing that waits. Not again for each piece: a timer that fires for nothing is
 * cheaper than one that is always set anew.
 */
static bool start_timer(struct gather *gather)
{
	const struct itimerspec in_time = { .it_value = { .tv_nsec = RESCUE_MS * 1000000L } };

	if (gather->is_timed)
		return true;
	gather->is_timed = true;
	return timerfd_settime(gather->timer_fd, 0, &in_time, NULL) == 0;
}

static void send_some(struct exchange *exchange)
{
	struct output *output = &exchange->output;
	ssize_t sent;

	if (output_is_empty(output))
		return;
	sent = send(exchange->conn->fd, output->before.data + output->before_at, output->before.len - output->before_at,
	            MSG_NOSIGNAL | MSG_DONTWAIT);
	/* What went wrong is found out again, by whose turn it is. */
	if (sent > 0) {
		output->before_at += (size_t)sent;
		exchange->rescued_bytes += (size_t)sent;
	}
}

void gather_rescue(struct gather *gather)
{
	const uint64_t now_us = clock_us();
	uint64_t expirations;

	(void)!read(gather->timer_fd, &expirations, sizeof(expirations));
	(void)pthread_mutex_lock(&gather->lock);
	gather->is_timed = false;
	for (size_t i = 0; i < gather->count; i++)
		if (now_us - gather->since_us[i] >= GATHER_US)
			send_some(gather->lent[i]);
	/* Also for those that were sent: there may be a rest. They are gone with the next piece. */
	if (gather->count > 0)
		(void)start_timer(gather);
	(void)pthread_mutex_unlock(&gather->lock);
}

static bool is_quick(struct exchange *exchange, uint64_t now_us)
{
	const bool is_soon = now_us - exchange->piece_us <= QUICK_US;

	exchange->piece_us = now_us;
	if (!is_soon)
		exchange->quick_streak = 0;
	else if (exchange->quick_streak < QUICK_STREAK)
		exchange->quick_streak++;
	return exchange->quick_streak >= QUICK_STREAK;
}

bool gather_may_wait(struct exchange *exchange, uint64_t now_us)
{
	const struct output *output = &exchange->output;
	const struct conn *conn = exchange->conn;

	const bool was_gathering = exchange->is_gathering;

	exchange->is_gathering = false;
	if (!is_quick(exchange, now_us) || conn->service->worker->gather == NULL || conn->tls != NULL || exchange->is_taken ||
	    exchange->is_pushing || output->big != NULL || output->before.len - output->before_at > GATHER_BYTES)
		return false;
	if (!was_gathering)
		exchange->gather_since_us = now_us;
	exchange->is_gathering = now_us - exchange->gather_since_us < GATHER_US;
	return exchange->is_gathering;
}

bool gather_lend(struct exchange *exchange)
{
	struct gather *gather = exchange->conn->service->worker->gather;

	if (!exchange->is_gathering || output_is_empty(&exchange->output))
		return true;
	(void)pthread_mutex_lock(&gather->lock);
	if (gather->count < LENT_MAX && start_timer(gather)) {
		gather->since_us[gather->count] = exchange->gather_since_us;
		gather->lent[gather->count++] = exchange;
		exchange->is_lent = true;
	}
	(void)pthread_mutex_unlock(&gather->lock);
	return exchange->is_lent;
}

void gather_take_back(struct exchange *exchange)
{
	struct gather *gather;

	if (!exchange->is_lent)
		return;
	gather = exchange->conn->service->worker->gather;
	(void)pthread_mutex_lock(&gather->lock);
	for (size_t i = 0; i < gather->count; i++) {
		if (gather->lent[i] != exchange)
			continue;
		gather->count--;
		gather->lent[i] = gather->lent[gather->count];
		gather->since_us[i] = gather->since_us[gather->count];
		break;
	}
	(void)pthread_mutex_unlock(&gather->lock);
	exchange->is_lent = false;
	if (exchange->rescued_bytes == 0)
		return;
	exchange->has_sent = true;
	SERVICE_COUNT(exchange->conn->service, sent_bytes_total, (uint64_t)exchange->rescued_bytes);
	exchange->rescued_bytes = 0;
}
