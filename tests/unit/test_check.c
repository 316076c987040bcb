/* SPDX-License-Identifier: MIT */
/*
 * test_check.c - the end of a process that found its own bug, and allocation that dies loudly.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>

#include "base/check.h"
#include "base/fd.h"

static void silence_stderr(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)dup2(fd, STDERR_FILENO);
	fd_close(&fd);
}

static void handle_abort(int number)
{
	(void)number;
	_exit(0);
}

static char words[600];

static void note_words(const char *text)
{
	(void)snprintf(words, sizeof words, "%s", text);
}

/* Ends as SIGSEGV, which this test waits for, only when the words were right. */
static void compare_words(const char *text)
{
	note_words(text);
	if (strstr(words, "CHECK(1 + 1 == 3) failed (") == words && strstr(words, "test_check.c:") != NULL) {
		(void)signal(SIGSEGV, SIG_DFL);
		(void)raise(SIGSEGV);
	}
}

static void fail_again(const char *text)
{
	(void)text;
	BUG("again");
}

Test(check, passes_what_is_true)
{
	CHECK(1 + 1 == 2);
}

Test(check, aborts_when_it_is_not, .signal = SIGABRT)
{
	silence_stderr();
	CHECK(1 + 1 == 3);
}

Test(check, aborts_past_a_handler_of_sigabrt, .signal = SIGABRT)
{
	silence_stderr();
	(void)signal(SIGABRT, handle_abort);
	BUG("in %d places", 2);
}

Test(check, last_words_name_the_condition_and_the_place, .signal = SIGSEGV)
{
	silence_stderr();
	check_set_last_words(compare_words);
	CHECK(1 + 1 == 3);
}

Test(check, last_words_that_fail_do_not_come_back, .signal = SIGABRT)
{
	silence_stderr();
	check_set_last_words(fail_again);
	BUG("first");
}

Test(alloc, never_gives_null)
{
	void *memory[] = { xmalloc(0), xcalloc(0, 8), xcalloc(8, 0), xrealloc(NULL, 0), xstrdup(""), xstrndup("abc", 0) };
	for (size_t i = 0; i < ARRAY_LEN(memory); i++) {
		cr_assert_not_null(memory[i]);
		free(memory[i]);
	}
}

Test(alloc, copies_and_formats)
{
	char *text = xstrndup("abcdef", 3);
	cr_assert_str_eq(text, "abc");
	free(text);
	text = xasprintf("%s-%d", "a", 5);
	cr_assert_str_eq(text, "a-5");
	free(text);
	const unsigned char *zeros = xcalloc(10, 10);
	for (size_t i = 0; i < 100; i++)
		cr_assert_eq(zeros[i], 0);
	free((void *)(uintptr_t)zeros);
}
