/* SPDX-License-Identifier: MIT */
/*
 * accessfit.c - Python's conversions of one value: digits, sign, precision, width.
 *
 * Called by accesslog.c for every conversion but a plain %(x)s. Pure.
 */
#include "base/base.h"
#include "http/accesslog_internal.h"

#include "http/http_internal.h"

static void add_digits(const struct accesslog_segment *segment, uint64_t number, struct buf *line)
{
	unsigned long long value = number;
	int precision = MAX(segment->precision, 1); /* Python prints 0 whatever the precision */

	switch (segment->conversion) {
	case 'x':
		buf_addf(line, "%s%.*llx", segment->is_alternate ? "0x" : "", precision, value);
		break;
	case 'X':
		buf_addf(line, "%s%.*llX", segment->is_alternate ? "0X" : "", precision, value);
		break;
	case 'o':
		buf_addf(line, "%s%.*llo", segment->is_alternate ? "0o" : "", precision, value);
		break;
	default:
		buf_addf(line, "%.*llu", precision, value);
	}
}

void accesslog_add_number(const struct accesslog_segment *segment, uint64_t number, struct buf *line)
{
	int precision = segment->precision >= 0 ? segment->precision : 6;

	if (segment->has_plus || segment->has_space)
		buf_add_byte(line, segment->has_plus ? '+' : ' ');
	switch (segment->conversion) {
	case 'e':
		buf_addf(line, "%.*e", precision, (double)number);
		break;
	case 'E':
		buf_addf(line, "%.*E", precision, (double)number);
		break;
	case 'f':
	case 'F':
		buf_addf(line, "%.*f", precision, (double)number);
		break;
	case 'g':
		buf_addf(line, "%.*g", precision, (double)number);
		break;
	case 'G':
		buf_addf(line, "%.*G", precision, (double)number);
		break;
	default:
		add_digits(segment, number, line);
	}
}

/* %r and %a: quotes around text; numbers stay. */
static void quote(const struct accesslog_segment *segment, struct buf *line, size_t begin)
{
	struct buf value = BUF_NONE;

	if (accesslog_is_number(segment->atom))
		return;
	buf_add(&value, line->data + begin, line->len - begin);
	line->len = begin;
	http_write_repr(buf_span(&value), line);
	buf_release(&value);
}

static void truncate_text(struct buf *line, size_t begin, size_t len)
{
	if (line->len - begin <= len)
		return;
	/* Not within a UTF-8 sequence. */
	while (len > 0 && ((unsigned char)line->data[begin + len] & 0xc0) == 0x80)
		len--;
	line->len = begin + len;
}

/* Where zeros go: behind the sign and 0x. */
static size_t find_digits(const struct buf *line, size_t begin)
{
	size_t at = begin;

	if (at < line->len && (line->data[at] == '+' || line->data[at] == ' '))
		at++;
	if (line->len - at > 2 && line->data[at] == '0' && memchr("xXo", line->data[at + 1], 3) != NULL)
		at += 2;
	return at;
}

void accesslog_fit(const struct accesslog_segment *segment, struct buf *line, size_t begin)
{
	if (segment->is_text) {
		if (segment->conversion != 's')
			quote(segment, line, begin);
		if (segment->precision >= 0)
			truncate_text(line, begin, (size_t)segment->precision);
	}
	size_t len = line->len - begin;
	if (len >= segment->width)
		return;
	size_t fill = segment->width - len;
	buf_reserve(line, fill);
	bool has_zeros = segment->has_zeros && !segment->is_text && !segment->is_left;
	size_t at = segment->is_left ? line->len : has_zeros ? find_digits(line, begin) : begin;
	memmove(line->data + at + fill, line->data + at, line->len - at);
	memset(line->data + at, has_zeros ? '0' : ' ', fill);
	line->len += fill;
}
