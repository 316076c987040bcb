/* SPDX-License-Identifier: MIT */
/*
 * test_err.c - a code and one sentence for a human.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/err.h"

Test(err, the_first_writer_wins)
{
	struct err err = ERR_NONE;
	cr_assert_not(err_is_set(&err));
	cr_assert_eq(err_set(&err, -EINVAL, "first %d", 1), -EINVAL);
	cr_assert_eq(err_set(&err, -EIO, "second"), -EIO, "the code goes on up all the same");
	cr_assert_eq(err_set_errno(&err, -EPERM, "third"), -EPERM);
	cr_assert_eq(err.code, -EINVAL);
	cr_assert_str_eq(err.text, "first 1");
}

Test(err, errno_is_told_in_words)
{
	struct err err = ERR_NONE;
	cr_assert_eq(err_set_errno(&err, -ENOENT, "cannot open %s", "/x"), -ENOENT);
	cr_assert_str_eq(err.text, "cannot open /x: No such file or directory");
}

Test(err, context_comes_in_front)
{
	struct err err = ERR_NONE;
	err_add(&err, "no effect yet");
	cr_assert_str_eq(err.text, "");
	(void)err_set(&err, 3, "bad value");
	err_add(&err, "line %d", 7);
	err_add(&err, "gunicorn.conf.py");
	cr_assert_str_eq(err.text, "gunicorn.conf.py: line 7: bad value");
	cr_assert_eq(err.code, 3);
}

Test(err, long_texts_are_cut_and_terminated)
{
	struct err err = ERR_NONE;
	char text[2000];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	(void)err_set_errno(&err, -EIO, "%s", text);
	cr_assert_eq(strlen(err.text), sizeof err.text - 1);
	err_add(&err, "%s", text);
	cr_assert_eq(strlen(err.text), sizeof err.text - 1);
	err_clear(&err);
	(void)err_set(&err, 1, "short");
	err_add(&err, "%s", text + sizeof text - 1 - 506);
	cr_assert_eq(strlen(err.text), sizeof err.text - 1, "the end of the sentence is what is lost");
}

Test(err, nobody_needs_to_listen)
{
	cr_assert_eq(err_set(NULL, -EIO, "x"), -EIO);
	cr_assert_eq(err_set_errno(NULL, -EIO, "x"), -EIO);
	err_add(NULL, "x");
	err_clear(NULL);
	cr_assert_not(err_is_set(NULL));
}

Test(err, keeps_errno_as_it_was)
{
	struct err err = ERR_NONE;
	errno = ENFILE;
	(void)err_set_errno(&err, -ENOENT, "x");
	cr_assert_eq(errno, ENFILE);
}

Test(err, can_be_used_again_once_cleared)
{
	struct err err = ERR_NONE;
	(void)err_set(&err, 1, "one");
	err_clear(&err);
	cr_assert_not(err_is_set(&err));
	(void)err_set(&err, 2, "two");
	cr_assert_str_eq(err.text, "two");
}
