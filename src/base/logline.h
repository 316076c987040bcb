/* SPDX-License-Identifier: MIT */
/*
 * logline.h - the parts of a log line: time, level, and text that is safe inside JSON.
 *
 * Pure and async-signal-safe, but for logline_add_json(), which allocates.
 */
#ifndef BASE_LOGLINE_H
#define BASE_LOGLINE_H

#include "base/base.h"
#include "base/buf.h"
#include "base/span.h"

/*
 * PREFIX: "[2026-11-22 10:11:12 +0000] [2147483647] [CRITICAL] " or its JSON form, with terminator.
 * ESCAPED: the most that one byte of text becomes.
 */
enum { LOGLINE_PREFIX_MAX = 112, LOGLINE_ESCAPED_MAX = 6 };

/* "[TIME] [PID] [LEVEL] "; offset: seconds east of UTC. Returns the length; no terminator. */
size_t logline_put_prefix(char into[LOGLINE_PREFIX_MAX], time_t now, long offset, long pid, const char *level);
/* {"time":"...","pid":...,"level":"...","message":" with the quote open. */
size_t logline_put_json_prefix(char into[LOGLINE_PREFIX_MAX], time_t now, long offset, long pid, const char *level);
/*
 * The text as it stands between the quotes of a JSON string: no control character, no quote, no broken UTF-8 (such a byte
 * becomes \\xHH). `into` has room for LOGLINE_ESCAPED_MAX bytes for each byte of text. Returns the length; no terminator.
 */
size_t logline_put_escaped(char *into, const char *text, size_t len);
/* The same, quotes included, appended. */
void logline_add_json(struct buf *line, struct span text);
/* 2026-11-22T10:11:12+00:00, appended. */
void logline_add_time(struct buf *line, time_t now, long offset);

#endif
