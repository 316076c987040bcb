/* SPDX-License-Identifier: MIT */
/*
 * err.c - a code and one sentence for a human.
 *
 * Called by everything that can fail for a reason outside of us. Keeps errno as it was.
 */
#include "base/base.h"

#include "base/err.h"

#include "base/check.h"

static void write_text(struct err *err, int code, const char *fmt, va_list args) ATTR_PRINTF(3, 0);

static void write_text(struct err *err, int code, const char *fmt, va_list args)
{
	CHECK(code != 0);
	err->code = code;
	(void)vsnprintf(err->text, sizeof err->text, fmt, args);
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	if (err == NULL || err->code != 0)
		return code;
	int saved = errno;
	va_list args;
	va_start(args, fmt);
	write_text(err, code, fmt, args);
	va_end(args);
	errno = saved;
	return code;
}

int err_set_errno(struct err *err, int code, const char *fmt, ...)
{
	if (err == NULL || err->code != 0)
		return code;
	int saved = errno;
	va_list args;
	va_start(args, fmt);
	write_text(err, code, fmt, args);
	va_end(args);
	char room[128];
	size_t len = strlen(err->text);
	(void)snprintf(err->text + len, sizeof err->text - len, ": %s", strerror_r(-code, room, sizeof room));
	errno = saved;
	return code;
}

void err_add(struct err *err, const char *fmt, ...)
{
	if (!err_is_set(err))
		return;
	char old[sizeof err->text];
	memcpy(old, err->text, sizeof old);
	va_list args;
	va_start(args, fmt);
	write_text(err, err->code, fmt, args);
	va_end(args);
	size_t len = strlen(err->text);
	(void)snprintf(err->text + len, sizeof err->text - len, ": %s", old);
}

void err_clear(struct err *err)
{
	if (err == NULL)
		return;
	err->code = 0;
	err->text[0] = '\0';
}
