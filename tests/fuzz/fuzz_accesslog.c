/* SPDX-License-Identifier: MIT */
/*
 * fuzz_accesslog.c - formats of the access log, and values in them.
 *
 * Input: a format, a LF, then bytes that stand for what clients send. Whatever they are, a line is one line of printable
 * text.
 */
#include "base/base.h"

#include "fuzz.h"
#include "http/accesslog.h"

static struct span find_environ(void *context, struct span name)
{
	const struct span *value = context;

	return name.len % 2 == 0 ? *value : SPAN_NONE;
}

static bool has_control(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
			return true;
	return false;
}

static void write_line(struct accesslog *log, struct span value, struct buf *line)
{
	/* The parser would refuse such fields; the log must not rely on it. */
	struct http_field fields[] = {
		{ SPAN_LIT("Host"), value, HTTP_FIELD_HOST },
		{ SPAN_LIT("Referer"), value, HTTP_FIELD_REFERER },
		{ SPAN_LIT("User-Agent"), value, HTTP_FIELD_USER_AGENT },
		{ SPAN_LIT("Authorization"), value, HTTP_FIELD_AUTHORIZATION },
		{ SPAN_LIT("a"), value, HTTP_FIELD_OTHER },
	};
	struct http_request request = {
		.method = value,
		.target = value,
		.query = value,
		.fields = fields,
		.field_count = ARRAY_LEN(fields),
	};
	struct accesslog_entry entry = {
		.remote_addr = value,
		.request = &request,
		.protocol = SPAN_LIT("HTTP/1.1"),
		.path = value,
		.status = value,
		.body_bytes = UINT64_MAX,
		.duration_us = value.len * 1234567,
		.wall = (time_t)value.len,
		.pid = 1,
		.response_fields = value,
		.find_environ = find_environ,
		.context = &value,
	};

	accesslog_write(log, &entry, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *lf = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t format_len = lf != NULL ? (size_t)(lf - (const char *)data) : size;
	struct span value = lf != NULL ? span_of(lf + 1, size - format_len - 1) : SPAN_NONE;
	char *format = xstrndup((const char *)data, format_len);
	struct err err = ERR_NONE;
	struct buf line = BUF_NONE;

	fuzz_setup();
	struct accesslog *log = accesslog_new(format, &err);
	CHECK((log == NULL) == err_is_set(&err));
	if (log != NULL) {
		write_line(log, value, &line);
		CHECK(line.len > 0 && line.data[line.len - 1] == '\n');
		/* What the operator writes into the format is the operator's. */
		if (!has_control(span_from_str(format)))
			CHECK(!has_control(span_of(line.data, line.len - 1)));
	}
	accesslog_free(log);
	buf_release(&line);
	free(format);
	return 0;
}
