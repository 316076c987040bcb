/* SPDX-License-Identifier: MIT */
/*
 * agent.c - a C thread in each worker that never needs the GIL.
 *
 * Started by worker.c after the fork. Must not call Python and not take a lock that the other threads may hold for long: they may
 * be stuck. What takes the GIL it asks of the main thread (chores.c), and goes on without waiting for it.
 */
#include "base/base.h"

#include "worker/agent.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "shared/exits.h"
#include "shared/message.h"
#include "shared/remedies.h"
#include "shared/worker_class.h"
#include "worker/batch.h"
#include "worker/chores.h"
#include "worker/gather.h"
#include "worker/ownmem.h"
#include "worker/sockets.h"
#include "worker/squeeze.h"

enum {
	AGENT_STACK_BYTES = 256 * 1024,
	MESSAGE_BYTES = 4096,    /* the master's orders are short */
	FIRST_PACE_MS = 1000,
	FIRST_LOOK_MS = 100,
	CHORE_LOOK_MS = 5,       /* between two looks whether a chore is done */
	NUDGE_MS = 20,           /* between two signals to a main thread that does not come by */
	SQUEEZE_MS = 1000,       /* no allocations fail for longer than that */
	SAMPLE_MS = 10,          /* page faults of threads are compared over so long, */
	SAMPLE_THREAD_MS = 5,    /* and a turn of Python's lock more for each thread, */
	SAMPLE_MOST_MS = 60,     /* but no longer than that */
	WATCH_MS = 40,           /* and of greenlets */
	AFTERMATH_MS = 200,      /* what an ended request has freed is given back then */
	THREADS_MAX = 256,
};

/* How far a remedy that takes several steps has come. */
enum stage { IDLE, SAMPLING, WATCHING, WAITING };

struct thread_faults {
	pid_t tid;
	uint64_t faults;
};

struct agent {
	pthread_t thread;
	struct worker *worker;
	struct sockets *sockets; /* NULL: there was no memory for it */
	uint32_t pace_ms;
	uint64_t scan_ms;        /* the next look at the sockets */
	uint64_t trim_ms;        /* an aftermath is due; 0: none */
	/* The remedy under way. */
	enum stage stage;
	enum remedy remedy;
	uint32_t serial;
	bool insists;
	uint64_t stage_ms;       /* when the stage ends, or is looked at again */
	bool squeezes;           /* from the first moment on */
	uint64_t nudge_ms;       /* when the main thread is reminded */
	enum chore chore;        /* that is asked for, or shall be when the one before is done */
	pid_t guilty;
	bool has_asked;
	uint64_t squeeze_ms;     /* the squeeze ends then; 0: there was none for this remedy */
	uint64_t rss_before_bytes;
	struct thread_faults threads[THREADS_MAX];
	size_t thread_count;
	char farewell[128];
};

/* ---- memory of the process ---- */

#define COUNT(agent, counter, amount) \
	atomic_fetch_add_explicit(&(agent)->worker->line->counter, (uint64_t)(amount), memory_order_relaxed)

static uint64_t trim(struct agent *agent)
{
	const uint64_t before = ownmem_rss();
	uint64_t after;

	ownmem_give_back();
	after = ownmem_rss();
	COUNT(agent, memory_trims_total, 1);
	COUNT(agent, memory_trimmed_bytes_total, before > after ? before - after : 0);
	return before > after ? before - after : 0;
}

#define PUT(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

static void measure(struct agent *agent)
{
	struct board_agent *board = &agent->worker->line->agent;
	struct ownmem_rollup rollup;

	ownmem_rollup(&rollup);
	PUT(board->rss_bytes, rollup.rss_bytes);
	PUT(board->pss_bytes, rollup.pss_bytes);
	PUT(board->uss_bytes, rollup.uss_bytes);
	PUT(board->rollup_ms, clock_ms());
}

/* ---- who grows ---- */

