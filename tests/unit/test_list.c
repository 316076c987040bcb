/* SPDX-License-Identifier: MIT */
/*
 * test_list.c - the intrusive list.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/list.h"

struct member {
	int number;
	struct list in_list;
};

Test(list, keeps_the_order_of_adding)
{
	struct list head;
	struct member members[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
	list_init(&head);
	cr_assert(list_is_empty(&head));
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		list_add_tail(&head, &members[i].in_list);
	int wanted = 1;
	LIST_EACH(&head, it)
		cr_assert_eq(LIST_ENTRY(it, struct member, in_list)->number, wanted++);
	cr_assert_eq(wanted, 4);
}

Test(list, a_member_may_be_removed_while_walking)
{
	struct list head;
	struct member members[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
	list_init(&head);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		list_add_tail(&head, &members[i].in_list);
	int sum = 0;
	LIST_EACH(&head, it) {
		sum += LIST_ENTRY(it, struct member, in_list)->number;
		list_remove(it);
	}
	cr_assert_eq(sum, 6);
	cr_assert(list_is_empty(&head));
	list_remove(&members[1].in_list);
	cr_assert(list_is_empty(&members[1].in_list), "removing twice is harmless");
}
