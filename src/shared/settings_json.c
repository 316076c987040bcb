/* SPDX-License-Identifier: MIT */
/*
 * settings_json.c - settings to and from JSON: what the configuration file set, and what the master tells the template.
 *
 * The only user of jansson in this folder. Values are not judged here but in settings_parse.c.
 */
#include "base/base.h"
#include "shared/settings.h"

#include <jansson.h>

#include "base/buf.h"
#include "base/check.h"
#include "shared/settings_types.h"

#define PYTHON_KEY "__python__" /* {"__python__": "<class 'x.Y'>"}: something that only Python has */

static const char *python_only(const json_t *value)
{
	return json_is_object(value) ? json_string_value(json_object_get(value, PYTHON_KEY)) : NULL;
}

/* Depth is bounded by jansson's own limit on parsing. */
static void add_shown(struct buf *into, const json_t *value, bool is_inner)
{
	const char *python = python_only(value), *key;
	json_t *item;
	size_t i;
	bool is_first = true;

	if (python != NULL) {
		buf_add_str(into, python);
	} else if (json_is_string(value)) {
		if (is_inner)
			setting_add_repr(into, json_string_value(value));
		else
			buf_add_str(into, json_string_value(value));
	} else if (json_is_array(value)) {
		buf_add_byte(into, '[');
		json_array_foreach (value, i, item) {
			if (i > 0)
				buf_add_str(into, ", ");
			add_shown(into, item, true);
		}
		buf_add_byte(into, ']');
	} else if (json_is_object(value)) {
		buf_add_byte(into, '{');
		json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
			if (!is_first)
				buf_add_str(into, ", ");
			is_first = false;
			setting_add_repr(into, key);
			buf_add_str(into, ": ");
			add_shown(into, item, true);
		}
		buf_add_byte(into, '}');
	} else if (json_is_real(value)) {
		char *digits = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

		buf_add_str(into, digits != NULL ? digits : "?");
		free(digits);
	} else if (json_is_integer(value)) {
		buf_addf(into, "%lld", (long long)json_integer_value(value));
	} else {
		buf_add_str(into, json_is_null(value) ? "None" : json_is_true(value) ? "True" : "False");
	}
}

static void read_list(const json_t *value, struct setting_input *input, char **ret_bad_item)
{
	json_t *item;
	size_t i;

	input->kind = IN_LIST;
	input->is_empty = json_array_size(value) == 0;
	json_array_foreach (value, i, item) {
		struct buf shown = BUF_NONE;

		if (json_is_string(item)) {
			strlist_add(&input->list, json_string_value(item));
			continue;
		}
		add_shown(&shown, item, false);
		*ret_bad_item = buf_detach(&shown);
		input->bad_item = *ret_bad_item;
		return;
	}
}

/* A list that the master sends for a setting of words is one text with commas in Python. */
static char *join_words(const struct strlist *words)
{
	struct buf text = BUF_NONE;

	for (size_t i = 0; i < words->count; i++) {
		if (i > 0)
			buf_add_byte(&text, ',');
		buf_add_str(&text, words->items[i]);
	}
	return buf_detach(&text);
}

static int apply(struct settings *settings, const struct setting *row, const json_t *value, struct err *err)
{
	struct setting_input input = { .kind = IN_OTHER };
	struct buf shown = BUF_NONE;
	char *bad_item = NULL, *dict = NULL;
	int rc;

	add_shown(&shown, value, false);
	input.shown = buf_text(&shown);
	if (json_is_null(value)) {
		input.kind = IN_NONE;
	} else if (json_is_boolean(value)) {
		input.kind = IN_BOOL;
		input.flag = json_is_true(value);
		input.is_empty = !input.flag;
	} else if (json_is_integer(value)) {
		input.kind = IN_INT;
		input.number = (long)json_integer_value(value);
		input.is_empty = input.number == 0;
	} else if (json_is_string(value)) {
		/* Python: an empty text is false, and no list of one empty text. */
		bool is_list = row->type == T_STRLIST || row->type == T_ADDRLIST;

		input.kind = is_list && json_string_length(value) == 0 ? IN_NONE : IN_TEXT;
		input.text = json_string_value(value);
	} else if (json_is_array(value)) {
		read_list(value, &input, &bad_item);
	} else if (json_is_object(value) && python_only(value) == NULL) {
		input.kind = IN_DICT;
		input.is_empty = json_object_size(value) == 0;
		dict = json_dumps(value, JSON_COMPACT);
		input.text = dict;
	}
	/* Only texts of the table and our own JSON are dictionaries in the form of a text. */
	if (row->type == T_DICT && input.kind == IN_TEXT)
		input.kind = IN_OTHER;
	rc = setting_parse(row, &input, false, settings, err);
	strlist_release(&input.list);
	free(bad_item);
	free(dict);
	buf_release(&shown);
	return rc;
}

