/* SPDX-License-Identifier: MIT */
/*
 * fuzz_proxyproto.c - PROXY headers.
 *
 * Input: a connection's first bytes. However many of them have come, nothing that is decided is ever decided otherwise
 * later; what is complete is complete in its first header_bytes; and a mode of one version never accepts the other.
 */
#include "base/base.h"

#include "fuzz.h"
#include "http/proxyproto.h"

/* In memory of exactly that size. */
static enum proxyproto_result parse(enum proxyproto_mode mode, const uint8_t *data, size_t len, struct proxyproto *header)
{
	char *copy = xmalloc(len + (len == 0));
	enum proxyproto_result result;

	if (len > 0)
		memcpy(copy, data, len);
	result = proxyproto_parse(mode, copy, len, header);
	free(copy);
	return result;
}

static void check_mode(enum proxyproto_mode mode, const uint8_t *data, size_t size)
{
	struct proxyproto whole, part;
	const enum proxyproto_result result = parse(mode, data, size, &whole);

	CHECK(size < PROXYPROTO_MAX || result != PROXYPROTO_MORE);
	CHECK((result == PROXYPROTO_BAD) == (whole.fault != NULL));
	for (size_t len = 0; len < MIN(size, (size_t)400); len++) {
		const enum proxyproto_result early = parse(mode, data, len, &part);

		if (early == PROXYPROTO_MORE)
			continue;
		CHECK(early == result);
		CHECK(early != PROXYPROTO_DONE || part.header_bytes == whole.header_bytes);
		CHECK(early != PROXYPROTO_DONE || len >= whole.header_bytes);
	}
	if (result != PROXYPROTO_DONE)
		return;
	CHECK(whole.header_bytes <= size && whole.header_bytes <= PROXYPROTO_MAX);
	CHECK(parse(mode, data, whole.header_bytes, &part) == PROXYPROTO_DONE);
	CHECK(memcmp(&part, &whole, sizeof(part)) == 0);
	CHECK(parse(mode, data, whole.header_bytes - 1, &part) == PROXYPROTO_MORE);
	CHECK(mode != PROXYPROTO_V1 || whole.version == 1);
	CHECK(mode != PROXYPROTO_V2 || whole.version == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_setup();
	check_mode(PROXYPROTO_AUTO, data, size);
	check_mode(PROXYPROTO_V1, data, size);
	check_mode(PROXYPROTO_V2, data, size);
	return 0;
}
