/* SPDX-License-Identifier: MIT */
/*
 * squeeze.c - for a moment the process gets no more memory.
 *
 * Begun by agent.c; ended by it, by failure.c when the MemoryError has come, by our own allocations when it hits them (alloc.c), and
 * in children that the application forks meanwhile.
 */
#include "base/base.h"

#include "worker/squeeze.h"

#include <stdatomic.h>
#include <sys/resource.h>

#include "worker/ownmem.h"

/* A process has one such limit, whoever lifts it. */
static _Atomic bool is_on;
static struct rlimit before;

bool squeeze_begin(void)
{
	const uint64_t data = ownmem_data();
	struct rlimit limit;

	if (atomic_load(&is_on) || data == 0 || getrlimit(RLIMIT_DATA, &before) != 0)
		return false;
	limit = before;
	limit.rlim_cur = MIN((rlim_t)data, limit.rlim_max);
	atomic_store(&is_on, true);
	if (setrlimit(RLIMIT_DATA, &limit) == 0)
		return true;
	atomic_store(&is_on, false);
	return false;
}

bool squeeze_end(void)
{
	if (!atomic_exchange(&is_on, false))
		return false;
	return setrlimit(RLIMIT_DATA, &before) == 0;
}

bool squeeze_is_on(void)
{
	return atomic_load(&is_on);
}
