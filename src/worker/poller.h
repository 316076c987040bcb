/* SPDX-License-Identifier: MIT */
/*
 * poller.h - epoll: who has something to do.
 *
 * Connections are watched edge-triggered and once for all, so that a request costs no epoll_ctl; listeners
 * exclusively, so that the kernel wakes one idle worker, not all.
 */
#ifndef WORKER_POLLER_H
#define WORKER_POLLER_H

#include "base/base.h"

#include <sys/epoll.h>

enum { POLLER_EVENTS = 128 };

struct poller {
	int fd;
	struct epoll_event events[POLLER_EVENTS];
	int count; /* of events, after poller_wait() */
};

/* 0 or -errno. */
int poller_init(struct poller *poller);
void poller_release(struct poller *poller); /* harmless on a poller with fd FD_NONE */
/* `data` comes back in events[].data.ptr. 0 or -errno. Closing the fd ends the watch. */
int poller_add_connection(struct poller *poller, int fd, void *data);
/* `once`: edge-triggered, so that of several threads at this set one is woken for a client; adding it again asks again. */
int poller_add_listener(struct poller *poller, int fd, void *data, bool once);
int poller_add_wake(struct poller *poller, int fd, void *data);
int poller_remove(struct poller *poller, int fd);
/*
 * For several threads at one set: waits for a single event. 1, 0 (time-out or signal; timeout_ms -1: no time-out), -errno. Needs
 * no GIL.
 */
int poller_take(const struct poller *poller, int timeout_ms, struct epoll_event *ret_event);
/* Waits; fills events and count (0 on time-out or signal). Needs no GIL. 0 or -errno. */
int poller_wait(struct poller *poller, int timeout_ms);

#endif
