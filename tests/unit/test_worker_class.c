/* SPDX-License-Identifier: MIT */
/* test_worker_class.c - which class a text means, and what is said about the others. */
#include "base/base.h"

#include <criterion/criterion.h>

#include "shared/settings.h"
#include "shared/worker_class.h"

static struct settings settings;

static void set_up(void)
{
	struct err err = ERR_NONE;

	cr_assert_eq(settings_init(&settings, false, &err), 0, "%s", err.text);
}

static void tear_down(void)
{
	settings_release(&settings);
}

TestSuite(worker_class, .init = set_up, .fini = tear_down);

static const char *class_of(const char *text)
{
	struct err err = ERR_NONE;

	cr_assert_eq(settings_set(&settings, S_worker_class, text, SOURCE_CLI, &err), 0, "%s", err.text);
	return worker_class_loop(&settings);
}

Test(worker_class, has_gunicorns_spellings)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
		{ "sync", "sync" },
		{ " sync ", "sync" },
		{ "egg:gunicorn#sync", "sync" },
		{ "#sync", "sync" },
		{ "gunicorn.workers.sync.SyncWorker", "sync" },
		{ "gthread", "gthread" },
		{ "gunicorn.workers.gthread.ThreadWorker", "gthread" },
		{ "gevent", "gevent" },
		{ "gevent_wsgi", "gevent" },
		{ "gevent_pywsgi", "gevent" },
		{ "egg:gunicorn#gevent", "gevent" },
		{ "gunicorn.workers.ggevent.GeventWorker", "gevent" },
		{ "gunicorn.workers.ggevent.GeventPyWSGIWorker", "gevent" },
	};

	cr_assert_str_eq(worker_class_loop(&settings), "sync");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_assert_str_eq(class_of(rows[i].text), rows[i].name, "%s", rows[i].text);
	cr_assert_null(class_of("Sync"));
	cr_assert_null(class_of("egg:other#sync"));
	cr_assert_null(class_of("my.sync"));
}

Test(worker_class, every_refusal_names_the_class_and_a_way_out)
{
	static const struct {
		const char *text, *advice;
	} rows[] = {
		{ "eventlet", "gunicorn 26 removed it" },
		{ "gunicorn.workers.geventlet.EventletWorker", "gunicorn 26 removed it" },
		{ "uvicorn.workers.UvicornWorker", "uvicorn" },
		{ "uvicorn_worker.UvicornH11Worker", "uvicorn" },
		{ "asgi", "ASGI" },
		{ "aiohttp.worker.GunicornUVLoopWebWorker", "aiohttp" },
		{ "tornado", "Tornado" },
		{ "geventwebsocket.gunicorn.workers.GeventWebSocketWorker", "WebSocket" },
		{ "egg:meinheld#gunicorn_worker", "maintained" },
		{ "my.own.Worker", "one's own" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_NONE;

		cr_assert_null(class_of(rows[i].text));
		cr_assert_eq(worker_class_check(&settings, &err), -ENOTSUP);
		cr_assert_not_null(strstr(err.text, rows[i].text), "%s", err.text);
		cr_assert_not_null(strstr(err.text, rows[i].advice), "%s", err.text);
		cr_assert_not_null(strstr(err.text, "sync"), "%s", err.text);
	}
}
