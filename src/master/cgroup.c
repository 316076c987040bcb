/* SPDX-License-Identifier: MIT */
/*
 * cgroup.c - the container: its limit and what is used of it.
 *
 * Called on the master's timers. Every file is opened once and read again with pread(); nothing is allocated after cgroup_new().
 * Never logs and never decides: what the numbers mean is for budgets.
 */
#include "base/base.h"

#include "master/cgroup.h"

#include <fcntl.h>
#include <limits.h>

#include "base/fd.h"
#include "base/span.h"

#include "master/cgroup_internal.h"
#include "master/kernelfile.h"

/* v1 says "no limit" with the largest number of pages, which depends on the machine. */
#define LIMIT_MAX (UINT64_C(1) << 62)

static const char *const limit_names[] = { [CGROUP_V1] = "memory.limit_in_bytes", [CGROUP_V2] = "memory.max" };

static const char *const file_names[][FILE_COUNT] = {
	[CGROUP_V1] = {
		[FILE_CURRENT] = "memory.usage_in_bytes",
		[FILE_PEAK] = "memory.max_usage_in_bytes",
		[FILE_STAT] = "memory.stat",
		[FILE_EVENTS] = "memory.failcnt",
		[FILE_KERNEL] = "memory.kmem.usage_in_bytes",
		[FILE_SOCK] = "memory.kmem.tcp.usage_in_bytes",
	},
	[CGROUP_V2] = {
		[FILE_CURRENT] = "memory.current",
		[FILE_PEAK] = "memory.peak",
		[FILE_STAT] = "memory.stat",
		[FILE_EVENTS] = "memory.events",
		[FILE_PRESSURE] = "memory.pressure",
	},
};

static const char *const own_names[][OWN_COUNT] = {
	[CGROUP_V1] = {
		[OWN_STAT] = "memory.stat",
		[OWN_EVENTS] = "memory.oom_control",
		[OWN_SOCK_LIMIT] = "memory.kmem.tcp.limit_in_bytes",
	},
	[CGROUP_V2] = { [OWN_EVENTS] = "memory.events" },
};

