/* SPDX-License-Identifier: MIT */
/*
 * control.c - the control socket.
 *
 * Called by generation.c, rollover.c, upgrade.c and master.c. Decides nothing: each command is what a signal or a setting does, too.
 */
#include "base/base.h"

#include "master/control.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/span.h"
#include "master/door.h"
#include "master/master.h"
#include "master/rollover.h"
#include "master/workers.h"
#include "shared/exits.h"

enum {
	LINE_BYTES = 64 * 1024,
	GUESTS = 16,
	PATIENCE_MS = 30000,
	BACKLOG = 128,
};

static json_t *refuse(const char *fmt, ...) ATTR_PRINTF(1, 2);

static json_t *refuse(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}

static json_t *agree(void)
{
	return json_pack("{s:b}", "ok", 1);
}

/* ---- the commands ---- */

static json_t *copy_of(const json_t *value)
{
	return value != NULL ? json_deep_copy(value) : json_null();
}

static json_t *do_ping(struct master *master, const json_t *request)
{
	(void)master;
	(void)request;
	return json_pack("{s:b, s:I, s:s}", "ok", 1, "pid", (json_int_t)getpid(), "version", PACKAGE_VERSION);
}

static json_t *do_status(struct master *master, const json_t *request)
{
	const json_t *format_json = json_object_get(request, "format");
	const char *name = json_string_value(format_json);
	enum status_format format;

	if (format_json == NULL)
		return json_pack("{s:b, s:o}", "ok", 1, "status", copy_of(status_recent(master)));
	if (name == NULL || !format_find(name, &format))
		return refuse("format is json, prometheus, uwsgi, puma or health");
	return json_pack("{s:b, s:s, s:s}", "ok", 1, "format", name, "text", status_text(master, format));
}

static json_t *do_limits(struct master *master, const json_t *request)
{
	(void)request;
	return json_pack("{s:b, s:o}", "ok", 1, "limits", copy_of(json_object_get(status_recent(master), "limits")));
}

static json_t *do_config(struct master *master, const json_t *request)
{
	const struct settings *settings = &master->settings;
	char *text = settings_to_json(settings, BY_MASTER | BY_TEMPLATE | BY_WORKER);
	json_t *values = json_loads(text, 0, NULL);
	json_t *shown = json_object();

	(void)request;
	free(text);
	for (size_t i = 0; i < S_MAX; i++) {
		const char *name = setting_rows[i].name;

		(void)json_object_set_new(shown, name,
		                          json_pack("{s:o, s:s}", "value", copy_of(json_object_get(values, name)), "source",
		                                    setting_source_name((enum setting_source)settings->source[i])));
	}
	json_decref(values);
	return json_pack("{s:b, s:o}", "ok", 1, "settings", shown);
}

static json_t *recycle_one(struct master *master, const json_t *wanted)
{
	json_int_t number = json_integer_value(wanted);
	struct slot *slot = NULL;
	int error = -ESRCH;

	if (!json_is_integer(wanted))
		return refuse("slot is a number");
	if (number >= 0 && number < BOARD_SLOTS)
		slot = pool_slot(&master->pool, (uint32_t)number);
	if (slot != NULL)
		error = workers_recycle(master, slot, REASON_OPERATOR, 0);
	if (error == -EALREADY)
		return refuse("the worker of slot %lld is being replaced already", (long long)number);
	if (error != 0)
		return refuse("no worker serves in slot %lld", (long long)number);
	return json_pack("{s:b, s:[I]}", "ok", 1, "recycling", number);
}

static json_t *recycle_all(struct master *master)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < master->pool.slot_count; i++)
		if (workers_recycle(master, master->pool.slots[i], REASON_OPERATOR, 0) == 0)
			(void)json_array_append_new(list, json_integer((json_int_t)i));
	return json_pack("{s:b, s:o}", "ok", 1, "recycling", list);
}

static json_t *do_recycle(struct master *master, const json_t *request)
{
	const json_t *slot = json_object_get(request, "slot");

	if (stop_is_on(&master->stop))
		return refuse("the service is stopping");
	return slot != NULL ? recycle_one(master, slot) : recycle_all(master);
}

static json_t *do_reload(struct master *master, const json_t *request)
{
	(void)request;
	if (stop_is_on(&master->stop))
		return refuse("the service is stopping");
	if (master->pool.generation == 0)
		return refuse("the first generation does not serve yet");
	rollover_reload(master);
	return agree();
}

static json_t *do_stop(struct master *master, const json_t *request)
{
	const json_t *quick = json_object_get(request, "quick");

	if (quick != NULL && !json_is_boolean(quick))
		return refuse("quick is true or false");
	master_stop(master, json_is_true(quick), EXIT_OK, NULL);
	return agree();
}

