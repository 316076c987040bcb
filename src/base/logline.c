/* SPDX-License-Identifier: MIT */
/*
 * logline.c - the parts of a log line.
 *
 * Called by log.c, also from signal handlers: so numbers and dates are made by hand, not by snprintf() and strftime(). And by
 * http/accessjson.c. Reads no clock.
 */
#include "base/base.h"

#include "base/logline.h"

static char *put_number(char *at, unsigned long number, int digits)
{
	char reversed[24];
	int count = 0;
	do {
		reversed[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0 || count < digits);
	while (count > 0)
		*at++ = reversed[--count];
	return at;
}

static char *put_text(char *at, const char *text)
{
	while (*text != '\0')
		*at++ = *text++;
	return at;
}

/* Days since 1970 to a date of the Gregorian calendar; years are counted from March, so that leap days come last. */
static char *put_date(char *at, unsigned long days)
{
	unsigned long since_era = days + 719468; /* from 1 March of year 0 */
	unsigned long era = since_era / 146097;
	unsigned long day_of_era = since_era % 146097;
	unsigned long year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned long month_from_march = (5 * day_of_year + 2) / 153;
	unsigned long day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
	unsigned long month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
	unsigned long year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
	at = put_number(at, year, 4);
	*at++ = '-';
	at = put_number(at, month, 2);
	*at++ = '-';
	return put_number(at, day, 2);
}

/* middle: between date and time of day; before_zone: in front of the offset; in_zone: between its hours and minutes. */
static char *put_time(char *at, time_t now, long offset, const char *middle, const char *before_zone, const char *in_zone)
{
	unsigned long local = (unsigned long)MAX(now + offset, 0);
	unsigned long minutes_off = (unsigned long)(offset < 0 ? -offset : offset) / 60;

	at = put_date(at, local / 86400);
	at = put_text(at, middle);
	at = put_number(at, local % 86400 / 3600, 2);
	*at++ = ':';
	at = put_number(at, local % 3600 / 60, 2);
	*at++ = ':';
	at = put_number(at, local % 60, 2);
	at = put_text(at, before_zone);
	*at++ = offset < 0 ? '-' : '+';
	at = put_number(at, minutes_off / 60, 2);
	at = put_text(at, in_zone);
	return put_number(at, minutes_off % 60, 2);
}

size_t logline_put_prefix(char into[LOGLINE_PREFIX_MAX], time_t now, long offset, long pid, const char *level)
{
	char *at = into;
	*at++ = '[';
	at = put_time(at, now, offset, " ", " ", "");
	at = put_text(at, "] [");
	at = put_number(at, (unsigned long)pid, 1);
	at = put_text(at, "] [");
	at = put_text(at, level);
	at = put_text(at, "] ");
	return (size_t)(at - into);
}

size_t logline_put_json_prefix(char into[LOGLINE_PREFIX_MAX], time_t now, long offset, long pid, const char *level)
{
	char *at = put_text(into, "{\"time\":\"");
	at = put_time(at, now, offset, "T", "", ":");
	at = put_text(at, "\",\"pid\":");
	at = put_number(at, (unsigned long)pid, 1);
	at = put_text(at, ",\"level\":\"");
	at = put_text(at, level);
	at = put_text(at, "\",\"message\":\"");
	return (size_t)(at - into);
}

/* Length of the UTF-8 sequence (two bytes and more) at `at` that may stand as it is, 0 when there is none. No C1 controls. */
static size_t utf8_len(const unsigned char *at, size_t left)
{
	size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;

	if (at[0] < 0xc2 || at[0] > 0xf4 || left < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, what lies beyond U+10FFFF, U+0080 to U+009F. */
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
	    (at[0] == 0xf4 && at[1] > 0x8f) || (at[0] == 0xc2 && at[1] < 0xa0))
		return 0;
	/* U+2028 and U+2029 end lines for some readers. */
	return at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8 ? 0 : len;
}

/* One byte that cannot stand as it is. */
static char *put_odd(char *into, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	static const char short_forms[] = "\"\"\\\\\nn\rr\tt";

	for (const char *form = short_forms; *form != '\0'; form += 2) {
		if ((unsigned char)*form == byte) {
			*into++ = '\\';
			*into++ = form[1];
			return into;
		}
	}
	into = put_text(into, byte < 0x80 ? "\\u00" : "\\\\x");
	*into++ = digits[byte >> 4];
	*into++ = digits[byte & 15];
	return into;
}

size_t logline_put_escaped(char *into, const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)text;
	char *at = into;

	for (size_t i = 0; i < len;) {
		unsigned char byte = bytes[i];
		size_t sequence = byte >= 0x80 ? utf8_len(bytes + i, len - i) : 0;
		if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\')
			sequence = 1;
		if (sequence == 0)
			at = put_odd(at, byte);
		for (size_t k = 0; k < sequence; k++)
			*at++ = text[i + k];
		i += MAX(sequence, (size_t)1);
	}
	return (size_t)(at - into);
}

void logline_add_json(struct buf *line, struct span text)
{
	buf_add_byte(line, '"');
	buf_reserve(line, text.len * LOGLINE_ESCAPED_MAX);
	line->len += logline_put_escaped(line->data + line->len, text.at, text.len);
	buf_add_byte(line, '"');
}

void logline_add_time(struct buf *line, time_t now, long offset)
{
	char text[LOGLINE_PREFIX_MAX];
	char *end = put_time(text, now, offset, "T", "", ":");

	buf_add(line, text, (size_t)(end - text));
}
