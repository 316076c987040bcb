/* SPDX-License-Identifier: MIT */
/*
 * status_memory.h - the parts of the status document that are about memory. For status.c alone. Objects are the caller's.
 */
#ifndef MASTER_STATUS_MEMORY_H
#define MASTER_STATUS_MEMORY_H

#include "base/base.h"

#include <jansson.h>

struct master;
struct obituary;

json_t *status_limits_json(const struct master *master);
json_t *status_memory_json(const struct master *master);
json_t *status_recycles_json(const struct master *master);
/* Adds "memory", "sockets" and "last_remedy". */
void status_add_worker_memory(json_t *worker, const struct master *master, uint32_t slot, uint64_t now_ms);
/* Adds who killed it, its last readings and what it was doing. */
void status_add_exit_memory(json_t *exit, const struct obituary *obituary);

#endif
