/* SPDX-License-Identifier: MIT */
/*
 * alloc.c - allocation that dies loudly.
 *
 * Called by everybody for small things. Never for sizes that a client controls: those use buf_try_reserve() or plain malloc.
 */
#include "base/base.h"

#include "base/log.h"

static void *or_die(void *memory)
{
	if (UNLIKELY(memory == NULL)) {
		log_signal_safe("Out of memory");
		abort();
	}
	return memory;
}

/* The size 0 is asked for as 1: malloc may answer it with NULL, which would look like a failure. */
void *xmalloc(size_t size_bytes)
{
	return or_die(malloc(size_bytes != 0 ? size_bytes : 1));
}

void *xcalloc(size_t count, size_t size_bytes)
{
	if (count == 0 || size_bytes == 0)
		count = size_bytes = 1;
	return or_die(calloc(count, size_bytes));
}

void *xrealloc(void *old, size_t size_bytes)
{
	return or_die(realloc(old, size_bytes != 0 ? size_bytes : 1));
}

char *xstrdup(const char *text)
{
	return or_die(strdup(text));
}

char *xstrndup(const char *text, size_t len)
{
	return or_die(strndup(text, len));
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	char *text = NULL;
	int len = vasprintf(&text, fmt, args);
	va_end(args);
	return or_die(len < 0 ? NULL : text);
}
