/* SPDX-License-Identifier: MIT */
/*
 * webrequest.h - the little HTTP that status_bind understands: the head of a GET or HEAD.
 *
 * Pure. Strict: what no client in good faith would send is refused, not interpreted.
 */
#ifndef MASTER_WEBREQUEST_H
#define MASTER_WEBREQUEST_H

#include "base/base.h"
#include "base/span.h"

struct webrequest {
	bool is_head;
	struct span path;  /* "/status", not decoded */
	struct span query; /* behind the question mark; empty when there is none */
};

/* What is to be answered. */
enum webrequest_result {
	WEBREQUEST_PARTIAL = 0, /* the head is not whole yet */
	WEBREQUEST_GOOD = 200,
	WEBREQUEST_BAD = 400,
	WEBREQUEST_METHOD = 405,
};

/* *ret_request borrows from input; set when the result is WEBREQUEST_GOOD. What follows the head is ignored. */
enum webrequest_result webrequest_parse(struct span input, struct webrequest *ret_request);
/* The value of that name in the query; false when it is not there. Not decoded. */
bool webrequest_find(struct span query, struct span name, struct span *ret_value);

#endif
