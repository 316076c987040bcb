/* SPDX-License-Identifier: MIT */
/*
 * human.c - numbers and texts for people.
 *
 * Called by table.c and main.c. Pure.
 */
#include "base/base.h"

#include "ctl/human.h"

struct human human_size(const json_t *bytes)
{
	static const char units[] = "\0KMGTP";
	double value = json_number_value(bytes);
	struct human human = { "-" };
	size_t unit = 0;

	if (!json_is_number(bytes))
		return human;
	for (; (value >= 1000 || value <= -1000) && unit < sizeof(units) - 2; unit++)
		value /= 1024;
	if (unit == 0)
		(void)snprintf(human.text, sizeof(human.text), "%.0f", value);
	else
		(void)snprintf(human.text, sizeof(human.text), value < 9.95 && value > -9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return human;
}

struct human human_duration(const json_t *seconds)
{
	double value = json_number_value(seconds);
	struct human human = { "-" };
	size_t size = sizeof(human.text);
	unsigned long long whole;

	if (!json_is_number(seconds) || value < 0 || value > 1e12)
		return human;
	whole = (unsigned long long)value;
	if (value > 0 && value < 0.001)
		(void)snprintf(human.text, size, "%.2fms", value * 1000);
	else if (value < 0.0095)
		(void)snprintf(human.text, size, "%.1fms", value * 1000);
	else if (value < 1)
		(void)snprintf(human.text, size, "%.0fms", value * 1000);
	else if (value < 9.95)
		(void)snprintf(human.text, size, "%.1fs", value);
	else if (whole < 100)
		(void)snprintf(human.text, size, "%llus", whole);
	else if (whole < 100 * 60)
		(void)snprintf(human.text, size, "%llum%02llus", whole / 60, whole % 60);
	else if (whole < 48 * 3600)
		(void)snprintf(human.text, size, "%lluh%02llum", whole / 3600, whole / 60 % 60);
	else
		(void)snprintf(human.text, size, "%llud%02lluh", whole / 86400, whole / 3600 % 24);
	return human;
}

struct human human_count(const json_t *count)
{
	double value = json_number_value(count);
	struct human human = { "-" };

	if (!json_is_number(count))
		return human;
	if (value < 1e8)
		(void)snprintf(human.text, sizeof(human.text), "%.0f", value);
	else if (value < 1e11)
		(void)snprintf(human.text, sizeof(human.text), "%.0fM", value / 1e6);
	else
		(void)snprintf(human.text, sizeof(human.text), "%.0fG", value / 1e9);
	return human;
}

void human_add_text(struct buf *into, const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
		/* U+0080 to U+009F are C2 80 to C2 9F in UTF-8. */
		if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) {
			buf_add_byte(into, '?');
			at++;
		} else {
			buf_add_byte(into, *at < 0x20 || *at == 0x7f ? '?' : (char)*at);
		}
	}
}

void human_cut_line(struct buf *into, size_t begin, size_t columns)
{
	size_t count = 0;

	for (size_t i = begin; i < into->len; i++) {
		/* The first byte of a character in UTF-8. */
		if (((unsigned char)into->data[i] & 0xc0) != 0x80 && ++count > columns) {
			into->len = i;
			return;
		}
	}
}
