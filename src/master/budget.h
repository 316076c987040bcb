/* SPDX-License-Identifier: MIT */
/*
 * budget.h - what may be used: settings and the container's limit in, bytes out; and what is over by how much.
 *
 * Pure. READING_UNKNOWN stands for "no such budget" in limits and for "not known" in readings; nothing is ever over either.
 */
#ifndef MASTER_BUDGET_H
#define MASTER_BUDGET_H

#include "base/base.h"
#include "base/strlist.h"
#include "master/cgroup.h"
#include "master/readings.h"
#include "shared/settings.h"

enum budget_level { LEVEL_NONE, LEVEL_SOFT, LEVEL_HARD };
const char *budget_level_name(enum budget_level level); /* "none", "soft", "hard" */

/* Where a budget comes from; words for status and banner. */
enum budget_source {
	BUDGET_OFF,       /* "off" */
	BUDGET_SETTING,   /* "setting" */
	BUDGET_CONTAINER, /* "container": its limit, and what follows from it */
	BUDGET_REFUSED,   /* "refused": below what is used right after the start */
};
const char *budget_source_name(enum budget_source source);

struct budget_pair {
	uint64_t soft_bytes, hard_bytes;
	enum budget_source source;
};

struct budget_limits {
	uint64_t limit_bytes;       /* where the kernel kills, or the operator's word */
	struct budget_pair service; /* of the whole service, below limit_bytes */
	struct budget_pair worker;
	uint64_t request_bytes;     /* growth within one request; READING_UNKNOWN: off */
	bool is_request_auto;       /* request_bytes is half the headroom: made anew at each look */
	struct budget_pair sockets;
	struct budget_pair worker_sockets;
};

/* What was measured and decides about automatic limits; all may be READING_UNKNOWN. */
struct budget_facts {
	uint64_t boot_bytes;     /* private memory of a booting worker: room for a successor */
	uint64_t baseline_bytes; /* of a worker after its start */
	uint64_t service_bytes;  /* of the whole service after its start */
	uint64_t boot_ms;        /* what the last worker took to become ready */
};

/* Sentences: one for each budget that is refused because it is below what is used after the start. */
void budget_resolve(const struct settings *settings, const struct cgroup_reading *container, const struct budget_facts *facts,
                    struct budget_limits *ret_limits, struct strlist *refusals);
/* Plain words for banner, status and gunwalectl: one sentence for each budget in force, or one that says that there is none. */
void budget_describe(const struct settings *settings, const struct cgroup_reading *container,
                     const struct budget_limits *limits, struct strlist *sentences);

/* Kernel kills count these, page cache is dropped before: anon, shared, kernel and socket memory. */
uint64_t budget_used(const struct cgroup_reading *container);

enum budget_level budget_level(const struct budget_pair *pair, uint64_t bytes);
/* The whole service: also hard when, growing as it does, the limit is less than BUDGET_AHEAD_MS away. */
enum { BUDGET_AHEAD_MS = 250 };
enum budget_level budget_service_level(const struct budget_limits *limits, uint64_t used_bytes, int64_t slope);
/* Milliseconds to `limit` at that growth (bytes a second); UINT64_MAX when it is not getting there. */
uint64_t budget_time_to(uint64_t bytes, uint64_t limit_bytes, int64_t slope);
/*
 * One more worker fits below the service's hard budget, also when it is ready: until then the others go on growing, by `slope` bytes
 * a second together. True where there is no such budget, or where a fact is unknown.
 */
bool budget_has_room(const struct budget_limits *limits, const struct budget_facts *facts, uint64_t used_bytes, int64_t slope);
/* "412.3 MB" */
char *budget_show(uint64_t bytes);

#endif
