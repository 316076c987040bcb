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
} title;

/* Moves the strings to the heap (kept until the process ends) as long as they stand one behind the other from *end on. */
static void move_strings(char **strings, char **end)
{
	for (size_t i = 0; strings[i] != NULL; i++) {
		if (*end == NULL || strings[i] == *end)
			*end = strings[i] + strlen(strings[i]) + 1;
		strings[i] = xstrdup(strings[i]);
	}
}

void title_init(int argc, char **argv)
{
	if (argc < 1 || argv[0] == NULL || title.area != NULL)
		return;
	char *start = argv[0];
	char *end = NULL;
	move_strings(argv, &end);

	/* A new vector as well: libc may realloc() the old one only when setenv() made it. */
	size_t count = 0;
	while (environ != NULL && environ[count] != NULL)
		count++;
	char **moved = xcalloc(count + 1, sizeof *moved);
	if (count != 0)
		memcpy(moved, environ, count * sizeof *moved);
	move_strings(moved, &end);
	environ = moved;

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
