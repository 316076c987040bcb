/* SPDX-License-Identifier: MIT */
/*
 * title.c - the process title that ps and top show.
 *
 * Called by main() first of all, then whenever a role or a name is known. The kernel shows the memory in which it once put
 * argv, followed by the environment; so both are copied away and the title is written there.
 */
#include "base/base.h"

#include "base/title.h"

#include <sys/prctl.h>

extern char **environ;

static struct {
	char *area; /* NULL before title_init() */
	size_t size_bytes;
	/* The moved environment. Kept, so that a leak checker finds it when setenv() puts other strings in its place. */
	char **vector;
	char *strings;
} title;

/*
 * Moves the strings into one block, which is returned and kept until the process ends. *end grows over those that stand one
 * behind the other from where it is; NULL: from the first.
 */
static char *move_strings(char **strings, char **end)
{
	size_t size_bytes = 0;
	for (size_t i = 0; strings[i] != NULL; i++)
		size_bytes += strlen(strings[i]) + 1;
	char *block = xmalloc(size_bytes);
	char *at = block;
	for (size_t i = 0; strings[i] != NULL; i++) {
		size_t len = strlen(strings[i]) + 1;
		if (*end == NULL || strings[i] == *end)
			*end = strings[i] + len;
		strings[i] = memcpy(at, strings[i], len);
		at += len;
	}
	return block;
}

void title_init(int argc, char **argv)
{
	if (argc < 1 || argv[0] == NULL || title.area != NULL)
		return;
	char *start = argv[0];
	char *end = NULL;
	(void)move_strings(argv, &end);

	size_t count = 0;
	while (environ != NULL && environ[count] != NULL)
		count++;
	title.vector = xcalloc(count + 1, sizeof *title.vector);
	if (count != 0)
		memcpy(title.vector, environ, count * sizeof *environ);
	title.strings = move_strings(title.vector, &end);
	environ = title.vector;

	/* libc made these point into the area. */
	program_invocation_name = argv[0];
	char *slash = strrchr(argv[0], '/');
	program_invocation_short_name = slash != NULL ? slash + 1 : argv[0];

	title.area = start;
	title.size_bytes = (size_t)(end - start);
}

void title_set(const char *comm, const char *fmt, ...)
{
	if (comm != NULL)
		(void)prctl(PR_SET_NAME, comm, 0, 0, 0);
	if (title.area == NULL)
		return;
	char text[1024];
	va_list args;
	va_start(args, fmt);
	int wanted = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (wanted < 0)
		return;
	size_t len = MIN(MIN((size_t)wanted, sizeof text - 1), title.size_bytes - 1);
	for (size_t i = 0; i < len; i++)
		title.area[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	memset(title.area + len, 0, title.size_bytes - len);
}
