/* SPDX-License-Identifier: MIT */
/*
 * test_upgrade.c - what crosses from an old master to a new one: variables and sockets.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/span.h"
#include "base/strlist.h"
#include "master/inherit.h"
#include "master/upgrade.h"

static bool holds(char *const *environment, const char *text)
{
	for (size_t i = 0; environment[i] != NULL; i++)
		if (strcmp(environment[i], text) == 0)
			return true;
	return false;
}

static struct strlist list_of(const char *text)
{
	struct strlist list;
	struct span rest = span_from_str(text);
	struct span piece;

	strlist_init(&list);
	while (span_split(&rest, ' ', &piece))
		strlist_add_span(&list, piece);
	return list;
}

static size_t count(char *const *environment)
{
	size_t n = 0;

	while (environment[n] != NULL)
		n++;
	return n;
}

Test(upgrade, the_new_master_gets_our_pid_and_sockets_and_keeps_the_rest)
{
	struct strlist present =
		list_of("A=1 GUNICORN_PID=5 GUNICORN_FD=9 GUNICORN_FDS=x LISTEN_FDS=1 LISTEN_PID=2 WATCHDOG_PID=77 B=");
	char *pid = present.items[0];
	char **made = upgrade_environment(present.items, 77, "3,4", 2, &pid);

	cr_assert_null(pid);
	cr_assert_eq(count(made), 5);
	cr_assert(holds(made, "A=1") && holds(made, "B=") && holds(made, "GUNICORN_FDS=x"));
	cr_assert(holds(made, "GUNICORN_PID=77") && holds(made, "GUNICORN_FD=3,4"));
	upgrade_free_environment(made);
	strlist_release(&present);
}

Test(upgrade, a_managers_sockets_are_passed_on_as_such)
{
	struct strlist present = list_of("LISTEN_FDNAMES=web WATCHDOG_PID=78");
	char *pid = NULL;
	char **made = upgrade_environment(present.items, 77, NULL, 2, &pid);

	cr_assert(holds(made, "LISTEN_FDS=2") && holds(made, "GUNICORN_PID=77"));
	cr_assert(holds(made, "LISTEN_FDNAMES=web") && holds(made, "WATCHDOG_PID=78"));
	cr_assert_not_null(pid);
	cr_assert_eq(strlen(pid), 10, "room for the longest pid");
	memcpy(pid, "4194304", 8);
	cr_assert(holds(made, "LISTEN_PID=4194304"));
	upgrade_free_environment(made);
	strlist_release(&present);
}

static int parse(const char *pid, const char *fds, bool has_sockets, struct inherited *ret_inherited)
{
	struct err err = ERR_NONE;
	int error = inherit_parse(pid, fds, has_sockets, ret_inherited, &err);

	cr_assert_eq(error != 0, err_is_set(&err));
	return error;
}

Test(inherit, takes_the_pid_and_the_list)
{
	struct inherited inherited;

	cr_assert_eq(parse("12", "3,40, 5", false, &inherited), 0);
	cr_assert_eq(inherited.parent, 12);
	cr_assert_eq(inherited.count, 3);
	cr_assert(inherited.fds[0] == 3 && inherited.fds[1] == 40 && inherited.fds[2] == 5);
	/* A service manager's sockets came along. */
	cr_assert_eq(parse("12", NULL, true, &inherited), 0);
	cr_assert_eq(inherited.parent, 12);
	cr_assert_eq(inherited.count, 0);
}

Test(inherit, without_sockets_the_variables_count_for_nothing)
{
	struct inherited inherited;

	cr_assert_eq(parse("12", NULL, false, &inherited), 0);
	cr_assert_eq(inherited.parent, 0);
	cr_assert_eq(parse("12", "", false, &inherited), 0);
	cr_assert_eq(inherited.parent, 0);
	cr_assert_eq(parse(NULL, "3", false, &inherited), 0);
	cr_assert_eq(inherited.parent, 0);
	cr_assert_eq(inherited.count, 0);
}

Test(inherit, what_makes_no_sense_is_an_error)
{
	static const char *const lists[] = { "x", "3,", "3,-1", "3;4", "99999999999" };
	struct inherited inherited;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		cr_assert_eq(parse("12", lists[i], false, &inherited), -EINVAL, "%s", lists[i]);
	cr_assert_eq(parse("x", "3", false, &inherited), -EINVAL);
	cr_assert_eq(parse("0", "3", false, &inherited), -EINVAL);
}
