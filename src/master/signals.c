/* SPDX-License-Identifier: MIT */
/*
 * signals.c - the master's signals.
 *
 * Called by master.c. Each row of signals.def ends in one function here, which is an ordinary callback of the loop.
 */
#include "base/base.h"

#include "master/signals.h"

#include <ctype.h>
#include <signal.h>

#include "base/log.h"
#include "base/sig.h"
#include "master/master.h"
#include "master/rollover.h"
#include "master/workers.h"
#include "shared/exits.h"

typedef void (*action_fn)(struct master *master);

static void do_stop(struct master *master)
{
	master_stop(master, false, EXIT_OK, NULL);
}

static void do_quit(struct master *master)
{
	master_stop(master, true, EXIT_OK, NULL);
}

static void do_reload(struct master *master)
{
	rollover_reload(master);
}

static void do_more(struct master *master)
{
	rollover_set_target(master, master->pool.target + 1);
}

static void do_fewer(struct master *master)
{
	if (master->pool.target > 1)
		rollover_set_target(master, master->pool.target - 1);
}

static void do_reopen(struct master *master)
{
	master_reopen_logs(master);
}

static void do_upgrade(struct master *master)
{
	upgrade_ask(master);
}

static void do_winch(struct master *master)
{
	if (!master->settings.daemon) {
		log_debug("SIGWINCH ignored. Not daemonized");
		return;
	}
	log_info("graceful stop of workers");
	rollover_set_target(master, 0);
}

static void do_reap(struct master *master)
{
	master_reap(master);
}

static const struct {
	int number;
	const char *name; /* "TERM" */
	action_fn action;
} rows[] = {
#define PICK_MASTER(signal, act) { SIG##signal, #signal, do_##act },
#define PICK_TEMPLATE(signal, act)
#define PICK_WORKER(signal, act)
#define SIGNAL(process, signal, act, text) PICK_##process(signal, act)
#include "tables/signals.def"
#undef SIGNAL
#undef PICK_MASTER
#undef PICK_TEMPLATE
#undef PICK_WORKER
};
_Static_assert(ARRAY_LEN(rows) <= MASTER_SIGNALS_MAX, "room for every signal of the master");

/* gunicorn: "Handling signal: term", with the name in lower case. */
static void say(const char *name, int number)
{
	char lower[16];
	size_t i = 0;

	for (; name[i] != '\0' && i < sizeof(lower) - 1; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	lower[i] = '\0';
	log_line(number == SIGCHLD ? LOG_DEBUG : LOG_INFO, "Handling signal: %s", lower);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct master *master = handle->data;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].number != number)
			continue;
		/*
		 * Before the service is up gunicorn's handlers are not installed yet; a line on the terminal would be noise. And
		 * once it stops, gunicorn waits for its children without a word about each.
		 */
		if (master->is_up && (number != SIGCHLD || !stop_is_on(&master->stop)))
			say(rows[i].name, number);
		rows[i].action(master);
	}
	master_update(master);
}

int signals_start(struct master *master, struct err *err)
{
	/* Writing to a closed pipe or socket is an error code here, not a death. */
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uv_signal_t *handle = &master->signals[i];
		int error = uv_signal_init(&master->loop, handle);

		if (error == 0) {
			handle->data = master;
			master->signal_count = i + 1;
			error = uv_signal_start(handle, on_signal, rows[i].number);
		}
		if (error != 0)
			return err_set_errno(err, error, "can't handle SIG%s", rows[i].name);
	}
	return 0;
}

void signals_close(struct master *master)
{
	for (size_t i = 0; i < master->signal_count; i++)
		uv_close((uv_handle_t *)&master->signals[i], NULL);
	master->signal_count = 0;
}
