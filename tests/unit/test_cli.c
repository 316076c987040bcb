/* SPDX-License-Identifier: MIT */
/*
 * test_cli.c - command lines, parsed as argparse does. tests/compat/test_cli.py holds the same rules against gunicorn itself.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "master/cli.h"
#include "master/cli_args.h"
#include "shared/exits.h"

static struct cli cli;
static struct settings settings;
static int exit_code;

static void set_up(void)
{
	unsetenv("PORT");
	unsetenv("WEB_CONCURRENCY");
	unsetenv("SENDFILE");
	unsetenv("FORWARDED_ALLOW_IPS");
	cr_redirect_stdout();
	cr_redirect_stderr();
}

static void tear_down(void)
{
	cli_release(&cli);
	settings_release(&settings);
}

TestSuite(cli, .init = set_up, .fini = tear_down);

/* `args`: one argument per line; NULL: none. */
static void split_lines(struct strlist *list, const char *args)
{
	struct span rest = span_from_str(args), arg;

	while (args != NULL && span_split(&rest, '\n', &arg))
		strlist_add_span(list, arg);
}

static int parse(const char *args, const char *gunicorn_args, const char *gunwale_args)
{
	struct strlist argv = { NULL, 0 };
	int rc;

	cli_release(&cli);
	strlist_add(&argv, "/usr/bin/gunwale");
	split_lines(&argv, args);
	exit_code = -1;
	rc = cli_parse(&cli, (int)argv.count, argv.items, gunicorn_args, gunwale_args, &exit_code);
	strlist_release(&argv);
	return rc;
}

static void build(const char *args)
{
	struct err problem = ERR_NONE;

	cr_assert_eq(parse(args, NULL, NULL), 0, "%s", args);
	settings_release(&settings);
	cr_assert_eq(cli_build_settings(&cli, NULL, &settings, &problem), 0, "%s: %s", args, problem.text);
}

static void forget(void *context, enum setting_id id, const char *text)
{
	(void)context;
	(void)id;
	(void)text;
}

static void expect_usage(const char *args, const char *sentence)
{
	struct strlist list = { NULL, 0 }, positionals = { NULL, 0 };
	char *error = NULL;

	split_lines(&list, args);
	cr_assert_eq(cli_args_parse(&list, forget, NULL, &positionals, &error), ARGS_USAGE, "%s", args);
	cr_assert_str_eq(error, sentence);
	free(error);
	strlist_release(&list);
	strlist_release(&positionals);
	cr_assert_eq(parse(args, NULL, NULL), 1, "%s", args);
	cr_assert_eq(exit_code, EXIT_USAGE, "%s", args);
}

Test(cli, a_value_may_follow_in_every_way_that_argparse_knows)
{
	static const char *const rows[] = {
		"-w4",    "-w=4",       "-w\n4",   "-w\n 4 ", "--workers=4", "--workers\n4", "-Dw4",
		"-Dw\n4", "-w1\n-w\n4", "-w\n0_4", "-w\n+4",  "-w\n04",      "-DRw4",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		build(rows[i]);
		cr_assert_eq(settings.workers, 4, "%s", rows[i]);
		cr_assert_eq(settings.source[S_workers], SOURCE_CLI);
		cr_assert_eq(settings.daemon, strstr(rows[i], "-D") != NULL, "%s", rows[i]);
	}
}

Test(cli, what_does_not_parse_is_a_usage_error)
{
	expect_usage("-w\nx", "argument -w/--workers: invalid int value: 'x'");
	expect_usage("-w\n0x3", "argument -w/--workers: invalid int value: '0x3'");
	expect_usage("-w=", "argument -w/--workers: invalid int value: ''");
	expect_usage("-m\n09", "argument -m/--umask: invalid auto_int value: '09'");
	expect_usage("-w", "argument -w/--workers: expected one argument");
	expect_usage("-Dw", "argument -w/--workers: expected one argument");
	expect_usage("-b\n-foo", "argument -b/--bind: expected one argument");
	expect_usage("-w\n--\n3", "argument -w/--workers: expected one argument");
	expect_usage("--error-logfile", "argument --error-logfile/--log-file: expected one argument");
	expect_usage("--daemon=3", "argument -D/--daemon: ignored explicit argument '3'");
	expect_usage("-Dx", "argument -D/--daemon: ignored explicit argument 'x'");
	expect_usage("--help=3", "argument -h/--help: ignored explicit argument '3'");
	expect_usage("--foo\napp:app", "unrecognized arguments: --foo");
	expect_usage("-z\n--foo=1", "unrecognized arguments: -z --foo=1");
	expect_usage("--keepalive\n7", "unrecognized arguments: --keepalive");
	expect_usage("--past\nx", "ambiguous option: --past could match --paste, --paster, --paste-global");
	expect_usage("--no", "ambiguous option: --no could match --no-sendfile, --no-control-socket");
	expect_usage("--worker=3",
	             "ambiguous option: --worker=3 could match --workers, --worker-class, --worker-connections, "
	             "--worker-tmp-dir");
}

