/* SPDX-License-Identifier: MIT */
/*
 * budget.c - what may be used, and what is over.
 *
 * Called by memory.c. Pure: readings, settings and measured facts in. Never logs, never reads a clock or a file.
 */
#include "base/base.h"

#include "master/budget.h"

#include "shared/settings_types.h"

#define MB ((uint64_t)1 << 20)
#define OFF READING_UNKNOWN

enum {
	SOFT_PERCENT = 80,
	HARD_PERCENT = 92,
	RESERVE_PERCENT = 4,
	RESERVE_MB = 24,
	SOCKETS_SOFT_PERCENT = 15,
	BOOT_MS_MAX = 10000, /* further ahead no growth of the moment tells anything */
};

const char *budget_level_name(enum budget_level level)
{
	return level == LEVEL_HARD ? "hard" : level == LEVEL_SOFT ? "soft" : "none";
}

const char *budget_source_name(enum budget_source source)
{
	static const char *const names[] = {
		[BUDGET_OFF] = "off",
		[BUDGET_SETTING] = "setting",
		[BUDGET_CONTAINER] = "container",
		[BUDGET_REFUSED] = "refused",
	};

	return (size_t)source < ARRAY_LEN(names) ? names[source] : "off";
}

char *budget_show(uint64_t bytes)
{
	if (!reading_is_known(bytes))
		return xstrdup("unknown");
	if (bytes >= 1024 * MB)
		return xasprintf("%.2f GB", (double)bytes / (double)(1024 * MB));
	return xasprintf("%.1f MB", (double)bytes / (double)MB);
}

static uint64_t percent_of(uint64_t bytes, uint64_t percent)
{
	return reading_is_known(bytes) ? bytes / 100 * percent : OFF;
}

/* A value that is no automatic one. */
static uint64_t explicit_bytes(const struct size_value *size, uint64_t whole_bytes)
{
	if (size->kind == SIZE_BYTES)
		return size->amount;
	return size->kind == SIZE_PERCENT ? percent_of(whole_bytes, size->amount) : OFF;
}

static bool is_explicit(const struct size_value *size)
{
	return size->kind == SIZE_BYTES || size->kind == SIZE_PERCENT;
}

static void refuse(struct strlist *refusals, const char *name, uint64_t given_bytes, uint64_t used_bytes, const char *whose)
{
	char *given = budget_show(given_bytes), *used = budget_show(used_bytes);
	/* A tenth more would be over at the first request. */
	const uint64_t least_mb = used_bytes / MB * 5 / 4 + 1;

	strlist_add_take(refusals, xasprintf("%s = %s is below the %s that %s right after the start: it is not obeyed; use at "
	                                     "least %lluM",
	                                     name, given, used, whose, (unsigned long long)least_mb));
	free(given);
	free(used);
}

/* limit_bytes and the budget of the whole service. */
static void resolve_service(const struct settings *settings, const struct cgroup_reading *container,
                            const struct budget_facts *facts, struct budget_limits *limits, struct strlist *refusals)
{
	const uint64_t container_bytes = container->is_limited ? container->limit_bytes : OFF;
	uint64_t given = explicit_bytes(&settings->memory_limit, container->limit_bytes);
	uint64_t usable;

	if (reading_is_known(given) && reading_is_known(facts->service_bytes) && given < facts->service_bytes) {
		refuse(refusals, "memory_limit", given, facts->service_bytes, "the service uses");
		limits->service.source = BUDGET_REFUSED;
		given = OFF; /* what is left is the container's own */
	}
	if (settings->memory_limit.kind == SIZE_OFF)
		return;
	/* Whatever was written, the kernel kills at the container's. */
	if (reading_is_known(given) && given < container_bytes) {
		limits->limit_bytes = usable = given;
		limits->service.source = BUDGET_SETTING;
	} else if (reading_is_known(container_bytes)) {
		const uint64_t boot_bytes = reading_is_known(facts->boot_bytes) ? facts->boot_bytes : RESERVE_MB * MB;
		const uint64_t reserve =
			MAX(percent_of(container_bytes, RESERVE_PERCENT), (uint64_t)RESERVE_MB * MB) + boot_bytes;

		limits->limit_bytes = container_bytes;
		usable = container_bytes - MIN(reserve, container_bytes / 2);
		limits->service.source = BUDGET_CONTAINER;
	} else {
		return;
	}
	limits->service.soft_bytes = percent_of(usable, SOFT_PERCENT);
	limits->service.hard_bytes = percent_of(limits->limit_bytes, HARD_PERCENT);
	/* A service that is big from its start is not short of memory because of that. */
	if (reading_is_known(facts->service_bytes) && facts->service_bytes > limits->service.soft_bytes / 4 * 3)
		limits->service.soft_bytes =
			MIN(MAX(limits->service.soft_bytes, facts->service_bytes + limits->limit_bytes / 10),
		            percent_of(limits->limit_bytes, HARD_PERCENT - 2));
}

