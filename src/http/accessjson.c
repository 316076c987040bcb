/* SPDX-License-Identifier: MIT */
/*
 * accessjson.c - one access line as a JSON object.
 *
 * Called by accesslog.c where log_format says so. Pure. Everything that came from outside goes through logline_add_json().
 */
#include "base/base.h"
#include "http/accesslog_internal.h"

#include "base/logline.h"

static void add_name(struct buf *line, const char *name)
{
	buf_addf(line, ",\"%s\":", name);
}

/* null for what is not there. */
static void add_text(struct buf *line, const char *name, struct span value)
{
	add_name(line, name);
	if (value.at == NULL)
		buf_add_str(line, "null");
	else
		logline_add_json(line, value);
}

static void add_number(struct buf *line, const char *name, uint64_t number)
{
	add_name(line, name);
	buf_addf(line, "%llu", (unsigned long long)number);
}

static void add_status(struct buf *line, struct span status)
{
	uint64_t number;
	ssize_t space = span_find(status, ' ');

	if (!span_to_u64(space >= 0 ? span_of(status.at, (size_t)space) : status, &number) || status.len == 0) {
		add_text(line, "status", SPAN_NONE);
		return;
	}
	add_number(line, "status", number);
}

/* {name}i, {name}o and {name}e that access_log_format asks for, under these names. */
static void add_named(const struct accesslog *log, const struct accesslog_entry *entry, struct buf *line)
{
	for (size_t i = 0; i < log->segment_count; i++) {
		const struct accesslog_segment *segment = &log->segments[i];
		struct buf name = BUF_NONE;

		if (segment->atom != ATOM_REQUEST_FIELD && segment->atom != ATOM_RESPONSE_FIELD && segment->atom != ATOM_ENVIRON)
			continue;
		buf_addf(&name, "{%.*s}%c", SPAN_ARG(segment->name),
		         segment->atom == ATOM_REQUEST_FIELD ? 'i' : segment->atom == ATOM_RESPONSE_FIELD ? 'o' : 'e');
		buf_add_byte(line, ',');
		logline_add_json(line, buf_span(&name));
		buf_add_byte(line, ':');
		struct span value = accesslog_find_named(segment, entry);
		if (value.at == NULL)
			buf_add_str(line, "null");
		else
			logline_add_json(line, value);
		buf_release(&name);
	}
}

void accesslog_write_json(const struct accesslog *log, const struct accesslog_entry *entry, struct buf *line)
{
	const struct http_request *request = entry->request;
	struct tm tm = { .tm_mday = 1, .tm_year = 70 };
	char user[ACCESSLOG_USER_MAX];
	struct span user_name = accesslog_find_user(request, user);

	(void)localtime_r(&entry->wall, &tm);
	buf_add_str(line, "{\"time\":\"");
	logline_add_time(line, entry->wall, tm.tm_gmtoff);
	buf_addf(line, "\",\"pid\":%ld", entry->pid);
	add_text(line, "remote_addr", entry->remote_addr);
	add_text(line, "user", user_name);
	add_text(line, "method", request != NULL ? request->method : SPAN_NONE);
	add_text(line, "target", request != NULL ? request->target : SPAN_NONE);
	add_text(line, "path", entry->path);
	add_text(line, "query", request != NULL ? request->query : SPAN_NONE);
	add_text(line, "protocol", entry->protocol);
	add_status(line, entry->status);
	add_number(line, "body_bytes", entry->body_bytes);
	add_number(line, "duration_us", entry->duration_us);
	add_text(line, "referer", accesslog_find_field(request, HTTP_FIELD_REFERER));
	add_text(line, "user_agent", accesslog_find_field(request, HTTP_FIELD_USER_AGENT));
	add_named(log, entry, line);
	buf_add(line, "}\n", 2);
}