static int open_in(const char *directory, const char *name)
{
	char path[PATH_MAX];

	if (name == NULL || snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
		return FD_NONE;

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? FD_NONE : fd;
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fd_close(&fds[i]);
}

static void open_level(struct cgroup *cgroup, size_t level)
{
	if (level == cgroup->open_level)
		return;
	close_all(cgroup->files, FILE_COUNT);
	cgroup->open_level = level;
	if (level == CGROUP_NO_LEVEL)
		return;
	for (size_t i = 0; i < FILE_COUNT; i++)
		cgroup->files[i] = open_in(cgroup->place.levels.items[level], file_names[cgroup->place.version][i]);
}

static void read_machine(const struct cgroup *cgroup, uint64_t *ret_machine_bytes, uint64_t *ret_available_bytes)
{
	const struct kernelfile_field fields[] = {
		{ SPAN_LIT("MemTotal:"), ret_machine_bytes },
		{ SPAN_LIT("MemAvailable:"), ret_available_bytes },
	};

	*ret_machine_bytes = READING_UNKNOWN;
	*ret_available_bytes = READING_UNKNOWN;
	cgroup_fields(cgroup->meminfo, fields, ARRAY_LEN(fields));
}

/* ---- limits ---------------------------------------------------------------------------------------------------------- */

bool cgroup_limit(int fd, uint64_t *ret_limit)
{
	char buffer[64];
	struct span text;

	if (kernelfile_read(fd, buffer, sizeof(buffer), &text) < 0)
		return false;
	text = span_trim(text, "\n");
	*ret_limit = CGROUP_NO_LIMIT;
	if (span_equals(text, SPAN_LIT("max")))
		return true;
	if (!span_to_u64(text, ret_limit))
		return false;
	if (*ret_limit >= LIMIT_MAX)
		*ret_limit = CGROUP_NO_LIMIT;
	return true;
}

/* CGROUP_NO_LIMIT for levels without one. false when an open file can't be read: then the smallest one is not known. */
static bool read_limits(const struct cgroup *cgroup, uint64_t ret_limits[static CGROUP_LEVEL_MAX])
{
	bool is_known = true;

	for (size_t i = 0; i < cgroup->place.levels.count; i++) {
		ret_limits[i] = CGROUP_NO_LIMIT;
		if (cgroup->limits[i] >= 0 && !cgroup_limit(cgroup->limits[i], &ret_limits[i])) {
			ret_limits[i] = CGROUP_NO_LIMIT;
			is_known = false;
		}
	}
	return is_known;
}

static uint64_t smallest(const uint64_t *limits, size_t count)
{
	uint64_t limit = CGROUP_NO_LIMIT;

	for (size_t i = 0; i < count; i++)
		limit = MIN(limit, limits[i]);
	return limit;
}

/* Of levels with the same limit the highest is the one that is hit. `count` when none has it. */
static size_t highest_with(const uint64_t *limits, size_t count, uint64_t limit)
{
	for (size_t i = count; i > 0; i--) {
		if (limits[i - 1] == limit)
			return i - 1;
	}
	return count;
}

/* v1: the limit with those of ancestors that can't be seen from here. false when it can't be read. */
static bool read_hierarchical_limit(const struct cgroup *cgroup, uint64_t *ret_limit)
{
	const struct kernelfile_field field = { SPAN_LIT("hierarchical_memory_limit"), ret_limit };

	*ret_limit = READING_UNKNOWN;
	cgroup_fields(cgroup->own[OWN_STAT], &field, 1);
	if (!reading_is_known(*ret_limit))
		return false;
	if (*ret_limit >= LIMIT_MAX)
		*ret_limit = CGROUP_NO_LIMIT;
	return true;
}

/* Finds the limit that counts, and opens the files of the directory whose it is. */
static void find_limit(struct cgroup *cgroup, uint64_t machine_bytes)
{
	const size_t count = cgroup->place.levels.count;
	uint64_t limits[CGROUP_LEVEL_MAX];
	bool is_known = read_limits(cgroup, limits);
	uint64_t limit = smallest(limits, count);
	uint64_t hierarchical;
	size_t level = highest_with(limits, count, limit);

	if (read_hierarchical_limit(cgroup, &hierarchical)) {
		level = highest_with(limits, count, hierarchical);
		/* Smaller than all that can be seen: of a hidden ancestor, and the highest level is nearest to it. Larger: with
		 * use_hierarchy 0 (before Linux 5.11) ancestors have no say. */
		if (level == count && count != 0)
			level = hierarchical < limit ? count - 1 : 0;
		limit = hierarchical;
		is_known = true;
	}
	if (!is_known) {
		/* Not the machine's memory, which would look like room. The level stays: its usage is still worth something. */
		cgroup->limit_bytes = READING_UNKNOWN;
		return;
	}
	/* A limit beyond the machine's memory is never hit. */
	cgroup->is_limited = limit != CGROUP_NO_LIMIT && (!reading_is_known(machine_bytes) || limit < machine_bytes);
	cgroup->limit_bytes = cgroup->is_limited ? limit : machine_bytes;
	if (!cgroup->is_limited)
		level = cgroup->place.is_own_known ? 0 : CGROUP_NO_LEVEL;
	open_level(cgroup, count != 0 ? level : CGROUP_NO_LEVEL);
}

/* ---- readings -------------------------------------------------------------------------------------------------------- */

void cgroup_read_use(struct cgroup *cgroup, struct cgroup_use *ret_use)
{
	ret_use->current_bytes = kernelfile_number(cgroup->files[FILE_CURRENT]);
}

void cgroup_read(struct cgroup *cgroup, struct cgroup_reading *ret_reading)
{
	struct cgroup_reading reading;

	/* READING_UNKNOWN in all numbers. */
	memset(&reading, 0xff, sizeof(reading));
	read_machine(cgroup, &reading.machine_bytes, &reading.available_bytes);
	find_limit(cgroup, reading.machine_bytes);
	reading.version = cgroup->place.version;
	reading.is_limited = cgroup->is_limited;
	reading.limit_bytes = cgroup->limit_bytes;
	cgroup_read_files(cgroup, &reading);
	*ret_reading = reading;
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

struct cgroup *cgroup_new(const char *root)
{
	struct cgroup *cgroup = xcalloc(1, sizeof(*cgroup));
	struct cgroup_reading reading;

	cgroup_find(root, &cgroup->place);
	cgroup->open_level = CGROUP_NO_LEVEL;
	for (size_t i = 0; i < FILE_COUNT; i++)
		cgroup->files[i] = FD_NONE;
	for (size_t i = 0; i < OWN_COUNT; i++)
		cgroup->own[i] = FD_NONE;
	for (size_t i = 0; i < cgroup->place.levels.count; i++)
		cgroup->limits[i] = open_in(cgroup->place.levels.items[i], limit_names[cgroup->place.version]);
	/* An ancestor's memory.stat tells of limits above it that hold here too; its other files are not ours. */
	for (size_t i = 0; i < OWN_COUNT && cgroup->place.levels.count != 0; i++) {
		if (cgroup->place.is_own_known || i == OWN_STAT)
			cgroup->own[i] = open_in(cgroup->place.levels.items[0], own_names[cgroup->place.version][i]);
	}

	char *meminfo = xasprintf("%s/proc/meminfo", root);
	char *pressure = xasprintf("%s/proc/pressure/memory", root);

	cgroup->meminfo = open(meminfo, O_RDONLY | O_CLOEXEC);
	cgroup->pressure = open(pressure, O_RDONLY | O_CLOEXEC);
	free(meminfo);
	free(pressure);
	if (cgroup->place.is_own_known && cgroup->place.levels.count != 0)
		open_level(cgroup, 0);
	/* Finds the level that counts. */
	cgroup_read(cgroup, &reading);
	return cgroup;
}

void cgroup_free(struct cgroup *cgroup)
{
	if (cgroup == NULL)
		return;
	close_all(cgroup->files, FILE_COUNT);
	close_all(cgroup->own, OWN_COUNT);
	close_all(cgroup->limits, cgroup->place.levels.count);
	fd_close(&cgroup->meminfo);
	fd_close(&cgroup->pressure);
	cgroup_place_release(&cgroup->place);
	free(cgroup);
}

const char *cgroup_path(const struct cgroup *cgroup)
{
	return cgroup->is_limited && cgroup->open_level != CGROUP_NO_LEVEL ? cgroup->place.levels.items[cgroup->open_level] : "";
}

const char *cgroup_version_name(enum cgroup_version version)
{
	static const char *const names[] = { [CGROUP_NONE] = "none", [CGROUP_V1] = "v1", [CGROUP_V2] = "v2" };

	return names[version];
}
