/* SPDX-License-Identifier: MIT */
/*
 * ownmem.h - this process's own memory: how much it is, and how it is given back. Any thread, no GIL.
 */
#ifndef WORKER_OWNMEM_H
#define WORKER_OWNMEM_H

#include "base/base.h"

/* Resident, in bytes; 0 where it can't be read. */
uint64_t ownmem_rss(void);
/* Private writable memory that is mapped, as the kernel compares it with RLIMIT_DATA; 0 where it can't be read. */
uint64_t ownmem_data(void);
/* Unused heap goes back to the kernel, whatever allocator is loaded: milliseconds. */
void ownmem_give_back(void);

/* BOARD_UNKNOWN for what can't be read. It takes milliseconds where much is mapped. */
struct ownmem_rollup {
	uint64_t rss_bytes, pss_bytes, uss_bytes;
};
void ownmem_rollup(struct ownmem_rollup *ret_rollup);

/* Minor page faults of a thread (the kernel's id as text) so far; growth of memory is made of them. */
uint64_t ownmem_faults(const char *tid);

#endif
