/* SPDX-License-Identifier: MIT */
/*
 * test_http_corpus.c - every request of tests/corpus/requests, in one piece, byte by byte and at each split in two.
 *
 * NAME.http has the raw bytes, NAME.want.json what must come of them; tests/corpus/README.md explains both.
 */
#include "base/base.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>

#include "base/buf.h"
#include "http_play.h"

#define LONG_CASE (2048)
#define FEWEST_CASES (680) /* a lost folder shall not pass */

static void read_file(const char *path, struct buf *into)
{
	FILE *file = fopen(path, "re");
	char part[4096];
	size_t got;

	cr_assert_not_null(file, "cannot open %s", path);
	while ((got = fread(part, 1, sizeof(part), file)) > 0)
		buf_add(into, part, got);
	fclose(file);
}

/* JSON text has one code point for each byte (latin-1). */
static void decode(const json_t *value, struct buf *into)
{
	const char *at = json_string_value(value);

	for (const char *end = at != NULL ? at + json_string_length(value) : at; at < end; at++) {
		if (((unsigned char)*at & 0xe0) == 0xc0) {
			buf_add_byte(into, (char)(unsigned char)(((unsigned char)at[0] & 0x1f) << 6 |
			                                         ((unsigned char)at[1] & 0x3f)));
			at++;
		} else {
			buf_add_byte(into, *at);
		}
	}
}

/* ---- from JSON to the words of the record ---- */

static void write_wanted_request(const json_t *want, struct buf *text)
{
	static const char *const names[] = { "method", "target", "path", "query", "host", "body" };
	struct buf values[ARRAY_LEN(names)] = { BUF_NONE };
	struct buf fields = BUF_NONE;
	size_t i;
	const json_t *field;
	const json_t *host = json_object_get(want, "host");

	json_array_foreach (json_object_get(want, "fields"), i, field) {
		struct buf name = BUF_NONE;
		struct buf value = BUF_NONE;
		decode(json_array_get(field, 0), &name);
		decode(json_array_get(field, 1), &value);
		play_write_field(buf_span(&name), buf_span(&value), &fields);
		if (host == NULL && span_equals_nocase(buf_span(&name), SPAN_LIT("host")))
			host = json_array_get(field, 1);
		buf_release(&name);
		buf_release(&value);
	}
	for (i = 0; i < ARRAY_LEN(names); i++)
		decode(strcmp(names[i], "host") == 0 ? host : json_object_get(want, names[i]), &values[i]);
	const json_t *version = json_object_get(want, "version");
	struct play_facts facts = {
		.method = buf_span(&values[0]),
		.target = buf_span(&values[1]),
		.path = buf_span(&values[2]),
		.query = buf_span(&values[3]),
		.host = buf_span(&values[4]),
		.body = buf_span(&values[5]),
		.version_major = (int)json_integer_value(json_array_get(version, 0)),
		.version_minor = (int)json_integer_value(json_array_get(version, 1)),
		.keep_alive = json_is_true(json_object_get(want, "keep_alive")),
		.expect_continue = json_is_true(json_object_get(want, "expect_continue")),
		.wants_upgrade = json_is_true(json_object_get(want, "wants_upgrade")),
	};
	play_write_done(&facts, text);
	buf_add_span(text, buf_span(&fields));
	buf_release(&fields);
	for (i = 0; i < ARRAY_LEN(names); i++)
		buf_release(&values[i]);
}

/* {"family": "TCP4", "source": ["10.1.2.3", 12345], "destination": [...]} */
static void write_wanted_proxy(const json_t *want, struct buf *text)
{
	const json_t *source = json_object_get(want, "source"), *destination = json_object_get(want, "destination");
	const struct play_proxy_facts facts = {
		.family = json_string_value(json_object_get(want, "family")),
		.source = json_string_value(json_array_get(source, 0)),
		.source_port = (unsigned)json_integer_value(json_array_get(source, 1)),
		.destination = json_string_value(json_array_get(destination, 0)),
		.destination_port = (unsigned)json_integer_value(json_array_get(destination, 1)),
	};

	cr_assert_not_null(facts.family);
	play_write_proxy(&facts, text);
}

