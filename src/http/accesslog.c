/* SPDX-License-Identifier: MIT */
/*
 * accesslog.c - one access line per request, from the compiled format.
 *
 * Called by worker/record.c after each response. Does not write to any file and reads no clock. What came from outside goes
 * through http_write_safe() and nothing else.
 */
#include "base/base.h"
#include "http/accesslog.h"

#include "http/accesslog_internal.h"
#include "http/http_internal.h"

/* Room for most lines at once; with it there is memory, even for an empty line. */
#define LINE_USUAL (512)

struct accesslog *accesslog_new(const char *format, struct err *err)
{
	struct accesslog *log = xcalloc(1, sizeof(*log));

	log->format = xstrdup(format);
	if (accesslog_compile(log, err) != 0) {
		accesslog_free(log);
		return NULL;
	}
	return log;
}

void accesslog_set_json(struct accesslog *log, bool is_json)
{
	log->is_json = is_json;
}

void accesslog_free(struct accesslog *log)
{
	if (log == NULL)
		return;
	free(log->segments);
	free(log->format);
	free(log);
}

/* ---- values ---- */

static void add_safe_or_dash(struct buf *line, struct span value)
{
	http_write_safe(value.at != NULL ? value : SPAN_LIT("-"), line);
}

/* At least min_digits, at most 20. */
static void add_number(struct buf *line, uint64_t number, size_t min_digits)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (sizeof(digits) - at < min_digits)
		digits[--at] = '0';
	buf_add(line, digits + at, sizeof(digits) - at);
}

static uint64_t number_of(int atom, const struct accesslog_entry *entry)
{
	switch (atom) {
	case 'B':
		return entry->body_bytes;
	case 'T':
		return entry->duration_us / 1000000;
	case 'M':
		return entry->duration_us / 1000;
	default:
		return entry->duration_us;
	}
}

struct span accesslog_find_field(const struct http_request *request, enum http_field_id id)
{
	for (size_t i = 0; request != NULL && i < request->field_count; i++)
		if (request->fields[i].id == id)
			return request->fields[i].value;
	return SPAN_NONE;
}

/* gunicorn: glogging.py _get_user() */
struct span accesslog_find_user(const struct http_request *request, char user[ACCESSLOG_USER_MAX])
{
	struct span credentials = accesslog_find_field(request, HTTP_FIELD_AUTHORIZATION);
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = 0;
	unsigned bits = 0, bit_count = 0;

	if (credentials.len < 6 || strncasecmp(credentials.at, "basic ", 6) != 0)
		return SPAN_NONE;
	struct span text = span_trim(span_of(credentials.at + 6, credentials.len - 6), " \t");
	for (size_t i = 0; i < text.len && len < ACCESSLOG_USER_MAX; i++) {
		const char *letter = memchr(alphabet, text.at[i], 64);
		if (letter == NULL)
			return SPAN_NONE;
		bits = (bits << 6 | (unsigned)(letter - alphabet)) & 0xffff;
		bit_count += 6;
		if (bit_count < 8)
			continue;
		bit_count -= 8;
		char byte = (char)(unsigned char)(bits >> bit_count & 0xff);
		if (byte == ':')
			return len > 0 ? span_of(user, len) : SPAN_NONE;
		user[len++] = byte;
	}
	return SPAN_NONE; /* no colon: a secret, perhaps, but no user */
}

/* The value of the last "Name: value\r\n" line of that name. */
static struct span find_response_field(struct span lines, struct span name)
{
	struct span found = SPAN_NONE;
	struct span field;

	while (lines.len > 0 && span_split(&lines, '\n', &field)) {
		ssize_t colon = span_find(field, ':');
		if (colon >= 0 && span_equals_nocase(span_of(field.at, (size_t)colon), name))
			found = span_trim(span_of(field.at + colon + 1, field.len - (size_t)colon - 1), " \t\r");
	}
	return found;
}

/* gunicorn makes a dict of the fields: the last one of a name wins. */
static struct span find_request_field(const struct http_request *request, struct span name)
{
	for (size_t i = request != NULL ? request->field_count : 0; i > 0; i--)
		if (span_equals_nocase(request->fields[i - 1].name, name))
			return request->fields[i - 1].value;
	return SPAN_NONE;
}

static void update_time(struct accesslog *log, time_t wall)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { .tm_mday = 1, .tm_year = 70 };

	(void)localtime_r(&wall, &tm);
	long minutes = labs(tm.tm_gmtoff) / 60;
	int len = snprintf(log->time_text, sizeof(log->time_text), "[%02d/%.3s/%04d:%02d:%02d:%02d %c%02ld%02ld]",
	                   tm.tm_mday, months + 3 * (tm.tm_mon % 12), tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
	                   tm.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
	log->time_len = MIN((size_t)len, sizeof(log->time_text) - 1);
	log->time_of_text = wall;
	log->has_time = true;
}