/* Reads all threads; with has_before the one that has faulted most since the last time is returned, else 0. */
static pid_t sample_threads(struct agent *agent, bool has_before)
{
	DIR *folder = opendir("/proc/self/task");
	const struct dirent *entry;
	uint64_t most = 0, all = 0;
	pid_t guilty = 0;

	if (folder == NULL)
		return 0;
	if (!has_before)
		agent->thread_count = 0;
	while ((entry = readdir(folder)) != NULL) {
		const pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		uint64_t faults, before = 0;

		if (tid <= 0)
			continue;
		faults = ownmem_faults(entry->d_name);
		if (!has_before) {
			if (agent->thread_count < THREADS_MAX)
				agent->threads[agent->thread_count++] = (struct thread_faults){ tid, faults };
			continue;
		}
		for (size_t i = 0; i < agent->thread_count; i++)
			if (agent->threads[i].tid == tid)
				before = agent->threads[i].faults;
		if (faults <= before)
			continue;
		all += faults - before;
		if (faults - before > most) {
			most = faults - before;
			guilty = tid;
		}
	}
	(void)closedir(folder);
	/* Nobody stands out: then nobody is meant but the only one there is. */
	return most * 2 > all ? guilty : 0;
}

/* ---- remedies ---- */

static void answer(struct agent *agent, uint64_t amount, const char *text)
{
	board_set_remedy(agent->worker->line, agent->serial, amount, text);
}

static void answer_bytes(struct agent *agent, uint64_t bytes, const char *before)
{
	char text[200];

	(void)snprintf(text, sizeof(text), "%sgave back %.1f MB", before, (double)bytes / 1048576);
	answer(agent, bytes, text);
}

static bool is_class(const struct agent *agent, const char *loop)
{
	return strcmp(worker_class_loop(agent->worker->settings), loop) == 0;
}

/* Asks, or asks again. */
static void put_question(struct agent *agent)
{
	agent->has_asked = chores_ask(agent->worker->chores, agent->chore, agent->guilty, agent->insists);
	agent->nudge_ms = clock_ms() + NUDGE_MS;
}

static void ask(struct agent *agent, enum chore chore, pid_t guilty)
{
	agent->chore = chore;
	agent->guilty = guilty;
	put_question(agent);
	agent->stage = WAITING;
	agent->stage_ms = clock_ms() + CHORE_LOOK_MS;
}

static void begin_abort(struct agent *agent)
{
	if (agent->squeezes && squeeze_begin())
		agent->squeeze_ms = clock_ms() + SQUEEZE_MS;
	if (is_class(agent, "gthread")) {
		const long threads = MAX(agent->worker->settings->threads, 1L);

		(void)sample_threads(agent, false);
		agent->stage = SAMPLING;
		agent->stage_ms = clock_ms() + (uint64_t)MIN(SAMPLE_MS + SAMPLE_THREAD_MS * threads, (long)SAMPLE_MOST_MS);
	} else if (is_class(agent, "gevent")) {
		(void)chores_ask(agent->worker->chores, CHORE_WATCH, 0, false);
		agent->stage = WATCHING;
		agent->stage_ms = clock_ms() + WATCH_MS;
	} else {
		ask(agent, CHORE_ABORT, 0);
	}
}

