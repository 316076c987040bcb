/* SPDX-License-Identifier: MIT */
/*
 * test_activation.c - LISTEN_PID and LISTEN_FDS.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/activation.h"

static int parse(const char *pid, const char *fds, size_t *ret_count)
{
	struct err err = ERR_NONE;
	int error = activation_parse(pid, fds, 77, ret_count, &err);

	cr_assert_eq(error != 0, err_is_set(&err));
	return error;
}

Test(activation, counts_the_sockets_that_are_meant_for_us)
{
	size_t count;

	cr_assert_eq(parse("77", "2", &count), 0);
	cr_assert_eq(count, 2);
	cr_assert_eq(parse("77", "0", &count), 0);
	cr_assert_eq(count, 0);
}

Test(activation, sockets_of_another_process_are_left_alone)
{
	static const char *const others[] = { "78", "770", "", "x", "-77", NULL };
	size_t count;

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		count = 9;
		cr_assert_eq(parse(others[i], "2", &count), 0);
		cr_assert_eq(count, 0);
	}
	cr_assert_eq(parse("77", NULL, &count), 0);
	cr_assert_eq(count, 0);
}

Test(activation, a_number_of_sockets_that_makes_no_sense_is_an_error)
{
	size_t count;

	cr_assert_eq(parse("77", "two", &count), -EINVAL);
	cr_assert_eq(parse("77", "-1", &count), -EINVAL);
	cr_assert_eq(parse("77", "61", &count), -EINVAL);
	cr_assert_eq(count, 0);
	cr_assert_eq(parse("77", "60", &count), 0);
	cr_assert_eq(count, 60);
}

Test(activation, keeps_the_environment_that_is_meant_for_another)
{
	struct err err = ERR_NONE;
	struct strlist binds;

	strlist_init(&binds);
	cr_assert_eq(setenv("LISTEN_PID", "1", 1), 0);
	cr_assert_eq(setenv("LISTEN_FDS", "1", 1), 0);
	cr_assert_eq(activation_take(&binds, &err), 0);
	cr_assert_eq(binds.count, 0);
	cr_assert_str_eq(getenv("LISTEN_FDS"), "1");
}