static void write_wanted(const json_t *want, struct buf *text)
{
	const char *outcome = json_string_value(json_object_get(want, "outcome"));

	cr_assert_not_null(outcome);
	if (strcmp(outcome, "done") == 0)
		write_wanted_request(want, text);
	else if (strcmp(outcome, "more") == 0)
		play_write_more((size_t)json_integer_value(json_object_get(want, "leftover")), text);
	else
		play_write_refused(outcome, (int)json_integer_value(json_object_get(want, "status")), text);
}

static bool get_bool(const json_t *policy, const char *name)
{
	return json_is_true(json_object_get(policy, name));
}

static long get_long(const json_t *policy, const char *name, long otherwise)
{
	const json_t *value = json_object_get(policy, name);

	return value != NULL ? (long)json_integer_value(value) : otherwise;
}

static void set_policy(const json_t *json, struct http_policy *policy)
{
	http_policy_init(policy, get_long(json, "limit_request_line", 4094), get_long(json, "limit_request_fields", 100),
	                 get_long(json, "limit_request_field_size", 8190));
	policy->permit_obsolete_folding = get_bool(json, "permit_obsolete_folding");
	policy->strip_header_spaces = get_bool(json, "strip_header_spaces");
	policy->permit_unconventional_method = get_bool(json, "permit_unconventional_http_method");
	policy->permit_unconventional_version = get_bool(json, "permit_unconventional_http_version");
	policy->casefold_method = get_bool(json, "casefold_http_method");
	policy->permit_missing_host = get_bool(json, "permit_missing_host");
}

static enum proxyproto_mode get_proxy_mode(const json_t *policy)
{
	static const char *const words[] = {
		[PROXYPROTO_OFF] = "off",
		[PROXYPROTO_AUTO] = "auto",
		[PROXYPROTO_V1] = "v1",
		[PROXYPROTO_V2] = "v2",
	};
	const char *word = json_string_value(json_object_get(policy, "proxy_protocol"));

	for (size_t i = 0; word != NULL && i < ARRAY_LEN(words); i++)
		if (strcmp(word, words[i]) == 0)
			return (enum proxyproto_mode)i;
	cr_assert_null(word, "proxy_protocol: %s", word);
	return PROXYPROTO_OFF;
}

/* ---- playing ---- */

/* What the server is told before it reads. */
struct server_side {
	const struct http_policy *policy;
	enum proxyproto_mode proxy_mode;
};

/* The record without its "text" lines; those of a split must agree with those of one piece all the same. */
static void drop_texts(struct span record, struct buf *into)
{
	struct span line;

	while (span_split(&record, '\n', &line)) {
		if (line.len == 0 || span_starts_with(line, SPAN_LIT("  text ")))
			continue;
		buf_add_span(into, line);
		buf_add_byte(into, '\n');
	}
}

/* Feeds data[0, first) and then the rest in steps. */
static void play_in_pieces(const struct server_side *side, struct span data, size_t first, size_t step, struct buf *record)
{
	struct play play;

	play_init(&play, side->policy);
	play.proxy_mode = side->proxy_mode;
	play_feed(&play, data.at, first);
	for (size_t at = first; at < data.len; at += step)
		play_feed(&play, data.at + at, MIN(step, data.len - at));
	play_finish(&play);
	buf_add_span(record, buf_span(&play.text));
	play_release(&play);
}

static void expect_split(const struct server_side *side, struct span data, size_t first, size_t step, struct buf *whole,
                         const char *name)
{
	struct buf record = BUF_NONE;

	play_in_pieces(side, data, first, step, &record);
	/* How many bytes of an unfinished request are unread may depend on nothing either. */
	cr_expect_str_eq(buf_text(&record), buf_text(whole), "%s: %zu bytes, then steps of %zu: not as in one piece", name,
	                 first, step);
	buf_release(&record);
}

