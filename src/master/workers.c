/* SPDX-License-Identifier: MIT */
/*
 * workers.c - the worker processes: forked, listened to, told to leave.
 *
 * Called by master.c, templates.c and generation.c. Which worker and when is decided by pool.c and slot.c.
 */
#include "base/base.h"

#include "master/workers.h"

#include <signal.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "master/codewatch.h"
#include "master/master.h"
#include "master/obituary.h"
#include "master/memory.h"
#include "master/recycles.h"
#include "master/rollover.h"
#include "master/templates.h"

enum { ABORT_MS = 1000 }; /* gunicorn: the next look of its main loop sends SIGKILL, about a second later */

static void perform(struct master *master, struct slot *slot, enum slot_action action);

static void step(struct master *master, struct slot *slot, enum slot_event event)
{
	const struct slot_limits limits = {
		.graceful_ms = (uint64_t)master->settings.graceful_timeout * 1000,
		.abort_ms = ABORT_MS,
	};

	perform(master, slot, slot_step(slot, event, &limits, clock_ms()));
}

static struct worker_handle *handle_of(struct master *master, uint32_t slot)
{
	if (master->handles[slot] == NULL) {
		struct worker_handle *handle = xcalloc(1, sizeof(*handle));

		handle->master = master;
		handle->slot = slot;
		procmem_init(&handle->procmem);
		master->handles[slot] = handle;
	}
	return master->handles[slot];
}

void workers_free_handle(struct worker_handle **handle)
{
	if (*handle != NULL)
		memory_forget(*handle);
	free(*handle);
	*handle = NULL;
}

static void on_message(void *owner, struct message *message)
{
	struct worker_handle *handle = owner;
	struct master *master = handle->master;
	struct slot *slot = pool_slot(&master->pool, handle->slot);
	struct slot_facts *facts = slot_facts(slot);

	/* A worker may say anything at any time; what does not fit its state is dropped. */
	switch (message->id) {
	case MESSAGE_ready:
		facts->has_said_ready = true;
		if (slot_allows(slot, SLOT_EVENT_READY))
			step(master, slot, SLOT_EVENT_READY);
		break;
	case MESSAGE_recycle:
		if (slot_state(slot) != SLOT_EMPTY)
			(void)workers_recycle(master, slot, REASON_MAX_REQUESTS, 0);
		break;
	case MESSAGE_code_files:
		codewatch_on_files(master, facts->generation, message->code_files.since_ms, message->code_files.files);
		break;
	case MESSAGE_code_broken:
		rollover_on_code_broken(master, handle->slot, message->code_broken.text);
		break;
	case MESSAGE_leaving:
		if (slot_state(slot) != SLOT_EMPTY)
			workers_retire(master, slot, REASON_OWN);
		break;
	default:
		break;
	}
	master_update(master);
}

static void on_end(void *owner, int error)
{
	struct worker_handle *handle = owner;

	(void)error; /* its end as a process says more */
	peer_close(&handle->peer);
}

/* limit and something up to jitter; 0 stays 0. */
static uint64_t draw_limit(long limit, long jitter)
{
	uint32_t random = 0;

	if (limit <= 0)
		return 0;
	if (jitter > 0 && getrandom(&random, sizeof(random), GRND_NONBLOCK) == (ssize_t)sizeof(random))
		return (uint64_t)limit + random % ((uint64_t)jitter + 1);
	return (uint64_t)limit;
}

