/* SPDX-License-Identifier: MIT */
/*
 * kernelfile.c - small files in which the kernel tells numbers.
 *
 * Called by cgroup.c, sockdiag.c and procmem.c. Never allocates, never logs; a number that can't be read is unknown, not 0.
 */
#include "base/base.h"

#include "master/kernelfile.h"

#include "master/readings.h"

int kernelfile_read(int fd, char *buffer, size_t size, struct span *ret_text)
{
	ssize_t len;

	*ret_text = SPAN_NONE;
	/* One call: a second one, for the end, would make the kernel write the whole text again. */
	do {
		len = pread(fd, buffer, size, 0);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	if ((size_t)len == size) {
		while (len > 0 && buffer[len - 1] != '\n')
			len--;
	}
	*ret_text = span_of(buffer, (size_t)len);
	return 0;
}

uint64_t kernelfile_number(int fd)
{
	char buffer[64];
	struct span text;
	uint64_t value;

	if (kernelfile_read(fd, buffer, sizeof(buffer), &text) < 0 || !span_to_u64(span_trim(text, "\n"), &value))
		return READING_UNKNOWN;
	return value;
}

/* "123", "   123 kB" */
static bool parse_value(struct span text, uint64_t *ret_value)
{
	struct span number;

	text = span_trim(text, " \t");
	if (!span_split(&text, ' ', &number) || !span_to_u64(number, ret_value))
		return false;
	if (span_equals(text, SPAN_LIT("kB"))) {
		if (*ret_value > UINT64_MAX / 1024)
			return false;
		*ret_value *= 1024;
	}
	return true;
}

void kernelfile_fields(struct span text, const struct kernelfile_field *fields, size_t count)
{
	struct span line;

	while (span_split(&text, '\n', &line)) {
		struct span key;
		uint64_t value;

		if (!span_split(&line, ' ', &key))
			continue;
		for (size_t i = 0; i < count; i++) {
			if (!span_equals(key, fields[i].key))
				continue;
			if (parse_value(line, &value))
				*fields[i].ret_value = value;
			break;
		}
	}
}