static void end_chore(struct agent *agent)
{
	uint64_t amount;
	char text[200];

	if (!agent->has_asked) {
		put_question(agent);
		agent->stage_ms = clock_ms() + CHORE_LOOK_MS;
		return;
	}
	if (!chores_are_done(agent->worker->chores, &amount, text, sizeof(text))) {
		agent->stage_ms = clock_ms() + CHORE_LOOK_MS;
		if (clock_ms() >= agent->nudge_ms) {
			chores_nudge(agent->worker->chores);
			agent->nudge_ms = clock_ms() + NUDGE_MS;
		}
		return;
	}
	agent->stage = IDLE;
	/* The exception is on its way: with memory to spare for those who handle it. */
	if (agent->squeeze_ms != 0)
		agent->squeeze_ms = clock_ms() + CHORE_LOOK_MS;
	if (agent->remedy == REMEDY_collect) {
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ", ");
		(void)trim(agent);
		const uint64_t after = ownmem_rss();
		answer_bytes(agent, agent->rss_before_bytes > after ? agent->rss_before_bytes - after : 0, text);
		return;
	}
	/* It came back with a MemoryError of malloc's. */
	if (amount == 0 && agent->squeeze_ms != 0) {
		amount = 1;
		(void)snprintf(text, sizeof(text), "gave it no more memory until its request had ended");
	}
	if (amount > 0)
		agent->trim_ms = clock_ms() + AFTERMATH_MS;
	answer(agent, amount, text);
}

static void go_on(struct agent *agent)
{
	switch (agent->stage) {
	case IDLE:
		break;
	case SAMPLING: {
		const pid_t guilty = sample_threads(agent, true);

		ask(agent, CHORE_ABORT, guilty);
		break;
	}
	case WATCHING:
		ask(agent, CHORE_ABORT, 0);
		break;
	case WAITING:
		end_chore(agent);
		break;
	}
}

static void on_sockets(struct agent *agent, const struct message_remedy *order)
{
	const uint64_t now_ms = clock_ms();
	char text[200] = "looked at no sockets";
	size_t count = 0;

	if (agent->sockets != NULL && agent->remedy == REMEDY_shed) {
		count = sockets_shed(agent->sockets, order->amount, now_ms, text, sizeof(text));
		COUNT(agent, sockets_shed_total, count);
	} else if (agent->sockets != NULL && agent->remedy == REMEDY_defuse) {
		count = sockets_defuse(agent->sockets, order->amount > 0 ? order->amount : SOCKETS_DEFUSE_MS, now_ms, text, sizeof(text));
		COUNT(agent, sockets_defused_total, count);
	} else if (agent->sockets != NULL) {
		count = sockets_clamp(agent->sockets, now_ms, text, sizeof(text));
		COUNT(agent, sockets_clamped_total, count);
	}
	agent->scan_ms = now_ms;
	answer(agent, count, text);
}

static void on_remedy(struct agent *agent, const struct message_remedy *order)
{
	/* Another one is under way: the newer word counts, whatever the older one does still. */
	agent->stage = IDLE;
	agent->serial = order->serial;
	agent->remedy = order->remedy < REMEDY_MAX ? (enum remedy)order->remedy : REMEDY_MAX;
	agent->insists = (order->flags & REMEDY_FLAG_INSISTS) != 0;
	agent->squeezes = (order->flags & REMEDY_FLAG_SQUEEZES) != 0;
	agent->rss_before_bytes = ownmem_rss();
	if (agent->remedy == REMEDY_trim)
		answer_bytes(agent, trim(agent), "");
	else if (agent->remedy == REMEDY_collect)
		ask(agent, CHORE_COLLECT, 0);
	else if (agent->remedy == REMEDY_abort)
		begin_abort(agent);
	else if (agent->remedy == REMEDY_shed || agent->remedy == REMEDY_defuse || agent->remedy == REMEDY_clamp)
		on_sockets(agent, order);
}

/* ---- the thread ---- */

static void take_message(struct agent *agent, const char *bytes, size_t len)
{
	struct message message;

	if (message_decode(&message, TO_WORKER, bytes, len) != 0)
		return;
	if (message.id == MESSAGE_remedy)
		on_remedy(agent, &message.remedy);
	else if (message.id == MESSAGE_measure)
		measure(agent);
	else if (message.id == MESSAGE_pace)
		agent->pace_ms = MAX(message.pace.sockets_ms, (uint32_t)50);
}

