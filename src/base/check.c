/* SPDX-License-Identifier: MIT */
/*
 * check.c - the end of a process that found its own bug.
 *
 * Called through CHECK() and BUG(). Trusts nothing: no allocation, no locks of ours, and it always ends in abort().
 */
#include "base/base.h"

#include "base/check.h"

#include <signal.h>
#include <stdatomic.h>

#include "base/log.h"

static _Atomic(check_last_words_fn) last_words;

void check_set_last_words(check_last_words_fn fn)
{
	atomic_store(&last_words, fn);
}

void check_failed(const char *file, int line, const char *fmt, ...)
{
	char what[384];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(what, sizeof what, fmt, args);
	va_end(args);

	char text[512];
	(void)snprintf(text, sizeof text, "%s (%s:%d)", what, file, line);
	log_signal_safe(text);

	/* Taken away first: a CHECK that fails inside the last words must not come back here without end. */
	check_last_words_fn fn = atomic_exchange(&last_words, NULL);
	if (fn != NULL)
		fn(text);
	/* A handler of SIGABRT belongs to the timeout; it must not run the application's hooks in a broken process. */
	(void)signal(SIGABRT, SIG_DFL);
	abort();
}
