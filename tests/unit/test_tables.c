/* SPDX-License-Identifier: MIT */
/*
 * test_tables.c - rules that the tables of settings, hooks, signals and counters keep. (States: test_slot.c, test_template.c.)
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/span.h"
#include "shared/settings.h"

static bool is_sentence(const char *text)
{
	size_t len = strlen(text);

	return len > 2 && text[0] != ' ' && strchr(".;", text[len - 1]) != NULL && strchr(text, '\t') == NULL &&
	       strstr(text, "  ") == NULL;
}

static bool is_lower_name(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static void expect_unique(const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < i; k++)
			cr_assert_str_neq(names[i], names[k]);
	}
}

Test(tables, every_setting_has_a_lower_case_name_and_a_sentence)
{
	for (size_t i = 0; i < S_MAX; i++) {
		cr_assert(is_lower_name(setting_rows[i].name), "%s", setting_rows[i].name);
		cr_assert_not_null(setting_rows[i].help, "%s", setting_rows[i].name);
		cr_assert(is_sentence(setting_rows[i].help), "%s: '%s'", setting_rows[i].name, setting_rows[i].help);
		cr_assert(setting_rows[i].used_by != 0, "%s", setting_rows[i].name);
		cr_assert(setting_rows[i].group >= 0 && setting_rows[i].group < GROUP_MAX, "%s", setting_rows[i].name);
		cr_assert_eq(setting_find(setting_rows[i].name), &setting_rows[i]);
		cr_assert_eq(setting_id(&setting_rows[i]), i);
	}
	cr_assert_null(setting_find("Workers"), "names are case-sensitive");
}

Test(tables, every_group_has_a_name_and_its_rows_stand_together)
{
	int last = -1;
	bool seen[GROUP_MAX] = { false };

	for (size_t i = 0; i < S_MAX; i++) {
		if (setting_rows[i].group == last)
			continue;
		last = setting_rows[i].group;
		cr_assert_not(seen[last], "%s stands apart from its group", setting_rows[i].name);
		cr_assert_not_null(setting_group_names[last]);
		seen[last] = true;
	}
}

Test(tables, flags_are_unique_and_well_formed)
{
	const char *flags[4 * S_MAX] = { "-h", "--help", "-v", "--version" };
	char *copies[4 * S_MAX];
	size_t count = 4, copied = 0;

	for (size_t i = 0; i < S_MAX; i++) {
		struct span rest = span_from_str(setting_rows[i].cli), flag;

		while (span_split(&rest, ' ', &flag)) {
			bool is_long = flag.len > 3 && flag.at[0] == '-' && flag.at[1] == '-' && flag.at[2] != '-';
			bool is_short = flag.len == 2 && flag.at[0] == '-' && flag.at[1] != '-';

			cr_assert(is_long || is_short, "%s: '%.*s'", setting_rows[i].name, SPAN_ARG(flag));
			flags[count++] = copies[copied++] = span_dup(flag);
		}
	}
	expect_unique(flags, count);
	while (copied > 0)
		free(copies[--copied]);
}

/* settings_init() dies on a default that does not parse; here it must also be a value that can be shown again. */
Test(tables, defaults_parse_and_enums_have_words)
{
	struct settings settings;
	struct err err = ERR_NONE;

	cr_assert_eq(settings_init(&settings, false, &err), 0, "%s", err.text);
	for (size_t i = 0; i < S_MAX; i++) {
		const struct setting *row = &setting_rows[i];
		char *shown = setting_show(&settings, (enum setting_id)i);

		cr_assert_not_null(shown, "%s", row->name);
		free(shown);
		cr_assert_eq(row->type == T_ENUM, row->type == T_ENUM && row->words != NULL && row->def != NULL, "%s",
		             row->name);
		cr_assert(row->max == 0 || row->max >= row->min, "%s", row->name);
		if (row->sets_false)
			cr_assert_eq(row->type, T_BOOL, "%s", row->name);
		if (row->is_repeatable)
			cr_assert(row->type == T_STRLIST || row->type == T_ADDRLIST, "%s", row->name);
	}
	settings_release(&settings);
}

Test(tables, hooks_have_unique_names_and_sentences)
{
	static const struct {
		const char *name, *text;
		int parameters;
	} rows[] = {
#define HOOK(name, parameters, process, text) { #name, text, parameters },
#include "tables/hooks.def"
#undef HOOK
	};
	const char *names[ARRAY_LEN(rows)];

	cr_assert_eq(ARRAY_LEN(rows), 20, "gunicorn has 20");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		names[i] = rows[i].name;
		cr_assert(is_lower_name(rows[i].name), "%s", rows[i].name);
		cr_assert(is_sentence(rows[i].text), "%s", rows[i].name);
		cr_assert(rows[i].parameters >= 1 && rows[i].parameters <= 4, "%s", rows[i].name);
		cr_assert_null(setting_find(rows[i].name), "%s is a setting, too", rows[i].name);
	}
	expect_unique(names, ARRAY_LEN(names));
}

Test(tables, a_process_has_one_row_for_each_signal)
{
	static const struct {
		const char *key, *action, *text;
	} rows[] = {
#define SIGNAL(process, signal, action, text) { #process " " #signal, #action, text },
#include "tables/signals.def"
#undef SIGNAL
	};
	const char *keys[ARRAY_LEN(rows)];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		keys[i] = rows[i].key;
		cr_assert(is_sentence(rows[i].text), "%s", rows[i].key);
		cr_assert(is_lower_name(rows[i].action), "%s", rows[i].key);
	}
	expect_unique(keys, ARRAY_LEN(keys));
}

Test(tables, counters_that_only_grow_are_named_total)
{
	enum { TOTAL, GAUGE };
	static const struct {
		const char *name, *unit, *text;
		int kind;
	} rows[] = {
#define COUNTER(name, kind, unit, text) { #name, unit, text, kind },
#include "tables/counters.def"
#undef COUNTER
	};
	const char *names[ARRAY_LEN(rows)];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].name);

		names[i] = rows[i].name;
		cr_assert(is_lower_name(rows[i].name), "%s", rows[i].name);
		cr_assert(is_sentence(rows[i].text), "%s", rows[i].name);
		cr_assert_gt(strlen(rows[i].unit), 0, "%s", rows[i].name);
		cr_assert_eq(rows[i].kind == TOTAL, len > 6 && strcmp(rows[i].name + len - 6, "_total") == 0, "%s",
		             rows[i].name);
	}
	expect_unique(names, ARRAY_LEN(names));
}
