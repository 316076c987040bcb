/* SPDX-License-Identifier: MIT */
/*
 * webstatus.c - status_bind: the status over HTTP.
 *
 * Called by generation.c, rollover.c, upgrade.c and master.c. Answers also when no worker can. Reads nothing of a request but its
 * first line.
 */
#include "base/base.h"

#include "master/webstatus.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "master/door.h"
#include "master/master.h"
#include "master/webrequest.h"

enum {
	HEAD_BYTES = 4096,
	GUESTS = 64,
	PATIENCE_MS = 5000,
	BACKLOG = 128,
};

/* ---- answers ---- */

struct answer {
	int code;
	const char *media_type;
	const char *body;
	bool is_head;
};

static const char *reason_phrase(int code)
{
	switch (code) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Service Unavailable";
	}
}

static void say(struct guest *guest, const struct answer *answer)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct buf head = BUF_NONE;
	time_t now = clock_wall();
	struct tm at;

	(void)gmtime_r(&now, &at);
	buf_addf(&head, "HTTP/1.1 %d %s\r\nDate: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", answer->code, reason_phrase(answer->code),
	         days[at.tm_wday], at.tm_mday, months[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
	if (answer->code == 405)
		buf_add_str(&head, "Allow: GET, HEAD\r\n");
	buf_addf(&head, "Content-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
	         answer->media_type, strlen(answer->body));
	guest_say(guest, head.data, head.len);
	if (!answer->is_head)
		guest_say(guest, answer->body, strlen(answer->body));
	guest_finish(guest);
	buf_release(&head);
}

/* body: NULL: what the code means. */
static void say_plain(struct guest *guest, int code, bool is_head, const char *body)
{
	char *line = xasprintf("%s\n", body != NULL ? body : reason_phrase(code));

	say(guest, &(struct answer){ code, "text/plain; charset=utf-8", line, is_head });
	free(line);
}

static void say_document(struct guest *guest, enum status_format format, int code, bool is_head)
{
	struct master *master = guest_owner(guest);

	say(guest, &(struct answer){ code, format_media_type(format), status_text(master, format), is_head });
}

static void say_ready(struct guest *guest, bool is_head)
{
	const struct master *master = guest_owner(guest);
	bool is_ready = pool_count(&master->pool, SLOT_SERVING) > 0 && !stop_is_on(&master->stop);

	say(guest, &(struct answer){ is_ready ? 200 : 503, format_media_type(FORMAT_HEALTH),
	                             is_ready ? "{\"status\": \"pass\"}\n" : "{\"status\": \"fail\"}\n", is_head });
}

static void say_health(struct guest *guest, bool is_head)
{
	struct master *master = guest_owner(guest);
	bool is_bad = strcmp(format_text(status_recent(master), "status"), "fail") == 0;

	say_document(guest, FORMAT_HEALTH, is_bad ? 503 : 200, is_head);
}

static void say_status(struct guest *guest, const struct webrequest *request)
{
	enum status_format format = FORMAT_JSON;
	struct span value;
	char *name;
	bool is_known;

	if (!webrequest_find(request->query, SPAN_LIT("format"), &value)) {
		say_document(guest, format, 200, request->is_head);
		return;
	}
	name = span_dup(value);
	is_known = format_find(name, &format);
	free(name);
	if (is_known)
		say_document(guest, format, 200, request->is_head);
	else
		say_plain(guest, 400, request->is_head, "format is json, prometheus, uwsgi, puma or health");
}

static void answer(struct guest *guest, const struct webrequest *request)
{
	if (span_equals(request->path, SPAN_LIT("/status")))
		say_status(guest, request);
	else if (span_equals(request->path, SPAN_LIT("/metrics")))
		say_document(guest, FORMAT_PROMETHEUS, 200, request->is_head);
	else if (span_equals(request->path, SPAN_LIT("/health")))
		say_health(guest, request->is_head);
	else if (span_equals(request->path, SPAN_LIT("/ready")))
		say_ready(guest, request->is_head);
	else
		say_plain(guest, 404, request->is_head, "There are /status, /health, /ready and /metrics");
}

static size_t on_input(struct guest *guest, struct span input)
{
	struct webrequest request;

	switch (webrequest_parse(input, &request)) {
	case WEBREQUEST_PARTIAL:
		return 0;
	case WEBREQUEST_GOOD:
		answer(guest, &request);
		break;
	case WEBREQUEST_METHOD:
		say_plain(guest, 405, false, NULL);
		break;
	case WEBREQUEST_BAD:
		say_plain(guest, 400, false, NULL);
		break;
	}
	return input.len;
}

static void on_excess(struct guest *guest)
{
	say_plain(guest, 431, false, NULL);
}

static const struct door_kind kind = {
	.guests_max = GUESTS,
	.input_max = HEAD_BYTES,
	.patience_ms = PATIENCE_MS,
	.on_input = on_input,
	.on_excess = on_excess,
};

/* ---- opening ---- */

static int parse(const char *text, struct listen_address *ret_address, struct err *err)
{
	struct err why = ERR_NONE;

	/* Without a colon it would be a host whose port nobody asked for; a descriptor is nothing that a reload could open again. */
	if (strchr(text, ':') == NULL || strncmp(text, "fd://", 5) == 0)
		return err_set(err, -EINVAL, "status_bind is HOST:PORT or unix:PATH, not '%s'", text);
	if (listen_parse(text, ret_address, &why) != 0)
		return err_set(err, -EINVAL, "status_bind '%s': %s", text, why.text);
	return 0;
}

int webstatus_check(const struct settings *settings, struct err *err)
{
	struct listen_address address;

	if (settings->status_bind == NULL || settings->status_bind[0] == '\0')
		return 0;
	if (parse(settings->status_bind, &address, err) != 0)
		return -EINVAL;
	listen_address_release(&address);
	return 0;
}

/* The same port as before, at another host: both are bound for a moment. */
static bool is_beside(const struct webstatus *webstatus, const struct listen_address *address)
{
	const struct listener *present = webstatus->door != NULL ? door_listener(webstatus->door) : NULL;
	char port[8];
	size_t len;

	if (present == NULL || present->address.kind != LISTEN_TCP || address->kind != LISTEN_TCP)
		return false;
	/* Its name has the port that it got, where 0 was asked for. */
	len = (size_t)snprintf(port, sizeof(port), ":%u", (unsigned)address->port);
	return strlen(present->name) > len && strcmp(present->name + strlen(present->name) - len, port) == 0;
}

static int open_door(struct master *master, struct listen_address *address, struct door **ret_door, struct err *err)
{
	struct webstatus *webstatus = &master->webstatus;
	bool is_by_the_side = is_beside(webstatus, address);
	/* 0177: the file is for this user alone, whatever our umask. */
	const struct listen_options options = {
		.backlog = BACKLOG, .reuse_port = is_by_the_side, .umask = 0177, .uid = -1, .gid = -1
	};
	struct err why = ERR_NONE;
	int error;

	if (is_by_the_side)
		listen_set_beside(door_listener(webstatus->door), true);
	error = door_open(ret_door, &master->loop, &kind, address, &options, master, &why);
	if (is_by_the_side) {
		listen_set_beside(door_listener(webstatus->door), false);
		if (error == 0)
			listen_set_beside(door_listener(*ret_door), false);
	}
	return error == 0 ? 0 : err_set(err, error, "status_bind: %s", why.text);
}

int webstatus_update(struct master *master, struct err *err)
{
	struct webstatus *webstatus = &master->webstatus;
	const char *wanted = master->settings.status_bind;
	struct listen_address address;
	struct door *door = NULL;
	int error;

	webstatus->waits = false;
	if (wanted == NULL || wanted[0] == '\0') {
		webstatus_close(webstatus);
		return 0;
	}
	if (webstatus->door != NULL && strcmp(webstatus->address, wanted) == 0)
		return 0;
	error = parse(wanted, &address, err);
	if (error != 0)
		return error;
	error = open_door(master, &address, &door, err);
	if (error == -EADDRINUSE && upgrade_is_second(master)) {
		err_clear(err);
		webstatus->waits = true;
		return 0;
	}
	if (error != 0)
		return error;
	webstatus_close(webstatus);
	webstatus->door = door;
	webstatus->address = xstrdup(wanted);
	/* tests wait for this line */
	log_info("Status at: %s", door_listener(door)->name);
	return 0;
}

void webstatus_promote(struct master *master)
{
	struct err err = ERR_NONE;

	if (master->webstatus.waits && webstatus_update(master, &err) != 0)
		log_error("%s", err.text);
}

void webstatus_close(struct webstatus *webstatus)
{
	door_close(&webstatus->door);
	free(webstatus->address);
	webstatus->address = NULL;
}