/* False: the master is gone. */
static bool receive(struct agent *agent)
{
	char bytes[MESSAGE_BYTES];
	ssize_t len;

	/* Without room for descriptors: the kernel closes what nobody asked for. */
	while ((len = recv(agent->worker->link.fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		take_message(agent, bytes, (size_t)len);
	return len < 0 && (errno == EAGAIN || errno == EINTR);
}

static int wait_ms(const struct agent *agent, uint64_t now_ms)
{
	uint64_t next_ms = agent->scan_ms;

	if (agent->stage != IDLE)
		next_ms = MIN(next_ms, agent->stage_ms);
	if (agent->trim_ms != 0)
		next_ms = MIN(next_ms, agent->trim_ms);
	if (agent->squeeze_ms != 0)
		next_ms = MIN(next_ms, agent->squeeze_ms);
	return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

static void on_time(struct agent *agent)
{
	const uint64_t now_ms = clock_ms();

	if (agent->stage != IDLE && now_ms >= agent->stage_ms)
		go_on(agent);
	if (agent->squeeze_ms != 0 && now_ms >= agent->squeeze_ms) {
		agent->squeeze_ms = 0;
		(void)squeeze_end();
	}
	if (agent->trim_ms != 0 && now_ms >= agent->trim_ms) {
		agent->trim_ms = 0;
		(void)trim(agent);
	}
	if (now_ms >= agent->scan_ms) {
		const uint64_t begun_us = clock_us();

		if (agent->sockets != NULL)
			sockets_scan(agent->sockets, agent->worker->line, now_ms);
		/* Ten thousand of them take milliseconds: no more than a small part of the time, unless memory is short. */
		agent->scan_ms = now_ms + MAX((uint64_t)agent->pace_ms, (clock_us() - begun_us) *
		                                                                (agent->pace_ms < FIRST_PACE_MS ? 50 : 500) / 1000);
	}
}

static void *agent_run(void *context)
{
	struct agent *agent = context;
	struct batch *batch = agent->worker->batch;
	struct gather *gather = agent->worker->gather;
	struct pollfd watched[] = {
		{ .fd = agent->worker->link.fd, .events = POLLIN | POLLRDHUP },
		{ .fd = batch != NULL ? batch_timer_fd(batch) : FD_NONE, .events = POLLIN },
		{ .fd = gather != NULL ? gather_timer_fd(gather) : FD_NONE, .events = POLLIN },
	};

	agent->sockets = sockets_new(agent->worker->listen_fds, agent->worker->listen_count);
	agent->scan_ms = clock_ms() + FIRST_LOOK_MS;
	for (;;) {
		int count = poll(watched, ARRAY_LEN(watched), wait_ms(agent, clock_ms()));
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 || (watched[0].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0)
			break;
		if (count > 0 && (watched[1].revents & POLLIN) != 0)
			batch_rescue(batch);
		if (count > 0 && (watched[2].revents & POLLIN) != 0)
			gather_rescue(gather);
		if (count > 0 && (watched[0].revents & POLLIN) != 0 && !receive(agent))
			break;
		on_time(agent);
	}
	log_signal_safe(agent->farewell);
	/* Nobody is left to replace us or to reap us: the port must be free at once, so not even exit handlers run. */
	_exit(EXIT_OK);
}

struct agent *agent_new(struct worker *worker, const char *name)
{
	struct agent *agent = xcalloc(1, sizeof(*agent));
	pthread_attr_t attributes;
	sigset_t all, old;

	agent->worker = worker;
	agent->pace_ms = FIRST_PACE_MS;
	(void)snprintf(agent->farewell, sizeof(agent->farewell), "Parent changed, shutting down: %s", name);
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, AGENT_STACK_BYTES);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	int result = pthread_create(&agent->thread, &attributes, agent_run, agent);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attributes);
	if (result != 0) {
		free(agent);
		errno = result;
		return NULL;
	}
	return agent;
}
