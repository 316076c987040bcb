/* SPDX-License-Identifier: MIT */
/*
 * test_settings.c - the life of struct settings: defaults, sources, JSON, what is refused and what is warned about.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "shared/settings.h"

static struct settings settings;
static struct err err;

static void set_up(void)
{
	unsetenv("PORT");
	unsetenv("WEB_CONCURRENCY");
	unsetenv("SENDFILE");
	unsetenv("FORWARDED_ALLOW_IPS");
	memset(&err, 0, sizeof err);
	cr_assert_eq(settings_init(&settings, false, &err), 0, "%s", err.text);
}

static void tear_down(void)
{
	settings_release(&settings);
}

TestSuite(settings, .init = set_up, .fini = tear_down);

static void start_with_environment(void)
{
	settings_release(&settings);
	cr_assert_eq(settings_init(&settings, true, &err), 0, "%s", err.text);
}

/* Sets from the command line and expects success. */
static void give(const char *name, const char *text)
{
	struct err problem = ERR_NONE;

	cr_assert_not_null(setting_find(name), "%s", name);
	cr_assert_eq(settings_set(&settings, setting_id(setting_find(name)), text, SOURCE_CLI, &problem), 0, "%s: %s", name,
	             problem.text);
}

static void expect_shown(enum setting_id id, const char *wanted)
{
	char *shown = setting_show(&settings, id);

	cr_assert_str_eq(shown, wanted);
	free(shown);
}

Test(settings, defaults_are_gunicorns)
{
	char *shown;

	cr_assert_eq(settings.workers, 1);
	cr_assert_eq(settings.timeout, 30);
	cr_assert_eq(settings.keepalive, 2);
	cr_assert_eq(settings.backlog, 2048);
	cr_assert_eq(settings.limit_request_line, 4094);
	cr_assert_eq(settings.limit_request_field_size, 8190);
	cr_assert_str_eq(settings.errorlog, "-");
	cr_assert_null(settings.accesslog);
	cr_assert_not(settings.preload_app);
	cr_assert(settings.sendfile);
	cr_assert_eq(settings.user, -1);
	cr_assert_eq(settings.group, -1);
	shown = xasprintf("%ld", (long)geteuid());
	expect_shown(S_user, shown);
	free(shown);
	expect_shown(S_bind, "['127.0.0.1:8000']");
	expect_shown(S_control_socket_mode, "384");
	cr_assert_eq(settings.source[S_workers], SOURCE_DEFAULT);
}

Test(settings, environment_gives_defaults)
{
	setenv("PORT", "99", 1);
	setenv("WEB_CONCURRENCY", " 7 ", 1);
	setenv("SENDFILE", "off", 1);
	start_with_environment();
	expect_shown(S_bind, "['0.0.0.0:99']");
	cr_assert_eq(settings.workers, 7);
	cr_assert_not(settings.sendfile);
	cr_assert_eq(settings.source[S_workers], SOURCE_ENVIRONMENT);
	give("bind", ":1");
	expect_shown(S_bind, "[':1']");
}

Test(settings, bad_environment_is_named)
{
	struct settings other;

	setenv("WEB_CONCURRENCY", "many", 1);
	cr_assert_neq(settings_init(&other, true, &err), 0);
	cr_assert_not_null(strstr(err.text, "WEB_CONCURRENCY"));
	cr_assert_not_null(strstr(err.text, "'many'"));
	memset(&err, 0, sizeof err);
	setenv("WEB_CONCURRENCY", "-2", 1);
	cr_assert_neq(settings_init(&other, true, &err), 0);
	cr_assert_not_null(strstr(err.text, "Value must be positive: -2"));
}

Test(settings, higher_sources_replace_and_the_same_source_adds)
{
	cr_assert_eq(settings_set(&settings, S_bind, "a:1", SOURCE_FILE, &err), 0);
	cr_assert_eq(settings_set(&settings, S_bind, "b:1", SOURCE_CLI, &err), 0);
	cr_assert_eq(settings_set(&settings, S_bind, "c:1", SOURCE_CLI, &err), 0);
	cr_assert_eq(settings_set(&settings, S_bind, "d:1", SOURCE_CMD_ARGS, &err), 0, "a lower source is no error");
	expect_shown(S_bind, "['b:1', 'c:1']");
	cr_assert_eq(settings_set(&settings, S_workers, "3", SOURCE_GUNWALE_ARGS, &err), 0);
	cr_assert_eq(settings_set(&settings, S_workers, "5", SOURCE_CMD_ARGS, &err), 0);
	cr_assert_eq(settings.workers, 3);
	cr_assert_eq(settings.source[S_workers], SOURCE_GUNWALE_ARGS);
}

