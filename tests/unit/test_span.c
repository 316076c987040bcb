/* SPDX-License-Identifier: MIT */
/*
 * test_span.c - borrowed text.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/span.h"

Test(span, null_is_the_empty_span)
{
	cr_assert_eq(span_from_str(NULL).len, 0);
	cr_assert(span_equals(span_from_str(NULL), SPAN_LIT("")));
	cr_assert_eq(span_find(SPAN_NONE, 'a'), -1);
	char *copy = span_dup(SPAN_NONE);
	cr_assert_str_eq(copy, "");
	free(copy);
}

Test(span, compares_whole_texts)
{
	cr_assert(span_equals(SPAN_LIT("abc"), SPAN_LIT("abc")));
	cr_assert_not(span_equals(SPAN_LIT("abc"), SPAN_LIT("ab")));
	cr_assert_not(span_equals(SPAN_LIT("abc"), SPAN_LIT("abd")));
	cr_assert(span_equals_nocase(SPAN_LIT("Content-Length"), SPAN_LIT("cONTENT-lENGTH")));
	cr_assert_not(span_equals_nocase(SPAN_LIT("@"), SPAN_LIT("`")), "these differ by the case bit and are no letters");
	cr_assert_not(span_equals_nocase(SPAN_LIT("\xc4"), SPAN_LIT("\xe4")), "ASCII only");
}

Test(span, knows_how_it_starts_and_ends)
{
	cr_assert(span_starts_with(SPAN_LIT("unix:/x"), SPAN_LIT("unix:")));
	cr_assert_not(span_starts_with(SPAN_LIT("uni"), SPAN_LIT("unix:")));
	cr_assert(span_starts_with(SPAN_NONE, SPAN_NONE));
	cr_assert(span_ends_with(SPAN_LIT("conf.py"), SPAN_LIT(".py")));
	cr_assert_not(span_ends_with(SPAN_LIT("py"), SPAN_LIT(".py")));
	cr_assert(span_ends_with(SPAN_NONE, SPAN_NONE));
}

Test(span, finds_the_first_of_a_byte)
{
	cr_assert_eq(span_find(SPAN_LIT("a:b:c"), ':'), 1);
	cr_assert_eq(span_find(span_of("a:b", 1), ':'), -1, "never looks behind its end");
}

Test(span, splitting_keeps_empty_pieces)
{
	struct span rest = SPAN_LIT("a,,b,");
	struct span piece;
	const char *wanted[] = { "a", "", "b", "" };
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		cr_assert(span_split(&rest, ',', &piece));
		cr_assert(span_equals(piece, span_from_str(wanted[i])), "piece %zu", i);
	}
	cr_assert_not(span_split(&rest, ',', &piece));
	cr_assert_not(span_split(&rest, ',', &piece));
}

Test(span, splitting_the_empty_text_gives_one_empty_piece)
{
	struct span rest = SPAN_LIT("");
	struct span piece = SPAN_LIT("x");
	cr_assert(span_split(&rest, ',', &piece));
	cr_assert_eq(piece.len, 0);
	cr_assert_not(span_split(&rest, ',', &piece));
}

Test(span, trims_both_ends_only)
{
	cr_assert(span_equals(span_trim(SPAN_LIT(" \ta b\t "), " \t"), SPAN_LIT("a b")));
	cr_assert_eq(span_trim(SPAN_LIT("    "), " ").len, 0);
	cr_assert_eq(span_trim(SPAN_NONE, " ").len, 0);
}

Test(span, numbers_are_digits_and_nothing_else)
{
	uint64_t value = 99;
	cr_assert(span_to_u64(SPAN_LIT("0"), &value));
	cr_assert_eq(value, 0);
	cr_assert(span_to_u64(SPAN_LIT("00018446744073709551615"), &value));
	cr_assert_eq(value, UINT64_MAX);
	value = 7;
	const char *bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "1.0", "1_0", "18446744073709551616", "99999999999999999999" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_not(span_to_u64(span_from_str(bad[i]), &value), "'%s' was taken", bad[i]);
	cr_assert_not(span_to_u64(span_of("1\0", 2), &value));
	cr_assert_eq(value, 7, "left alone when refused");
}

Test(span, dup_copies_its_length_and_terminates)
{
	char *copy = span_dup(span_of("abcdef", 3));
	cr_assert_str_eq(copy, "abc");
	free(copy);
}
