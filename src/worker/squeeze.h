/* SPDX-License-Identifier: MIT */
/*
 * squeeze.h - for a moment the process gets no more memory (RLIMIT_DATA).
 *
 * What sits inside one long call into C, where no exception arrives, gets its MemoryError from malloc() itself, and the request
 * ends as if it had been raised. The alternative is SIGKILL. Whoever cleans up behind it lifts it first.
 */
#ifndef WORKER_SQUEEZE_H
#define WORKER_SQUEEZE_H

#include "base/base.h"

/* The agent alone. False: it can't be, or is already. */
bool squeeze_begin(void);
/* Any thread, any number of times; async-signal-safe. True: it was on. */
bool squeeze_end(void);
bool squeeze_is_on(void);

#endif
