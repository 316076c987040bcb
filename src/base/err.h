/* SPDX-License-Identifier: MIT */
/*
 * err.h - a code and one sentence for a human, passed up to whoever logs it.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/base.h"

struct err {
	int code;       /* 0: no error; negative errno or an exit code, as the callee's header says */
	char text[512]; /* one sentence, no newline at the end */
};

#define ERR_NONE                                                                                                              \
	{                                                                                                                     \
		0, ""                                                                                                         \
	}

/* Writes code and sentence unless an error is there already (the first writer wins). err may be NULL. Returns code. */
int err_set(struct err *err, int code, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* The same with ": " and strerror of -code behind it; code is a negative errno. */
int err_set_errno(struct err *err, int code, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* Puts "context: " in front of the sentence. No effect when there is no error or err is NULL. */
void err_add(struct err *err, const char *fmt, ...) ATTR_PRINTF(2, 3);
void err_clear(struct err *err);
static inline bool err_is_set(const struct err *err)
{
	return err != NULL && err->code != 0;
}

#endif
