/* SPDX-License-Identifier: MIT */
/* test_delegate.c - what the real gunicorn gets of our command line. */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/strlist.h"
#include "master/delegate.h"

static void expect_filtered(const char *given, const char *wanted)
{
	struct strlist args = { NULL, 0 }, kept = { NULL, 0 };
	struct span rest = span_from_str(given), word;
	struct buf text = BUF_NONE;

	while (span_split(&rest, ' ', &word))
		strlist_add_span(&args, word);
	delegate_filter(&args, &kept);
	for (size_t i = 0; i < kept.count; i++)
		buf_addf(&text, "%s%s", i > 0 ? " " : "", kept.items[i]);
	cr_assert_str_eq(buf_text(&text), wanted);
	buf_release(&text);
	strlist_release(&args);
	strlist_release(&kept);
}

Test(delegate, options_that_only_we_have_are_left_out)
{
	expect_filtered("-w 3 app:app", "-w 3 app:app");
	expect_filtered("--status-file x app:app", "app:app");
	expect_filtered("--status-file=x app:app", "app:app");
	expect_filtered("--delegate-unknown-workers app:app", "app:app");
	expect_filtered("app:app --python /p -w 2", "app:app -w 2");
	expect_filtered("--pythonpath a --python=b", "--pythonpath a");
	expect_filtered("-- --python", "-- --python");
	expect_filtered("--status-file", "");
}

Test(delegate, both_environment_texts_become_one_that_splits_again)
{
	static const struct {
		const char *gunicorn, *gunwale, *wanted;
	} rows[] = {
		{ NULL, NULL, "" },
		{ "-w 3", NULL, "'-w' '3'" },
		{ "-n \"it's\"", "--python x -w 4", "'-n' 'it'\\''s' '-w' '4'" },
		{ "--status-interval 4", "-n ''", "'-n' ''" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = delegate_environment(rows[i].gunicorn, rows[i].gunwale);

		cr_assert_str_eq(text, rows[i].wanted);
		free(text);
	}
}
