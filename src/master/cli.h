/* SPDX-License-Identifier: MIT */
/*
 * cli.h - the command line: argv, GUNICORN_CMD_ARGS and GUNWALE_CMD_ARGS, parsed by argparse's rules.
 *
 * Parsed once at start; the values can be laid over the defaults and the configuration file's values again and again (a reload
 * builds new settings from the same struct cli).
 */
#ifndef MASTER_CLI_H
#define MASTER_CLI_H

#include "base/base.h"
#include "base/err.h"
#include "base/strlist.h"
#include "shared/settings.h"

/* One option as it was given. */
struct cli_value {
	enum setting_id id;
	enum setting_source source; /* SOURCE_CMD_ARGS, SOURCE_GUNWALE_ARGS or SOURCE_CLI */
	char *text;                 /* owned; as settings_set() takes it */
};

/* A zeroed struct is an empty one. */
struct cli {
	struct strlist argv;      /* as given, program name included: becomes sys.argv */
	char *app;                /* the first positional of argv; NULL without one */
	struct cli_value *values; /* owned; in the order they apply */
	size_t value_count;
	char *launch_dir; /* where the program was started */
};

/*
 * Parses argv, then the two environment texts (each may be NULL), whose positionals are ignored. Prints --help, --version
 * (stdout) and usage errors (stderr) itself. Returns 0: go on; 1: leave with *ret_exit (EXIT_OK after --help and --version,
 * EXIT_USAGE, or EXIT_CONFIG when an environment text has an open quote). The caller releases *ret_cli in either case.
 * Call it in the launch directory: relative directories are taken from there ever after.
 */
int cli_parse(struct cli *ret_cli, int argc, char **argv, const char *gunicorn_args, const char *gunwale_args,
              int *ret_exit);
void cli_release(struct cli *cli);

/*
 * Which configuration file was asked for: -c of the command line, else of GUNWALE_CMD_ARGS, else of GUNICORN_CMD_ARGS. NULL when
 * none was (the template then takes ./gunicorn.conf.py if there is one). As given: the prefixes python: and file: are kept.
 */
const char *cli_config_path(const struct cli *cli);

/* The value that an option was given, of the highest source; NULL when it was not. For what is needed before there are settings. */
const char *cli_value(const struct cli *cli, enum setting_id id);

/*
 * Builds settings from the defaults, the environment (PORT, WEB_CONCURRENCY ...), the file's values (JSON as the template sends
 * it, or NULL), the environment's arguments and the command line. Refuses what a later version will know (TLS ...).
 * 0, or EXIT_CONFIG and nothing to release, with a text for cli_print_error() in err: one sentence, or for values of the file
 * two lines, "Invalid value for NAME: VALUE" and the sentence.
 */
int cli_build_settings(const struct cli *cli, const char *file_json, struct settings *ret_settings, struct err *err);

/* The application to serve: the positional, else wsgi_app, else NULL. Borrowed from either. */
const char *cli_app(const struct cli *cli, const struct settings *settings);

/*
 * cli_show.c: "name = value" lines, sorted by name, as gunicorn's --print-config prints them. The hooks that the file defined are
 * in its values (JSON as for cli_build_settings(), or NULL).
 */
void cli_print_config(const struct settings *settings, const char *file_json, FILE *out);
/* The same for the log, at DEBUG, in the shape of gunicorn's "Current configuration:". */
void cli_log_config(const struct settings *settings, const char *file_json);
/* gunicorn's shape of a fatal error: an empty line and "Error: SENTENCE", with "Invalid value ..." in front where it applies. */
void cli_print_error(const struct err *err, FILE *out);

#endif
