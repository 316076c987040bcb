/* SPDX-License-Identifier: MIT */
/*
 * agent.h - a C thread in each worker that never needs the GIL: whatever Python does, it can act.
 *
 * It looks at the sockets, carries out what the master orders about memory, and leaves with the process when the master is gone.
 */
#ifndef WORKER_AGENT_H
#define WORKER_AGENT_H

#include "base/base.h"
#include "worker/worker.h"

struct agent;

/*
 * Starts the thread, with all signals blocked so that Python's main thread gets them. It is the only reader of worker->link and
 * writes the agent's part of worker->line. worker must outlive the process's threads; name is for the log line. NULL with errno
 * set when there can be no thread. It ends with the process.
 */
struct agent *agent_new(struct worker *worker, const char *name);

#endif
