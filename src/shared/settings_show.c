/* SPDX-License-Identifier: MIT */
/*
 * settings_show.c - values as Python prints them, for --print-config, --help and messages.
 *
 * Called by settings.c, settings_json.c and the command line. Pure, but for the effective user that an unset `user` stands for.
 */
#include "base/base.h"
#include "shared/settings.h"

#include "shared/metrics.h"
#include "shared/settings_types.h"

void setting_add_repr(struct buf *into, const char *text)
{
	/* Python prefers single quotes and switches only when that saves escapes. */
	char quote = strchr(text, '\'') != NULL && strchr(text, '"') == NULL ? '"' : '\'';

	buf_add_byte(into, quote);
	for (const char *at = text; *at != '\0'; at++) {
		unsigned char byte = (unsigned char)*at;

		if (*at == quote || *at == '\\') {
			buf_add_byte(into, '\\');
			buf_add_byte(into, *at);
		} else if (*at == '\n') {
			buf_add_str(into, "\\n");
		} else if (*at == '\r') {
			buf_add_str(into, "\\r");
		} else if (*at == '\t') {
			buf_add_str(into, "\\t");
		} else if (byte < 0x20 || byte == 0x7f) {
			buf_addf(into, "\\x%02x", byte);
		} else {
			buf_add_byte(into, *at);
		}
	}
	buf_add_byte(into, quote);
}

static void add_list(struct buf *into, const struct strlist *list)
{
	buf_add_byte(into, '[');
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_add_str(into, ", ");
		setting_add_repr(into, list->items[i]);
	}
	buf_add_byte(into, ']');
}

/* gunicorn: config.py validate_statsd_address() keeps what it understood, not what was written. */
static void add_statsd_host(struct buf *into, const char *text)
{
	struct metrics metrics;

	if (metrics_init(&metrics, text, "", "", NULL) == 0 && metrics.host != NULL) {
		buf_add_byte(into, '(');
		setting_add_repr(into, metrics.host);
		buf_addf(into, ", %s)", metrics.port);
	} else {
		buf_add_str(into, metrics.is_unix ? metrics.local.sun_path : text);
	}
	metrics_release(&metrics);
}

static void add_text(struct buf *into, const struct setting *row, const char *text)
{
	if (text == NULL)
		buf_add_str(into, "None");
	else if (row->type == T_DICT)
		setting_add_dict(into, text);
	else if (row == &setting_rows[S_statsd_host])
		add_statsd_host(into, text);
	else
		buf_add_str(into, text);
}

char *setting_show(const struct settings *settings, enum setting_id id)
{
	const struct setting *row = &setting_rows[id];
	const void *field = setting_field(settings, row);
	struct buf shown = BUF_NONE;

	if (setting_is_list(row)) {
		add_list(&shown, field);
	} else if (setting_is_text(row)) {
		add_text(&shown, row, *(char *const *)field);
	} else if (row->type == T_BOOL) {
		buf_add_str(&shown, *(const bool *)field ? "True" : "False");
	} else if (row->type == T_SIZE) {
		setting_add_size(&shown, field);
	} else if (row->type == T_ENUM) {
		buf_add_span(&shown, setting_word_at(row->words, *(const int *)field));
	} else {
		long number = *(const long *)field;

		/* gunicorn: config.py validate_user(): None is who we are. */
		if (row->type == T_USER && number < 0)
			number = (long)geteuid();
		else if (row->type == T_GROUP && number < 0)
			number = (long)getegid();
		buf_addf(&shown, "%ld", number);
	}
	return buf_detach(&shown);
}
