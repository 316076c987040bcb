/* SPDX-License-Identifier: MIT */
/*
 * test_strlist.c - an owned list of strings.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/strlist.h"

Test(strlist, a_zeroed_struct_is_an_empty_list)
{
	struct strlist list = { 0 };
	strlist_release(&list);
	strlist_release(NULL);
	cr_assert_eq(list.count, 0);
}

Test(strlist, ends_with_null_at_every_length)
{
	struct strlist list;
	strlist_init(&list);
	for (size_t i = 0; i < 100; i++) {
		strlist_add_take(&list, xasprintf("%zu", i));
		cr_assert_eq(list.count, i + 1);
		cr_assert_null(list.items[i + 1]);
	}
	cr_assert_str_eq(list.items[0], "0");
	cr_assert_str_eq(list.items[99], "99");
	strlist_release(&list);
	cr_assert_null(list.items);
}

Test(strlist, copies_what_it_is_given)
{
	struct strlist list = { 0 };
	char text[] = "abc";
	strlist_add(&list, text);
	strlist_add_span(&list, span_of(text, 2));
	text[0] = 'X';
	cr_assert_str_eq(list.items[0], "abc");
	cr_assert_str_eq(list.items[1], "ab");
	strlist_release(&list);
}

Test(strlist, a_copy_replaces_and_stands_alone)
{
	struct strlist from = { 0 }, to = { 0 };
	strlist_add(&from, "a");
	strlist_add(&from, "b");
	strlist_add(&to, "old");
	strlist_copy(&to, &from);
	cr_assert(strlist_equals(&from, &to));
	strlist_copy(&to, &to);
	cr_assert(strlist_equals(&from, &to));
	strlist_release(&from);
	cr_assert_str_eq(to.items[1], "b");
	strlist_copy(&to, &from);
	cr_assert_eq(to.count, 0);
}

Test(strlist, equal_lists_have_equal_texts_in_equal_order)
{
	struct strlist a = { 0 }, b = { 0 };
	cr_assert(strlist_equals(&a, &b));
	strlist_add(&a, "x");
	cr_assert_not(strlist_equals(&a, &b));
	strlist_add(&b, "y");
	cr_assert_not(strlist_equals(&a, &b));
	strlist_add(&a, "y");
	strlist_add(&b, "x");
	cr_assert_not(strlist_equals(&a, &b));
	strlist_release(&a);
	strlist_release(&b);
}
