/* SPDX-License-Identifier: MIT */
/*
 * asan_options.c - defaults of the address sanitizer for gunwale-worker; linked in by --enable-asan only.
 *
 * CPython keeps memory until the process ends, so leaks cannot be told there. The master keeps leak detection on.
 */
const char *__asan_default_options(void);

__attribute__((visibility("default"), used)) const char *
__asan_default_options(void)
{
	return "detect_leaks=0:abort_on_error=0:exitcode=99";
}