int workers_spawn(struct master *master, struct slot *slot, uint32_t generation)
{
	struct template *template = templates_ready_of(master, generation);
	struct slot_facts *facts = slot_facts(slot);
	struct worker_handle *handle = handle_of(master, slot_index(slot));
	int ends[2] = { FD_NONE, FD_NONE };
	int error;

	if (template == NULL)
		return -ESRCH;
	error = fd_seqpacket_pair(ends);
	if (error != 0)
		return error;
	*facts = (struct slot_facts){
		.serial = master->pool.next_serial++,
		.generation = generation,
		.request_limit = (uint32_t)MIN(
			draw_limit(template->settings.max_requests, template->settings.max_requests_jitter), (uint64_t)UINT32_MAX),
		.age_limit_ms =
			1000 * draw_limit(template->settings.max_worker_age, template->settings.max_worker_age_jitter),
		.spawned_ms = clock_ms(),
	};
	board_clear_line(&master->board, slot_index(slot));
	error = templates_fork(template, slot_index(slot), facts->serial, facts->request_limit, ends[1]);
	fd_close(&ends[1]);
	if (error != 0) {
		fd_close(&ends[0]);
		return error;
	}
	peer_close(&handle->peer);
	handle->peer = peer_new(&master->loop, ends[0], FROM_WORKER, on_message, on_end, handle);
	handle->spawned_total++;
	master->spawned_total++;
	step(master, slot, SLOT_EVENT_WANTED);
	return 0;
}

int workers_recycle(struct master *master, struct slot *slot, enum slot_reason reason, uint64_t gain_bytes)
{
	struct slot_facts *facts = slot_facts(slot);
	const enum slot_state state = slot_state(slot);

	if (state == SLOT_RETIRING || (state != SLOT_EMPTY && facts->wants_recycle))
		return -EALREADY;
	if (state != SLOT_SERVING && state != SLOT_BOOTING && state != SLOT_SPAWNING)
		return -ESRCH;
	facts->wants_recycle = true;
	facts->recycle_ms = clock_ms();
	facts->recycle_reason = reason;
	facts->recycle_gain = gain_bytes;
	status_soon(&master->status);
	return 0;
}

void workers_kill(struct master *master, struct slot *slot, enum slot_reason reason)
{
	slot_facts(slot)->reason = reason;
	slot_facts(slot)->is_memory_kill = true;
	step(master, slot, SLOT_EVENT_KILL);
}

int workers_send(struct master *master, uint32_t slot, const struct message *message)
{
	struct worker_handle *handle = master->handles[slot];

	return handle == NULL ? -ENOENT : peer_send(handle->peer, message);
}

void workers_retire(struct master *master, struct slot *slot, enum slot_reason reason)
{
	struct slot_facts *facts = slot_facts(slot);

	if (facts->reason == REASON_NONE)
		facts->reason = reason;
	step(master, slot, SLOT_EVENT_RETIRE);
}

void workers_retire_all(struct master *master, enum slot_reason reason)
{
	for (uint32_t i = 0; i < master->pool.slot_count; i++)
		workers_retire(master, master->pool.slots[i], reason);
}

void workers_hurry_all(struct master *master)
{
	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		struct slot *slot = master->pool.slots[i];

		if (slot_facts(slot)->reason == REASON_NONE)
			slot_facts(slot)->reason = REASON_STOP;
		step(master, slot, SLOT_EVENT_HURRY);
	}
}

static void send_signal(struct slot *slot, int signal)
{
	pid_t pid = slot_facts(slot)->pid;

	if (pid > 1)
		(void)spawn_signal(pid, signal);
}

void workers_kill_all(struct master *master)
{
	for (uint32_t i = 0; i < master->pool.slot_count; i++)
		if (slot_allows(master->pool.slots[i], SLOT_EVENT_TIMER))
			step(master, master->pool.slots[i], SLOT_EVENT_TIMER);
}

void workers_signal_all(struct master *master, int signal)
{
	for (uint32_t i = 0; i < master->pool.slot_count; i++)
		if (slot_state(master->pool.slots[i]) != SLOT_EMPTY)
			send_signal(master->pool.slots[i], signal);
}

void workers_abort_late(struct master *master, struct slot *slot)
{
	slot_facts(slot)->reason = REASON_TIMEOUT;
	step(master, slot, SLOT_EVENT_LATE);
}

