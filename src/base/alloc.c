/* SPDX-License-Identifier: MIT */
/*
 * alloc.c - allocation that dies loudly.
 *
 * Called by everybody for small things. Never for sizes that a client controls: those use buf_try_reserve() or plain malloc.
 */
#include "base/base.h"

#include "base/log.h"

/* One for the process: whoever allocates has no context at hand. */
static alloc_relief_fn relief;

void alloc_set_relief(alloc_relief_fn relieve)
{
	relief = relieve;
}

static void *or_die(void *memory)
{
	if (UNLIKELY(memory == NULL)) {
		log_signal_safe("Out of memory");
		abort();
	}
	return memory;
}

/* True: it is worth another try. */
static bool is_relieved(void)
{
	return relief != NULL && relief();
}

/* The size 0 is asked for as 1: malloc may answer it with NULL, which would look like a failure. */
void *xmalloc(size_t size_bytes)
{
	void *memory = malloc(size_bytes != 0 ? size_bytes : 1);

	if (UNLIKELY(memory == NULL) && is_relieved())
		memory = malloc(size_bytes != 0 ? size_bytes : 1);
	return or_die(memory);
}

void *xcalloc(size_t count, size_t size_bytes)
{
	void *memory;

	if (count == 0 || size_bytes == 0)
		count = size_bytes = 1;
	memory = calloc(count, size_bytes);
	if (UNLIKELY(memory == NULL) && is_relieved())
		memory = calloc(count, size_bytes);
	return or_die(memory);
}

void *xrealloc(void *old, size_t size_bytes)
{
	void *memory = realloc(old, size_bytes != 0 ? size_bytes : 1);

	if (memory == NULL && is_relieved()) /* compilers understand it without a hint only: `old` is there still */
		memory = realloc(old, size_bytes != 0 ? size_bytes : 1);
	return or_die(memory);
}

char *xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t len)
{
	const size_t kept = strnlen(text, len);
	char *copy = xmalloc(kept + 1);

	memcpy(copy, text, kept);
	copy[kept] = '\0';
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *text = NULL;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (UNLIKELY(len < 0) && is_relieved()) {
		va_start(args, fmt);
		len = vasprintf(&text, fmt, args);
		va_end(args);
	}
	return or_die(len < 0 ? NULL : text);
}
