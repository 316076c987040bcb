/* SPDX-License-Identifier: MIT */
/*
 * agent.c - a C thread in each worker that never needs the GIL.
 *
 * Started by worker.c after the fork. Must not call Python, not allocate and not take a lock that the other threads
 * may hold: they may be stuck.
 */
#include "base/base.h"

#include "worker/agent.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "base/log.h"
#include "shared/exits.h"

enum { AGENT_STACK_BYTES = 256 * 1024 };

struct agent {
	pthread_t thread;
	int link_fd;
	char farewell[128];
};

static void *agent_run(void *context)
{
	const struct agent *agent = context;
	struct pollfd watched = { .fd = agent->link_fd, .events = POLLRDHUP };

	for (;;) {
		int count = poll(&watched, 1, -1);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 || (watched.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0)
			break;
	}
	log_signal_safe(agent->farewell);
	/* Nobody is left to replace us or to reap us: the port must be free at once, so not even exit handlers run. */
	_exit(EXIT_OK);
}

struct agent *agent_new(int link_fd, const char *name)
{
	struct agent *agent = xcalloc(1, sizeof(*agent));
	pthread_attr_t attributes;
	sigset_t all, old;

	agent->link_fd = link_fd;
	(void)snprintf(agent->farewell, sizeof(agent->farewell), "Parent changed, shutting down: %s", name);
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, AGENT_STACK_BYTES);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	int result = pthread_create(&agent->thread, &attributes, agent_run, agent);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attributes);
	if (result != 0) {
		free(agent);
		errno = result;
		return NULL;
	}
	return agent;
}
