/* SPDX-License-Identifier: MIT */
/*
 * upgrade.c - SIGUSR2: a new master beside this one, on the same sockets, until one of the two leaves.
 *
 * Called by signals.c, templates.c and master.c. Never stops anybody: which of the two masters leaves is decided by who sends the
 * signal. The new one owns nothing of ours but copies of the sockets.
 */
#include "base/base.h"

#include "master/upgrade.h"

#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sig.h"
#include "base/span.h"
#include "base/strlist.h"
#include "master/listeners.h"
#include "master/master.h"
#include "master/setup.h"
#include "master/templates.h"

/* ---- the environment, pure ---- */

static bool is_assignment_of(const char *text, const char *name)
{
	size_t len = strlen(name);

	return strncmp(text, name, len) == 0 && text[len] == '=';
}

/* Ours alone: the new master gets its own. */
static bool is_replaced(const char *text, pid_t self)
{
	static const char *const names[] = { "GUNICORN_PID", "GUNICORN_FD", "LISTEN_PID", "LISTEN_FDS" };
	uint64_t pid;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (is_assignment_of(text, names[i]))
			return true;
	/* The watchdog is meant for the unit's main process, which the new one becomes. */
	return is_assignment_of(text, "WATCHDOG_PID") &&
	       span_to_u64(span_from_str(text + strlen("WATCHDOG_PID=")), &pid) && pid == (uint64_t)self;
}

char **upgrade_environment(char *const *present, pid_t self, const char *fds, size_t listen_count, char **ret_pid)
{
	static const char listen_pid[] = "LISTEN_PID=";
	size_t count = 0;

	while (present[count] != NULL)
		count++;

	char **made = xcalloc(count + 4, sizeof(*made));
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (!is_replaced(present[i], self))
			made[used++] = xstrdup(present[i]);
	made[used++] = xasprintf("GUNICORN_PID=%ld", (long)self);
	*ret_pid = NULL;
	if (fds != NULL) {
		made[used++] = xasprintf("GUNICORN_FD=%s", fds);
	} else {
		made[used++] = xasprintf("LISTEN_FDS=%zu", listen_count);
		made[used] = xasprintf("%s%10s", listen_pid, "");
		*ret_pid = made[used] + strlen(listen_pid);
	}
	return made;
}

void upgrade_free_environment(char **environment)
{
	for (size_t i = 0; environment != NULL && environment[i] != NULL; i++)
		free(environment[i]);
	free(environment);
}

/* ---- the old master ---- */

static void start_new_master(struct master *master)
{
	struct err err = ERR_NONE;
	struct buf list = BUF_NONE;
	int fds[LISTENERS_MAX];
	size_t count = master->listeners.count;
	bool is_activated = master->activated->count > 0;
	struct spawn_order order = { .fds = fds };
	struct strlist argv;

	strlist_init(&argv);
	strlist_copy(&argv, &master->cli->argv);
	free(argv.items[0]);
	argv.items[0] = xstrdup(master->spawn.called_as);
	order.argv = argv.items;
	for (size_t i = 0; i < count; i++) {
		fds[i] = listeners_get(&master->listeners, i)->fd;
		buf_addf(&list, "%s%d", i > 0 ? "," : "", fds[i]);
	}
	order.fd_count = count;

	char *text = buf_detach(&list);

	order.environment = upgrade_environment(environ, getpid(), is_activated ? NULL : text, count, &order.pid);

	pid_t pid = spawn_master(&master->spawn, &order, &err);

	upgrade_free_environment(order.environment);
	free(text);
	strlist_release(&argv);
	if (pid < 0) {
		log_error("No new master: %s", err.text);
		return;
	}
	master->upgrade.child = pid;
	log_info("Started a new master (pid:%ld)", (long)pid);
	status_soon(&master->status);
}

