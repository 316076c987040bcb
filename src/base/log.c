/* SPDX-License-Identifier: MIT */
/*
 * log.c - the error log, in gunicorn's line format.
 *
 * Called by master/, worker/ and py/. Takes no lock and never blocks, so that any thread, a forked child and (by
 * log_signal_safe) a signal handler may call it.
 */
#include "base/base.h"

#include "base/log.h"

#include <stdatomic.h>

#include "base/logline.h"
#include "base/outlet.h"

enum { LINE_ON_STACK = 2048 };

static struct {
	struct outlet outlet;
	_Atomic int level;
	/* UTC offset in the low 32 bits, the quarter of an hour (since 1970) it holds for in the high ones; 0: never asked. */
	_Atomic uint64_t zone;
	_Atomic bool is_json;
	struct log_sink sink;
	struct log_watch watch;
} log_state = { .outlet = OUTLET_CLOSED, .level = LOG_INFO };

static const char *const level_names[] = {
	[LOG_DEBUG] = "DEBUG", [LOG_INFO] = "INFO",         [LOG_WARNING] = "WARNING",
	[LOG_ERROR] = "ERROR", [LOG_CRITICAL] = "CRITICAL",
};

bool log_level_from_name(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcasecmp(name, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *log_level_name(enum log_level level)
{
	return (size_t)level < ARRAY_LEN(level_names) ? level_names[level] : "INFO";
}

int log_open(const char *path, enum log_level level, struct err *err)
{
	int result = outlet_open(&log_state.outlet, path, STDERR_FILENO, err);
	if (result < 0)
		return result;
	atomic_store(&log_state.level, (int)level);
	/* TZ may have been set since (raw_env). */
	tzset();
	atomic_store(&log_state.zone, 0);
	return 0;
}

int log_reopen(struct err *err)
{
	return outlet_reopen(&log_state.outlet, err);
}

void log_close(void)
{
	outlet_close(&log_state.outlet);
}

int log_fd(void)
{
	int fd = log_state.outlet.fd;
	return fd >= 0 ? fd : STDERR_FILENO;
}

/* For lines that we write ourselves. */
static bool is_on_here(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
	return is_on_here(level) || (log_state.sink.take != NULL && level >= log_state.sink.level);
}

void log_set_json(bool is_json)
{
	atomic_store(&log_state.is_json, is_json);
}

bool log_is_json(void)
{
	return atomic_load_explicit(&log_state.is_json, memory_order_relaxed);
}

void log_set_sink(const struct log_sink *sink)
{
	log_state.sink = sink != NULL ? *sink : (struct log_sink){ .take = NULL };
}

void log_set_watch(const struct log_watch *watch)
{
	log_state.watch = watch != NULL ? *watch : (struct log_watch){ .note = NULL };
}

uint64_t log_dropped_total(void)
{
	return outlet_dropped_total(&log_state.outlet);
}

/* The offset from UTC changes on quarters of an hour only; so most lines, and all from signal handlers, need no look-up. */
static long zone_offset(time_t now, bool may_look_up)
{
	uint64_t zone = atomic_load(&log_state.zone);
	uint32_t quarter = (uint32_t)(now / 900);
	if (may_look_up && (uint32_t)(zone >> 32) != quarter) {
		struct tm local;
		if (localtime_r(&now, &local) != NULL) {
			zone = (uint64_t)quarter << 32 | (uint32_t)(int32_t)local.tm_gmtoff;
			atomic_store(&log_state.zone, zone);
		}
	}
	return (int32_t)(uint32_t)zone;
}

/* By hand, not by strftime() and snprintf(): those are not async-signal-safe. Returns the length. */
static size_t put_prefix(char into[LOGLINE_PREFIX_MAX], enum log_level level, bool may_look_up)
{
	time_t now = time(NULL);
	long offset = zone_offset(now, may_look_up);
	const char *name = log_level_name(level);

	return log_is_json() ? logline_put_json_prefix(into, now, offset, (long)getpid(), name)
	                     : logline_put_prefix(into, now, offset, (long)getpid(), name);
}

/* Before log_open() and after log_close() lines go to stderr. */
static struct outlet *current_outlet(void)
{
	if (log_state.outlet.fd < 0)
		(void)outlet_open(&log_state.outlet, "-", STDERR_FILENO, NULL);
	return &log_state.outlet;
}

/* False when not even that could be written. */
static bool report_dropped(struct outlet *outlet)
{
	if (LIKELY(atomic_load_explicit(&outlet->dropped_unreported, memory_order_relaxed) == 0))
		return true;
	uint64_t count = outlet_take_dropped(outlet);
	if (count == 0)
		return true;
	char line[LOGLINE_PREFIX_MAX + 96];
	size_t len = put_prefix(line, LOG_WARNING, true);
	len += (size_t)snprintf(line + len, sizeof line - len, "%llu log %s lost: the log could not take more%s\n",
	                        (unsigned long long)count, count == 1 ? "message was" : "messages were",
	                        log_is_json() ? "\"}" : "");
	if (outlet_write(outlet, line, len))
		return true;
	atomic_fetch_add(&outlet->dropped_unreported, count);
	return false;
}

static void write_reported(const char *text, size_t len)
{
	struct outlet *outlet = current_outlet();
	/* A report that is dropped was counted, and that stands for the line behind it, which then must not overtake. */
	if (report_dropped(outlet))
		(void)outlet_write(outlet, text, len);
}

/* A message may hold what a client sent: it must not begin lines of its own or steer a terminal. */
static void clean(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			text[i] = '?';
	}
}

/* message has room for one more byte behind it and LOGLINE_PREFIX_MAX in front. */
static void write_text(enum log_level level, char *message, size_t len, struct span details)
{
	char prefix[LOGLINE_PREFIX_MAX];
	size_t prefix_len = put_prefix(prefix, level, true);

	memcpy(message - prefix_len, prefix, prefix_len);
	message[len] = '\n';
	write_reported(message - prefix_len, prefix_len + len + 1);
	if (details.len > 0)
		write_reported(details.at, details.len);
}

static void write_json(enum log_level level, struct span message, struct span details)
{
	char on_stack[LINE_ON_STACK];
	size_t size = LOGLINE_PREFIX_MAX + (message.len + details.len) * LOGLINE_ESCAPED_MAX + 32;
	char *line = size <= sizeof on_stack ? on_stack : xmalloc(size);
	size_t len = put_prefix(line, level, true);

	len += logline_put_escaped(line + len, message.at, message.len);
	if (details.len > 0) {
		const char *name = level >= LOG_ERROR ? "\",\"exception\":\"" : "\",\"details\":\"";
		memcpy(line + len, name, strlen(name));
		len += strlen(name);
		len += logline_put_escaped(line + len, details.at, details.len);
	}
	memcpy(line + len, "\"}\n", 3);
	write_reported(line, len + 3);
	if (line != on_stack)
		free(line);
}

/* True when somebody else writes the line. */
static bool hand_over(enum log_level level, struct span message, struct span details)
{
	const struct log_sink *sink = &log_state.sink;

	if (sink->take == NULL || level < sink->level)
		return false;
	return sink->take(sink->context, level, message, details);
}

/* Not of lines that somebody else writes: he counts them. */
static void note(enum log_level level, struct span details)
{
	if (log_state.watch.note != NULL)
		log_state.watch.note(log_state.watch.context, level, details.len > 0);
}

void log_vreport(enum log_level level, struct span details, const char *fmt, va_list args)
{
	if (!log_is_on(level)) {
		note(level, details);
		return;
	}
	int saved = errno;
	char on_stack[LINE_ON_STACK];
	char *line = on_stack;
	size_t size = sizeof on_stack - LOGLINE_PREFIX_MAX;

	va_list again;
	va_copy(again, args);
	int wanted = vsnprintf(line + LOGLINE_PREFIX_MAX, size, fmt, args);
	size_t len = wanted > 0 ? (size_t)wanted : 0;
	if (len >= size) {
		size = len + 1;
		line = xmalloc(LOGLINE_PREFIX_MAX + size);
		(void)vsnprintf(line + LOGLINE_PREFIX_MAX, size, fmt, again);
	}
	va_end(again);

	char *message = line + LOGLINE_PREFIX_MAX;
	clean(message, len);
	if (!hand_over(level, span_of(message, len), details)) {
		note(level, details);
		if (is_on_here(level) && log_is_json())
			write_json(level, span_of(message, len), details);
		else if (is_on_here(level))
			write_text(level, message, len, details);
	}
	if (line != on_stack)
		free(line);
	errno = saved;
}

void log_report(enum log_level level, struct span details, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	log_vreport(level, details, fmt, args);
	va_end(args);
}

void log_traceback(const char *what, const char *text)
{
	size_t len = strlen(text);
	bool is_whole = len == 0 || text[len - 1] == '\n';
	char *lines = is_whole ? NULL : xasprintf("%s\n", text);

	log_report(LOG_ERROR, span_from_str(is_whole ? text : lines), "%s", what);
	free(lines);
}

void log_vline(enum log_level level, const char *fmt, va_list args)
{
	log_vreport(level, SPAN_NONE, fmt, args);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	log_vline(level, fmt, args);
	va_end(args);
}

void log_plain(enum log_level level, struct span message)
{
	int saved = errno;
	char *line = xmalloc(LOGLINE_PREFIX_MAX + message.len + 1);

	memcpy(line + LOGLINE_PREFIX_MAX, message.at, message.len);
	if (is_on_here(level) && log_is_json())
		write_json(level, message, SPAN_NONE);
	else if (is_on_here(level))
		write_text(level, line + LOGLINE_PREFIX_MAX, message.len, SPAN_NONE);
	free(line);
	errno = saved;
}

void log_raw(const char *text, size_t len)
{
	int saved = errno;
	write_reported(text, len);
	errno = saved;
}

void log_signal_safe(const char *text)
{
	char line[LOGLINE_PREFIX_MAX + 512 * LOGLINE_ESCAPED_MAX + 4];
	size_t len = put_prefix(line, LOG_CRITICAL, false);
	size_t text_len = MIN(strlen(text), (size_t)512);
	if (log_is_json()) {
		len += logline_put_escaped(line + len, text, text_len);
		memcpy(line + len, "\"}", 2);
		len += 2;
	} else {
		memcpy(line + len, text, text_len);
		clean(line + len, text_len);
		len += text_len;
	}
	line[len++] = '\n';
	if (log_state.outlet.fd >= 0)
		(void)outlet_write(&log_state.outlet, line, len);
	else
		(void)!write(STDERR_FILENO, line, len);
}