Test(settings, a_bad_value_changes_nothing)
{
	give("pidfile", "/run/a.pid");
	cr_assert_neq(settings_set(&settings, S_workers, "-1", SOURCE_CLI, &err), 0);
	cr_assert_str_eq(err.text, "Value must be positive: -1");
	cr_assert_eq(settings.workers, 1);
	cr_assert_eq(settings.source[S_workers], SOURCE_DEFAULT);
	memset(&err, 0, sizeof err);
	cr_assert_neq(settings_set(&settings, S_pidfile, "a\xff", SOURCE_CLI, &err), 0);
	cr_assert_str_eq(settings.pidfile, "/run/a.pid");
}

Test(settings, copies_are_deep)
{
	struct settings copy;

	memset(&copy, 0, sizeof copy);
	give("bind", "a:1");
	give("proc_name", "boat");
	settings_copy(&copy, &settings);
	for (size_t i = 0; i < S_MAX; i++)
		cr_assert(settings_equal(&copy, &settings, (enum setting_id)i), "%s", setting_rows[i].name);
	give("bind", "b:1");
	give("proc_name", "ship");
	cr_assert_eq(copy.bind.count, 1);
	cr_assert_str_eq(copy.proc_name, "boat");
	cr_assert_not(settings_equal(&copy, &settings, S_bind));
	cr_assert_not(settings_equal(&copy, &settings, S_proc_name));
	settings_copy(&copy, &settings);
	cr_assert_str_eq(copy.proc_name, "ship");
	settings_release(&copy);
	settings_release(&copy);
}

Test(settings, json_carries_every_value_to_the_template)
{
	struct settings other;
	char *json;

	give("bind", "unix:/a b");
	give("bind", "[::1]:2");
	give("raw_env", "A=\"1'\n");
	give("umask", "022");
	give("user", "12");
	give("forwarded_allow_ips", "10.0.0.0/8,*");
	give("header_map", "Refuse");
	give("pidfile", "/run/\xc3\xa9.pid");
	json = settings_to_json(&settings, BY_MASTER | BY_TEMPLATE | BY_WORKER);
	cr_assert_eq(settings_init(&other, false, &err), 0);
	cr_assert_eq(settings_from_json(&other, json, SOURCE_CLI, &err), 0, "%s", err.text);
	for (size_t i = 0; i < S_MAX; i++)
		cr_assert(settings_equal(&other, &settings, (enum setting_id)i), "%s", setting_rows[i].name);
	cr_assert_eq(other.umask, 18);
	free(json);
	settings_release(&other);
}

Test(settings, json_is_for_its_owners_only)
{
	char *json = settings_to_json(&settings, BY_WORKER);

	cr_assert_not_null(strstr(json, "\"keepalive\":"));
	cr_assert_null(strstr(json, "\"pidfile\":"));
	free(json);
}