static const struct {
	const char *name;
	bool is_act; /* it changes something: logged, and the next document is a new one */
	json_t *(*run)(struct master *master, const json_t *request);
} commands[] = {
	{ "ping", false, do_ping },     { "status", false, do_status }, { "limits", false, do_limits }, { "config", false, do_config },
	{ "recycle", true, do_recycle }, { "reload", true, do_reload },  { "stop", true, do_stop },
};

/* ---- guests ---- */

static void get_peer(const struct guest *guest, struct ucred *ret_peer)
{
	socklen_t len = sizeof(*ret_peer);

	*ret_peer = (struct ucred){ .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	(void)getsockopt(guest_fd(guest), SOL_SOCKET, SO_PEERCRED, ret_peer, &len);
}

static void say(struct guest *guest, json_t *reply_take)
{
	char *text = json_dumps(reply_take, JSON_COMPACT | JSON_REAL_PRECISION(12));

	if (text != NULL) {
		guest_say(guest, text, strlen(text));
		guest_say(guest, "\n", 1);
	}
	free(text);
	json_decref(reply_take);
}

static void on_guest(struct guest *guest)
{
	struct ucred peer;

	get_peer(guest, &peer);
	if (peer.uid == 0 || peer.uid == geteuid())
		return;
	say(guest, refuse("only root and user %lu are answered, not user %lu", (unsigned long)geteuid(), (unsigned long)peer.uid));
	guest_finish(guest);
}

static json_t *run(struct master *master, struct guest *guest, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	struct ucred peer;

	for (size_t i = 0; name != NULL && i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (commands[i].is_act) {
			get_peer(guest, &peer);
			log_info("Control socket: %s, asked by pid %ld of user %lu", name, (long)peer.pid, (unsigned long)peer.uid);
			status_renew(&master->status);
		}
		return commands[i].run(master, request);
	}
	return refuse("command is ping, status, limits, config, recycle, reload or stop");
}

static size_t on_input(struct guest *guest, struct span input)
{
	struct master *master = guest_owner(guest);
	ssize_t len = span_find(input, '\n');
	json_error_t error;
	json_t *request;

	if (len < 0)
		return 0;
	request = json_loadb(input.at, (size_t)len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(request))
		say(guest, run(master, guest, request));
	else
		say(guest, refuse("a line is one JSON object%s%s", request == NULL ? ": " : "", request == NULL ? error.text : ""));
	json_decref(request);
	master_update(master);
	return (size_t)len + 1;
}

static void on_excess(struct guest *guest)
{
	say(guest, refuse("a line has at most %d bytes", LINE_BYTES));
}

static const struct door_kind kind = {
	.guests_max = GUESTS,
	.input_max = LINE_BYTES,
	.patience_ms = PATIENCE_MS,
	.on_guest = on_guest,
	.on_input = on_input,
	.on_excess = on_excess,
};

/* ---- opening ---- */

static char *wanted_path(const struct master *master)
{
	const struct settings *settings = &master->settings;

	if (settings->control_socket == NULL || settings->control_socket[0] == '\0' || settings->control_socket_disable)
		return NULL;
	return xasprintf("%s%s", settings->control_socket, upgrade_suffix(master));
}

/* Takes the path over, if it succeeds. */
static bool open_at(struct master *master, char *path, struct err *err)
{
	struct control *control = &master->control;
	long mode = master->settings.control_socket_mode & 0777;
	struct listen_address address = { .kind = LISTEN_UNIX, .path = xstrdup(path), .fd = -1 };
	const struct listen_options options = { .backlog = BACKLOG, .umask = (int)(~mode & 0777), .uid = -1, .gid = -1 };
	struct door *door = NULL;

	if (door_open(&door, &master->loop, &kind, &address, &options, master, err) != 0)
		return false;
	control_close(control);
	*control = (struct control){ .door = door, .path = path, .mode = mode };
	return true;
}

void control_update(struct master *master)
{
	struct control *control = &master->control;
	struct err err = ERR_NONE;
	char *path = wanted_path(master);
	long mode = master->settings.control_socket_mode & 0777;

	if (path == NULL) {
		control_close(control);
	} else if (control->door != NULL && strcmp(control->path, path) == 0) {
		if (mode != control->mode && chmod(path, (mode_t)mode) != 0)
			log_error("Can't change the mode of the control socket '%s': %s", path, strerror(errno));
		control->mode = mode;
	} else if (open_at(master, path, &err)) {
		path = NULL;
	} else {
		log_error("No control socket at '%s': %s", path, err.text);
	}
	free(path);
}

void control_close(struct control *control)
{
	door_close(&control->door);
	free(control->path);
	control->path = NULL;
}
