/* SPDX-License-Identifier: MIT */
/*
 * fork.h - the only fork and exec of the worker program.
 */
#ifndef WORKER_FORK_H
#define WORKER_FORK_H

#include "base/base.h"

/*
 * Forks twice, so that the grandchild becomes the child of the master (a subreaper) and not ours. In the grandchild, once
 * getppid() is master_pid, calls `run` with the GIL held and all signals blocked; run never returns. GIL held at entry,
 * Python's at-fork functions are called as os.fork() does.
 * Returns the grandchild's pid, or -errno when the kernel has no process for us (-EAGAIN, -ENOMEM): nothing was left behind.
 */
pid_t fork_grandchild(pid_t master_pid, void (*run)(void *context) ATTR_NORETURN, void *context);

/* Becomes another program, with argv[0] as its path. Returns only when that fails: -errno. */
int fork_none_and_exec(char **argv);

#endif