static void resolve_worker(const struct settings *settings, const struct cgroup_reading *container,
                           const struct budget_facts *facts, struct budget_limits *limits, struct strlist *refusals)
{
	const uint64_t whole = reading_is_known(limits->limit_bytes) ? limits->limit_bytes : container->limit_bytes;
	const uint64_t soft = explicit_bytes(&settings->max_worker_memory, whole);
	const uint64_t hard = explicit_bytes(&settings->max_worker_memory_hard, whole);
	const bool has_baseline = reading_is_known(facts->baseline_bytes);

	if (reading_is_known(soft) && has_baseline && soft < facts->baseline_bytes) {
		refuse(refusals, "max_worker_memory", soft, facts->baseline_bytes, "a worker uses");
		limits->worker.source = BUDGET_REFUSED;
	} else if (reading_is_known(soft)) {
		limits->worker = (struct budget_pair){ soft, OFF, BUDGET_SETTING };
	} else if (settings->max_worker_memory.kind == SIZE_AUTO && reading_is_known(limits->limit_bytes) && has_baseline) {
		const uint64_t share = limits->service.soft_bytes / (uint64_t)MAX(settings->workers, 1L);

		limits->worker = (struct budget_pair){ MAX(2 * facts->baseline_bytes, share), OFF, BUDGET_CONTAINER };
	}
	if (reading_is_known(hard) && has_baseline && hard < facts->baseline_bytes)
		refuse(refusals, "max_worker_memory_hard", hard, facts->baseline_bytes, "a worker uses");
	else if (reading_is_known(hard) && limits->worker.source == BUDGET_SETTING && hard <= soft)
		strlist_add_take(refusals, xstrdup("max_worker_memory_hard is not above max_worker_memory: it is not obeyed"));
	else if (reading_is_known(hard))
		limits->worker.hard_bytes = hard;
	else if (settings->max_worker_memory_hard.kind == SIZE_AUTO && limits->worker.source == BUDGET_SETTING)
		limits->worker.hard_bytes = soft + soft / 2;
	if (limits->worker.source == BUDGET_OFF && reading_is_known(limits->worker.hard_bytes))
		limits->worker.source = BUDGET_SETTING;
}

static void resolve_sockets(const struct settings *settings, const struct cgroup_reading *container,
                            struct budget_limits *limits)
{
	const uint64_t whole = reading_is_known(limits->limit_bytes) ? limits->limit_bytes : container->limit_bytes;
	uint64_t soft = explicit_bytes(&settings->max_socket_memory, whole);

