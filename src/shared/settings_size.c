/* SPDX-License-Identifier: MIT */
/*
 * settings_size.c - sizes of memory: auto, off, 64M, 80%.
 *
 * Called by settings_parse.c, settings_show.c and settings_json.c. Pure.
 */
#include "base/base.h"
#include "shared/settings_types.h"

#include "base/span.h"

#define BLANKS " \t\r\n\f\v"

enum { KB = 1 << 10, MB = 1 << 20, GB = 1 << 30 };
/* Beyond it the sums of several sizes would not fit. */
#define SIZE_VALUE_MAX ((uint64_t)1 << 50)

static bool takes(const struct setting *row, const char *word)
{
	return row->sizes != NULL && setting_find_word(row->sizes, word) >= 0;
}

/* "64", "1.5": digits before the point, at most three behind it. Returns thousandths, and what follows. */
static bool split_number(struct span text, uint64_t *ret_thousandths, bool *ret_is_whole, struct span *ret_unit)
{
	uint64_t number = 0, scale = 1000;
	size_t at = 0, digits = 0;

	for (; at < text.len && text.at[at] >= '0' && text.at[at] <= '9'; at++, digits++) {
		number = number * 10 + (uint64_t)(text.at[at] - '0');
		if (number > SIZE_VALUE_MAX)
			return false;
	}
	number *= 1000;
	*ret_is_whole = at == text.len || text.at[at] != '.';
	if (!*ret_is_whole) {
		for (at++; at < text.len && text.at[at] >= '0' && text.at[at] <= '9' && scale > 1; at++, digits++) {
			scale /= 10;
			number += (uint64_t)(text.at[at] - '0') * scale;
		}
	}
	*ret_thousandths = number;
	*ret_unit = span_trim(span_of(text.at + at, text.len - at), BLANKS);
	return digits > 0;
}

/* Bytes of a unit, 0 when it is none. */
static uint64_t unit_bytes(struct span unit)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {
		{ "b", 1 },   { "k", KB },  { "kb", KB }, { "kib", KB }, { "m", MB },
		{ "mb", MB }, { "mib", MB }, { "g", GB },  { "gb", GB },  { "gib", GB },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (span_equals_nocase(unit, span_from_str(units[i].name)))
			return units[i].bytes;
	return 0;
}

static int parse_amount(const struct setting *row, struct span text, struct size_value *ret_size)
{
	uint64_t thousandths, bytes;
	struct span unit;
	bool is_whole;

	if (!split_number(text, &thousandths, &is_whole, &unit))
		return -EINVAL;
	if (span_equals(unit, SPAN_LIT("%"))) {
		if (!takes(row, "%") || !is_whole || thousandths == 0 || thousandths > 100 * 1000)
			return -EINVAL;
		*ret_size = (struct size_value){ SIZE_PERCENT, thousandths / 1000 };
		return 0;
	}
	if (unit.len > 0)
		bytes = unit_bytes(unit);
	else if (!is_whole)
		bytes = 0;
	else
		bytes = row->is_plain_mb && thousandths < (uint64_t)MB * 1000 ? MB : 1;
	if (bytes == 0 || thousandths / 1000 > SIZE_VALUE_MAX / bytes)
		return -EINVAL;
	bytes = thousandths / 1000 * bytes + thousandths % 1000 * bytes / 1000;
	if (bytes == 0)
		return -EINVAL;
	*ret_size = (struct size_value){ SIZE_BYTES, bytes };
	return 0;
}

int setting_parse_size(const struct setting *row, const char *text, struct size_value *ret_size)
{
	struct span value = span_trim(span_from_str(text), BLANKS);
	bool is_off = span_equals_nocase(value, SPAN_LIT("off")) || span_equals(value, SPAN_LIT("0")) ||
	              span_equals_nocase(value, SPAN_LIT("none")) || span_equals_nocase(value, SPAN_LIT("false"));
	bool is_auto = span_equals_nocase(value, SPAN_LIT("auto"));

	if (!is_off && !is_auto)
		return parse_amount(row, value, ret_size);
	if (!takes(row, is_off ? "off" : "auto"))
		return -EINVAL;
	*ret_size = (struct size_value){ is_off ? SIZE_OFF : SIZE_AUTO, 0 };
	return 0;
}

void setting_add_size(struct buf *into, const struct size_value *size)
{
	const unsigned long long amount = (unsigned long long)size->amount;

	if (size->kind == SIZE_OFF || size->kind == SIZE_AUTO)
		buf_add_str(into, size->kind == SIZE_OFF ? "off" : "auto");
	else if (size->kind == SIZE_PERCENT)
		buf_addf(into, "%llu%%", amount);
	else if (amount % GB == 0)
		buf_addf(into, "%lluG", amount / GB);
	else if (amount % MB == 0)
		buf_addf(into, "%lluM", amount / MB);
	else if (amount % KB == 0)
		buf_addf(into, "%lluK", amount / KB);
	else
		buf_addf(into, "%lluB", amount);
}

void setting_add_size_forms(struct buf *into, const struct setting *row)
{
	if (takes(row, "auto"))
		buf_add_str(into, "auto, ");
	if (takes(row, "off"))
		buf_add_str(into, "off, ");
	buf_add_str(into, takes(row, "%") ? "a size such as 64M, or a percentage such as 80%" : "or a size such as 64K");
}
