/* SPDX-License-Identifier: MIT */
/*
 * batch.c - answers that are ready together leave together.
 *
 * Called by exchange.c, loop.c, record.c and the agent. Must not hold back what belongs to a slow request, nor anything for
 * the length of one: the next request may take any time, so the agent's timer runs while something is put aside.
 */
#include "base/base.h"

#include "worker/batch.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "worker/conn.h"
#include "worker/exchange.h"
#include "worker/push.h"

enum {
	BATCH_MAX = 16,      /* answers */
	BATCH_US = 500,      /* from the first one put aside */
	BATCH_BYTES = 16384, /* of one answer; more is worth a system call of its own at once */
	SHORT_US = 500,      /* a request that took no longer is a short one; */
	TINY_US = 20,        /* after one that took less, the client has had no time to fall asleep */
	SHORT_STREAK = 64,   /* so many of them in a row, and the next one is likely to be short, too */
	RESCUE_MS = 10,
};

struct batch {
	pthread_mutex_t lock; /* guards the outputs of `held` against the agent; never kept for long */
	struct exchange *held[BATCH_MAX];
	size_t rescued_bytes[BATCH_MAX]; /* sent by the agent, not counted yet */
	size_t count;
	uint64_t since_us;
	unsigned short_streak;
	bool is_tiny; /* the last request was */
	bool is_due;
	int timer_fd;
	bool is_timed; /* the timer runs */
};

struct batch *batch_new(void)
{
	struct batch *batch = xcalloc(1, sizeof(*batch));

	batch->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (batch->timer_fd < 0) {
		free(batch);
		return NULL;
	}
	(void)pthread_mutex_init(&batch->lock, NULL);
	return batch;
}

int batch_timer_fd(const struct batch *batch)
{
	return batch->timer_fd;
}

/*
 * With the lock: the agent may be about to find nothing that waits. Not again for each answer: a timer that fires for nothing is
 * cheaper than one that is always set anew.
 */
static bool start_timer(struct batch *batch)
{
	const struct itimerspec in_time = { .it_value = { .tv_nsec = RESCUE_MS * 1000000L } };

	if (batch->is_timed)
		return true;
	batch->is_timed = true;
	return timerfd_settime(batch->timer_fd, 0, &in_time, NULL) == 0;
}

static void send_some(struct batch *batch, size_t i)
{
	struct output *output = &batch->held[i]->output;
	ssize_t sent;

	if (output_is_empty(output))
		return;
	sent = send(batch->held[i]->conn->fd, output->before.data + output->before_at, output->before.len - output->before_at,
	            MSG_NOSIGNAL | MSG_DONTWAIT);
	/* What went wrong is found out again, by whose turn it is. */
	if (sent > 0) {
		output->before_at += (size_t)sent;
		batch->rescued_bytes[i] += (size_t)sent;
	}
}

void batch_rescue(struct batch *batch)
{
	uint64_t expirations;

	(void)!read(batch->timer_fd, &expirations, sizeof(expirations));
	(void)pthread_mutex_lock(&batch->lock);
	batch->is_timed = false;
	if (batch->count > 0 && clock_us() - batch->since_us >= BATCH_US) {
		for (size_t i = 0; i < batch->count; i++)
			send_some(batch, i);
	} else if (batch->count > 0) {
		(void)start_timer(batch);
	}
	(void)pthread_mutex_unlock(&batch->lock);
}

static bool may_hold(const struct batch *batch, const struct exchange *exchange)
{
	const struct conn *conn = exchange->conn;
	const struct service *service = conn->service;
	const struct output *output = &exchange->output;

	return batch->short_streak >= SHORT_STREAK && !batch->is_tiny && batch->count < BATCH_MAX && !list_is_empty(&service->turns) &&
	       !service->has_stacks && !service->is_draining && conn->tls == NULL && !exchange->has_sent &&
	       !exchange->is_taken && output->big == NULL && output->before_at == 0 && output->before.len <= BATCH_BYTES;
}

static bool put_aside(struct batch *batch, struct exchange *exchange, uint64_t now_us)
{
	bool is_timed;

	(void)pthread_mutex_lock(&batch->lock);
	is_timed = start_timer(batch);
	if (is_timed) {
		if (batch->count == 0)
			batch->since_us = now_us;
		batch->rescued_bytes[batch->count] = 0;
		batch->held[batch->count++] = exchange;
		batch->is_due = batch->is_due || batch->count == BATCH_MAX || now_us - batch->since_us >= BATCH_US;
	}
	(void)pthread_mutex_unlock(&batch->lock);
	return is_timed;
}

bool batch_hold(struct batch *batch, struct exchange *exchange)
{
	uint64_t now_us;

	if (batch == NULL || exchange->was_held)
		return false;
	if (!may_hold(batch, exchange)) {
		batch->is_due = true;
		return false;
	}
	now_us = clock_us();
	exchange->conn->service->now_ms = now_us / 1000;
	if (now_us - exchange->started_us < TINY_US) {
		batch->is_tiny = true;
		batch->is_due = true;
		return false;
	}
	if (now_us - exchange->started_us > SHORT_US || !put_aside(batch, exchange, now_us)) {
		batch->is_due = true;
		return false;
	}
	exchange->was_held = true;
	return true;
}

void batch_note(struct batch *batch, uint64_t duration_us)
{
	if (batch == NULL)
		return;
	batch->is_tiny = duration_us < TINY_US;
	if (duration_us > SHORT_US + BATCH_US)
		batch->short_streak = 0;
	else if (batch->short_streak < SHORT_STREAK)
		batch->short_streak++;
}

void batch_flush(struct batch *batch)
{
	struct exchange *held[BATCH_MAX];
	size_t count;

	if (batch == NULL)
		return;
	batch->is_due = false;
	if (batch->count == 0)
		return;
	(void)pthread_mutex_lock(&batch->lock);
	count = batch->count;
	batch->count = 0;
	for (size_t i = 0; i < count; i++) {
		held[i] = batch->held[i];
		if (batch->rescued_bytes[i] > 0) {
			held[i]->has_sent = true;
			SERVICE_COUNT(held[i]->conn->service, sent_bytes_total, batch->rescued_bytes[i]);
		}
	}
	(void)pthread_mutex_unlock(&batch->lock);
	/* All bytes first. What is left of these requests may run code of the application, which belongs where turns are run. */
	for (size_t i = 0; i < count; i++) {
		(void)push_flush(held[i]);
		service_queue(held[i]->conn->service, &held[i]->conn->turn);
	}
}

void batch_end_turn(struct batch *batch, const struct service *service)
{
	if (batch == NULL || batch->count == 0)
		return;
	/* now_ms is as old as the last call of the application. */
	if (batch->is_due || list_is_empty(&service->turns) || service->now_ms > (batch->since_us + BATCH_US) / 1000 + 1)
		batch_flush(batch);
}

void batch_forget(struct batch *batch, const struct conn *conn)
{
	if (batch == NULL || batch->count == 0)
		return;
	(void)pthread_mutex_lock(&batch->lock);
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->held[i]->conn != conn)
			continue;
		batch->count--;
		for (size_t rest = i; rest < batch->count; rest++) {
			batch->held[rest] = batch->held[rest + 1];
			batch->rescued_bytes[rest] = batch->rescued_bytes[rest + 1];
		}
		break;
	}
	(void)pthread_mutex_unlock(&batch->lock);
}
