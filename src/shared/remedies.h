/* SPDX-License-Identifier: MIT */
/*
 * remedies.h - what may be done about memory, made from tables/remedies.def: the master decides, agents carry out.
 */
#ifndef SHARED_REMEDIES_H
#define SHARED_REMEDIES_H

#include "base/base.h"

/* Same order as the words of the setting memory_remedies. */
enum remedy {
#define REMEDY(name, by, patience_ms, text) REMEDY_##name,
#include "tables/remedies.def"
#undef REMEDY
	REMEDY_MAX
};

/* `flags` of the message `remedy`. */
enum {
	REMEDY_FLAG_INSISTS = 1,  /* abort: the first MemoryError was swallowed */
	REMEDY_FLAG_SQUEEZES = 2, /* abort: allocations fail until the request has ended, as there is no time left */
};

/* "trim" ... "kill"; "none" for REMEDY_MAX and beyond. */
const char *remedy_name(enum remedy remedy);

#endif
