/* SPDX-License-Identifier: MIT */
/*
 * cgroup.h - the container: its limit and what is used of it, from cgroup v2 or v1.
 *
 * Files are opened once and read again with pread(). What can't be read is READING_UNKNOWN, never 0.
 */
#ifndef MASTER_CGROUP_H
#define MASTER_CGROUP_H

#include "base/base.h"

#include "master/readings.h"

enum cgroup_version { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

struct cgroup; /* opaque */

/*
 * Finds the memory controller of this process: /proc/self/cgroup and /proc/self/mountinfo below `root` ("" for the real ones;
 * tests have trees of their own, in which mount points lie below `root` too). The limit is the smallest one on the way up,
 * v1: also hierarchical_memory_limit of the own directory, as ancestors may be hidden. Usage is that of the cgroup whose limit it
 * is. Never NULL: where there is no controller version is CGROUP_NONE, and memory of the machine (MemTotal) is all that is known.
 */
struct cgroup *cgroup_new(const char *root);
void cgroup_free(struct cgroup *cgroup); /* accepts NULL */

/* What is looked at each 20 ms: about a microsecond. */
struct cgroup_use {
	uint64_t current_bytes; /* memory.current, memory.usage_in_bytes */
};
void cgroup_read_use(struct cgroup *cgroup, struct cgroup_use *ret_use);

/*
 * Each second, and when something is about to be decided. Looks at the limit again: it may be changed at run time, and become
 * that of another level. A limit that can no longer be read is READING_UNKNOWN; is_limited then says what was known last.
 */
struct cgroup_reading {
	enum cgroup_version version;
	bool is_limited;          /* by a cgroup; else limit_bytes is the machine's memory */
	uint64_t limit_bytes;     /* effective: min of all, and of MemTotal */
	uint64_t machine_bytes;   /* MemTotal */
	uint64_t available_bytes; /* MemAvailable */
	uint64_t current_bytes;
	uint64_t peak_bytes;      /* memory.peak (5.19), memory.max_usage_in_bytes */
	uint64_t anon_bytes, file_bytes, shmem_bytes, kernel_bytes; /* file: page cache, with shmem; kernel: without sockets */
	uint64_t sock_bytes;      /* v2: memory.stat sock; v1: memory.kmem.tcp.usage_in_bytes where it is accounted, else unknown */
	uint64_t inactive_file_bytes; /* page cache that the kernel drops first: not counted as used */
	uint64_t oom_kill_total;  /* v2: memory.events, of the limiting cgroup and its children; v1: memory.oom_control, of the own */
	uint64_t max_event_total; /* memory.events max, memory.failcnt: how often the limit was hit */
	uint64_t high_event_total; /* v2 */
	uint64_t psi_some_avg10_hundredths; /* memory.pressure (v2), else /proc/pressure/memory: 12.34 % is 1234 */
	uint64_t psi_full_avg10_hundredths;
};
void cgroup_read(struct cgroup *cgroup, struct cgroup_reading *ret_reading);

/*
 * The directory whose limit counts, for people: "/sys/fs/cgroup/memory/docker/3f..."; "" when there is none. v1, limit of an
 * ancestor that can't be seen: the directory nearest to it. Borrowed; cgroup_read() may make it another one.
 */
const char *cgroup_path(const struct cgroup *cgroup);
const char *cgroup_version_name(enum cgroup_version version); /* "none", "v1", "v2" */

#endif