	if (settings->max_socket_memory.kind == SIZE_AUTO)
		soft = percent_of(limits->limit_bytes, SOCKETS_SOFT_PERCENT);
	if (reading_is_known(soft))
		limits->sockets = (struct budget_pair){ soft, soft / 3 * 5,
			                                is_explicit(&settings->max_socket_memory) ? BUDGET_SETTING
			                                                                          : BUDGET_CONTAINER };
	soft = explicit_bytes(&settings->max_worker_socket_memory, whole);
	if (reading_is_known(soft))
		limits->worker_sockets = (struct budget_pair){ soft, soft / 3 * 5, BUDGET_SETTING };
	else if (settings->max_worker_socket_memory.kind == SIZE_AUTO)
		limits->worker_sockets = limits->sockets;
}

void budget_resolve(const struct settings *settings, const struct cgroup_reading *container, const struct budget_facts *facts,
                    struct budget_limits *ret_limits, struct strlist *refusals)
{
	const struct budget_pair none = { OFF, OFF, BUDGET_OFF };

	*ret_limits = (struct budget_limits){
		.limit_bytes = OFF,
		.service = none,
		.worker = none,
		.request_bytes = OFF,
		.sockets = none,
		.worker_sockets = none,
	};
	if (settings->memory_policy == MEMORY_POLICY_OFF)
		return;
	resolve_service(settings, container, facts, ret_limits, refusals);
	resolve_worker(settings, container, facts, ret_limits, refusals);
	resolve_sockets(settings, container, ret_limits);
	ret_limits->request_bytes = explicit_bytes(&settings->max_request_memory, reading_is_known(ret_limits->limit_bytes)
	                                                                              ? ret_limits->limit_bytes
	                                                                              : container->limit_bytes);
	ret_limits->is_request_auto =
		settings->max_request_memory.kind == SIZE_AUTO && reading_is_known(ret_limits->limit_bytes);
}

/* ---- plain words ---- */

static void say(struct strlist *sentences, const char *format, ...) ATTR_PRINTF(2, 3);
static void say(struct strlist *sentences, const char *format, ...)
{
	struct buf text = BUF_NONE;
	va_list arguments;

	va_start(arguments, format);
	buf_vaddf(&text, format, arguments);
	va_end(arguments);
	strlist_add_take(sentences, buf_detach(&text));
}

static void describe_pair(struct strlist *sentences, const char *what, const struct budget_pair *pair, const char *soft_does,
                          const char *hard_does)
{
	char *soft = budget_show(pair->soft_bytes), *hard = budget_show(pair->hard_bytes);

	if (reading_is_known(pair->soft_bytes) && reading_is_known(pair->hard_bytes))
		say(sentences, "%s: above %s %s, above %s %s", what, soft, soft_does, hard, hard_does);
	else if (reading_is_known(pair->soft_bytes))
		say(sentences, "%s: above %s %s", what, soft, soft_does);
	else if (reading_is_known(pair->hard_bytes))
		say(sentences, "%s: above %s %s", what, hard, hard_does);
	free(soft);
	free(hard);
}

static void describe_service(const struct settings *settings, const struct cgroup_reading *container,
                             const struct budget_limits *limits, struct strlist *sentences)
{
	char *limit = budget_show(limits->limit_bytes), *whole = budget_show(container->limit_bytes);
	const char *from = limits->service.source == BUDGET_CONTAINER ? "the container's limit" : "memory_limit";

	if (reading_is_known(limits->limit_bytes)) {
		struct buf what = BUF_NONE;

		buf_addf(&what, "Service: at most %s (%s)", limit, from);
		describe_pair(sentences, buf_text(&what), &limits->service, "memory is given back and the worker that grew is replaced",
		              "the request that grows is ended");
		buf_release(&what);
	} else if (settings->memory_limit.kind == SIZE_AUTO && !container->is_limited) {
		say(sentences, "Service: no limit, as no container sets one (the machine has %s)", whole);
	} else {
		say(sentences, "Service: no limit (memory_limit)");
	}
	free(limit);
	free(whole);
}

