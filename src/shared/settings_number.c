/* SPDX-License-Identifier: MIT */
/*
 * settings_number.c - whole numbers as Python's int() reads them.
 *
 * Called by settings_parse.c, settings.c (environment) and the command line. Pure.
 */
#include "base/base.h"
#include "shared/settings_types.h"

#include <ctype.h>
#include <limits.h>

#include "base/span.h"

#define BLANKS " \t\r\n\f\v"

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

int setting_parse_int(const char *text, int base, long *ret_number)
{
	struct span rest = span_trim(span_from_str(text), BLANKS);
	bool is_negative = false, has_prefix = false, follows_digit = false;
	int radix = base == 0 ? 10 : base;
	unsigned long number = 0;
	size_t at = 0, digits = 0;

	if (at < rest.len && (rest.at[at] == '+' || rest.at[at] == '-'))
		is_negative = rest.at[at++] == '-';
	if (base == 0 && at + 1 < rest.len && rest.at[at] == '0' && strchr("xXoObB", rest.at[at + 1]) != NULL) {
		char letter = (char)tolower((unsigned char)rest.at[at + 1]);

		radix = letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
		at += 2;
		has_prefix = follows_digit = true; /* an underscore may follow the prefix */
	}
	for (size_t start = at; at < rest.len; at++) {
		int value = digit_value(rest.at[at]);

		if (rest.at[at] == '_' && follows_digit && at + 1 < rest.len) {
			follows_digit = false;
			continue;
		}
		if (value >= radix)
			return -EINVAL;
		/* Python: base 0 refuses 010, which was octal once, and takes 00. */
		if (base == 0 && !has_prefix && value != 0 && number == 0 && at > start)
			return -EINVAL;
		if (number > ((unsigned long)LONG_MAX - (unsigned long)value) / (unsigned long)radix)
			return -ERANGE;
		number = number * (unsigned long)radix + (unsigned long)value;
		follows_digit = true;
		digits++;
	}
	if (digits == 0 || !follows_digit)
		return -EINVAL;
	*ret_number = is_negative ? -(long)number : (long)number;
	return 0;
}

int setting_parse_auto_int(const char *text, long *ret_number)
{
	char *octal;
	int rc;

	if (text[0] != '0' || text[1] < '0' || text[1] > '9')
		return setting_parse_int(text, 0, ret_number);
	octal = xasprintf("0o%s", text + 1);
	rc = setting_parse_int(octal, 0, ret_number);
	free(octal);
	return rc;
}