int settings_from_json(struct settings *settings, const char *json, enum setting_source source, struct err *err)
{
	json_error_t problem;
	json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &problem), *value;
	const char *name;
	int rc = 0;

	if (!json_is_object(root)) {
		rc = err_set(err, -EINVAL, "The configuration's values cannot be read: %s",
		             root == NULL ? problem.text : "no object");
		goto out;
	}
	json_object_foreach (root, name, value) {
		const struct setting *row = setting_find(name);
		struct err reason = ERR_NONE;
		struct buf shown = BUF_NONE;

		if (row == NULL || source < settings->source[setting_id(row)])
			continue;
		rc = apply(settings, row, value, &reason);
		if (rc == 0) {
			settings->source[setting_id(row)] = (uint8_t)source;
			continue;
		}
		add_shown(&shown, value, false);
		/* The value is cut so that the reason always fits. */
		(void)err_set(err, rc, "Invalid value for %s: %.200s\n%s", name, buf_text(&shown), reason.text);
		buf_release(&shown);
		goto out;
	}
out:
	json_decref(root);
	return rc;
}

static json_t *value_of(const struct settings *settings, const struct setting *row)
{
	const void *field = setting_field(settings, row);

	if (setting_is_list(row)) {
		const struct strlist *list = field;
		json_t *array;

		if (row->type == T_WORDS || row->type == T_NETLIST) {
			char *joined = join_words(list);
			json_t *text = json_string(joined);

			free(joined);
			return text;
		}
		array = json_array();
		for (size_t i = 0; i < list->count; i++)
			(void)json_array_append_new(array, json_string(list->items[i]));
		return array;
	}
	if (setting_is_text(row)) {
		const char *text = *(char *const *)field;

		if (text == NULL)
			return json_null();
		return row->type == T_DICT ? json_loads(text, 0, NULL) : json_string(text);
	}
	if (row->type == T_BOOL)
		return json_boolean(*(const bool *)field);
	if (row->type == T_SIZE) {
		struct buf shown = BUF_NONE;
		json_t *text;

		setting_add_size(&shown, field);
		text = json_string(buf_text(&shown));
		buf_release(&shown);
		return text;
	}
	if (row->type == T_ENUM) {
		struct span word = setting_word_at(row->words, *(const int *)field);

		return json_stringn(word.at, word.len);
	}
	if ((row->type == T_USER || row->type == T_GROUP) && *(const long *)field < 0)
		return json_null();
	return json_integer(*(const long *)field);
}

char *settings_to_json(const struct settings *settings, unsigned owners)
{
	json_t *root = json_object();
	char *text;

	for (size_t i = 0; i < S_MAX; i++) {
		json_t *value;

		if ((setting_rows[i].used_by & owners) == 0)
			continue;
		value = value_of(settings, &setting_rows[i]);
		CHECK(value != NULL); /* settings_set() lets only UTF-8 in */
		(void)json_object_set_new(root, setting_rows[i].name, value);
	}
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

bool setting_is_utf8(const char *text)
{
	json_t *value = json_string(text);
	bool is_utf8 = value != NULL;

	json_decref(value);
	return is_utf8;
}

char *setting_normalize_dict(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);
	char *normalized = json_is_object(value) ? json_dumps(value, JSON_COMPACT) : NULL;

	json_decref(value);
	return normalized;
}

bool setting_dicts_equal(const char *a, const char *b)
{
	json_t *left = json_loads(a, 0, NULL), *right = json_loads(b, 0, NULL);
	bool is_equal = json_equal(left, right) == 1;

	json_decref(left);
	json_decref(right);
	return is_equal;
}

void setting_add_dict(struct buf *into, const char *json)
{
	json_t *value = json_loads(json, 0, NULL);

	add_shown(into, value, false);
	json_decref(value);
}
