/* SPDX-License-Identifier: MIT */
/*
 * memory.h - watches memory: takes the readings, has them judged (budget.h), has remedies chosen (remedy.h), carries them out.
 */
#ifndef MASTER_MEMORY_H
#define MASTER_MEMORY_H

#include "base/base.h"
#include "base/strlist.h"
#include "master/budget.h"
#include "master/cgroup.h"
#include "master/remedy.h"
#include "master/series.h"
#include "master/slot.h"
#include "master/sockdiag.h"
#include "shared/board.h"

struct master;
struct worker_handle;

/* What is known of one worker's memory. */
struct memory_track {
	struct series rss;
	struct remedy_track remedies;
	uint64_t baseline_bytes;      /* as memory_measure says, after its start; READING_UNKNOWN before */
	bool is_baseline_final;
	uint64_t ready_rss_bytes;     /* when it became ready */
	struct board_agent_reading agent; /* as of the last slow look */
	uint64_t measured_rss_bytes;  /* when the agent read pss and uss; as the master saw it */
	uint64_t rollup_ms;           /* of which reading that was */
	uint64_t asked_ms;            /* when it was asked to measure */
	uint32_t pace_ms;             /* that its agent was told; 0: none */
	enum budget_level level, socket_level;
	/* The remedy that was ordered last. */
	enum remedy remedy;           /* REMEDY_MAX: none */
	uint32_t remedy_serial;       /* that the agent will answer; 0: nothing is awaited */
	uint64_t remedy_amount;       /* what came of it */
	char remedy_text[200];
	uint64_t reported_ms[REMEDY_MAX]; /* memory_policy report: not each of it again and again */
};

struct memory {
	struct cgroup *cgroup;
	struct sockdiag *sockdiag;    /* made when agents cannot tell */
	struct cgroup_reading container;
	struct budget_facts facts;
	struct budget_limits limits;
	struct strlist sentences;     /* what is in force, in plain words */
	struct strlist refusals;      /* what is not obeyed, and why; said already */
	uint32_t boot_kills;          /* workers killed before they were ready */
	struct remedy_track service;
	struct series used;
	struct series sockets;        /* what the container is charged for them (cgroup v2) */
	uint32_t next_serial;
	uint64_t next_ms;             /* the next look */
	uint64_t slow_ms;             /* the next look at what costs more */
	uint64_t used_bytes;          /* of limits.limit_bytes; READING_UNKNOWN */
	uint64_t own_rss_bytes, template_rss_bytes;
	uint64_t agent_socket_bytes;  /* as agents, or whoever stands in for them, saw it at the last slow look */
	uint64_t socket_bytes;        /* of the service: at least what the container is charged for; READING_UNKNOWN */
	struct sockdiag_reading diag; /* method NONE: agents tell */
	enum budget_level level, socket_level;
	uint64_t kills_seen;          /* of container.oom_kill_total: told, or nobody of ours */
	uint64_t kills_total;         /* of the last look */
	uint64_t kills_ms;            /* when it moved */
	unsigned allowed;             /* memory_remedies, a bit for each enum remedy */
	bool is_watching;             /* there is a budget */
	bool has_said_no_room;
};

/* Opens the readings and judges the settings for the first time. Once, when the configuration is known. */
void memory_start(struct master *master);
void memory_release(struct memory *memory);
/* What would be in force with these settings, for --print-config: lines that begin with "# ". */
void memory_print(const struct settings *settings, FILE *out);
/* The generation in service has changed: other settings, another baseline. Says what is in force. */
void memory_on_generation(struct master *master);
/* The worker says that it serves: its baseline. */
void memory_on_ready(struct master *master, struct slot *slot);
/* It has ended. */
void memory_forget(struct worker_handle *handle);
void memory_on_time(struct master *master, uint64_t now_ms);

/*
 * A worker was killed by a SIGKILL that is not ours. 1: the kernel did it for want of memory, as its count says; 0: it did not;
 * -1: there is no such count.
 */
int memory_was_kernel_kill(struct master *master);
/* READING_UNKNOWN where they are not known. */
void memory_describe_worker(struct master *master, const struct slot *slot, uint64_t *ret_rss_bytes, uint64_t *ret_sockets_bytes);
/* What is known of that slot's worker; NULL: nothing. */
const struct memory_track *memory_track_of(const struct master *master, uint32_t slot);

#endif