void upgrade_ask(struct master *master)
{
	struct upgrade *upgrade = &master->upgrade;

	if (stop_is_on(&master->stop))
		return;
	/* gunicorn: arbiter.py reexec() */
	if (upgrade->child != 0 || upgrade->hook_ms != 0) {
		log_warning("USR2 signal ignored. Child exists.");
		return;
	}
	if (upgrade->parent != 0) {
		log_warning("USR2 signal ignored. Parent exists.");
		return;
	}
	if (master->pool.generation == 0) {
		log_warning("USR2 signal ignored. The first generation does not serve yet.");
		return;
	}

	struct template *template = templates_ready_of(master, master->pool.generation);

	if (template == NULL) {
		log_warning("A new master is started without the pre_exec hook: the template is being replaced");
		start_new_master(master);
		return;
	}
	upgrade->hook_ms = clock_ms() + UPGRADE_HOOK_MS;
	templates_hook(template, HOOK_pre_exec, "{}");
}

void upgrade_on_hook(struct template *template, bool is_good)
{
	struct master *master = template->master;

	if (master->upgrade.hook_ms == 0)
		return;
	master->upgrade.hook_ms = 0;
	if (is_good)
		start_new_master(master);
	else
		log_error("No new master: the pre_exec hook failed");
}

void upgrade_on_template_gone(struct master *master)
{
	if (master->upgrade.hook_ms == 0 || templates_ready_of(master, master->pool.generation) != NULL)
		return;
	master->upgrade.hook_ms = 0;
	log_error("No new master: the template ended while it ran the pre_exec hook");
}

void upgrade_cancel(struct master *master)
{
	master->upgrade.hook_ms = 0;
}

bool upgrade_on_exit(struct master *master, pid_t pid, int status)
{
	if (pid != master->upgrade.child || pid == 0)
		return false;
	master->upgrade.child = 0;
	if (WIFSIGNALED(status))
		log_error("The new master (pid:%ld) was sent %s; this one goes on", (long)pid, sig_name(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		log_error("The new master (pid:%ld) exited with code %d; this one goes on", (long)pid, WEXITSTATUS(status));
	else
		log_info("The new master (pid:%ld) has left; this one goes on", (long)pid);
	status_soon(&master->status);
	return true;
}

/* ---- the new master ---- */

bool upgrade_is_second(const struct master *master)
{
	return master->upgrade.parent != 0;
}

const char *upgrade_suffix(const struct master *master)
{
	return upgrade_is_second(master) ? ".2" : "";
}

bool upgrade_owns_sockets(const struct master *master)
{
	return master->upgrade.child == 0 && master->upgrade.parent == 0;
}

static void promote(struct master *master)
{
	struct err err = ERR_NONE;

	log_info("Master has been promoted.");
	master->upgrade.parent = 0;
	(void)unsetenv("GUNICORN_PID");
	listeners_own(&master->listeners);
	if (setup_promote(master, &err) != 0)
		log_error("%s", err.text);
	status_promote(master);
	webstatus_promote(master);
	control_update(master);
}

/* The old master is our parent; once it has left, somebody else is. */
void upgrade_on_time(struct master *master, uint64_t now_ms)
{
	struct upgrade *upgrade = &master->upgrade;

	if (upgrade->hook_ms != 0 && now_ms >= upgrade->hook_ms) {
		upgrade->hook_ms = 0;
		log_error("No new master: the pre_exec hook did not end within %d seconds", UPGRADE_HOOK_MS / 1000);
	}
	/* Before it serves it has nothing to promote, and may still fail. */
	if (upgrade->parent == 0 || now_ms < upgrade->look_ms || master->pool.generation == 0)
		return;
	upgrade->look_ms = now_ms + UPGRADE_LOOK_MS;
	if (getppid() != upgrade->parent)
		promote(master);
}

uint64_t upgrade_next_ms(const struct master *master)
{
	const struct upgrade *upgrade = &master->upgrade;

	if (upgrade->hook_ms != 0)
		return upgrade->hook_ms;
	return upgrade->parent != 0 && master->pool.generation != 0 ? upgrade->look_ms : 0;
}
