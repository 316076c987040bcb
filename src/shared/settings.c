/* SPDX-License-Identifier: MIT */
/*
 * settings.c - the rows made from tables/settings.def, and the life of a struct settings.
 *
 * Called by the master (building settings from all sources) and by the template and workers (reading what the master sent).
 * Never logs, never reads argv; the environment is read in settings_init() only.
 */
#include "base/base.h"
#include "shared/settings.h"

#include "base/check.h"
#include "shared/settings_types.h"
#include "shared/worker_class.h"

#ifdef WITH_DOCS
#define DOC(prose) .doc = prose
#else
#define DOC(prose)
#endif

const struct setting setting_rows[S_MAX] = {
#define SETTING(id, kind, ...)                                                                                              \
	[S_##id] = { .name = #id, .type = T_##kind, .at = offsetof(struct settings, id), __VA_ARGS__ },
#include "tables/settings.def"
#undef SETTING
};

const char *const setting_group_names[GROUP_MAX] = {
	[GROUP_CONFIG] = "Configuration",
	[GROUP_SOCKETS] = "Sockets",
	[GROUP_WORKERS] = "Workers",
	[GROUP_MEMORY] = "Memory",
	[GROUP_SECURITY] = "Limits of requests",
	[GROUP_DEBUG] = "Debugging",
	[GROUP_PROCESS] = "Processes",
	[GROUP_LOGGING] = "Logs",
	[GROUP_STATUS] = "Status",
	[GROUP_PROXY] = "Proxies and unusual requests",
	[GROUP_TLS] = "TLS",
	[GROUP_OTHER] = "Other protocols and helpers of gunicorn",
};

static const char *const source_names[] = {
	[SOURCE_DEFAULT] = "default",
	[SOURCE_ENVIRONMENT] = "environment",
	[SOURCE_FILE] = "file",
	[SOURCE_CMD_ARGS] = "GUNICORN_CMD_ARGS",
	[SOURCE_GUNWALE_ARGS] = "GUNWALE_CMD_ARGS",
	[SOURCE_CLI] = "command line",
};

void *setting_field(const struct settings *settings, const struct setting *row)
{
	return (char *)(uintptr_t)settings + row->at;
}

bool setting_is_list(const struct setting *row)
{
	return row->type == T_STRLIST || row->type == T_ADDRLIST || row->type == T_WORDS || row->type == T_NETLIST;
}

bool setting_is_text(const struct setting *row)
{
	return row->type == T_STR || row->type == T_PATH || row->type == T_DIR || row->type == T_DICT ||
	       row->type == T_PYOBJ;
}

void setting_release(struct settings *settings, const struct setting *row)
{
	void *field = setting_field(settings, row);

	if (setting_is_list(row)) {
		strlist_release(field);
	} else if (setting_is_text(row)) {
		char **text = field;

		free(*text);
		*text = NULL;
	}
}

static int set_environment_default(struct settings *settings, const struct setting *row, struct err *err)
{
	const char *given = getenv(row->env);
	char *text;
	int rc;

	if (given == NULL)
		return 0;
	if (row->type == T_BOOL) {
		/* gunicorn: config.py sendfile() */
		bool is_on = strcasecmp(given, "y") == 0 || strcmp(given, "1") == 0 || strcasecmp(given, "yes") == 0 ||
		             strcasecmp(given, "true") == 0;
		text = xstrdup(is_on ? "true" : "false");
	} else if (row->type == T_INT || row->type == T_SECONDS) {
		long number;

		/* Python's int(): base 10, unlike numbers of the configuration file. */
		if (setting_parse_int(given, 10, &number) != 0)
			return err_set(err, -EINVAL, "The environment variable %s must be a whole number, not '%s'",
			               row->env, given);
		text = xasprintf("%ld", number);
	} else {
		text = xasprintf("%s%s", row->env_prefix != NULL ? row->env_prefix : "", given);
	}
	rc = settings_set(settings, setting_id(row), text, SOURCE_ENVIRONMENT, err);
	if (rc != 0)
		err_add(err, "environment variable %s", row->env);
	free(text);
	return rc;
}

int settings_init(struct settings *settings, bool use_environment, struct err *err)
{
	char *launch_dir = settings_launch_dir();
	int rc = settings_init_at(settings, launch_dir, use_environment, err);

	free(launch_dir);
	return rc;
}

int settings_init_at(struct settings *settings, const char *launch_dir, bool use_environment, struct err *err)
{
	memset(settings, 0, sizeof *settings);
	settings->launch_dir = xstrdup(launch_dir);
	for (size_t i = 0; i < S_MAX; i++) {
		const struct setting *row = &setting_rows[i];

		if (row->type == T_USER || row->type == T_GROUP)
			*(long *)setting_field(settings, row) = -1;
		if (row->def != NULL) {
			struct err problem = ERR_NONE;
			struct setting_input input = { .kind = IN_TEXT, .text = row->def, .shown = row->def };

			/* A directory may vanish under a running server; any other default that does not parse is our bug. */
			if (setting_parse(row, &input, false, settings, &problem) != 0) {
				if (row->type != T_DIR)
					BUG("default of %s: %s", row->name, problem.text);
				settings_release(settings);
				return err_set(err, -EINVAL, "%s", problem.text);
			}
		}
		if (use_environment && row->env != NULL && set_environment_default(settings, row, err) != 0) {
			settings_release(settings);
			return -EINVAL;
		}
	}
	return 0;
}

void settings_release(struct settings *settings)
{
	for (size_t i = 0; i < S_MAX; i++)
		setting_release(settings, &setting_rows[i]);
	free(settings->launch_dir);
	memset(settings, 0, sizeof *settings);
}

void settings_copy(struct settings *to, const struct settings *from)
{
	settings_release(to);
	*to = *from;
	to->launch_dir = from->launch_dir != NULL ? xstrdup(from->launch_dir) : NULL;
	for (size_t i = 0; i < S_MAX; i++) {
		const struct setting *row = &setting_rows[i];

		if (setting_is_list(row)) {
			struct strlist *list = setting_field(to, row);

			strlist_init(list);
			strlist_copy(list, setting_field(from, row));
		} else if (setting_is_text(row)) {
			char **text = setting_field(to, row);

			*text = *text != NULL ? xstrdup(*text) : NULL;
		}
	}
}

bool settings_equal(const struct settings *a, const struct settings *b, enum setting_id id)
{
	const struct setting *row = &setting_rows[id];
	const void *left = setting_field(a, row), *right = setting_field(b, row);

	if (setting_is_list(row))
		return strlist_equals(left, right);
	if (setting_is_text(row)) {
		const char *x = *(char *const *)left, *y = *(char *const *)right;

		if (x == NULL || y == NULL)
			return x == y;
		return row->type == T_DICT ? setting_dicts_equal(x, y) : strcmp(x, y) == 0;
	}
	if (row->type == T_BOOL)
		return *(const bool *)left == *(const bool *)right;
	if (row->type == T_ENUM)
		return *(const int *)left == *(const int *)right;
	if (row->type == T_SIZE) {
		const struct size_value *x = left, *y = right;

		return x->kind == y->kind && x->amount == y->amount;
	}
	return *(const long *)left == *(const long *)right;
}

const struct setting *setting_find(const char *name)
{
	for (size_t i = 0; i < S_MAX; i++) {
		if (strcmp(setting_rows[i].name, name) == 0)
			return &setting_rows[i];
	}
	return NULL;
}

enum setting_id setting_id(const struct setting *row)
{
	CHECK(row >= setting_rows && row < setting_rows + S_MAX);
	return (enum setting_id)(row - setting_rows);
}

int settings_set(struct settings *settings, enum setting_id id, const char *text, enum setting_source source,
                 struct err *err)
{
	const struct setting *row = &setting_rows[id];
	struct setting_input input = { .kind = IN_TEXT, .text = text, .shown = text };
	bool is_added;
	int rc;

	if (source < settings->source[id])
		return 0;
	/* Settings travel to the template as JSON. */
	if (!setting_is_utf8(text))
		return err_set(err, -EINVAL, "The value of %s is not valid UTF-8", row->name);
	is_added = row->is_repeatable && source == settings->source[id] && source != SOURCE_DEFAULT;
	rc = setting_parse(row, &input, is_added, settings, err);
	if (rc == 0)
		settings->source[id] = (uint8_t)source;
	return rc;
}

const char *setting_source_name(enum setting_source source)
{
	return (size_t)source < ARRAY_LEN(source_names) ? source_names[source] : "?";
}

/* "Setting NAME = VALUE is not supported ..." */
static char *describe(const struct setting *row, const struct settings *settings)
{
	char *value = setting_show(settings, setting_id(row));
	const char *end = row->status == IGNORED ? ", ignored" : row->instead == NULL ? ", and too important to be ignored" : "";
	char *text = xasprintf("Setting %s = %s is not supported%s%s%s%s", row->name, value, row->instead == NULL ? " yet" : "",
	                       end, row->instead != NULL ? ": " : "", row->instead != NULL ? row->instead : "");

	free(value);
	return text;
}

int settings_check_supported(const struct settings *settings, struct err *err)
{
	struct settings defaults;
	int rc;

	rc = settings_init_at(&defaults, settings->launch_dir, false, err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < S_MAX && rc == 0; i++) {
		char *sentence;

		if (setting_rows[i].status != REFUSED || settings_equal(settings, &defaults, (enum setting_id)i))
			continue;
		sentence = describe(&setting_rows[i], settings);
		rc = err_set(err, -ENOTSUP, "%s", sentence);
		free(sentence);
	}
	if (rc == 0)
		rc = worker_class_check(settings, err);
	settings_release(&defaults);
	return rc;
}

void settings_list_warnings(const struct settings *settings, struct strlist *ret_sentences)
{
	struct settings defaults;

	if (settings_init_at(&defaults, settings->launch_dir, false, NULL) != 0)
		return;
	for (size_t i = 0; i < S_MAX; i++) {
		if (setting_rows[i].status == IGNORED && !settings_equal(settings, &defaults, (enum setting_id)i))
			strlist_add_take(ret_sentences, describe(&setting_rows[i], settings));
	}
	settings_release(&defaults);
}

char *settings_changed_at_start_only(const struct settings *old, const struct settings *now)
{
	struct buf names = BUF_NONE;

	for (size_t i = 0; i < S_MAX; i++) {
		if (setting_rows[i].when != WHEN_START || settings_equal(old, now, (enum setting_id)i))
			continue;
		if (names.len > 0)
			buf_add_str(&names, ", ");
		buf_add_str(&names, setting_rows[i].name);
	}
	return names.len > 0 ? buf_detach(&names) : NULL;
}
