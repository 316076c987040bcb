/* SPDX-License-Identifier: MIT */
/*
 * formats.c - the status document in the shapes that other tools know: which there are, and how to look into a document.
 *
 * Called by status.c, webstatus.c and control.c. Pure.
 */
#include "base/base.h"

#include "master/formats.h"

#include "base/check.h"
#include "base/span.h"

static const struct {
	const char *name;
	const char *media_type;
} rows[FORMAT_MAX] = {
	[FORMAT_JSON] = { "json", "application/json" },
	[FORMAT_PROMETHEUS] = { "prometheus", "text/plain; version=0.0.4; charset=utf-8" },
	[FORMAT_UWSGI] = { "uwsgi", "application/json" },
	[FORMAT_PUMA] = { "puma", "application/json" },
	[FORMAT_HEALTH] = { "health", "application/health+json" },
};

bool format_find(const char *name, enum status_format *ret_format)
{
	for (int i = 0; i < FORMAT_MAX; i++) {
		if (strcmp(rows[i].name, name) != 0)
			continue;
		*ret_format = (enum status_format)i;
		return true;
	}
	return false;
}

const char *format_name(enum status_format format)
{
	CHECK(format < FORMAT_MAX);
	return rows[format].name;
}

const char *format_media_type(enum status_format format)
{
	CHECK(format < FORMAT_MAX);
	return rows[format].media_type;
}

/* ---- looking into a document ---- */

const json_t *format_at(const json_t *document, const char *path)
{
	struct span rest = span_from_str(path);
	struct span piece;
	const json_t *value = document;
	char name[64];

	while (value != NULL && span_split(&rest, '.', &piece)) {
		CHECK(piece.len < sizeof(name));
		memcpy(name, piece.at, piece.len);
		name[piece.len] = '\0';
		value = json_object_get(value, name);
	}
	return json_is_null(value) ? NULL : value;
}

double format_number(const json_t *document, const char *path)
{
	return json_number_value(format_at(document, path));
}

const char *format_text(const json_t *document, const char *path)
{
	const char *text = json_string_value(format_at(document, path));

	return text != NULL ? text : "";
}

double format_time(const json_t *document, const char *path)
{
	struct tm parts;
	const char *text = format_text(document, path);
	const char *rest;

	memset(&parts, 0, sizeof(parts));
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	if (rest == NULL)
		return 0;
	return (double)timegm(&parts) + (*rest == '.' ? strtod(rest, NULL) : 0);
}

/* ---- the text ---- */

static char *print(json_t *value_take)
{
	char *text = json_dumps(value_take, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	char *line = xasprintf("%s\n", text != NULL ? text : "{}");

	free(text);
	json_decref(value_take);
	return line;
}

/* Jansson counts references in the value itself. */
static json_t *unconst(const json_t *value)
{
	json_t *same;

	memcpy(&same, &value, sizeof(same));
	return json_incref(same);
}

char *format_render(enum status_format format, const json_t *document)
{
	struct buf text = BUF_NONE;

	switch (format) {
	case FORMAT_JSON:
		return print(unconst(document));
	case FORMAT_PROMETHEUS:
		format_add_prometheus(&text, document);
		return buf_detach(&text);
	case FORMAT_UWSGI:
		return print(format_uwsgi(document));
	case FORMAT_PUMA:
		return print(format_puma(document));
	case FORMAT_HEALTH:
		return print(format_health(document));
	case FORMAT_MAX:
		break;
	}
	BUG("status format %d", (int)format);
}
