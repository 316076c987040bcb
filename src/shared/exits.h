/* SPDX-License-Identifier: MIT */
/*
 * exits.h - exit codes, which are gunicorn's.
 */
#ifndef SHARED_EXITS_H
#define SHARED_EXITS_H

enum exit_code {
	EXIT_OK = 0,
	EXIT_CONFIG = 1,          /* any configuration error */
	EXIT_USAGE = 2,           /* the command line does not parse */
	EXIT_WORKER_BOOT = 3,     /* a worker could not boot */
	EXIT_APP_LOAD = 4,        /* the application could not be found or is not callable */
	EXIT_UNHANDLED = 255,
};

#endif
