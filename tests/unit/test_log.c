/* SPDX-License-Identifier: MIT */
/*
 * test_log.c - the error log's lines.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <regex.h>

#include "base/fd.h"
#include "base/log.h"

/* The reading end of a pipe that is stderr from now on. */
static int catch_stderr(void)
{
	int fds[2];
	cr_assert_eq(pipe(fds), 0);
	cr_assert_geq(dup2(fds[1], STDERR_FILENO), 0);
	fd_close(&fds[1]);
	cr_assert_eq(fd_set_nonblock(fds[0], true), 0);
	return fds[0];
}

/* What was written since the last call. */
static const char *caught(int fd)
{
	static char text[1 << 17];
	ssize_t len = read(fd, text, sizeof text - 1);
	text[MAX(len, 0)] = '\0';
	return text;
}

static bool matches(const char *text, const char *pattern)
{
	regex_t regex;
	cr_assert_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	bool is_match = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return is_match;
}

static void set_zone(const char *zone)
{
	(void)setenv("TZ", zone, 1);
	cr_assert_eq(log_open("-", LOG_INFO, NULL), 0);
}

Test(log, lines_look_like_gunicorns)
{
	int fd = catch_stderr();
	set_zone("UTC");
	log_info("Listening at: %s (%d)", "http://127.0.0.1:8000", 12);
	const char *text = caught(fd);
	char *pattern = xasprintf("^\\[[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] \\+0000\\] \\[%d\\] "
	                          "\\[INFO\\] Listening at: http://127.0.0.1:8000 \\(12\\)\n$",
	                          (int)getpid());
	cr_assert(matches(text, pattern), "%s", text);
	free(pattern);
}

Test(log, each_level_has_its_name)
{
	int fd = catch_stderr();
	cr_assert_eq(log_open("-", LOG_DEBUG, NULL), 0);
	log_debug("x");
	cr_assert(matches(caught(fd), "\\] \\[DEBUG\\] x\n$"));
	log_warning("x");
	cr_assert(matches(caught(fd), "\\] \\[WARNING\\] x\n$"));
	log_error("x");
	cr_assert(matches(caught(fd), "\\] \\[ERROR\\] x\n$"));
	log_critical("x");
	cr_assert(matches(caught(fd), "\\] \\[CRITICAL\\] x\n$"));
}

Test(log, the_time_stamp_is_local_time)
{
	static const struct {
		const char *zone, *offset;
		long seconds;
	} cases[] = {
		{ "UTC0", "+0000", 0 },
		{ "XXX-05:30", "+0530", 19800 },
		{ "XXX+03:30", "-0330", -12600 },
		{ "XXX-14", "+1400", 50400 },
		{ "XXX+12", "-1200", -43200 },
	};
	int fd = catch_stderr();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		set_zone(cases[i].zone);
		time_t before = time(NULL);
		log_info("x");
		time_t after = time(NULL);
		const char *text = caught(fd);
		struct tm tm = { 0 };
		const char *rest = strptime(text, "[%Y-%m-%d %H:%M:%S ", &tm);
		cr_assert_not_null(rest, "%s", text);
		cr_assert_eq(strncmp(rest, cases[i].offset, 5), 0, "%s: %s", cases[i].zone, text);
		cr_assert_geq(timegm(&tm) - cases[i].seconds, before);
		cr_assert_leq(timegm(&tm) - cases[i].seconds, after);
	}
}

Test(log, what_is_below_the_level_stays_silent)
{
	int fd = catch_stderr();
	cr_assert_eq(log_open("-", LOG_WARNING, NULL), 0);
	cr_assert_not(log_is_on(LOG_INFO));
	cr_assert(log_is_on(LOG_WARNING));
	log_info("hidden");
	log_debug("hidden");
	cr_assert_str_eq(caught(fd), "");
	log_warning("shown");
	cr_assert_neq(caught(fd)[0], '\0');
}

Test(log, level_names_are_known_in_any_case)
{
	enum log_level level = LOG_CRITICAL;
	cr_assert(log_level_from_name("debug", &level));
	cr_assert_eq(level, LOG_DEBUG);
	cr_assert(log_level_from_name("Warning", &level));
	cr_assert_eq(level, LOG_WARNING);
	cr_assert_not(log_level_from_name("loud", &level));
	cr_assert_not(log_level_from_name("", &level));
	cr_assert_eq(level, LOG_WARNING);
	cr_assert_str_eq(log_level_name(LOG_ERROR), "ERROR");
}

Test(log, control_bytes_cannot_start_lines_of_their_own)
{
	int fd = catch_stderr();
	cr_assert_eq(log_open("-", LOG_INFO, NULL), 0);
	log_info("%s", "GET /\r\n[forged] \x1b[2J\x7f\ttab \xc3\xa4");
	const char *text = caught(fd);
	cr_assert_not_null(strstr(text, "] GET /??[forged] ?[2J?\ttab \xc3\xa4\n"), "%s", text);
	cr_assert_eq(strchr(text, '\n') - text, (ssize_t)strlen(text) - 1);
}

