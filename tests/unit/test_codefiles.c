/* SPDX-License-Identifier: MIT */
/*
 * test_codefiles.c - the table of watched files, and what counts as a change.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <sys/stat.h>

#include "master/codefiles.h"

Test(codefiles, finds_what_was_added_whatever_the_order)
{
	static const char *const paths[] = { "/m", "/a", "/z", "/m/n", "/b", "/a" };
	struct code_files files = { 0 };
	bool is_new;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		(void)code_files_add(&files, paths[i], &is_new);
		cr_assert_eq(is_new, i < 5, "%s", paths[i]);
	}
	cr_assert_eq(files.count, 5);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		cr_assert_str_eq(code_files_find(&files, paths[i])->path, paths[i]);
	cr_assert_null(code_files_find(&files, "/c"));
	cr_assert_null(code_files_find(&files, "/zz"));
	code_files_release(&files);
	cr_assert_null(code_files_find(&files, "/a"));
}

Test(codefiles, holds_a_thousand)
{
	struct code_files files = { 0 };
	bool is_new;
	char path[32];

	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(path, sizeof(path), "/%u", i * 7919 % 1000);
		code_files_add(&files, path, &is_new)->generation = i;
		cr_assert(is_new);
	}
	for (size_t i = 1; i < files.count; i++)
		cr_assert_lt(strcmp(files.items[i - 1].path, files.items[i].path), 0);
	code_files_drop_older(&files, 900);
	cr_assert_eq(files.count, 100);
	for (size_t i = 0; i < files.count; i++)
		cr_assert_eq(code_files_find(&files, files.items[i].path), &files.items[i]);
	code_files_release(&files);
}

Test(codefiles, any_other_look_is_a_change_but_a_missing_file)
{
	const struct code_stamp was = { 1, 2, 3, 4 };
	const struct code_stamp others[] = { { 9, 2, 3, 4 }, { 1, 9, 3, 4 }, { 1, 2, 9, 4 }, { 1, 2, 3, 9 } };
	const struct code_stamp missing = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		cr_assert(code_stamp_is_change(&was, &others[i]));
	cr_assert_not(code_stamp_is_change(&was, &was));
	cr_assert_not(code_stamp_is_change(&was, &missing));
	cr_assert(code_stamp_is_change(&missing, &was));
	cr_assert_not(code_stamp_is_change(&missing, &missing));
}

Test(codefiles, younger_than_the_moment_it_was_read_but_not_of_the_future)
{
	const struct code_stamp stamp = { 1, 2, 3, (int64_t)5000 * 1000000 };

	cr_assert(code_stamp_is_younger(&stamp, 4999, 6000));
	cr_assert_not(code_stamp_is_younger(&stamp, 5000, 6000));
	cr_assert_not(code_stamp_is_younger(&stamp, 4000, 4500));
	cr_assert_not(code_stamp_is_younger(&stamp, 0, 6000));
}

Test(codefiles, names_that_an_import_could_look_for)
{
	cr_assert(code_is_importable("app.py"));
	cr_assert(code_is_importable("package"));
	cr_assert_not(code_is_importable(".app.py"));
	cr_assert_not(code_is_importable("__pycache__"));
	cr_assert_not(code_is_importable("app.py.swp"));
	cr_assert_not(code_is_importable("db.sqlite3"));
}

Test(codefiles, a_folder_looks_different_with_another_module_only)
{
	char folder[] = "/tmp/gunwale-codefiles-XXXXXX";
	char path[64];
	uint64_t before;

	cr_assert_not_null(mkdtemp(folder));
	before = code_listing_of(folder);
	cr_assert_neq(before, 0);
	(void)snprintf(path, sizeof(path), "%s/data.txt", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(code_listing_of(folder), before);
	cr_assert_eq(rmdir(path), 0);
	(void)snprintf(path, sizeof(path), "%s/module.py", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_neq(code_listing_of(folder), before);
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(code_listing_of(folder), before);
	cr_assert_eq(rmdir(folder), 0);
	cr_assert_eq(code_listing_of(folder), 0);
	cr_assert_eq(code_stamp_of(folder).inode, 0);
}
