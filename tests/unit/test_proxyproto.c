/* SPDX-License-Identifier: MIT */
/*
 * test_proxyproto.c - PROXY headers: what is accepted, what is refused and why, in any number of pieces.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "base/span.h"
#include "http/proxyproto.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_ENDS "\x0a\x01\x02\x03" "\xc0\x00\x02\x07" "\x30\x39" "\x01\xbb"
#define V6_ENDS "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" "\xff\xff" "\x00\x50"

static struct proxyproto header;

/* All lengths up to the header's are MORE. */
static void expect_done(enum proxyproto_mode mode, struct span bytes, enum proxyproto_family family)
{
	char longer[PROXYPROTO_MAX + 16];

	memcpy(longer, bytes.at, bytes.len);
	memcpy(longer + bytes.len, "GET / ", 6);
	for (size_t len = 0; len < bytes.len; len++)
		cr_expect_eq(proxyproto_parse(mode, bytes.at, len, &header), PROXYPROTO_MORE, "%zu of %.*s", len,
		             SPAN_ARG(bytes));
	cr_assert_eq(proxyproto_parse(mode, longer, bytes.len + 6, &header), PROXYPROTO_DONE, "%.*s: %s", SPAN_ARG(bytes),
	             header.fault);
	cr_expect_eq(header.header_bytes, bytes.len);
	cr_expect_eq(header.family, family);
}

static void expect_bad(struct span bytes, const char *fault)
{
	cr_assert_eq(proxyproto_parse(PROXYPROTO_AUTO, bytes.at, bytes.len, &header), PROXYPROTO_BAD, "%.*s", SPAN_ARG(bytes));
	cr_expect_str_eq(header.fault, fault);
}

Test(proxyproto, version_1)
{
	expect_done(PROXYPROTO_V1, SPAN_LIT("PROXY TCP4 10.1.2.3 192.0.2.7 12345 443\r\n"), PROXYPROTO_TCP4);
	cr_expect_str_eq(header.source.text, "10.1.2.3");
	cr_expect_str_eq(header.destination.text, "192.0.2.7");
	cr_expect_eq(header.source.port, 12345);
	cr_expect_eq(header.destination.port, 443);
	cr_expect_eq(header.version, 1);
	expect_done(PROXYPROTO_AUTO, SPAN_LIT("PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 0 65535\r\n"), PROXYPROTO_TCP6);
	cr_expect_str_eq(header.destination.text, "::ffff:1.2.3.4");
	cr_expect_eq(header.destination.port, 65535);
	expect_done(PROXYPROTO_AUTO, SPAN_LIT("PROXY UNKNOWN\r\n"), PROXYPROTO_UNKNOWN);
	expect_done(PROXYPROTO_AUTO, SPAN_LIT("PROXY UNKNOWN ffff::1 \x01 whatever 7\r\n"), PROXYPROTO_UNKNOWN);
}

Test(proxyproto, version_1_that_is_wrong)
{
	char longest[120];

	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3 192.0.2.7 12345\r\n"), "invalid port");
	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3 192.0.2.7 12345 65536\r\n"), "invalid port");
	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3 192.0.2.7 012 80\r\n"), "invalid port");
	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3 192.0.2.7 +1 80\r\n"), "invalid port");
	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3 192.0.2.7 1 80 \r\n"), "too many fields");
	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3  192.0.2.7 1 80\r\n"), "invalid address");
	expect_bad(SPAN_LIT("PROXY TCP4 ::1 192.0.2.7 1 80\r\n"), "invalid address");
	expect_bad(SPAN_LIT("PROXY TCP6 gggg::1 ::1 1 80\r\n"), "invalid address");
	expect_bad(SPAN_LIT("PROXY TCP6 0000:0000:0000:0000:0000:0000:0000:0000:0000:0 ::1 1 80\r\n"), "invalid address");
	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3\r\n"), "invalid address");
	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3 192.0.2.7\r\n"), "invalid port");
	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3 192.0.2.7  80\r\n"), "invalid port");
	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3 192.0.2.7 100000 80\r\n"), "invalid port");
	expect_bad(SPAN_LIT("PROXY UDP4 10.1.2.3 192.0.2.7 1 80\r\n"), "protocol not supported");
	expect_bad(SPAN_LIT("PROXY tcp4 10.1.2.3 192.0.2.7 1 80\r\n"), "protocol not supported");
	expect_bad(SPAN_LIT("PROXY TCP4 10.1.2.3 192.0.2.7 1 80\n"), "line does not end in CR LF");
	expect_bad(SPAN_LIT("PROXY \n"), "line does not end in CR LF");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "PROXY UNKNOWN ", 14);
	cr_expect_eq(proxyproto_parse(PROXYPROTO_V1, longest, 106, &header), PROXYPROTO_MORE);
	expect_bad(span_of(longest, 107), "line too long");
	memcpy(longest + 105, "\r\n", 2);
	expect_done(PROXYPROTO_V1, span_of(longest, 107), PROXYPROTO_UNKNOWN);
}

