/* SPDX-License-Identifier: MIT */
/*
 * delegate.c - a worker class that is none of ours, handed to the real gunicorn.
 *
 * Called by generation.c, which decides, and by main.c once the loop has ended. The exec itself is spawn.c's.
 */
#include "base/base.h"

#include "master/delegate.h"

#include <jansson.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/span.h"
#include "master/activation.h"
#include "master/cli_args.h"
#include "master/spawn.h"
#include "shared/exits.h"
#include "shared/worker_class.h"

bool delegate_is_wanted(const struct settings *settings)
{
	return settings->delegate_unknown_workers && worker_class_loop(settings) == NULL;
}

int delegate_check(const struct settings *settings, const char *file_json, struct err *err)
{
	json_t *values = json_loads(file_json, 0, NULL);
	const char *python = json_string_value(json_object_get(values, "__python_without_gunicorn__"));
	int rc = 0;

	if (python != NULL)
		rc = err_set(err, -ENOENT, "Worker class '%s' needs gunicorn, which %s does not have: install it there",
		             settings->worker_class, python);
	json_decref(values);
	return rc;
}

/* The row of ours that an argument is a flag of; *ret_has_value: the value is behind a "=". */
static const struct setting *find_ours(const char *text, bool *ret_has_value)
{
	const char *equals = strchr(text, '=');
	struct span given = equals != NULL ? span_of(text, (size_t)(equals - text)) : span_from_str(text);

	*ret_has_value = equals != NULL;
	for (size_t i = 0; i < S_MAX; i++) {
		struct span rest = span_from_str(setting_rows[i].cli), flag;

		while (setting_rows[i].is_ours && setting_rows[i].cli != NULL && span_split(&rest, ' ', &flag)) {
			if (span_equals(flag, given))
				return &setting_rows[i];
		}
	}
	return NULL;
}

void delegate_filter(const struct strlist *args, struct strlist *ret_args)
{
	bool is_after_dashes = false;

	for (size_t i = 0; i < args->count; i++) {
		bool has_value;
		const struct setting *row = is_after_dashes ? NULL : find_ours(args->items[i], &has_value);

		if (strcmp(args->items[i], "--") == 0)
			is_after_dashes = true;
		if (row == NULL)
			strlist_add(ret_args, args->items[i]);
		else if (!has_value && row->type != T_BOOL)
			i++;
	}
}

/* As shlex.split() reads it back. */
static void add_quoted(struct buf *text, const char *word)
{
	buf_add_str(text, text->len > 0 ? " '" : "'");
	for (const char *at = word; *at != '\0'; at++) {
		if (*at == '\'')
			buf_add_str(text, "'\\''");
		else
			buf_add_byte(text, *at);
	}
	buf_add_byte(text, '\'');
}

char *delegate_environment(const char *gunicorn_args, const char *gunwale_args)
{
	struct strlist words = { NULL, 0 }, kept = { NULL, 0 };
	const char *problem;
	struct buf text = BUF_NONE;

	/* They were read once already, so they can be split. */
	if (gunicorn_args != NULL)
		(void)cli_args_split(gunicorn_args, &words, &problem);
	if (gunwale_args != NULL)
		(void)cli_args_split(gunwale_args, &words, &problem);
	delegate_filter(&words, &kept);
	for (size_t i = 0; i < kept.count; i++)
		add_quoted(&text, kept.items[i]);
	strlist_release(&words);
	strlist_release(&kept);
	return text.len > 0 ? buf_detach(&text) : xstrdup("");
}

/* Only this process, which stays the same, may take them. */
static int give_sockets_back(size_t count)
{
	char *pid = xasprintf("%ld", (long)getpid()), *fds = xasprintf("%zu", count);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = fd_set_cloexec(ACTIVATION_FIRST_FD + (int)i, false);
	if (rc == 0 && count > 0 && (setenv("LISTEN_PID", pid, 1) != 0 || setenv("LISTEN_FDS", fds, 1) != 0))
		rc = -errno;
	free(pid);
	free(fds);
	return rc;
}

int delegate_run(const struct cli *cli, const struct strlist *activated)
{
	char *environment = delegate_environment(getenv("GUNICORN_CMD_ARGS"), getenv("GUNWALE_CMD_ARGS"));
	struct strlist rest = { NULL, 0 }, args = { NULL, 0 };
	struct err err = ERR_NONE;

	for (size_t i = 1; i < cli->argv.count; i++)
		strlist_add(&rest, cli->argv.items[i]);
	delegate_filter(&rest, &args);
	if (give_sockets_back(activated->count) != 0 || setenv("GUNICORN_CMD_ARGS", environment, 1) != 0)
		(void)err_set_errno(&err, -errno, "can't prepare the start of gunicorn");
	else
		(void)spawn_gunicorn(cli->argv.items[0], cli_value(cli, S_python), &args, &err);
	cli_print_error(&err, stderr);
	strlist_release(&rest);
	strlist_release(&args);
	free(environment);
	return EXIT_CONFIG;
}