static void add_request_line(struct buf *line, const struct accesslog_entry *entry)
{
	add_safe_or_dash(line, entry->request != NULL ? entry->request->method : SPAN_NONE);
	buf_add_byte(line, ' ');
	add_safe_or_dash(line, entry->request != NULL ? entry->request->target : SPAN_NONE);
	buf_add_byte(line, ' ');
	add_safe_or_dash(line, entry->protocol);
}

static void add_status(struct buf *line, struct span status)
{
	ssize_t space = span_find(status, ' ');

	if (status.len == 0) /* the client left before there was one */
		status = SPAN_NONE;
	add_safe_or_dash(line, space >= 0 ? span_of(status.at, (size_t)space) : status);
}

/* Atoms of the request. False: none of them. */
static bool add_request_value(int atom, const struct accesslog_entry *entry, struct buf *line)
{
	char user[ACCESSLOG_USER_MAX];
	const struct http_request *request = entry->request;

	switch (atom) {
	case 'r':
		add_request_line(line, entry);
		return true;
	case 'm':
		add_safe_or_dash(line, request != NULL ? request->method : SPAN_NONE);
		return true;
	case 'U':
		http_write_safe(entry->path, line);
		return true;
	case 'q':
		http_write_safe(request != NULL ? request->query : SPAN_NONE, line);
		return true;
	case 'H':
		add_safe_or_dash(line, entry->protocol);
		return true;
	case 'f':
		add_safe_or_dash(line, accesslog_find_field(request, HTTP_FIELD_REFERER));
		return true;
	case 'a':
		add_safe_or_dash(line, accesslog_find_field(request, HTTP_FIELD_USER_AGENT));
		return true;
	case 'u':
		add_safe_or_dash(line, accesslog_find_user(request, user));
		return true;
	default:
		return false;
	}
}

struct span accesslog_find_named(const struct accesslog_segment *segment, const struct accesslog_entry *entry)
{
	if (segment->atom == ATOM_REQUEST_FIELD)
		return find_request_field(entry->request, segment->name);
	if (segment->atom == ATOM_RESPONSE_FIELD)
		return find_response_field(entry->response_fields, segment->name);
	return entry->find_environ != NULL ? entry->find_environ(entry->context, segment->name) : SPAN_NONE;
}

/* Atoms {name}i, {name}o, {name}e. False: none of them. */
static bool add_named_value(const struct accesslog_segment *segment, const struct accesslog_entry *entry, struct buf *line)
{
	if (segment->atom != ATOM_REQUEST_FIELD && segment->atom != ATOM_RESPONSE_FIELD && segment->atom != ATOM_ENVIRON)
		return false;
	add_safe_or_dash(line, accesslog_find_named(segment, entry));
	return true;
}

/* The value as gunicorn's atoms() gives it, quoted by its SafeAtoms. */
static void add_value(struct accesslog *log, const struct accesslog_segment *segment, const struct accesslog_entry *entry,
                      struct buf *line)
{
	if (add_request_value(segment->atom, entry, line) || add_named_value(segment, entry, line))
		return;
	if (accesslog_is_number(segment->atom)) {
		add_number(line, number_of(segment->atom, entry), 1);
		return;
	}
	switch (segment->atom) {
	case 'h':
		http_write_safe(entry->remote_addr, line);
		break;
	case 't':
		if (!log->has_time || log->time_of_text != entry->wall)
			update_time(log, entry->wall);
		buf_add(line, log->time_text, log->time_len);
		break;
	case 's':
		add_status(line, entry->status);
		break;
	case 'b':
		add_number(line, entry->body_bytes, 1);
		break;
	case 'L':
		add_number(line, entry->duration_us / 1000000, 1);
		buf_add_byte(line, '.');
		add_number(line, entry->duration_us % 1000000, 6);
		break;
	case 'p':
		buf_add_byte(line, '<');
		add_number(line, (uint64_t)entry->pid, 1);
		buf_add_byte(line, '>');
		break;
	default: /* l, and what nobody knows */
		buf_add_byte(line, '-');
	}
}

void accesslog_write(struct accesslog *log, const struct accesslog_entry *entry, struct buf *line)
{
	buf_reserve(line, LINE_USUAL);
	if (log->is_json) {
		accesslog_write_json(log, entry, line);
		return;
	}
	for (size_t i = 0; i < log->segment_count; i++) {
		const struct accesslog_segment *segment = &log->segments[i];
		buf_add_span(line, segment->literal);
		if (segment->atom == ATOM_NONE)
			continue;
		size_t begin = line->len;
		if (segment->is_text)
			add_value(log, segment, entry, line);
		else
			accesslog_add_number(segment, number_of(segment->atom, entry), line);
		if (!segment->is_plain)
			accesslog_fit(segment, line, begin);
	}
	buf_add_byte(line, '\n');
}
