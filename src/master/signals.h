/* SPDX-License-Identifier: MIT */
/*
 * signals.h - the master's signals: one uv_signal for each MASTER row of signals.def.
 */
#ifndef MASTER_SIGNALS_H
#define MASTER_SIGNALS_H

#include "base/base.h"
#include "base/err.h"

struct master;

/* 0 or -errno with a sentence. */
int signals_start(struct master *master, struct err *err);
void signals_close(struct master *master);

#endif
