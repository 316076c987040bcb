/* SPDX-License-Identifier: MIT */
/*
 * pidfile.h - the file that tells our pid.
 */
#ifndef MASTER_PIDFILE_H
#define MASTER_PIDFILE_H

#include "base/base.h"
#include "base/err.h"

/*
 * Writes our pid to path (temporary file and rename, mode 0644). -EEXIST with gunicorn's sentence when the file names another
 * living server; another -errno with a sentence when it can't be written.
 */
int pidfile_create(const char *path, struct err *err);
/*
 * The file that holds our pid gets another name, atomically. -EEXIST as above, or another -errno with a sentence; then it keeps
 * its name.
 */
int pidfile_rename(const char *from, const char *to, struct err *err);
/* Removes the file if it still holds our pid. NULL is harmless. */
void pidfile_remove(const char *path);

#endif
