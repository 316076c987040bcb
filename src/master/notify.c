/* SPDX-License-Identifier: MIT */
/*
 * notify.c - tells the service manager how we are.
 *
 * Called by master.c, generation.c and rollover.c. What is told follows from the master's facts after each event, so that no
 * event has to think of it. Never blocks, and never fails the service: a manager that can't be reached is a warning.
 */
#include "base/base.h"

#include "master/notify.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/span.h"
#include "master/master.h"

/* ---- pure ---- */

int notify_parse_address(const char *text, struct sockaddr_un *ret_at, socklen_t *ret_len, struct err *err)
{
	size_t len = strlen(text);

	*ret_at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*ret_len = 0;
	if ((text[0] != '/' && text[0] != '@') || len < 2)
		return err_set(err, -EAFNOSUPPORT, "NOTIFY_SOCKET is neither a path nor an abstract name: '%s'", text);
	/* A path needs its terminator; an abstract name has none, its length counts. */
	if (len > sizeof(ret_at->sun_path) - (text[0] == '/'))
		return err_set(err, -ENAMETOOLONG, "NOTIFY_SOCKET is too long for a unix socket: '%s'", text);
	memcpy(ret_at->sun_path, text, len);
	if (text[0] == '@')
		ret_at->sun_path[0] = '\0';
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
	return 0;
}

uint64_t notify_watchdog_ms(const char *usec_text, const char *pid_text, pid_t self)
{
	uint64_t usec;
	uint64_t pid;

	if (usec_text == NULL || !span_to_u64(span_from_str(usec_text), &usec) || usec == 0 || usec == UINT64_MAX)
		return 0;
	if (pid_text != NULL && (!span_to_u64(span_from_str(pid_text), &pid) || pid != (uint64_t)self))
		return 0;
	return MAX(usec / 2000, (uint64_t)1);
}

/* After a cut somewhere in the last character: the manager drops a text that is not UTF-8. */
static void trim_cut_character(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
		len--;
	if (len > 0 && ((unsigned char)text[len - 1] & 0x80) != 0)
		len--;
	text[len] = '\0';
}

/* True when it differs from what was told last. */
static bool renew_status(struct notify *notify, const struct notify_facts *facts)
{
	char status[sizeof(notify->status)];
	bool has_failed = facts->reload_error[0] != '\0';
	int len;

	if (facts->is_stopping)
		len = snprintf(status, sizeof(status), "Stopping, %lu workers left", (unsigned long)facts->live);
	else
		len = snprintf(status, sizeof(status), "%s%lu/%ld workers serving%s%s", facts->is_reloading ? "Reloading, " : "",
		               (unsigned long)facts->serving, facts->target, has_failed ? "; the last reload failed: " : "",
		               facts->reload_error);
	if (len >= (int)sizeof(status))
		trim_cut_character(status);
	/* A newline would begin another assignment. */
	for (char *c = status; *c != '\0'; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	if (strcmp(status, notify->status) == 0)
		return false;
	(void)snprintf(notify->status, sizeof(notify->status), "%s", status);
	return true;
}

static void add_status(struct notify *notify, const struct notify_facts *facts, struct buf *message)
{
	(void)renew_status(notify, facts);
	buf_addf(message, "STATUS=%s\n", notify->status);
}

/* The states that a manager knows, in the order in which it can follow them. */
static bool next_state(struct notify *notify, const struct notify_facts *facts, struct buf *message)
{
	if (facts->is_stopping) {
		if (notify->has_told_stopping)
			return false;
		notify->has_told_stopping = true;
		buf_add_str(message, "STOPPING=1\n");
	} else if (!notify->has_told_ready) {
		notify->reload_us = 0; /* nobody reloads what is not ready */
		if (!facts->is_serving)
			return false;
		notify->has_told_ready = true;
		buf_addf(message, "READY=1\nMAINPID=%ld\n", (long)facts->pid);
	} else if (notify->reload_us != 0) {
		buf_addf(message, "RELOADING=1\nMONOTONIC_USEC=%llu\n", (unsigned long long)notify->reload_us);
		notify->reload_us = 0;
		notify->has_told_reloading = true;
	} else if (notify->has_told_reloading && !facts->is_reloading) {
		notify->has_told_reloading = false;
		buf_add_str(message, "READY=1\n");
	} else {
		return false;
	}
	add_status(notify, facts, message);
	return true;
}

bool notify_next(struct notify *notify, const struct notify_facts *facts, uint64_t now_ms, struct buf *message)
{
	buf_clear(message);
	if (next_state(notify, facts, message))
		return true;
	if (notify->watchdog_ms != 0 && now_ms >= notify->watchdog_next_ms) {
		notify->watchdog_next_ms = now_ms + notify->watchdog_ms;
		buf_add_str(message, "WATCHDOG=1\n");
		return true;
	}
	if (!notify->has_told_ready || !renew_status(notify, facts))
		return false;
	buf_addf(message, "STATUS=%s\n", notify->status);
	return true;
}

/* ---- the rest ---- */

void notify_init(struct notify *notify)
{
	memset(notify, 0, sizeof(*notify));
	notify->fd = FD_NONE;
}

void notify_release(struct notify *notify)
{
	fd_close(&notify->fd);
	buf_release(&notify->unsent);
	notify_init(notify);
}

int notify_open(struct notify *notify, struct err *err)
{
	const char *address = getenv("NOTIFY_SOCKET");

	if (address == NULL || address[0] == '\0')
		return 0;

	int error = notify_parse_address(address, &notify->at, &notify->at_len, err);

	if (error != 0)
		return error;
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify->fd < 0)
		return err_set_errno(err, -errno, "can't make a socket for NOTIFY_SOCKET");
	notify->watchdog_ms = notify_watchdog_ms(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), getpid());
	return 0;
}

