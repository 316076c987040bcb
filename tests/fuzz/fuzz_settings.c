/* SPDX-License-Identifier: MIT */
/*
 * fuzz_settings.c - values of settings, from command lines and configuration files.
 *
 * Input: either a JSON object, as the template sends it for a configuration file, or a line with a setting's name and behind
 * it the value as text (a name that is none: its first byte picks a row). What is refused has a sentence and changes nothing;
 * what is taken survives the way over a link.
 */
#include "base/base.h"
#include "fuzz.h"

#include "shared/settings.h"
#include "shared/settings_types.h"

enum { EVERYBODY = BY_MASTER | BY_TEMPLATE | BY_WORKER };

static struct settings defaults;

static void check_same(const struct settings *a, const struct settings *b)
{
	for (size_t i = 0; i < S_MAX; i++)
		if (!settings_equal(a, b, (enum setting_id)i))
			BUG("%s differs", setting_rows[i].name);
}

/* To the template and back. A flag of the command line has no place in the JSON of a file. */
static void check_travels(const struct settings *settings)
{
	struct settings other = { 0 };
	struct err err = ERR_NONE;
	char *json = settings_to_json(settings, EVERYBODY);

	settings_copy(&other, &defaults);
	if (settings_from_json(&other, json, SOURCE_CLI, &err) != 0)
		BUG("%s: %s", json, err.text);
	check_same(&other, settings);
	free(json);
	settings_release(&other);
}

static void check_shown(const struct settings *settings)
{
	for (size_t i = 0; i < S_MAX; i++)
		free(setting_show(settings, (enum setting_id)i));
}

static void check_result(int rc, const struct settings *settings, const struct err *err, bool is_all_or_nothing)
{
	if (rc != 0) {
		CHECK(err_is_set(err) && err->text[0] != '\0');
		if (is_all_or_nothing)
			check_same(settings, &defaults);
		return;
	}
	check_travels(settings);
	check_shown(settings);
}

static const struct setting *pick_row(const char *name)
{
	const struct setting *row = setting_find(name);

	return row != NULL ? row : &setting_rows[(unsigned char)name[0] % S_MAX];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings settings = { 0 };
	struct err err = ERR_NONE;
	char *text = xstrndup((const char *)data, size);
	char *value = strchr(text, '\n');

	fuzz_setup();
	if (defaults.launch_dir == NULL)
		CHECK(settings_init(&defaults, false, NULL) == 0);
	settings_copy(&settings, &defaults);
	if (text[0] == '{') {
		/* Names before the bad one have been set: the caller drops the whole. */
		check_result(settings_from_json(&settings, text, SOURCE_FILE, &err), &settings, &err, false);
	} else if (value != NULL) {
		*value++ = '\0';
		enum setting_id id = setting_id(pick_row(text));
		check_result(settings_set(&settings, id, value, SOURCE_CLI, &err), &settings, &err, true);
	}
	settings_release(&settings);
	free(text);
	return 0;
}
