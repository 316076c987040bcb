/* SPDX-License-Identifier: MIT */
/*
 * statsd.c - the master's metrics.
 *
 * Called by master.c, templates.c and rollover.c. The socket comes from a template: to look up a name may take its time, and
 * the master never waits.
 */
#include "base/base.h"

#include "master/statsd.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "master/master.h"
#include "master/templates.h"
#include "shared/listen.h"

enum { BACKLOG_MS = 1000 }; /* gunicorn: each turn of its main loop */

void statsd_init(struct statsd *statsd)
{
	*statsd = (struct statsd){ .metrics = { .fd = FD_NONE }, .workers = -1 };
}

void statsd_release(struct statsd *statsd)
{
	log_set_watch(NULL);
	metrics_release(&statsd->metrics);
	statsd_init(statsd);
}

void statsd_use(struct master *master, struct template *template)
{
	const struct settings *settings = &template->settings;
	struct statsd *statsd = &master->statsd;
	const struct log_watch watch = { .note = metrics_note_line, .context = &statsd->metrics };

	statsd_release(statsd);
	if (template->statsd_fd < 0 ||
	    metrics_init(&statsd->metrics, settings->statsd_host, settings->statsd_prefix, settings->dogstatsd_tags, NULL) != 0)
		return;
	metrics_use_take(&statsd->metrics, template->statsd_fd);
	template->statsd_fd = FD_NONE;
	log_set_watch(&watch);
	if (settings->enable_backlog_metric)
		statsd->next_ms = clock_ms();
}

static void send_backlog(struct master *master)
{
	uint64_t sum = 0;
	char text[64];

	for (size_t i = 0; i < master->listeners.count; i++) {
		uint32_t waiting, limit;

		if (listen_queue(listeners_get(&master->listeners, i), &waiting, &limit) == 0)
			sum += waiting;
	}
	(void)snprintf(text, sizeof(text), "gunicorn.backlog:%llu|h", (unsigned long long)sum);
	metrics_send(&master->statsd.metrics, text);
}

void statsd_on_time(struct master *master, uint64_t now_ms)
{
	struct statsd *statsd = &master->statsd;
	long workers = (long)pool_live(&master->pool);
	char text[64];

	if (!statsd->metrics.is_on)
		return;
	if (workers != statsd->workers) {
		statsd->workers = workers;
		(void)snprintf(text, sizeof(text), "gunicorn.workers:%ld|g", workers);
		metrics_send(&statsd->metrics, text);
	}
	if (statsd->next_ms != 0 && now_ms >= statsd->next_ms) {
		statsd->next_ms = now_ms + BACKLOG_MS;
		send_backlog(master);
	}
}

uint64_t statsd_next_ms(const struct statsd *statsd)
{
	return statsd->next_ms;
}