void notify_note_reload(struct notify *notify, uint64_t now_us)
{
	notify->reload_us = now_us;
}

static struct notify_facts gather(const struct master *master)
{
	const struct pool *pool = &master->pool;

	return (struct notify_facts){
		.pid = getpid(),
		.is_serving = master->has_served || (pool->generation > 0 && pool->target == 0),
		.is_reloading = master->reload.state != RELOAD_IDLE || master->reload.is_pending,
		/* With a new master beside us the service goes on: see notify_hand_over(). */
		.is_stopping = stop_is_on(&master->stop) && master->upgrade.child == 0,
		.serving = pool_count(pool, SLOT_SERVING),
		.live = pool_live(pool),
		.target = pool->target,
		.reload_error = master->reload.last_error,
	};
}

/* False: the queue is full, the message stays for the next time. Any other failure drops it. */
static bool send_unsent(struct notify *notify, uint64_t now_ms)
{
	ssize_t sent;

	if (notify->unsent.len == 0)
		return true;
	do
		/* Not connected: a manager that made its socket anew is reached as well. */
		sent = sendto(notify->fd, notify->unsent.data, notify->unsent.len, MSG_NOSIGNAL, (const struct sockaddr *)&notify->at,
		              notify->at_len);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
		notify->retry_ms = now_ms + NOTIFY_RETRY_MS;
		return false;
	}
	if (sent < 0 && !notify->has_complained)
		log_warning("Can't tell the service manager (NOTIFY_SOCKET): %s", strerror(errno));
	notify->has_complained = sent < 0;
	notify->retry_ms = 0;
	buf_clear(&notify->unsent);
	return true;
}

void notify_on_time(struct master *master, uint64_t now_ms)
{
	struct notify *notify = &master->notify;

	/* The manager listens to the main process: to the old master, as long as it is there. */
	if (notify->fd < 0 || upgrade_is_second(master))
		return;

	const struct notify_facts facts = gather(master);

	while (send_unsent(notify, now_ms))
		if (!notify_next(notify, &facts, now_ms, &notify->unsent))
			return;
}

void notify_hand_over(struct master *master)
{
	struct notify *notify = &master->notify;

	if (notify->fd < 0 || master->upgrade.child == 0 || !notify->has_told_ready)
		return;
	buf_addf(&notify->unsent, "%sMAINPID=%ld\n", notify->unsent.len > 0 ? "\n" : "", (long)master->upgrade.child);
	(void)send_unsent(notify, 0);
}

uint64_t notify_next_ms(const struct notify *notify)
{
	if (notify->fd < 0)
		return 0;
	return notify->retry_ms != 0 ? notify->retry_ms : notify->watchdog_next_ms;
}
