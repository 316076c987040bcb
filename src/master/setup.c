/* SPDX-License-Identifier: MIT */
/*
 * setup.c - what the settings do to the master's own process.
 *
 * Called by generation.c and rollover.c. Says what went wrong; what follows from it is the caller's decision.
 */
#include "base/base.h"

#include "master/setup.h"

#include "base/log.h"
#include "base/title.h"
#include "master/master.h"
#include "master/pidfile.h"

void setup_title(const struct master *master)
{
	const char *name = master->settings.proc_name;

	if (name == NULL)
		name = cli_app(master->cli, &master->settings);
	title_set(NULL, "gunwale: master [%s%s]", name != NULL ? name : "", upgrade_suffix(master));
}

int setup_log(const struct settings *settings, struct err *err)
{
	enum log_level level;
	struct err why = ERR_NONE;

	/* gunicorn: glogging.py setup(), an unknown level is info. */
	if (!log_level_from_name(settings->loglevel, &level))
		level = LOG_INFO;
	log_set_json(settings->log_format == LOG_FORMAT_JSON);
	if (log_open(settings->errorlog, level, &why) == 0)
		return 0;
	return err_set(err, -EACCES, "Error: '%s' isn't writable [%s]", settings->errorlog, why.text);
}

void setup_say_warnings(const struct settings *settings)
{
	struct strlist sentences;

	strlist_init(&sentences);
	settings_list_warnings(settings, &sentences);
	for (size_t i = 0; i < sentences.count; i++)
		log_warning("%s", sentences.items[i]);
	strlist_release(&sentences);
}

int setup_directory(const struct settings *settings, struct err *err)
{
	if (settings->chdir != NULL && chdir(settings->chdir) != 0)
		return err_set(err, -errno, "can't chdir to '%s'", settings->chdir);
	return 0;
}

/* gunicorn: arbiter.py start(), the second master's file has another name. */
static char *pidfile_name(const struct master *master, const char *path)
{
	return path != NULL ? xasprintf("%s%s", path, upgrade_suffix(master)) : NULL;
}

int setup_pidfile(struct master *master, const char *path, struct err *err)
{
	char *name = pidfile_name(master, path);
	int error = 0;

	if (master->pidfile != NULL && name != NULL && strcmp(master->pidfile, name) == 0)
		goto out;
	pidfile_remove(master->pidfile);
	free(master->pidfile);
	master->pidfile = NULL;
	if (name == NULL)
		goto out;
	error = pidfile_create(name, err);
	if (error == 0) {
		master->pidfile = name;
		name = NULL;
	}
out:
	free(name);
	return error;
}

int setup_promote(struct master *master, struct err *err)
{
	const char *path = master->settings.pidfile;
	int error = 0;

	setup_title(master);
	if (master->pidfile != NULL && path != NULL)
		error = pidfile_rename(master->pidfile, path, err);
	if (error == 0 && master->pidfile != NULL && path != NULL) {
		free(master->pidfile);
		master->pidfile = xstrdup(path);
	}
	return error;
}

void setup_say_what_waits(const struct settings *old, const struct settings *now)
{
	char *names = settings_changed_at_start_only(old, now);

	if (names != NULL)
		log_warning("These settings changed, and take effect only after a restart: %s", names);
	free(names);
}