Test(settings, file_values_that_are_wrong_are_named_with_the_reason)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
		{ "{\"workers\": 0.5}",
		  "Invalid value for workers: 0.5\nint() can't convert non-string with explicit base" },
		{ "{\"workers\": null}",
		  "Invalid value for workers: None\nint() can't convert non-string with explicit base" },
		{ "{\"workers\": \"x\"}", "Invalid value for workers: x\ninvalid literal for int() with base 0: 'x'" },
		{ "{\"workers\": -1}", "Invalid value for workers: -1\nValue must be positive: -1" },
		{ "{\"workers\": 9000}", "Invalid value for workers: 9000\nworkers must be between 0 and 1024, got 9000" },
		{ "{\"reload\": 1}", "Invalid value for reload: 1\nInvalid type for casting: 1" },
		{ "{\"preload_app\": \"maybe\"}", "Invalid value for preload_app: maybe\nInvalid boolean: maybe" },
		{ "{\"bind\": [\"a:1\", 3]}", "Invalid value for bind: ['a:1', 3]\nNot a string: 3" },
		{ "{\"pidfile\": {\"__python__\": \"<object>\"}}",
		  "Invalid value for pidfile: <object>\nNot a string: <object>" },
		{ "{\"user\": \"no-such-user\"}", "Invalid value for user: no-such-user\nNo such user: 'no-such-user'" },
		{ "{\"chdir\": \"/no/such\"}", "Invalid value for chdir: /no/such\ncan't chdir to '/no/such'" },
		{ "{\"forwarded_allow_ips\": [\"*\"]}",
		  "Invalid value for forwarded_allow_ips: ['*']\nNot a string: ['*']" },
		{ "{\"warmup_paths\": [\"/\", \"a\"]}",
		  "Invalid value for warmup_paths: ['/', 'a']\nwarmup_paths must be a path that begins with one / or a URL (http://host:port/path, no "
		  "user), percent-encoded and without a fragment (#), got a" },
		{ "{\"warmup_paths\": [\"http:///a\"]}",
		  "Invalid value for warmup_paths: ['http:///a']\nwarmup_paths must be a path that begins with one / or a URL (http://host:port/path, no "
		  "user), percent-encoded and without a fragment (#), got http:///a" },
		{ "{\"secure_scheme_headers\": null}",
		  "Invalid value for secure_scheme_headers: None\nValue is not a dictionary: None" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err problem = ERR_NONE;

		cr_assert_neq(settings_from_json(&settings, rows[i].json, SOURCE_FILE, &problem), 0, "%s", rows[i].json);
		cr_assert_str_eq(problem.text, rows[i].text);
	}
}

Test(settings, a_warmup_path_is_what_a_client_could_send)
{
	static const char *const good[] = {
		"/", "/a?b=c%20d", "/?x", "/a//b", "http://h", "http://h?x", "https://shop.example:8443/x", "http://127.0.0.1:1/",
		"http://[::1]", "http://[::1]:65535/a", "http://h/a:b@c",
	};
	static const char *const bad[] = {
		"", "a", "//", "//a", "/a#b", "/a b", "/a\\u0001", "/\\u00e4", "ftp://h/", "HTTP://h/", "http://", "http:///a",
		"http://?x", "http://#", "http://h#x", "http://user@h/", "http://user:1@h/", "http://h:/", "http://h:0/", "http://h:x/",
		"http://h:65536/", "http://h:99999999999999999999/", "http://h:-1/", "http://h:1:2/", "http://[::1/", "http://[::1",
		"http://[]/", "http://[h]/", "http://[::1]x/", "http://[::1]:/", "http://[::1]:0/", "http://::1/", "http://h%41/",
	};

	for (size_t i = 0; i < ARRAY_LEN(good) + ARRAY_LEN(bad); i++) {
		const bool is_good = i < ARRAY_LEN(good);
		const char *text = is_good ? good[i] : bad[i - ARRAY_LEN(good)];
		char *json = xasprintf("{\"warmup_paths\": [\"%s\"]}", text);
		struct err problem = ERR_NONE;

		cr_assert_eq(settings_from_json(&settings, json, SOURCE_FILE, &problem) == 0, is_good, "%s", text);
		free(json);
	}
}

Test(settings, file_values_may_have_the_types_that_gunicorn_takes)
{
	cr_assert_eq(
		settings_from_json(
			&settings,
			"{\"workers\": true, \"timeout\": \"0x10\", \"preload_app\": \"TRUE \", \"daemon\": null,"
			" \"bind\": \" a:1 \", \"raw_env\": [\" A=b \"], \"user\": null, \"accesslog\": null,"
			" \"proxy_protocol\": false, \"no_such_setting\": 1, \"logger_class\": {\"__python__\": \"X\"}}",
			SOURCE_FILE, &err),
		0, "%s", err.text);
	cr_assert_eq(settings.workers, 1);
	cr_assert_eq(settings.timeout, 16);
	cr_assert(settings.preload_app);
	cr_assert_not(settings.daemon);
	expect_shown(S_bind, "['a:1']");
	expect_shown(S_raw_env, "['A=b']");
	cr_assert_str_eq(settings.logger_class, "X");
	cr_assert_eq(settings_from_json(&settings, "{\"bind\": \"\"}", SOURCE_FILE, &err), 0);
	cr_assert_eq(settings.bind.count, 0, "an empty text is no list of one empty text");
}

