/* SPDX-License-Identifier: MIT */
/*
 * agent.h - a C thread in each worker that never needs the GIL: whatever Python does, it can act.
 *
 * For now it watches the link: when the master is gone, the worker leaves at once.
 */
#ifndef WORKER_AGENT_H
#define WORKER_AGENT_H

#include "base/base.h"

struct agent;

/*
 * Starts the thread, with all signals blocked so that Python's main thread gets them. link_fd stays the caller's and must
 * stay open. name is for the log line. NULL with errno set when there can be no thread. It ends with the process.
 */
struct agent *agent_new(int link_fd, const char *name);

#endif
