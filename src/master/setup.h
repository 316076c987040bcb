/* SPDX-License-Identifier: MIT */
/*
 * setup.h - what the settings do to the master's own process: directory, log, title, pid file.
 */
#ifndef MASTER_SETUP_H
#define MASTER_SETUP_H

#include "base/base.h"
#include "base/err.h"
#include "shared/settings.h"

struct master;

/* Enters settings->chdir, against which all relative paths of settings are read. 0 or -errno with a sentence. */
int setup_directory(const struct settings *settings, struct err *err);
/* Opens the error log. 0 or -errno with a sentence; then the old log stays. */
int setup_log(const struct settings *settings, struct err *err);
/* Sets the process title from master->settings. */
void setup_title(const struct master *master);
/* Removes the pid file there was and writes the new one; NULL: none. 0 or -errno with a sentence. */
int setup_pidfile(struct master *master, const char *path, struct err *err);
/*
 * This master is the only one now: title and pid file without their suffix. 0 or -errno with a sentence; then the file keeps
 * its name.
 */
int setup_promote(struct master *master, struct err *err);
/* Logs what the settings ask for and does not exist yet. */
void setup_say_warnings(const struct settings *settings);
/* Logs which changed settings need a restart. */
void setup_say_what_waits(const struct settings *old, const struct settings *now);

#endif