/* Where the fork can't even be asked for there may be no event that tries again: the back-off does. */
static bool spawn_or_put_off(struct master *master, struct slot *slot, uint64_t now_ms)
{
	uint32_t generation = master->pool.generation;
	int error;

	if (now_ms < master->pool.not_before_ms)
		return false;
	error = workers_spawn(master, slot, generation);
	/* A template that has just ended is reported and replaced as a process. */
	if (error == 0 || error == -ESRCH || error == -EPIPE)
		return error == 0;
	log_error("Can't ask for a worker: %s", strerror(-error));
	pool_note_failure(&master->pool, generation, now_ms, now_ms);
	return false;
}

/* gunicorn: "4 workers", once so many are under way and when that number changes; one that dies and its heir are no news. */
static void tell_number(struct master *master)
{
	long target = master->pool.target;

	if (target == master->workers_told || (long)pool_live(&master->pool) < target)
		return;
	master->workers_told = target;
	log_debug("%ld workers", target);
}

void workers_follow_plan(struct master *master, uint64_t now_ms)
{
	struct wish wishes[64];
	size_t count;

	for (bool goes_on = true; goes_on;) {
		count = pool_plan(&master->pool, now_ms, wishes, ARRAY_LEN(wishes));
		goes_on = count == ARRAY_LEN(wishes);
		for (size_t i = 0; i < count; i++) {
			struct slot *slot = pool_slot(&master->pool, wishes[i].slot);

			if (wishes[i].kind == WISH_RETIRE) {
				recycles_note(master, slot, wishes[i].reason);
				workers_retire(master, slot, wishes[i].reason);
			} else
				goes_on = spawn_or_put_off(master, slot, now_ms) && goes_on;
		}
	}
	tell_number(master);
}

/* The slot that this word is about; NULL when it is stale or nonsense. */
static struct slot *awaited(struct master *master, uint32_t index, uint32_t serial)
{
	struct slot *slot = pool_slot(&master->pool, index);

	if (slot == NULL || slot_facts(slot)->serial != serial)
		return NULL;
	return slot_state(slot) == SLOT_SPAWNING || slot_state(slot) == SLOT_DOOMED ? slot : NULL;
}

void workers_on_forked(struct master *master, uint32_t index, uint32_t serial, pid_t pid)
{
	struct slot *slot = awaited(master, index, serial);
	int status;

	if (slot == NULL || pid <= 1)
		return;
	slot_facts(slot)->pid = pid;
	step(master, slot, SLOT_EVENT_SPAWNED);
	if (slot_facts(slot)->has_said_ready)
		step(master, slot, SLOT_EVENT_READY);
	/* It may have died, and been reaped, before its template told us of its birth. */
	if (spawn_take_unknown(&master->spawn, pid, clock_ms(), &status))
		(void)workers_on_exit(master, pid, status);
}

void workers_on_fork_failed(struct master *master, uint32_t index, uint32_t serial)
{
	struct slot *slot = awaited(master, index, serial);

	if (slot != NULL)
		step(master, slot, SLOT_EVENT_SPAWN_FAILED);
}

void workers_on_template_gone(struct master *master, uint32_t generation)
{
	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		struct slot *slot = master->pool.slots[i];

		if (slot_facts(slot)->generation == generation &&
		    (slot_state(slot) == SLOT_SPAWNING || slot_state(slot) == SLOT_DOOMED))
			step(master, slot, SLOT_EVENT_SPAWN_FAILED);
	}
}

/* The process is gone: says so, counts, runs the child_exit hook, and lets the reload know if it was its canary. */
static void bury(struct master *master, struct slot *slot, int status, bool was_booting)
{
	const struct slot_facts facts = *slot_facts(slot);
	struct worker_handle *handle = handle_of(master, slot_index(slot));
	char *arguments = xasprintf("{\"serial\":%lu,\"pid\":%ld}", (unsigned long)facts.serial, (long)facts.pid);

	const struct obituary *obituary = obituary_write(master, slot, status, was_booting);

	hooks_run(master, facts.generation, HOOK_child_exit, arguments);
	free(arguments);
	peer_close(&handle->peer);
	procmem_close(&handle->procmem);
	memory_forget(handle);
	slot_facts(slot)->pid = 0;
	slot_facts(slot)->serial = 0;
	board_clear_line(&master->board, slot_index(slot));
	if (facts.reason == REASON_NONE || facts.reason == REASON_OWN || facts.reason == REASON_TIMEOUT ||
	    (facts.reason == REASON_MEMORY && facts.ready_ms == 0))
		pool_note_failure(&master->pool, facts.generation, facts.spawned_ms, clock_ms());
	rollover_on_worker_end(master, slot_index(slot), &facts, status, obituary->last_words);
}

