/* SPDX-License-Identifier: MIT */
/*
 * sig.h - signal names, and a clean slate for a new process.
 */
#ifndef BASE_SIG_H
#define BASE_SIG_H

#include "base/base.h"

/* "SIGTERM"; "SIG<number>" in a static buffer when unknown. */
const char *sig_name(int number);
/* Every handler to SIG_DFL, nothing blocked. Async-signal-safe: for use between fork and exec. */
void sig_reset_all(void);

#endif
