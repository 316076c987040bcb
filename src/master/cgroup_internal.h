/* SPDX-License-Identifier: MIT */
/*
 * cgroup_internal.h - between cgroup.c, cgroup_find.c and cgroup_stat.c only.
 */
#ifndef MASTER_CGROUP_INTERNAL_H
#define MASTER_CGROUP_INTERNAL_H

#include "base/base.h"
#include "base/strlist.h"

#include "master/cgroup.h"
#include "master/kernelfile.h"

/* Deeper than any container is nested. */
enum { CGROUP_LEVEL_MAX = 32, CGROUP_NO_LEVEL = CGROUP_LEVEL_MAX };
#define CGROUP_NO_LIMIT UINT64_MAX

/* Where the controller is. */
struct cgroup_place {
	enum cgroup_version version;
	struct strlist levels;  /* directories that have files of the controller, from the own one up to the mount point */
	bool is_own_known;      /* levels[0] is what this process is charged to; else all of them are above it */
	bool has_local_events;  /* v2 mounted with memory_localevents: a cgroup does not count what happens to its children */
};

/* Of the directory whose limit counts. */
enum cgroup_file { FILE_CURRENT, FILE_PEAK, FILE_STAT, FILE_EVENTS, FILE_KERNEL, FILE_SOCK, FILE_PRESSURE, FILE_COUNT };
/* Of the own directory, whichever limit counts. */
enum own_file { OWN_STAT, OWN_EVENTS, OWN_SOCK_LIMIT, OWN_COUNT };

struct cgroup {
	struct cgroup_place place;
	int limits[CGROUP_LEVEL_MAX];
	int own[OWN_COUNT];
	int files[FILE_COUNT];
	size_t open_level; /* whose `files` are; CGROUP_NO_LEVEL: none are open */
	int meminfo;
	int pressure;      /* of the whole machine */

	bool is_limited;
	uint64_t limit_bytes;
};

/* cgroup_find.c */
void cgroup_find(const char *root, struct cgroup_place *ret_place);
void cgroup_place_release(struct cgroup_place *place);

/* cgroup.c. CGROUP_NO_LIMIT where there is none; false when it can't be read. */
bool cgroup_limit(int fd, uint64_t *ret_limit);

/* cgroup_stat.c. reading: READING_UNKNOWN in all numbers that it may set. */
void cgroup_read_files(const struct cgroup *cgroup, struct cgroup_reading *reading);
/* Sets what the file has, leaves the others as they are. */
void cgroup_fields(int fd, const struct kernelfile_field *fields, size_t count);

#endif