Test(cli, an_exact_name_wins_and_an_abbreviation_must_be_the_only_one)
{
	build("--log-config\nx\n--max-requests\n5\n--limit-request-fields\n6\n--backl\n7\n--worker-con=8");
	cr_assert_str_eq(settings.logconfig, "x");
	cr_assert_eq(settings.max_requests, 5);
	cr_assert_eq(settings.limit_request_fields, 6);
	cr_assert_eq(settings.backlog, 7);
	cr_assert_eq(settings.worker_connections, 8);
}

Test(cli, the_first_run_of_positionals_is_the_application)
{
	static const struct {
		const char *args, *app; /* NULL: refused */
	} rows[] = {
		{ "a:b", "a:b" },
		{ "a:b\nextra", "a:b" },
		{ "-w3\na:b\nextra", "a:b" },
		{ "a:b\n-w\n3", "a:b" },
		{ "a:b\n-w\n3\nx", NULL },
		{ "--\na:b", "a:b" },
		{ "-w\n3\n--\na:b", "a:b" },
		{ "--\n-w", "-w" },
		{ "a:b\n--\nx", "a:b" },
		{ "a:b\n-w\n3\n--", NULL },
		{ "-5", "-5" },
		{ "-.5", "-.5" },
		{ "-", "-" },
		{ "-x y", "-x y" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = parse(rows[i].args, NULL, NULL);

		cr_assert_eq(rc == 0, rows[i].app != NULL, "%s", rows[i].args);
		if (rows[i].app != NULL)
			cr_assert_str_eq(cli.app, rows[i].app);
	}
	cr_assert_eq(parse(NULL, NULL, NULL), 0);
	cr_assert_null(cli.app);
}

Test(cli, values_that_look_like_options)
{
	build("-e\nA=-b\n-e\n-foo bar\n--error-logfile\n-\n--access-logfile=-x");
	cr_assert_eq(settings.raw_env.count, 2);
	cr_assert_str_eq(settings.raw_env.items[1], "-foo bar");
	cr_assert_str_eq(settings.errorlog, "-");
	cr_assert_str_eq(settings.accesslog, "-x");
	expect_usage("-e\n-w 3", "argument -e/--env: expected one argument");
}

Test(cli, lists_add_up_and_other_options_are_replaced)
{
	build("-b\n:1\n--bind=:2\n-b :3\n-n\na\n--name\nb");
	cr_assert_eq(settings.bind.count, 3);
	cr_assert_str_eq(settings.bind.items[2], ":3");
	cr_assert_str_eq(settings.proc_name, "b");
}

Test(cli, flags_turn_on_or_off)
{
	build("--preload\n--no-sendfile\n--reuse");
	cr_assert(settings.preload_app);
	cr_assert(settings.reuse_port);
	cr_assert_not(settings.sendfile);
}

Test(cli, help_and_version_leave_at_once)
{
	static const char *const rows[] = {
		"-h", "--help", "--hel", "-v", "--version", "-Dh", "--help\n-w\nx", "--foo\n-h"
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_assert_eq(parse(rows[i], NULL, NULL), 1, "%s", rows[i]);
		cr_assert_eq(exit_code, EXIT_OK, "%s", rows[i]);
	}
	cr_assert_eq(parse("-w\nx\n--help", NULL, NULL), 1);
	cr_assert_eq(exit_code, EXIT_USAGE);
}

Test(cli, the_version_line_has_gunicorns_form)
{
	cr_assert_eq(parse("--version", NULL, NULL), 1);
	fflush(stdout);
	cr_assert_stdout_eq_str("gunwale (version " PACKAGE_VERSION ")\n");
}

Test(cli, sources_stand_above_each_other)
{
	struct err problem = ERR_NONE;

	cr_assert_eq(parse("-w\n5", "other:app -w 2 -t 3 -b :1 --threads 1 -c a.py", "-t 4 -b :2"), 0);
	cr_assert_null(cli.app, "positionals of the environment are dropped");
	cr_assert_str_eq(cli_config_path(&cli), "a.py");
	cr_assert_eq(cli_build_settings(&cli,
	                                "{\"workers\": 9, \"timeout\": 9, \"backlog\": 9, \"bind\": [\":9\", \":8\"], "
	                                "\"wsgi_app\": \"f:a\"}",
	                                &settings, &problem),
	             0, "%s", problem.text);
	cr_assert_eq(settings.workers, 5);
	cr_assert_eq(settings.timeout, 4);
	cr_assert_eq(settings.backlog, 9);
	cr_assert_eq(settings.bind.count, 1);
	cr_assert_str_eq(settings.bind.items[0], ":2");
	cr_assert_eq(settings.source[S_timeout], SOURCE_GUNWALE_ARGS);
	cr_assert_str_eq(cli_app(&cli, &settings), "f:a");
}

Test(cli, settings_can_be_built_again)
{
	build("-b\n:1\n-b\n:2\n-w\n3\nmy:app");
	build("-b\n:1\n-b\n:2\n-w\n3\nmy:app");
	cr_assert_eq(settings.bind.count, 2);
	cr_assert_str_eq(settings.default_proc_name, "my:app");
	cr_assert_str_eq(cli_app(&cli, &settings), "my:app");
}

Test(cli, the_configuration_file_comes_from_the_highest_source)
{
	cr_assert_eq(parse(NULL, NULL, NULL), 0);
	cr_assert_null(cli_config_path(&cli));
	cr_assert_eq(parse("-c gunicorn.conf.py", "-c env.py", NULL), 0);
	cr_assert_str_eq(cli_config_path(&cli), "gunicorn.conf.py");
	cr_assert_eq(parse("-c\n", "-c env.py", "-c more.py"), 0, "an empty one counts as not given");
	cr_assert_str_eq(cli_config_path(&cli), "more.py");
	cr_assert_eq(parse("--config=python:a.b\n-c\nfile:x", NULL, NULL), 0);
	cr_assert_str_eq(cli_config_path(&cli), "file:x");
}

Test(cli, environment_texts_are_split_as_a_shell_does)
{
	static const struct {
		const char *text, *wanted; /* joined by "|"; NULL: an error */
	} rows[] = {
		{ "", "" },
		{ " \t\n", "" },
		{ "a  b\tc\n", "a|b|c" },
		{ "'a b' \"c d\"", "a b|c d" },
		{ "a'b'\"c\"d", "abcd" },
		{ "'' \"\"", "|" },
		{ "a\\ b \\'", "a b|'" },
		{ "'a\\b' \"a\\b\\\"\\\\\"", "a\\b|a\\b\"\\" },
		{ "a#b # c", "a#b|#|c" },
		{ "'open", NULL },
		{ "\"open", NULL },
		{ "open\\", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strlist args = { NULL, 0 };
		struct buf joined = BUF_NONE;
		const char *problem = NULL;
		int rc = cli_args_split(rows[i].text, &args, &problem);

		cr_assert_eq(rc == 0, rows[i].wanted != NULL, "<%s>", rows[i].text);
		for (size_t k = 0; k < args.count; k++)
			buf_addf(&joined, "%s%s", k > 0 ? "|" : "", args.items[k]);
		if (rc == 0)
			cr_assert_str_eq(buf_text(&joined), rows[i].wanted);
		else
			cr_assert_not_null(problem);
		buf_release(&joined);
		strlist_release(&args);
	}
}

Test(cli, errors_of_environment_texts_end_the_start)
{
	cr_assert_eq(parse("a:b", "-w x", NULL), 1);
	cr_assert_eq(exit_code, EXIT_USAGE);
	cr_assert_eq(parse("a:b", NULL, "--foo"), 1);
	cr_assert_eq(exit_code, EXIT_USAGE);
	cr_assert_eq(parse("a:b", "-n 'x", NULL), 1);
	cr_assert_eq(exit_code, EXIT_CONFIG);
	cr_assert_eq(parse("a:b", "--help", NULL), 1);
	cr_assert_eq(exit_code, EXIT_OK);
}

Test(cli, values_out_of_range_are_configuration_errors)
{
	static const struct {
		const char *args, *sentence;
	} rows[] = {
		{ "-w\n-1", "Value must be positive: -1" },
		{ "-w\n99999999999999999999", "workers must be between 0 and 1024, got 99999999999999999999" },
		{ "--cert-reqs\nx", "invalid literal for int() with base 0: 'x'" },
		{ "-u\nno-such-user", "No such user: 'no-such-user'" },
		{ "--chdir\n/no/such", "can't chdir to '/no/such'" },
		{ "--protocol\nuwsgi",
		  "Setting protocol = uwsgi is not supported: gunwale speaks HTTP/1.1; let nginx use proxy_pass instead of uwsgi_pass" },
		{ "-k\neventlet", "Worker class 'eventlet' is not supported: gunicorn 26 removed it as well; use gevent, or gthread with "
		                  "threads (worker_class may be: sync" },
		{ "--proxy-protocol\na:b", "Invalid proxy_protocol: 'a:b' (one of: off auto v1 v2)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err problem = ERR_NONE;

		cr_assert_eq(parse(rows[i].args, NULL, NULL), 0, "%s", rows[i].args);
		cr_assert_eq(cli_build_settings(&cli, NULL, &settings, &problem), EXIT_CONFIG, "%s", rows[i].args);
		cr_assert_eq(strncmp(problem.text, rows[i].sentence, strlen(rows[i].sentence)), 0, "%s", problem.text);
	}
}

static char *print(void (*print_fn)(FILE *out))
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	print_fn(out);
	fclose(out);
	return text;
}

static void print_config(FILE *out)
{
	cli_print_config(&settings, NULL, out);
}

static void print_help(FILE *out)
{
	cli_print_help("gunwale", out);
}

static void print_file_error(FILE *out)
{
	struct err problem = ERR_NONE;

	(void)settings_from_json(&settings, "{\"workers\": -1}", SOURCE_FILE, &problem);
	cli_print_error(&problem, out);
}

Test(cli, print_config_has_gunicorns_lines_in_order)
{
	char *text;
	struct span rest, line;
	size_t count = 0;
	char last[64] = "";

	build("-b\n:1\n--umask\n022");
	text = print(print_config);
	cr_assert_not_null(strstr(text, "\nbind                               = [':1']\n"));
	cr_assert_not_null(strstr(text, "\numask                              = 18\n"));
	cr_assert_not_null(strstr(text, "\npidfile                            = None\n"));
	cr_assert_not_null(strstr(text, "\npreload_app                        = False\n"));
	rest = span_from_str(text);
	while (span_split(&rest, '\n', &line) && line.len > 0) {
		char name[64];

		snprintf(name, sizeof name, "%.*s", (int)MIN(line.len, 34), line.at);
		cr_assert_lt(strcmp(last, name), 0, "%s after %s", name, last);
		memcpy(last, name, sizeof last);
		count++;
	}
	cr_assert_gt(count, S_MAX, "the hooks stand between the settings");
	free(text);
}

Test(cli, help_names_every_flag_and_keeps_the_width)
{
	char *text = print(print_help);
	struct span rest = span_from_str(text), line;

	for (size_t i = 0; i < S_MAX; i++) {
		const char *flag = setting_rows[i].cli != NULL ? strstr(setting_rows[i].cli, "--") : NULL;
		size_t len = flag != NULL ? strcspn(flag, " ") : 0;
		char *word = xstrndup(flag != NULL ? flag : "", len);

		cr_assert_not_null(strstr(text, word), "%s", word);
		free(word);
	}
	while (span_split(&rest, '\n', &line))
		cr_assert_leq(line.len, 78, "%.*s", SPAN_ARG(line));
	free(text);
}

Test(cli, errors_of_the_file_are_printed_in_gunicorns_shape)
{
	char *text;

	build("a:b");
	text = print(print_file_error);
	cr_assert_str_eq(text, "Invalid value for workers: -1\n\n\nError: Value must be positive: -1\n");
	free(text);
}