static void check_case(const char *name, struct span data, const json_t *want)
{
	const json_t *first = json_is_array(want) ? json_array_get(want, 0) : want;
	const json_t *switches = json_object_get(first, "policy");
	struct http_policy policy;
	const struct server_side side = { .policy = &policy, .proxy_mode = get_proxy_mode(switches) };
	struct buf wanted = BUF_NONE;
	struct buf whole = BUF_NONE;
	struct buf outcome = BUF_NONE;
	bool has_leftover = true;

	set_policy(switches, &policy);
	if (json_object_get(first, "proxy") != NULL)
		write_wanted_proxy(json_object_get(first, "proxy"), &wanted);
	for (size_t i = 0; i < MAX(json_array_size(want), 1); i++) {
		const json_t *one = json_is_array(want) ? json_array_get(want, i) : want;
		write_wanted(one, &wanted);
		has_leftover = strcmp(json_string_value(json_object_get(one, "outcome")), "more") != 0 ||
		               json_object_get(one, "leftover") != NULL;
	}
	play_in_pieces(&side, data, data.len, 1, &whole);
	drop_texts(buf_span(&whole), &outcome);
	if (!has_leftover) {
		/* "more" alone: how much is left is of no interest. */
		wanted.len = (size_t)(strstr(buf_text(&wanted), "more\n") - wanted.data) + 5;
		char *more = strstr(buf_text(&outcome), "more\n");
		outcome.len = more != NULL ? (size_t)(more - outcome.data) + 5 : outcome.len;
	}
	cr_expect_str_eq(buf_text(&outcome), buf_text(&wanted), "%s:\n%s\nwanted:\n%s", name, buf_text(&outcome),
	                 buf_text(&wanted));

	/* Of long ones every 7th split, and all near the end, where limits are reached. */
	for (size_t at = 0; at<data.len; at += data.len> LONG_CASE && at + 300 < data.len ? 7 : 1)
		expect_split(&side, data, at, data.len, &whole, name);
	expect_split(&side, data, 0, 1, &whole, name);
	expect_split(&side, data, 0, 7, &whole, name);
	buf_release(&wanted);
	buf_release(&whole);
	buf_release(&outcome);
}

static size_t check_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	size_t count = 0;

	cr_assert_not_null(dir, "cannot open %s", folder);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		struct span name = span_from_str(entry->d_name);
		char *path = xasprintf("%s/%s", folder, entry->d_name);
		if (span_ends_with(name, SPAN_LIT(".http"))) {
			char *want_path = xasprintf("%s/%.*s.want.json", folder, (int)name.len - 5, name.at);
			struct buf data = BUF_NONE;
			json_error_t error;
			json_t *want = json_load_file(want_path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
			cr_assert_not_null(want, "%s: %s", want_path, error.text);
			read_file(path, &data);
			check_case(path, buf_span(&data), want);
			count++;
			json_decref(want);
			buf_release(&data);
			free(want_path);
		} else if (!span_ends_with(name, SPAN_LIT(".json"))) {
			count += check_folder(path);
		}
		free(path);
	}
	closedir(dir);
	return count;
}

Test(http_corpus, comes_out_the_same_however_it_is_split)
{
	const char *corpus = getenv("GUNWALE_CORPUS");

#ifdef GUNWALE_CORPUS_DIR
	if (corpus == NULL)
		corpus = GUNWALE_CORPUS_DIR;
#endif
	alarm(240); /* Criterion's own time limits leak memory */
	cr_assert_not_null(corpus, "set GUNWALE_CORPUS to tests/corpus");
	char *folder = xasprintf("%s/requests", corpus);
	size_t count = check_folder(folder);
	cr_assert_geq(count, FEWEST_CASES, "only %zu cases in %s", count, folder);
	free(folder);
}
