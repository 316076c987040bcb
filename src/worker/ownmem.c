/* SPDX-License-Identifier: MIT */
/*
 * ownmem.c - this process's own memory: how much it is, and how it is given back.
 *
 * Called by agent.c, in its thread. Needs no rights: a process may always read about itself. Takes no lock but malloc's.
 */
#include "base/base.h"

#include "worker/ownmem.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>

#include "base/fd.h"
#include "shared/board.h"

/* The file's text, as much as fits, terminated. Negative: it can't be read. */
static ssize_t read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;

	ssize_t len = read(fd, text, size - 1);

	fd_close(&fd);
	text[MAX(len, (ssize_t)0)] = '\0';
	return len;
}

/* Number `field` (from 0) of statm, in bytes. */
static uint64_t statm_field(int field)
{
	char text[128], *at = text;
	uint64_t pages = 0;

	if (read_text("/proc/self/statm", text, sizeof(text)) <= 0)
		return 0;
	for (int i = 0; i <= field; i++)
		pages = strtoull(at, &at, 10);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t ownmem_rss(void)
{
	return statm_field(1);
}

uint64_t ownmem_data(void)
{
	return statm_field(5);
}

void ownmem_give_back(void)
{
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	void (*mi_collect)(bool);

	*(void **)&mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	*(void **)&mi_collect = dlsym(RTLD_DEFAULT, "mi_collect");
	if (mallctl != NULL)
		(void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0); /* 4096: all of them (MALLCTL_ARENAS_ALL) */
	else if (mi_collect != NULL)
		mi_collect(true);
	else
		(void)malloc_trim(0);
}

/* Of lines such as "Pss:    1234 kB"; several keys add up. */
static uint64_t sum_of(const char *text, const char *const *keys, size_t count)
{
	uint64_t sum = BOARD_UNKNOWN;

	for (size_t i = 0; i < count; i++) {
		const char *line = strstr(text, keys[i]);

		if (line != NULL)
			sum = (sum == BOARD_UNKNOWN ? 0 : sum) + strtoull(line + strlen(keys[i]), NULL, 10) * 1024;
	}
	return sum;
}

void ownmem_rollup(struct ownmem_rollup *ret_rollup)
{
	static const char *const rss[] = { "\nRss:" }, *const pss[] = { "\nPss:" },
		   *const uss[] = { "\nPrivate_Clean:", "\nPrivate_Dirty:", "\nPrivate_Hugetlb:" };
	char text[4096];

	if (read_text("/proc/self/smaps_rollup", text, sizeof(text)) <= 0)
		text[0] = '\0';
	ret_rollup->rss_bytes = sum_of(text, rss, ARRAY_LEN(rss));
	ret_rollup->pss_bytes = sum_of(text, pss, ARRAY_LEN(pss));
	ret_rollup->uss_bytes = sum_of(text, uss, ARRAY_LEN(uss));
}

uint64_t ownmem_faults(const char *tid)
{
	char path[64], text[512];
	unsigned long long faults = 0;
	const char *rest;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", tid);
	/* A thread's name may hold anything: the numbers begin behind the last bracket. */
	rest = read_text(path, text, sizeof(text)) > 0 ? strrchr(text, ')') : NULL;
	if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %llu", &faults) != 1)
		return 0;
	return faults;
}
