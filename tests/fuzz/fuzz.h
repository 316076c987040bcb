/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what all fuzzers share.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "base/base.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libFuzzer writes the input down when it is told by a signal; CHECK() takes SIGABRT's handler away. */
static inline void fuzz_trap(const char *text)
{
	(void)text;
	__builtin_trap();
}
static inline void fuzz_setup(void)
{
	check_set_last_words(fuzz_trap);
}

#endif
