/* SPDX-License-Identifier: MIT */
/*
 * test_title.c - the process title, on an argv and environment that stand in memory as the kernel puts them.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <sys/prctl.h>

#include "base/title.h"

extern char **environ;

/* As the kernel does: argv's strings, and right behind them those of the environment. */
static char area[] = "/usr/bin/gunwale\0-w\0002\0app:app\0HOME=/root\0PATH=/bin";
static char *argv[] = { area, area + 17, area + 20, area + 22, NULL };
static char *env[] = { area + 30, area + 41, NULL };

static void start(void)
{
	environ = env;
	title_init(4, argv);
}

Test(title, has_no_effect_before_init)
{
	title_set(NULL, "x");
	cr_assert_str_eq(area, "/usr/bin/gunwale");
}

Test(title, argv_and_environment_stay_readable)
{
	start();
	title_set(NULL, "gunwale: master [%s] and much more that covers all of the area", "app:app");
	cr_assert_str_eq(argv[0], "/usr/bin/gunwale");
	cr_assert_str_eq(argv[1], "-w");
	cr_assert_str_eq(argv[2], "2");
	cr_assert_str_eq(argv[3], "app:app");
	cr_assert_null(argv[4]);
	cr_assert_str_eq(getenv("HOME"), "/root");
	cr_assert_str_eq(getenv("PATH"), "/bin");
	cr_assert_str_eq(program_invocation_name, "/usr/bin/gunwale");
	cr_assert_str_eq(program_invocation_short_name, "gunwale");
}

Test(title, the_environment_can_still_be_changed)
{
	start();
	title_set(NULL, "x");
	cr_assert_eq(setenv("HOME", "/home/somebody/with/a/longer/name", 1), 0);
	cr_assert_eq(setenv("NEW", "1", 1), 0);
	cr_assert_eq(unsetenv("PATH"), 0);
	title_set(NULL, "y");
	cr_assert_str_eq(getenv("HOME"), "/home/somebody/with/a/longer/name");
	cr_assert_str_eq(getenv("NEW"), "1");
	cr_assert_null(getenv("PATH"));
}

Test(title, is_written_where_argv_was)
{
	start();
	title_set(NULL, "gunwale: worker %d", 7);
	cr_assert_str_eq(area, "gunwale: worker 7");
	title_set(NULL, "short");
	for (size_t i = 5; i < sizeof area; i++)
		cr_assert_eq(area[i], '\0', "nothing is left of a longer one");
}

Test(title, is_cut_to_the_room_there_is)
{
	start();
	title_set(NULL, "%0500d", 0);
	cr_assert_eq(strlen(area), sizeof area - 1);
}

Test(title, control_bytes_are_replaced)
{
	start();
	title_set(NULL, "a\nb\x1b");
	cr_assert_str_eq(area, "a?b?");
}

Test(title, does_not_write_over_strings_that_stand_elsewhere)
{
	static char elsewhere[] = "OTHER=kept";
	char *mixed[] = { area + 30, elsewhere, area + 41, NULL };
	environ = mixed;
	title_init(4, argv);
	title_set(NULL, "%0500d", 0);
	cr_assert_str_eq(elsewhere, "OTHER=kept");
	cr_assert_str_eq(getenv("OTHER"), "kept");
	cr_assert_str_eq(getenv("PATH"), "/bin");
}

Test(title, sets_the_name_of_the_process)
{
	char name[16];
	start();
	title_set("gunwale", "x");
	cr_assert_eq(prctl(PR_GET_NAME, name), 0);
	cr_assert_str_eq(name, "gunwale");
}

Test(title, a_call_without_arguments_is_survived)
{
	char *none[] = { NULL };
	title_init(0, none);
	title_set(NULL, "x");
}