void budget_describe(const struct settings *settings, const struct cgroup_reading *container,
                     const struct budget_limits *limits, struct strlist *sentences)
{
	if (settings->memory_policy == MEMORY_POLICY_OFF) {
		say(sentences, "No memory budget is watched (memory_policy)");
		return;
	}
	describe_service(settings, container, limits, sentences);
	if (limits->worker.source == BUDGET_CONTAINER)
		describe_pair(sentences, "Worker (its share of the limit)", &limits->worker, "it is replaced when memory is short",
		              "its request is ended");
	else
		describe_pair(sentences, "Worker (max_worker_memory)", &limits->worker, "it is replaced", "its request is ended");
	if (limits->is_request_auto)
		say(sentences, "Request: ended when it grows by more than half of what is left (max_request_memory)");
	else if (reading_is_known(limits->request_bytes))
		describe_pair(sentences, "Request (max_request_memory)",
		              &(const struct budget_pair){ OFF, limits->request_bytes, BUDGET_SETTING }, "", "of growth it is ended");
	describe_pair(sentences,
	              limits->sockets.source == BUDGET_SETTING ? "Sockets (max_socket_memory)" : "Sockets (a share of the limit)",
	              &limits->sockets, "forgotten connections are emptied", "the largest connections are closed");
	if (limits->worker_sockets.source == BUDGET_SETTING)
		describe_pair(sentences, "Sockets of a worker (max_worker_socket_memory)", &limits->worker_sockets,
		              "forgotten connections are emptied", "the largest connections are closed");
	if (settings->memory_policy == MEMORY_POLICY_REPORT)
		say(sentences, "What is over a budget is reported only (memory_policy)");
}

/* ---- judging ---- */

uint64_t budget_used(const struct cgroup_reading *container)
{
	uint64_t used = container->anon_bytes;

	if (!reading_is_known(used)) /* no memory.stat: the best there is */
		return container->current_bytes;
	used = reading_add(used, container->shmem_bytes);
	used = reading_add(used, container->kernel_bytes);
	/* cgroup v1 accounts sockets beside its limit, not against it. */
	return container->version == CGROUP_V2 ? reading_add(used, container->sock_bytes) : used;
}

enum budget_level budget_level(const struct budget_pair *pair, uint64_t bytes)
{
	if (!reading_is_known(bytes))
		return LEVEL_NONE;
	if (reading_is_known(pair->hard_bytes) && bytes > pair->hard_bytes)
		return LEVEL_HARD;
	return reading_is_known(pair->soft_bytes) && bytes > pair->soft_bytes ? LEVEL_SOFT : LEVEL_NONE;
}

uint64_t budget_time_to(uint64_t bytes, uint64_t limit_bytes, int64_t slope)
{
	if (!reading_is_known(bytes) || !reading_is_known(limit_bytes))
		return UINT64_MAX;
	if (bytes >= limit_bytes)
		return 0;
	if (slope <= 0)
		return UINT64_MAX;
	return (limit_bytes - bytes) * 1000 / (uint64_t)slope;
}

enum budget_level budget_service_level(const struct budget_limits *limits, uint64_t used_bytes, int64_t slope)
{
	const enum budget_level level = budget_level(&limits->service, used_bytes);

	if (reading_is_known(limits->limit_bytes) &&
	    budget_time_to(used_bytes, limits->limit_bytes, slope) < BUDGET_AHEAD_MS)
		return LEVEL_HARD;
	return level;
}

bool budget_has_room(const struct budget_limits *limits, const struct budget_facts *facts, uint64_t used_bytes, int64_t slope)
{
	uint64_t growth_bytes = 0;

	if (!reading_is_known(limits->service.hard_bytes) || !reading_is_known(facts->boot_bytes) || !reading_is_known(used_bytes))
		return true;
	if (reading_is_known(facts->boot_ms) && slope > 0)
		growth_bytes = (uint64_t)slope * MIN(facts->boot_ms, (uint64_t)BOOT_MS_MAX) / 1000;
	return used_bytes + facts->boot_bytes + growth_bytes <= limits->service.hard_bytes;
}
