/* SPDX-License-Identifier: MIT */
/*
 * cli.c - argv and the environment's arguments as a list of values, and settings made from all sources.
 *
 * Called by main.c at start, and by the master for each reload. Never logs: what goes wrong here is printed as gunicorn does,
 * or handed back as one sentence.
 */
#include "base/base.h"
#include "master/cli.h"

#include "master/cli_args.h"
#include "shared/exits.h"

/* Collects the options of one source. */
struct collector {
	struct cli *cli;
	enum setting_source source;
};

static void add_value(void *context, enum setting_id id, const char *text)
{
	struct collector *collector = context;
	struct cli *cli = collector->cli;

	cli->values = xrealloc(cli->values, (cli->value_count + 1) * sizeof *cli->values);
	cli->values[cli->value_count++] = (struct cli_value){ id, collector->source, xstrdup(text) };
}

static const char *base_name(const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	return path == NULL ? "gunwale" : slash != NULL ? slash + 1 : path;
}

/* Parses one source. 0, or 1 with *ret_exit. */
static int parse_source(struct cli *cli, const char *program, const struct strlist *args, enum setting_source source,
                        struct strlist *ret_positionals, int *ret_exit)
{
	struct collector collector = { cli, source };
	char *error = NULL;
	int rc = 1;

	switch (cli_args_parse(args, add_value, &collector, ret_positionals, &error)) {
	case ARGS_OK:
		rc = 0;
		break;
	case ARGS_HELP:
		cli_print_help(program, stdout);
		*ret_exit = EXIT_OK;
		break;
	case ARGS_VERSION:
		printf("%s (version %s)\n", program, PACKAGE_VERSION);
		*ret_exit = EXIT_OK;
		break;
	case ARGS_USAGE:
		cli_print_usage(program, stderr);
		fprintf(stderr, "%s: error: %s\n", program, error);
		*ret_exit = EXIT_USAGE;
		break;
	}
	free(error);
	return rc;
}

static int parse_text(struct cli *cli, const char *program, const char *text, enum setting_source source, int *ret_exit)
{
	struct strlist args = { NULL, 0 }, positionals = { NULL, 0 };
	const char *problem = NULL;
	int rc = 1;

	if (text == NULL)
		return 0;
	if (cli_args_split(text, &args, &problem) != 0) {
		fprintf(stderr, "\nError: %s: %s\n", setting_source_name(source), problem);
		*ret_exit = EXIT_CONFIG;
	} else {
		/* gunicorn: app/base.py load_config(): positionals of the environment are parsed and dropped */
		rc = parse_source(cli, program, &args, source, &positionals, ret_exit);
	}
	strlist_release(&args);
	strlist_release(&positionals);
	return rc;
}

/* Values must apply from the lowest source to the highest; within a source in the order given. */
static void sort_values(struct cli *cli)
{
	struct cli_value *sorted = xcalloc(cli->value_count + 1, sizeof *sorted);
	size_t count = 0;

	for (int source = SOURCE_DEFAULT; source <= SOURCE_CLI; source++) {
		for (size_t i = 0; i < cli->value_count; i++) {
			if ((int)cli->values[i].source == source)
				sorted[count++] = cli->values[i];
		}
	}
	free(cli->values);
	cli->values = sorted;
}

int cli_parse(struct cli *ret_cli, int argc, char **argv, const char *gunicorn_args, const char *gunwale_args, int *ret_exit)
{
	const char *program = base_name(argc > 0 ? argv[0] : NULL);
	struct strlist args = { NULL, 0 }, positionals = { NULL, 0 };
	int rc;

	memset(ret_cli, 0, sizeof *ret_cli);
	ret_cli->launch_dir = settings_launch_dir();
	for (int i = 0; i < argc; i++) {
		strlist_add(&ret_cli->argv, argv[i]);
		if (i > 0)
			strlist_add(&args, argv[i]);
	}
	/* The command line first, so that its --help and its errors come before those of the environment. */
	rc = parse_source(ret_cli, program, &args, SOURCE_CLI, &positionals, ret_exit);
	if (rc == 0)
		rc = parse_text(ret_cli, program, gunicorn_args, SOURCE_CMD_ARGS, ret_exit);
	if (rc == 0)
		rc = parse_text(ret_cli, program, gunwale_args, SOURCE_GUNWALE_ARGS, ret_exit);
	if (rc == 0 && positionals.count > 0)
		ret_cli->app = xstrdup(positionals.items[0]);
	sort_values(ret_cli);
	strlist_release(&args);
	strlist_release(&positionals);
	return rc;
}

void cli_release(struct cli *cli)
{
	for (size_t i = 0; i < cli->value_count; i++)
		free(cli->values[i].text);
	free(cli->values);
	free(cli->app);
	free(cli->launch_dir);
	strlist_release(&cli->argv);
	memset(cli, 0, sizeof *cli);
}

const char *cli_config_path(const struct cli *cli)
{
	const char *found = NULL;
	enum setting_source source = SOURCE_DEFAULT;

	for (size_t i = 0; i < cli->value_count; i++) {
		const struct cli_value *value = &cli->values[i];

		if (value->id != S_config || value->source < source)
			continue;
		/* "-c ''" counts as not given, and a later one of the same source replaces an earlier one. */
		if (value->text[0] != '\0') {
			found = value->text;
			source = value->source;
		} else if (value->source == source) {
			found = NULL;
		}
	}
	/* "-c gunicorn.conf.py" as one argument, as container files have it, leaves a blank in front. */
	return found != NULL ? found + strspn(found, " \t") : NULL;
}

const char *cli_value(const struct cli *cli, enum setting_id id)
{
	const char *found = NULL;

	/* They stand in the order they apply. */
	for (size_t i = 0; i < cli->value_count; i++) {
		if (cli->values[i].id == id)
			found = cli->values[i].text;
	}
	return found;
}

int cli_build_settings(const struct cli *cli, const char *file_json, struct settings *ret_settings, struct err *err)
{
	int rc = settings_init_at(ret_settings, cli->launch_dir, true, err);

	if (rc != 0)
		return EXIT_CONFIG;
	if (cli->app != NULL)
		rc = settings_set(ret_settings, S_default_proc_name, cli->app, SOURCE_DEFAULT, err);
	if (rc == 0 && file_json != NULL)
		rc = settings_from_json(ret_settings, file_json, SOURCE_FILE, err);
	for (size_t i = 0; i < cli->value_count && rc == 0; i++)
		rc = settings_set(ret_settings, cli->values[i].id, cli->values[i].text, cli->values[i].source, err);
	if (rc == 0)
		rc = settings_check_supported(ret_settings, err);
	if (rc != 0) {
		settings_release(ret_settings);
		return EXIT_CONFIG;
	}
	return 0;
}

const char *cli_app(const struct cli *cli, const struct settings *settings)
{
	return cli->app != NULL ? cli->app : settings->wsgi_app;
}

void cli_print_error(const struct err *err, FILE *out)
{
	const char *second = strchr(err->text, '\n');

	if (second != NULL)
		fprintf(out, "%.*s\n\n\nError: %s\n", (int)(second - err->text), err->text, second + 1);
	else
		fprintf(out, "\nError: %s\n", err->text);
}