Test(settings, rubbish_instead_of_json_is_an_error)
{
	static const char *const rows[] = {
		"", "{", "[]", "3", "{\"workers\": 99999999999999999999}", "{\"workers\": 1, \"workers\": 2}"
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err problem = ERR_NONE;

		cr_assert_neq(settings_from_json(&settings, rows[i], SOURCE_FILE, &problem), 0, "%s", rows[i]);
		cr_assert_not_null(strstr(problem.text, "cannot be read"));
	}
}

Test(settings, a_value_too_long_for_the_sentence_is_cut_and_the_reason_kept)
{
	char *word = xasprintf("%0600d", 7), *json = xasprintf("{\"bind\": [\"%s\", 3]}", word);

	cr_assert_neq(settings_from_json(&settings, json, SOURCE_FILE, &err), 0);
	cr_assert_not_null(strstr(err.text, "\nNot a string: 3"));
	free(json);
	free(word);
}

Test(settings, what_must_not_be_missing_is_refused)
{
	static const struct {
		const char *name, *value;
	} rows[] = {
		{ "paste", "a.ini" },
		{ "protocol", "uwsgi" },
		{ "worker_class", "a.b.MyWorker" },
		{ "worker_class", "eventlet" },
		{ "worker_class", "uvicorn.workers.UvicornWorker" },
	};

	cr_assert_eq(settings_check_supported(&settings, &err), 0, "%s", err.text);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err problem = ERR_NONE;

		give(rows[i].name, rows[i].value);
		cr_assert_eq(settings_check_supported(&settings, &problem), -ENOTSUP, "%s", rows[i].name);
		cr_assert_not_null(strcasestr(problem.text, rows[i].value), "%s", problem.text);
		settings_release(&settings);
		cr_assert_eq(settings_init(&settings, false, &err), 0);
	}
	give("worker_class", "gunicorn.workers.sync.SyncWorker");
	cr_assert_eq(settings_check_supported(&settings, &err), 0);
}

Test(settings, what_is_ignored_is_named_once_and_only_when_it_differs)
{
	struct strlist sentences = { NULL, 0 };

	give("dirty_workers", "0");
	give("http2_cleartext", "off");
	settings_list_warnings(&settings, &sentences);
	cr_assert_eq(sentences.count, 0, "%s", sentences.count > 0 ? sentences.items[0] : "");
	give("dirty_workers", "2");
	give("http2_cleartext", "upgrade");
	give("forwarded_allow_ips", "*");
	give("worker_tmp_dir", "/dev/shm");
	give("asgi_loop", "uvloop");
	settings_list_warnings(&settings, &sentences);
	cr_assert_eq(sentences.count, 2);
	cr_assert_str_eq(sentences.items[0],
	                 "Setting http2_cleartext = upgrade is not supported, ignored: gunwale speaks HTTP/1.1");
	cr_assert_not_null(strstr(sentences.items[1], "dirty_workers = 2"));
	strlist_release(&sentences);
}

Test(settings, changes_that_wait_for_a_restart_are_named)
{
	struct settings now;
	char *names;

	memset(&now, 0, sizeof now);
	settings_copy(&now, &settings);
	cr_assert_null(settings_changed_at_start_only(&settings, &now));
	give("daemon", "true");
	give("workers", "4");
	give("reuse_port", "true");
	names = settings_changed_at_start_only(&settings, &now);
	cr_assert_str_eq(names, "reuse_port, daemon");
	free(names);
	settings_release(&now);
}

Test(settings, directories_are_taken_from_where_the_program_was_started)
{
	settings_release(&settings);
	cr_assert_eq(settings_init_at(&settings, "/usr/lib", false, &err), 0);
	cr_assert_str_eq(settings.chdir, "/usr/lib");
	give("chdir", "../bin/.//");
	cr_assert_str_eq(settings.chdir, "/usr/bin");
	give("chdir", "/");
	cr_assert_str_eq(settings.chdir, "/");
	give("chdir", "../../../..");
	cr_assert_str_eq(settings.chdir, "/");
	cr_assert_neq(settings_set(&settings, S_chdir, "no/such", SOURCE_CLI, &err), 0);
	cr_assert_str_eq(err.text, "can't chdir to 'no/such'");
}
