/* SPDX-License-Identifier: MIT */
/*
 * remedies.c - the names of what may be done about memory. Called by both programs. Pure.
 */
#include "base/base.h"

#include "shared/remedies.h"

static const char *const names[REMEDY_MAX] = {
#define REMEDY(name, by, patience_ms, text) [REMEDY_##name] = #name,
#include "tables/remedies.def"
#undef REMEDY
};

const char *remedy_name(enum remedy remedy)
{
	return (size_t)remedy < REMEDY_MAX ? names[remedy] : "none";
}
