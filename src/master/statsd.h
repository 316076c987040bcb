/* SPDX-License-Identifier: MIT */
/*
 * statsd.h - the master's metrics: how many workers there are, how many connections wait.
 */
#ifndef MASTER_STATSD_H
#define MASTER_STATSD_H

#include "base/base.h"
#include "shared/metrics.h"

struct master;
struct template;

struct statsd {
	struct metrics metrics;
	long workers;      /* last told; -1: never */
	uint64_t next_ms;  /* of the backlog; 0: it is not wanted */
};

void statsd_init(struct statsd *statsd);
void statsd_release(struct statsd *statsd);
/* A template of the present generation has a socket to statsd_host, or a generation has taken over: its settings hold now. */
void statsd_use(struct master *master, struct template *template);
void statsd_on_time(struct master *master, uint64_t now_ms);
/* When that has to be looked at again; 0: never. */
uint64_t statsd_next_ms(const struct statsd *statsd);

#endif
