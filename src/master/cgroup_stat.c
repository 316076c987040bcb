/* SPDX-License-Identifier: MIT */
/*
 * cgroup_stat.c - what a cgroup's files say of its memory, for v1 and v2.
 *
 * Called by cgroup.c, with the files open. Sets what it finds; what it does not find stays unknown. Never allocates or logs.
 */
#include "base/base.h"

#include "master/cgroup_internal.h"

#include "base/span.h"

/* memory.stat has about 3 KB with v2. */
enum { TEXT_BYTES = 8192 };

void cgroup_fields(int fd, const struct kernelfile_field *fields, size_t count)
{
	char buffer[TEXT_BYTES];
	struct span text;

	if (kernelfile_read(fd, buffer, sizeof(buffer), &text) == 0)
		kernelfile_fields(text, fields, count);
}

static void read_stat_v1(const struct cgroup *cgroup, struct cgroup_reading *reading)
{
	/* total_: with the children, as usage_in_bytes. */
	const struct kernelfile_field fields[] = {
		{ SPAN_LIT("total_rss"), &reading->anon_bytes },
		{ SPAN_LIT("total_cache"), &reading->file_bytes },
		{ SPAN_LIT("total_shmem"), &reading->shmem_bytes },
		{ SPAN_LIT("total_inactive_file"), &reading->inactive_file_bytes },
	};
	uint64_t sock_limit;

	cgroup_fields(cgroup->files[FILE_STAT], fields, ARRAY_LEN(fields));
	reading->kernel_bytes = kernelfile_number(cgroup->files[FILE_KERNEL]);
	reading->sock_bytes = kernelfile_number(cgroup->files[FILE_SOCK]);
	/* Sockets are charged only after somebody has set a limit for them; until then it says 0 whatever they hold. */
	if (reading->sock_bytes == 0 &&
	    (!cgroup_limit(cgroup->own[OWN_SOCK_LIMIT], &sock_limit) || sock_limit == CGROUP_NO_LIMIT))
		reading->sock_bytes = READING_UNKNOWN;
}

static void read_stat_v2(const struct cgroup *cgroup, struct cgroup_reading *reading)
{
	uint64_t stacks = READING_UNKNOWN;
	uint64_t page_tables = READING_UNKNOWN;
	uint64_t percpu = READING_UNKNOWN;
	uint64_t slab = READING_UNKNOWN;
	const struct kernelfile_field fields[] = {
		{ SPAN_LIT("anon"), &reading->anon_bytes },
		{ SPAN_LIT("file"), &reading->file_bytes },
		{ SPAN_LIT("shmem"), &reading->shmem_bytes },
		{ SPAN_LIT("kernel"), &reading->kernel_bytes },
		{ SPAN_LIT("sock"), &reading->sock_bytes },
		{ SPAN_LIT("inactive_file"), &reading->inactive_file_bytes },
		{ SPAN_LIT("kernel_stack"), &stacks },
		{ SPAN_LIT("pagetables"), &page_tables },
		{ SPAN_LIT("percpu"), &percpu },
		{ SPAN_LIT("slab"), &slab },
	};

	cgroup_fields(cgroup->files[FILE_STAT], fields, ARRAY_LEN(fields));
	/* "kernel" came with Linux 5.18; these are nearly all of it. */
	if (!reading_is_known(reading->kernel_bytes))
		reading->kernel_bytes = reading_add(reading_add(stacks, page_tables), reading_add(percpu, slab));
}

static void read_events(const struct cgroup *cgroup, struct cgroup_reading *reading)
{
	const struct kernelfile_field kills[] = { { SPAN_LIT("oom_kill"), &reading->oom_kill_total } };
	const struct kernelfile_field fields[] = {
		{ SPAN_LIT("oom_kill"), &reading->oom_kill_total },
		{ SPAN_LIT("max"), &reading->max_event_total },
		{ SPAN_LIT("high"), &reading->high_event_total },
	};
	bool is_v1 = cgroup->place.version == CGROUP_V1;

	if (is_v1)
		reading->max_event_total = kernelfile_number(cgroup->files[FILE_EVENTS]);
	else
		cgroup_fields(cgroup->files[FILE_EVENTS], fields, ARRAY_LEN(fields));
	/* There a kill is counted where the victim was, not where the limit is. Our processes are in the own cgroup. */
	if (is_v1 || cgroup->place.has_local_events) {
		reading->oom_kill_total = READING_UNKNOWN;
		cgroup_fields(cgroup->own[OWN_EVENTS], kills, ARRAY_LEN(kills));
	}
}

/* "some avg10=12.34 avg60=..." */
static void parse_pressure_line(struct span line, struct span kind, uint64_t *ret_hundredths)
{
	struct span word, whole;
	uint64_t units, hundredths;

	if (!span_split(&line, ' ', &word) || !span_equals(word, kind) || !span_split(&line, ' ', &word) ||
	    !span_starts_with(word, SPAN_LIT("avg10=")))
		return;
	word = span_of(word.at + 6, word.len - 6);
	if (!span_split(&word, '.', &whole) || !span_to_u64(whole, &units) || word.len != 2 || !span_to_u64(word, &hundredths) ||
	    units > 100)
		return;
	*ret_hundredths = units * 100 + hundredths;
}

static bool read_pressure(int fd, struct cgroup_reading *reading)
{
	char buffer[512];
	struct span text, line;

	/* With psi=0 the file of a cgroup can be opened, and reading it is refused. */
	if (kernelfile_read(fd, buffer, sizeof(buffer), &text) < 0)
		return false;
	while (span_split(&text, '\n', &line)) {
		parse_pressure_line(line, SPAN_LIT("some"), &reading->psi_some_avg10_hundredths);
		parse_pressure_line(line, SPAN_LIT("full"), &reading->psi_full_avg10_hundredths);
	}
	return reading_is_known(reading->psi_some_avg10_hundredths);
}

void cgroup_read_files(const struct cgroup *cgroup, struct cgroup_reading *reading)
{
	reading->current_bytes = kernelfile_number(cgroup->files[FILE_CURRENT]);
	reading->peak_bytes = kernelfile_number(cgroup->files[FILE_PEAK]);
	if (cgroup->place.version == CGROUP_V1)
		read_stat_v1(cgroup, reading);
	else
		read_stat_v2(cgroup, reading);
	read_events(cgroup, reading);
	if (!read_pressure(cgroup->files[FILE_PRESSURE], reading))
		(void)read_pressure(cgroup->pressure, reading);
}
