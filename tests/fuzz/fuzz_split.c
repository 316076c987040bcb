/* SPDX-License-Identifier: MIT */
/*
 * fuzz_split.c - whole connections: heads, bodies, pipelining, in one piece and in many.
 *
 * Input: the bytes of a connection, as in tests/corpus/requests. However they are split, under the strictest and under the
 * most permissive policy, the record must be the same.
 */
#include "base/base.h"
#include "fuzz.h"

#include "../unit/http_play.h"
#include "http/http.h"

static void play_steps(const struct http_policy *policy, const char *data, size_t len, unsigned seed, struct buf *record)
{
	struct play play;

	play_init(&play, policy);
	for (size_t at = 0; at < len;) {
		/* seed 0: in one piece; 1: byte by byte; else pieces of changing size. */
		size_t step = seed == 0 ? len : seed == 1 ? 1 : 1 + (seed >> 16) % 37;
		if (seed > 1)
			seed = (seed * 1103515245u + 12345u) | 2;
		step = MIN(step, len - at);
		play_feed(&play, data + at, step);
		at += step;
	}
	play_finish(&play);
	buf_add_span(record, buf_span(&play.text));
	play_release(&play);
}

static void compare(const struct http_policy *policy, const char *data, size_t len, unsigned seed, const struct buf *whole)
{
	struct buf record = BUF_NONE;

	play_steps(policy, data, len, seed, &record);
	if (!span_equals(buf_span(&record), buf_span(whole)))
		BUG("in one piece:\n%.*s\nin pieces:\n%.*s", SPAN_ARG(buf_span(whole)), SPAN_ARG(buf_span(&record)));
	buf_release(&record);
}

static void check_policy(const struct http_policy *policy, const char *data, size_t len)
{
	struct buf whole = BUF_NONE;

	play_steps(policy, data, len, 0, &whole);
	for (unsigned round = 1; round <= 4; round++)
		compare(policy, data, len, ((unsigned)len + round) * 2654435761u | 2, &whole);
	if (len < 700)
		compare(policy, data, len, 1, &whole);
	buf_release(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_policy policy;

	fuzz_setup();
	http_policy_init(&policy, 200, 8, 120);
	check_policy(&policy, (const char *)data, size);
	http_policy_init(&policy, 0, 0, 0);
	policy.permit_obsolete_folding = true;
	policy.strip_header_spaces = true;
	policy.permit_unconventional_method = true;
	policy.permit_unconventional_version = true;
	policy.casefold_method = true;
	policy.permit_missing_host = true;
	check_policy(&policy, (const char *)data, size);
	return 0;
}
