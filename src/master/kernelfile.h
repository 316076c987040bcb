/* SPDX-License-Identifier: MIT */
/*
 * kernelfile.h - small files in which the kernel tells numbers: of /proc and of cgroups, read again and again on a kept fd.
 */
#ifndef MASTER_KERNELFILE_H
#define MASTER_KERNELFILE_H

#include "base/base.h"
#include "base/span.h"

/*
 * The file from its start, in one call, as much as fits; lines that do not fit whole are left out. `ret_text` lies in `buffer`.
 * 0 or -errno: -EBADF for FD_NONE, -ENODEV or -ESRCH when what the file told of is gone. Never allocates.
 */
int kernelfile_read(int fd, char *buffer, size_t size, struct span *ret_text);
/* The one number of the file, or READING_UNKNOWN. */
uint64_t kernelfile_number(int fd);

struct kernelfile_field {
	struct span key;     /* the first word of a line, with its colon if it has one */
	uint64_t *ret_value; /* in bytes where the line says "kB" */
};
/* Sets what is there and leaves the others as they are. */
void kernelfile_fields(struct span text, const struct kernelfile_field *fields, size_t count);

#endif
