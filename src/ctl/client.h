/* SPDX-License-Identifier: MIT */
/*
 * client.h - a question to a server's control socket (master/control.h).
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "base/base.h"
#include "base/err.h"

#include <jansson.h>

/* The exit codes of gunwalectl. */
enum client_result {
	CLIENT_OK = 0,
	CLIENT_REFUSED = 1,  /* the server says no, or something unintelligible */
	CLIENT_USAGE = 2,
	CLIENT_NO_SERVER = 3 /* nobody answers at the socket */
};

/* Sends the request and waits some seconds for the reply, which the caller lets go of. Otherwise err has a sentence. */
enum client_result client_ask(const char *path, json_t *request_take, json_t **ret_reply, struct err *err);

#endif
