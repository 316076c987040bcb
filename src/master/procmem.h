/* SPDX-License-Identifier: MIT */
/*
 * procmem.h - how much memory a process uses, cheaply: /proc/PID/statm on a kept fd.
 */
#ifndef MASTER_PROCMEM_H
#define MASTER_PROCMEM_H

#include "base/base.h"

struct procmem {
	int fd; /* FD_NONE: nothing to read */
};

void procmem_init(struct procmem *procmem);
/* 0 or -errno (-ENOENT: no such process). */
int procmem_open(struct procmem *procmem, pid_t pid);
void procmem_close(struct procmem *procmem);
/* Resident set size in bytes. 0 or -errno (-ESRCH: the process ended). */
int procmem_read(const struct procmem *procmem, uint64_t *ret_rss_bytes);
/* Size of its address space. The same. */
int procmem_read_virtual(const struct procmem *procmem, uint64_t *ret_bytes);

#endif
