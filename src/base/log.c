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

#include "base/outlet.h"

/* "[2026-11-22 10:11:12 +0000] [2147483647] [CRITICAL] " and its terminator. */
enum { PREFIX_MAX = 64, LINE_ON_STACK = 2048 };

static struct {
	struct outlet outlet;
	_Atomic int level;
	/* UTC offset in the low 32 bits, the quarter of an hour (since 1970) it holds for in the high ones; 0: never asked. */
	_Atomic uint64_t zone;
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

const char *log_path(void)
{
	return log_state.outlet.path != NULL ? log_state.outlet.path : "-";
}

bool log_is_on(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&log_state.level, memory_order_relaxed);
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

static char *put_number(char *at, unsigned long number, int digits)
{
	char reversed[24];
	int count = 0;
	do {
		reversed[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0 || count < digits);
	while (count > 0)
		*at++ = reversed[--count];
	return at;
}

static char *put_text(char *at, const char *text)
{
	while (*text != '\0')
		*at++ = *text++;
	return at;
}

/* Days since 1970 to a date of the Gregorian calendar; years are counted from March, so that leap days come last. */
static char *put_date(char *at, unsigned long days)
{
	unsigned long since_era = days + 719468; /* from 1 March of year 0 */
	unsigned long era = since_era / 146097;
	unsigned long day_of_era = since_era % 146097;
	unsigned long year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned long month_from_march = (5 * day_of_year + 2) / 153;
	unsigned long day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
	unsigned long month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
	unsigned long year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
	at = put_number(at, year, 4);
	*at++ = '-';
	at = put_number(at, month, 2);
	*at++ = '-';
	return put_number(at, day, 2);
}

/* By hand, not by strftime() and snprintf(): those are not async-signal-safe. Returns the length. */
static size_t put_prefix(char into[PREFIX_MAX], enum log_level level, bool may_look_up)
{
	time_t now = time(NULL);
	long offset = zone_offset(now, may_look_up);
	unsigned long local = (unsigned long)MAX(now + offset, 0);
	unsigned long minutes_off = (unsigned long)(offset < 0 ? -offset : offset) / 60;

	char *at = into;
	*at++ = '[';
	at = put_date(at, local / 86400);
	*at++ = ' ';
	at = put_number(at, local % 86400 / 3600, 2);
	*at++ = ':';
	at = put_number(at, local % 3600 / 60, 2);
	*at++ = ':';
	at = put_number(at, local % 60, 2);
	*at++ = ' ';
	*at++ = offset < 0 ? '-' : '+';
	at = put_number(at, minutes_off / 60 * 100 + minutes_off % 60, 4);
	at = put_text(at, "] [");
	at = put_number(at, (unsigned long)getpid(), 1);
	at = put_text(at, "] [");
	at = put_text(at, log_level_name(level));
	at = put_text(at, "] ");
	return (size_t)(at - into);
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
	char line[PREFIX_MAX + 96];
	size_t len = put_prefix(line, LOG_WARNING, true);
	len += (size_t)snprintf(line + len, sizeof line - len, "%llu log %s lost: the log could not take more\n",
	                        (unsigned long long)count, count == 1 ? "message was" : "messages were");
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

void log_vline(enum log_level level, const char *fmt, va_list args)
{
	if (!log_is_on(level))
		return;
	int saved = errno;
	char on_stack[LINE_ON_STACK];
	char *line = on_stack;
	size_t size = sizeof on_stack;
	size_t prefix = put_prefix(line, level, true);

	va_list again;
	va_copy(again, args);
	int wanted = vsnprintf(line + prefix, size - prefix, fmt, args);
	size_t len = wanted > 0 ? (size_t)wanted : 0;
	if (len >= size - prefix) {
		size = prefix + len + 1;
		line = xmalloc(size);
		memcpy(line, on_stack, prefix);
		(void)vsnprintf(line + prefix, size - prefix, fmt, again);
	}
	va_end(again);

	/* A message may hold what a client sent: it must not begin lines of its own or steer a terminal. */
	for (size_t i = prefix; i < prefix + len; i++) {
		unsigned char c = (unsigned char)line[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			line[i] = '?';
	}
	/* In place of the terminator, for which there is room. */
	line[prefix + len] = '\n';
	write_reported(line, prefix + len + 1);
	if (line != on_stack)
		free(line);
	errno = saved;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	log_vline(level, fmt, args);
	va_end(args);
}

void log_raw(const char *text, size_t len)
{
	int saved = errno;
	write_reported(text, len);
	errno = saved;
}

void log_signal_safe(const char *text)
{
	char line[PREFIX_MAX + 512];
	size_t len = put_prefix(line, LOG_CRITICAL, false);
	for (; *text != '\0' && len < sizeof line - 1; text++)
		line[len++] = (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text;
	line[len++] = '\n';
	if (log_state.outlet.fd >= 0)
		(void)outlet_write(&log_state.outlet, line, len);
	else
		(void)!write(STDERR_FILENO, line, len);
}
