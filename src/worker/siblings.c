/* SPDX-License-Identifier: MIT */
/*
 * siblings.c - the other workers that accept from the same listeners.
 *
 * Called by loop.c. Reads their lines of the board, which may tell anything: what follows is never more than a short delay.
 */
#include "base/base.h"

#include "worker/siblings.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <time.h>

#include "base/fd.h"

enum {
	LOOK_AT = 8,   /* siblings; the next slots after one's own, so that each is somebody's sibling */
	YIELDS = 16,   /* on the same core it runs at the first, on another one it takes some to wake up */
	NAPS = 16,     /* it waits for another core: while this one sleeps, the kernel moves it here */
	NAP_NS = 50000,
	STUCK_MS = 5,  /* in a request: it does not come */
	LEAD_PART = 16, /* of one's own clients so many more are no matter */
	BRIEF_MS = 16,
};

static bool wants_more(const struct service *service, const struct board_line *line, uint64_t lead)
{
	const uint64_t busy_ms = atomic_load_explicit(&line->busy_since_ms, memory_order_relaxed);

	return atomic_load_explicit(&line->phase, memory_order_relaxed) == PHASE_SERVE &&
	       atomic_load_explicit(&line->connections_open, memory_order_relaxed) + lead < service->open_count &&
	       (busy_ms == 0 || busy_ms + STUCK_MS > service->now_ms);
}

void siblings_note_brief(struct service *service)
{
	if (service->now_ms - service->brief_since_ms >= BRIEF_MS) {
		service->brief_before = service->now_ms - service->brief_since_ms < UINT64_C(2) * BRIEF_MS ? service->brief_now : 0;
		service->brief_now = 0;
		service->brief_since_ms = service->now_ms;
	}
	service->brief_now++;
}

/* How many clients more than a sibling this worker may have. Those that leave after one request even it out by themselves. */
static uint64_t get_lead(const struct service *service)
{
	const uint64_t brief = service->now_ms - service->brief_since_ms < UINT64_C(2) * BRIEF_MS
	                               ? service->brief_now + service->brief_before
	                               : 0;

	return service->open_count / LEAD_PART + brief;
}

/* A sibling with fewer clients; NULL: none is known. */
static const struct board_line *find_poorer(const struct service *service)
{
	const struct worker *worker = service->worker;
	/* While they are replaced there are twice as many. */
	const uint32_t slots = MIN(2 * (uint32_t)service->settings->workers, (uint32_t)BOARD_SLOTS);
	const uint64_t lead = get_lead(service);

	for (uint32_t i = 1; i < slots && i <= LOOK_AT; i++) {
		const struct board_line *line = board_line(worker->board, (worker->slot + i) % slots);

		if (line != worker->line && wants_more(service, line, lead))
			return line;
	}
	return NULL;
}

/* "12 (gunwale: worker) R 1 ...": the name is anything. */
static bool is_thread_runnable(int tasks_fd, const char *thread)
{
	char path[32], text[128];
	const char *name_end;
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof(path), "%.20s/stat", thread);
	fd = openat(tasks_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	text[MAX(len, (ssize_t)0)] = '\0';
	name_end = strrchr(text, ')');
	return name_end != NULL && strncmp(name_end, ") R", 3) == 0;
}

/* One of its threads has been woken, and waits for a processor. */
static bool is_runnable(const struct board_line *line)
{
	char path[32];
	const struct dirent *entry;
	bool result = false;
	DIR *tasks;

	(void)snprintf(path, sizeof(path), "/proc/%u/task", (unsigned)atomic_load_explicit(&line->pid, memory_order_relaxed));
	tasks = opendir(path);
	if (tasks == NULL)
		return false;
	while (!result && (entry = readdir(tasks)) != NULL)
		result = entry->d_name[0] != '.' && is_thread_runnable(dirfd(tasks), entry->d_name);
	(void)closedir(tasks);
	return result;
}

void siblings_first(const struct service *service)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	const struct board_line *poorer;

	if (service->settings->workers < 2 || service->open_count == 0)
		return;
	for (int i = 0; i < YIELDS && find_poorer(service) != NULL; i++)
		(void)sched_yield();
	for (int i = 0; i < NAPS && (poorer = find_poorer(service)) != NULL && is_runnable(poorer); i++)
		(void)nanosleep(&nap, NULL);
}
