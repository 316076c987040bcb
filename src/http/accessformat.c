/* SPDX-License-Identifier: MIT */
/*
 * accessformat.c - reads access_log_format: a Python %-format whose arguments are gunicorn's atoms.
 *
 * Called once per start by accesslog_new(). Everything that Python would find wrong at each request is found here.
 */
#include "base/base.h"
#include "http/accesslog_internal.h"

#define WIDTH_MAX (4096)

bool accesslog_is_number(int atom)
{
	return atom == 'B' || atom == 'T' || atom == 'M' || atom == 'D';
}

static struct accesslog_segment *add_segment(struct accesslog *log, struct span literal)
{
	log->segments = xrealloc(log->segments, (log->segment_count + 1) * sizeof(*log->segments));
	struct accesslog_segment *segment = &log->segments[log->segment_count++];
	*segment = (struct accesslog_segment){ .literal = literal, .precision = -1 };
	return segment;
}

static void set_atom(struct accesslog_segment *segment, struct span key)
{
	segment->atom = ATOM_UNKNOWN;
	if (key.len == 1 && memchr("hlutrmUqHsBbfaTMDLp", key.at[0], 19) != NULL) {
		segment->atom = key.at[0];
	} else if (key.len >= 3 && key.at[0] == '{' && key.at[key.len - 2] == '}') {
		switch (key.at[key.len - 1]) {
		case 'i':
		case 'I': /* gunicorn: SafeAtoms looks up the whole key in lower case */
			segment->atom = ATOM_REQUEST_FIELD;
			break;
		case 'o':
		case 'O':
			segment->atom = ATOM_RESPONSE_FIELD;
			break;
		case 'e':
		case 'E':
			segment->atom = ATOM_ENVIRON;
			break;
		}
		segment->name = span_of(key.at + 1, key.len - 3);
	}
}

/* "(key)", parentheses may nest. *at is behind "(" and goes behind ")". */
static bool read_key(const char **at, struct span *ret_key)
{
	const char *begin = *at;
	int depth = 1;

	for (; **at != '\0'; (*at)++) {
		depth += (**at == '(') - (**at == ')');
		if (depth == 0) {
			*ret_key = span_of(begin, (size_t)(*at - begin));
			(*at)++;
			return true;
		}
	}
	return false;
}

static void read_flags(const char **at, struct accesslog_segment *segment)
{
	for (;; (*at)++) {
		switch (**at) {
		case '-':
			segment->is_left = true;
			break;
		case '+':
			segment->has_plus = true;
			break;
		case ' ':
			segment->has_space = true;
			break;
		case '0':
			segment->has_zeros = true;
			break;
		case '#':
			segment->is_alternate = true;
			break;
		default:
			return;
		}
	}
}

static size_t read_number(const char **at)
{
	size_t number = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		if (number <= WIDTH_MAX)
			number = number * 10 + (size_t)(**at - '0');
	return number;
}

static int check_conversion(const struct accesslog_segment *segment, const char *at, const char *format, struct err *err)
{
	char conversion = segment->conversion;

	if (conversion == '\0')
		return err_set(err, -EINVAL, "incomplete format");
	if (strchr("diouxXeEfFgGcrsa", conversion) == NULL)
		return err_set(err, -EINVAL, "unsupported format character '%c' (0x%x) at index %td", conversion,
		               (unsigned)(unsigned char)conversion, at - format);
	if (strchr("sra", conversion) != NULL)
		return 0;
	if (conversion == 'c')
		return err_set(err, -EINVAL, "%%c requires int or char");
	if (!accesslog_is_number(segment->atom))
		return err_set(err, -EINVAL, "%%%c format: a real number is required, not str", conversion);
	return 0;
}

/* One conversion. *at is behind the '%' and goes behind the conversion's letter. */
static int read_conversion(struct accesslog *log, struct span literal, const char **at, struct err *err)
{
	if (**at == '%') {
		literal.len++; /* the literal runs up to the first of the two */
		add_segment(log, literal);
		(*at)++;
		return 0;
	}
	struct span key = SPAN_NONE;
	if (**at == '(') {
		(*at)++;
		if (!read_key(at, &key))
			return err_set(err, -EINVAL, "incomplete format key");
	}
	struct accesslog_segment *segment = add_segment(log, literal);
	read_flags(at, segment);
	if (**at == '*')
		return err_set(err, -EINVAL, "* wants int");
	segment->width = read_number(at);
	if (**at == '.') {
		(*at)++;
		if (**at == '*')
			return err_set(err, -EINVAL, "* wants int");
		segment->precision = (int)read_number(at);
	}
	if (segment->width > WIDTH_MAX || segment->precision > WIDTH_MAX)
		return err_set(err, -EINVAL, "width or precision is greater than %d", WIDTH_MAX);
	while (**at == 'h' || **at == 'l' || **at == 'L')
		(*at)++;
	if (**at == '%') {
		add_segment(log, span_of(*at, 1));
		(*at)++;
		return 0;
	}
	segment->conversion = **at;
	if (key.at == NULL && **at != '\0')
		return err_set(err, -EINVAL, "format requires a name: %%(name)%c", **at);
	set_atom(segment, key);
	int result = check_conversion(segment, *at, log->format, err);
	if (result != 0)
		return result;
	(*at)++;
	segment->is_text = strchr("sra", segment->conversion) != NULL;
	segment->is_plain = segment->conversion == 's' && segment->width == 0 && segment->precision < 0;
	return 0;
}

int accesslog_compile(struct accesslog *log, struct err *err)
{
	const char *at = log->format;

	for (;;) {
		size_t plain = strcspn(at, "%");
		struct span literal = span_of(at, plain);
		at += plain;
		if (*at == '\0') {
			add_segment(log, literal);
			return 0;
		}
		at++;
		int result = read_conversion(log, literal, &at, err);
		if (result != 0)
			return result;
	}
}
