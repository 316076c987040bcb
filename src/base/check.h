/* SPDX-License-Identifier: MIT */
/*
 * check.h - stop at our own bugs, also in releases.
 *
 * Never on input, never on a syscall's result.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include "base/base.h"

/* Called with the last words before abort(); must be async-signal-safe. One per process, NULL takes it away. */
typedef void (*check_last_words_fn)(const char *text);
void check_set_last_words(check_last_words_fn fn);

void check_failed(const char *file, int line, const char *fmt, ...) ATTR_PRINTF(3, 4) ATTR_NORETURN;

#define CHECK(x)                                                                                                              \
	do {                                                                                                                  \
		if (UNLIKELY(!(x)))                                                                                           \
			check_failed(__FILE__, __LINE__, "CHECK(%s) failed", #x);                                             \
	} while (0)
#define BUG(...) check_failed(__FILE__, __LINE__, __VA_ARGS__)

#endif