Test(log, long_messages_are_written_whole)
{
	int fd = catch_stderr();
	cr_assert_eq(log_open("-", LOG_INFO, NULL), 0);
	static char message[10000];
	for (size_t len = 1900; len < 2100; len++) {
		memset(message, 'x', len);
		message[len] = '\0';
		log_info("%s", message);
		const char *at = strstr(caught(fd), "[INFO] ");
		cr_assert_not_null(at);
		cr_assert_eq(strspn(at + 7, "x"), len);
		cr_assert_str_eq(at + 7 + len, "\n");
	}
	memset(message, 'y', sizeof message - 1);
	log_info("%s", message);
	cr_assert_eq(strspn(strstr(caught(fd), "[INFO] ") + 7, "y"), sizeof message - 1);
}

Test(log, raw_text_keeps_its_lines)
{
	int fd = catch_stderr();
	cr_assert_eq(log_open("-", LOG_INFO, NULL), 0);
	log_raw("Traceback\n  line\n", 17);
	cr_assert_str_eq(caught(fd), "Traceback\n  line\n");
}

Test(log, goes_to_stderr_before_it_is_opened_and_after_it_is_closed)
{
	int fd = catch_stderr();
	log_info("early");
	cr_assert_not_null(strstr(caught(fd), "early"));
	cr_assert_eq(log_fd(), STDERR_FILENO);
	cr_assert_eq(log_open("/dev/null", LOG_INFO, NULL), 0);
	cr_assert_neq(log_fd(), STDERR_FILENO);
	log_close();
	log_info("late");
	cr_assert_not_null(strstr(caught(fd), "late"));
}

/* Adds up what the reports in `text` tell. */
static int reported_in(const char *text)
{
	int sum = 0;
	for (const char *at = strstr(text, "[WARNING] "); at != NULL; at = strstr(at + 1, "[WARNING] ")) {
		cr_assert(matches(at, "^.WARNING. [0-9]+ log messages? (was|were) lost: "));
		sum += (int)strtol(at + strlen("[WARNING] "), NULL, 10);
	}
	return sum;
}

Test(log, the_next_line_tells_how_many_were_lost)
{
	int fd = catch_stderr();
	cr_assert_eq(log_open("-", LOG_INFO, NULL), 0);
	static char message[1000];
	memset(message, 'x', sizeof message - 1);
	while (log_dropped_total() == 0)
		log_info("%s", message);
	for (int i = 0; i < 41; i++)
		log_info("%s", message);
	cr_assert_eq(log_dropped_total(), 42, "%llu", (unsigned long long)log_dropped_total());
	int reported = 0;
	for (const char *text = caught(fd); text[0] != '\0'; text = caught(fd))
		reported += reported_in(text);
	log_info("back again");
	const char *text = caught(fd);
	cr_assert_gt(reported_in(text), 0);
	cr_assert(matches(text, "^[^\n]*\n[^\n]*back again\n$"), "the report comes first: %s", text);
	cr_assert_eq(reported + reported_in(text), 42);
	cr_assert_eq(log_dropped_total(), 42);
	log_info("once only");
	cr_assert_null(strstr(caught(fd), "lost"));
}

Test(log, last_words_have_the_usual_shape)
{
	int fd = catch_stderr();
	set_zone("XXX-02");
	log_info("so that the zone is known");
	(void)caught(fd);
	log_signal_safe("line\none");
	const char *text = caught(fd);
	cr_assert(matches(text, "^\\[[-0-9]+ [:0-9]+ \\+0200\\] \\[[0-9]+\\] \\[CRITICAL\\] line\\?one\n$"), "%s", text);
	char message[2000];
	memset(message, 'x', sizeof message - 1);
	message[sizeof message - 1] = '\0';
	log_signal_safe(message);
	text = caught(fd);
	cr_assert_lt(strlen(text), 600);
	cr_assert_eq(text[strlen(text) - 1], '\n');
}

Test(log, last_words_need_no_open_log)
{
	int fd = catch_stderr();
	log_signal_safe("x");
	cr_assert_not_null(strstr(caught(fd), "[CRITICAL] x\n"));
}

Test(log, keeps_errno_as_it_was)
{
	(void)catch_stderr();
	cr_assert_eq(log_open("-", LOG_INFO, NULL), 0);
	errno = ENFILE;
	log_info("x");
	log_raw("x\n", 2);
	cr_assert_eq(errno, ENFILE);
}

Test(log, an_unwritable_path_keeps_the_old_log)
{
	struct err err = ERR_NONE;
	int fd = catch_stderr();
	cr_assert_eq(log_open("-", LOG_DEBUG, NULL), 0);
	cr_assert_eq(log_open("/nowhere/log", LOG_CRITICAL, &err), -ENOENT);
	cr_assert_not_null(strstr(err.text, "'/nowhere/log' isn't writable"), "%s", err.text);
	log_debug("still here");
	cr_assert_not_null(strstr(caught(fd), "still here"));
}