Test(proxyproto, version_2)
{
	expect_done(PROXYPROTO_V2, SPAN_LIT(SIGNATURE "\x21\x11\x00\x0c" V4_ENDS), PROXYPROTO_TCP4);
	cr_expect_arr_eq(header.source.address, "\x0a\x01\x02\x03", 4);
	cr_expect_arr_eq(header.destination.address, "\xc0\x00\x02\x07", 4);
	cr_expect_eq(header.source.port, 12345);
	cr_expect_eq(header.destination.port, 443);
	cr_expect_eq(header.version, 2);
	expect_done(PROXYPROTO_AUTO, SPAN_LIT(SIGNATURE "\x21\x21\x00\x24" V6_ENDS), PROXYPROTO_TCP6);
	cr_expect_eq(header.source.address[15], 1);
	cr_expect_eq(header.destination.address[15], 2);
	cr_expect_eq(header.source.port, 65535);
	/* TLVs behind the addresses */
	expect_done(PROXYPROTO_AUTO, SPAN_LIT(SIGNATURE "\x21\x11\x00\x12" V4_ENDS "\x04\x00\x03" "abc"), PROXYPROTO_TCP4);
	expect_done(PROXYPROTO_AUTO, SPAN_LIT(SIGNATURE "\x20\x00\x00\x00"), PROXYPROTO_LOCAL);
	expect_done(PROXYPROTO_AUTO, SPAN_LIT(SIGNATURE "\x20\x11\x00\x0c" V4_ENDS), PROXYPROTO_LOCAL);
	expect_done(PROXYPROTO_AUTO, SPAN_LIT(SIGNATURE "\x21\x00\x00\x03" "abc"), PROXYPROTO_UNKNOWN);
}

Test(proxyproto, version_2_that_is_wrong)
{
	expect_bad(SPAN_LIT(SIGNATURE "\x11"), "unsupported version");
	expect_bad(SPAN_LIT(SIGNATURE "\x22\x11\x00\x0c" V4_ENDS), "unsupported command");
	expect_bad(SPAN_LIT(SIGNATURE "\x21\x12\x00\x0c" V4_ENDS), "only TCP is supported");
	expect_bad(SPAN_LIT(SIGNATURE "\x21\x31\x00\x0c" V4_ENDS), "unsupported address family");
	expect_bad(SPAN_LIT(SIGNATURE "\x21\x11\x00\x0b" V4_ENDS), "addresses too short");
	expect_bad(SPAN_LIT(SIGNATURE "\x21\x21\x00\x23" V6_ENDS), "addresses too short");
	expect_bad(SPAN_LIT(SIGNATURE "\x21\x11\xff\xff"), "header too long");
}

Test(proxyproto, the_mode_decides_what_is_a_header)
{
	static const struct {
		enum proxyproto_mode mode;
		struct span bytes;
	} rows[] = {
		{ PROXYPROTO_AUTO, SPAN_LIT("GET / HTTP/1.1\r\n") },   { PROXYPROTO_AUTO, SPAN_LIT("PRO ") },
		{ PROXYPROTO_AUTO, SPAN_LIT("\r\n\r\n\1") },           { PROXYPROTO_AUTO, SPAN_LIT("proxy TCP4 ") },
		{ PROXYPROTO_V2, SPAN_LIT("PROXY UNKNOWN\r\n") },      { PROXYPROTO_V1, SPAN_LIT(SIGNATURE "\x20\x00\x00\x00") },
		{ PROXYPROTO_V1, SPAN_LIT("\r") },                     { PROXYPROTO_V2, SPAN_LIT("P") },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(proxyproto_parse(rows[i].mode, rows[i].bytes.at, rows[i].bytes.len, &header), PROXYPROTO_ABSENT,
		             "row %zu", i);
}
