/* SPDX-License-Identifier: MIT */
/*
 * test_http_uri.c - percent-encoding. Targets and authorities are in the corpus.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "http/http.h"

static void expect_unquoted(struct span from, struct span want)
{
	char *to = xmalloc(from.len + 1);
	size_t len = http_unquote(from, to);

	cr_expect(span_equals(span_of(to, len), want), "%.*s became %.*s", SPAN_ARG(from), (int)len, to);
	free(to);
}

Test(http_uri, unquotes_like_urllib)
{
	expect_unquoted(SPAN_LIT(""), SPAN_LIT(""));
	expect_unquoted(SPAN_LIT("/plain"), SPAN_LIT("/plain"));
	expect_unquoted(SPAN_LIT("/%41%7a%7A"), SPAN_LIT("/Azz"));
	expect_unquoted(SPAN_LIT("%e2%82%AC"), SPAN_LIT("\xe2\x82\xac"));
	expect_unquoted(SPAN_LIT("a%00b"), SPAN_LIT("a\0b"));
	expect_unquoted(SPAN_LIT("a+b"), SPAN_LIT("a+b"));
}

Test(http_uri, keeps_broken_escapes)
{
	expect_unquoted(SPAN_LIT("%"), SPAN_LIT("%"));
	expect_unquoted(SPAN_LIT("%4"), SPAN_LIT("%4"));
	expect_unquoted(SPAN_LIT("%zz%G1%4x"), SPAN_LIT("%zz%G1%4x"));
	expect_unquoted(SPAN_LIT("%%41%"), SPAN_LIT("%A%"));
}

Test(http_uri, decodes_once)
{
	expect_unquoted(SPAN_LIT("%2541"), SPAN_LIT("%41"));
}

Test(http_uri, may_decode_in_place)
{
	char text[] = "/%61/%62/end";
	size_t len = http_unquote(span_of(text, sizeof(text) - 1), text);

	cr_assert(span_equals(span_of(text, len), SPAN_LIT("/a/b/end")));
}
