/* SPDX-License-Identifier: MIT */
/*
 * watch.h - heartbeats: who was silent for longer than the timeout.
 */
#ifndef MASTER_WATCH_H
#define MASTER_WATCH_H

#include "base/base.h"
#include "master/slot.h"
#include "shared/board.h"

enum { WATCH_PERIOD_MS = 1000 }; /* gunicorn looks about once a second */

/*
 * Pure: is the worker in this slot late? Only one that serves can be: gunicorn does not time the import of an application.
 * timeout_ms 0: never.
 */
bool watch_is_late(const struct slot *slot, const struct board_reading *reading, uint64_t timeout_ms, uint64_t now_ms);

struct master;
/* Looks at every slot when it is time to, and aborts the late ones. */
void watch_on_time(struct master *master, uint64_t now_ms);

#endif
