/* SPDX-License-Identifier: MIT */
/*
 * title.h - the process title that ps and top show.
 */
#ifndef BASE_TITLE_H
#define BASE_TITLE_H

#include "base/base.h"

/* Call first in main(): moves the environment away to make room behind argv, which stays readable as given. */
void title_init(int argc, char **argv);
/* Sets what ps shows; cut to the room there is. No effect before title_init(). Also sets the comm name to `comm` if not NULL. */
void title_set(const char *comm, const char *fmt, ...) ATTR_PRINTF(2, 3);

#endif
