/* SPDX-License-Identifier: MIT */
/*
 * cli_show.c - the lines of --print-config: settings and hooks by name.
 *
 * Called by generation.c. Decides nothing; a value looks as Python would print it.
 */
#include "base/base.h"
#include "master/cli.h"

#include <jansson.h>

#include "base/buf.h"
#include "base/log.h"

static const char *const hook_names[] = {
#define HOOK(name, parameters, process, text) #name,
#include "tables/hooks.def"
#undef HOOK
};

enum {
	NAME_COLUMNS = 34, /* gunicorn's longest name */
	LINES = S_MAX + ARRAY_LEN(hook_names),
};

struct line {
	const char *name;
	char *value; /* owned */
};

static int compare_lines(const void *a, const void *b)
{
	const struct line *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* "<name()>" of the function, as the template described it (python/gunwale/conffile.py). */
static char *show_hook(const json_t *values, const char *name)
{
	const char *shown = json_string_value(json_object_get(json_object_get(values, name), "__python__"));

	return xstrdup(shown != NULL ? shown : "<do_nothing()>");
}

/* The values are the caller's to free. */
static void make_lines(const struct settings *settings, const char *file_json, struct line lines[LINES])
{
	json_t *values = file_json != NULL ? json_loads(file_json, 0, NULL) : NULL;
	size_t count = 0;

	for (size_t i = 0; i < S_MAX; i++)
		lines[count++] = (struct line){ setting_rows[i].name, setting_show(settings, (enum setting_id)i) };
	for (size_t i = 0; i < ARRAY_LEN(hook_names); i++)
		lines[count++] = (struct line){ hook_names[i], show_hook(values, hook_names[i]) };
	qsort(lines, count, sizeof lines[0], compare_lines);
	json_decref(values);
}

void cli_print_config(const struct settings *settings, const char *file_json, FILE *out)
{
	struct line lines[LINES];

	make_lines(settings, file_json, lines);
	for (size_t i = 0; i < LINES; i++) {
		fprintf(out, "%-*s = %s\n", NAME_COLUMNS, lines[i].name, lines[i].value);
		free(lines[i].value);
	}
}

void cli_log_config(const struct settings *settings, const char *file_json)
{
	struct line lines[LINES];
	struct buf text = BUF_NONE;

	if (!log_is_on(LOG_DEBUG))
		return;
	make_lines(settings, file_json, lines);
	for (size_t i = 0; i < LINES; i++) {
		buf_addf(&text, "  %s: %s\n", lines[i].name, lines[i].value);
		free(lines[i].value);
	}
	log_report(LOG_DEBUG, buf_span(&text), "Current configuration:");
	buf_release(&text);
}
