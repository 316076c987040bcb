/* SPDX-License-Identifier: MIT */
/*
 * test_notify.c - what the service manager is told, and when.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/notify.h"

static struct notify notify;
static struct notify_facts facts;
static struct buf message;

static void setup(void)
{
	notify_init(&notify);
	facts = (struct notify_facts){ .pid = 77, .target = 2, .reload_error = "" };
}

static void teardown(void)
{
	buf_release(&message);
	notify_release(&notify);
}

TestSuite(notify, .init = setup, .fini = teardown);

static const char *next(uint64_t now_ms)
{
	return notify_next(&notify, &facts, now_ms, &message) ? buf_text(&message) : "";
}

static void become_ready(void)
{
	facts.is_serving = true;
	facts.serving = 2;
	cr_assert_str_eq(next(1), "READY=1\nMAINPID=77\nSTATUS=2/2 workers serving\n");
	cr_assert_str_eq(next(1), "");
}

Test(notify, ready_is_told_once_and_not_before_a_worker_serves)
{
	cr_assert_str_eq(next(1), "");
	become_ready();
	cr_assert_str_eq(next(2), "");
}

Test(notify, status_is_told_when_it_changes)
{
	become_ready();
	facts.serving = 1;
	cr_assert_str_eq(next(2), "STATUS=1/2 workers serving\n");
	cr_assert_str_eq(next(2), "");
	facts.target = 3;
	cr_assert_str_eq(next(3), "STATUS=1/3 workers serving\n");
}

Test(notify, a_reload_is_framed_by_reloading_and_ready)
{
	become_ready();
	notify_note_reload(&notify, 123456);
	facts.is_reloading = true;
	cr_assert_str_eq(next(2), "RELOADING=1\nMONOTONIC_USEC=123456\nSTATUS=Reloading, 2/2 workers serving\n");
	cr_assert_str_eq(next(2), "");
	facts.is_reloading = false;
	facts.reload_error = "no\nsuch module";
	cr_assert_str_eq(next(3), "READY=1\nSTATUS=2/2 workers serving; the last reload failed: no such module\n");
	cr_assert_str_eq(next(3), "");
}

Test(notify, a_reload_that_fails_at_once_is_told_as_well)
{
	become_ready();
	notify_note_reload(&notify, 5);
	cr_assert_str_eq(next(2), "RELOADING=1\nMONOTONIC_USEC=5\nSTATUS=2/2 workers serving\n");
	cr_assert_str_eq(next(2), "READY=1\nSTATUS=2/2 workers serving\n");
	cr_assert_str_eq(next(2), "");
}

Test(notify, a_second_hup_is_told_with_its_own_time)
{
	become_ready();
	facts.is_reloading = true;
	notify_note_reload(&notify, 5);
	(void)next(2);
	notify_note_reload(&notify, 6);
	cr_assert_str_eq(next(2), "RELOADING=1\nMONOTONIC_USEC=6\nSTATUS=Reloading, 2/2 workers serving\n");
	facts.is_reloading = false;
	cr_assert_str_eq(next(3), "READY=1\nSTATUS=2/2 workers serving\n");
	cr_assert_str_eq(next(3), "");
}

Test(notify, a_reload_before_ready_is_not_told)
{
	notify_note_reload(&notify, 5);
	cr_assert_str_eq(next(1), "");
	become_ready();
}

Test(notify, stopping_is_told_once_also_in_the_middle_of_a_reload)
{
	become_ready();
	notify_note_reload(&notify, 5);
	facts.is_reloading = true;
	(void)next(2);
	facts.is_stopping = true;
	facts.live = 2;
	cr_assert_str_eq(next(3), "STOPPING=1\nSTATUS=Stopping, 2 workers left\n");
	facts.is_reloading = false;
	cr_assert_str_eq(next(3), "");
	facts.live = 0;
	cr_assert_str_eq(next(4), "STATUS=Stopping, 0 workers left\n");
}

Test(notify, watchdog_beats_at_its_interval)
{
	notify.watchdog_ms = 500;
	cr_assert_str_eq(next(1000), "WATCHDOG=1\n");
	cr_assert_str_eq(next(1499), "");
	cr_assert_str_eq(next(1500), "WATCHDOG=1\n");
	notify.fd = 1; /* as if open */
	cr_assert_eq(notify_next_ms(&notify), 2000);
	notify.fd = -1;
	cr_assert_eq(notify_next_ms(&notify), 0);
}

Test(notify, watchdog_takes_half_of_the_time_allowed_to_us)
{
	cr_assert_eq(notify_watchdog_ms("30000000", "77", 77), 15000);
	cr_assert_eq(notify_watchdog_ms("30000000", NULL, 77), 15000);
	cr_assert_eq(notify_watchdog_ms("30000000", "78", 77), 0);
	cr_assert_eq(notify_watchdog_ms("30000000", "", 77), 0);
	cr_assert_eq(notify_watchdog_ms(NULL, "77", 77), 0);
	cr_assert_eq(notify_watchdog_ms("0", "77", 77), 0);
	cr_assert_eq(notify_watchdog_ms("soon", "77", 77), 0);
	cr_assert_eq(notify_watchdog_ms("18446744073709551615", "77", 77), 0);
	cr_assert_eq(notify_watchdog_ms("10", "77", 77), 1);
}

Test(notify, a_long_status_is_cut_between_characters)
{
	char error[600];

	become_ready();
	memset(error, 'x', 2);
	for (size_t i = 0; i < 150; i++)
		memcpy(error + 1 + 3 * i, "\xe2\x82\xac", 4); /* three bytes each */
	facts.reload_error = error;

	size_t len = strlen(next(2));

	cr_assert_gt(len, 250);
	cr_assert_lt(len, 270);
	cr_assert_eq(memcmp(message.data + len - 4, "\xe2\x82\xac\n", 4), 0);
}

Test(notify, addresses_are_paths_and_abstract_names)
{
	struct err err = ERR_NONE;
	struct sockaddr_un at;
	socklen_t len;
	char long_path[200];

	cr_assert_eq(notify_parse_address("/run/notify", &at, &len, &err), 0);
	cr_assert_str_eq(at.sun_path, "/run/notify");
	cr_assert_eq(len, offsetof(struct sockaddr_un, sun_path) + 12);
	cr_assert_eq(notify_parse_address("@abc", &at, &len, &err), 0);
	cr_assert_eq(memcmp(at.sun_path, "\0abc", 4), 0);
	cr_assert_eq(len, offsetof(struct sockaddr_un, sun_path) + 4);
	cr_assert_eq(notify_parse_address("vsock:2:1", &at, &len, &err), -EAFNOSUPPORT);
	err_clear(&err);
	cr_assert_eq(notify_parse_address("@", &at, &len, &err), -EAFNOSUPPORT);
	err_clear(&err);
	memset(long_path, 'a', sizeof(long_path));
	long_path[0] = '/';
	long_path[108] = '\0';
	cr_assert_eq(notify_parse_address(long_path, &at, &len, &err), -ENAMETOOLONG);
	long_path[107] = '\0';
	err_clear(&err);
	cr_assert_eq(notify_parse_address(long_path, &at, &len, &err), 0, "%s", err.text);
}