bool workers_on_exit(struct master *master, pid_t pid, int status)
{
	struct slot *slot = pool_find_pid(&master->pool, pid);

	if (slot == NULL)
		return false;

	bool was_booting = slot_facts(slot)->ready_ms == 0;

	step(master, slot, SLOT_EVENT_EXITED);
	bury(master, slot, status, was_booting);
	return true;
}

void workers_on_time(struct master *master, uint64_t now_ms)
{
	for (uint32_t i = 0; i < master->pool.slot_count; i++) {
		struct slot *slot = master->pool.slots[i];

		if (slot_timer_ms(slot) != 0 && now_ms >= slot_timer_ms(slot))
			step(master, slot, SLOT_EVENT_TIMER);
		if (pool_old_ms(slot) != 0 && now_ms >= pool_old_ms(slot))
			(void)workers_recycle(master, slot, REASON_MAX_AGE, 0);
	}
}

int workers_rss(const struct master *master, uint32_t slot, uint64_t *ret_rss_bytes)
{
	const struct worker_handle *handle = master->handles[slot];

	return handle == NULL ? -ENOENT : procmem_read(&handle->procmem, ret_rss_bytes);
}

int workers_virtual(const struct master *master, uint32_t slot, uint64_t *ret_bytes)
{
	const struct worker_handle *handle = master->handles[slot];

	return handle == NULL ? -ENOENT : procmem_read_virtual(&handle->procmem, ret_bytes);
}

uint64_t workers_spawned(const struct master *master, uint32_t slot)
{
	return master->handles[slot] != NULL ? master->handles[slot]->spawned_total : 0;
}

static void note_pid(struct master *master, struct slot *slot)
{
	(void)procmem_open(&handle_of(master, slot_index(slot))->procmem, slot_facts(slot)->pid);
}

static void perform(struct master *master, struct slot *slot, enum slot_action action)
{
	switch (action) {
	case SLOT_DO_note_pid:
		note_pid(master, slot);
		break;
	case SLOT_DO_note_pid_and_term:
		note_pid(master, slot);
		send_signal(slot, SIGTERM);
		break;
	case SLOT_DO_note_ready:
		slot_facts(slot)->ready_ms = clock_ms();
		memory_on_ready(master, slot);
		rollover_on_worker_ready(master, slot_index(slot));
		break;
	case SLOT_DO_send_term:
		send_signal(slot, SIGTERM);
		break;
	case SLOT_DO_send_quit:
		send_signal(slot, SIGQUIT);
		break;
	case SLOT_DO_send_abort:
		log_critical("WORKER TIMEOUT (pid:%ld)", (long)slot_facts(slot)->pid);
		send_signal(slot, SIGABRT);
		break;
	case SLOT_DO_send_kill:
		slot_facts(slot)->was_killed = true;
		send_signal(slot, SIGKILL);
		break;
	case SLOT_DO_kill_template:
		templates_kill(templates_of(master, slot_facts(slot)->generation));
		break;
	case SLOT_DO_note_failure: {
		const struct slot_facts facts = *slot_facts(slot);

		peer_close(&handle_of(master, slot_index(slot))->peer);
		pool_note_failure(&master->pool, facts.generation, facts.spawned_ms, clock_ms());
		rollover_on_worker_end(master, slot_index(slot), &facts, 0, "");
		break;
	}
	case SLOT_DO_nothing:
	case SLOT_DO_ask_fork:
	case SLOT_DO_note_boot_death:
	case SLOT_DO_note_death:
	case SLOT_ACTION_MAX:
		break;
	}
	status_soon(&master->status);
}
