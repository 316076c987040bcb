/* SPDX-License-Identifier: MIT */
/*
 * logrelay.c - the master's log lines, through the Python logger of a template.
 *
 * The log's sink in the master; told by templates.c and generation.c. Never waits for a template, never loses a line: one that
 * hangs gets no more of them.
 */
#include "base/base.h"

#include "master/logrelay.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/master.h"
#include "master/templates.h"

enum {
	LINES_MAX = 1000,
	STUCK_MS = 2000, /* a template that has not logged a line for so long gets no more until it has */
};

struct relayed {
	struct list link;
	uint32_t serial;
	uint32_t generation; /* of the template that has it; 0: waits for one */
	enum log_level level;
	uint64_t wall_ms;
	uint64_t since_ms;
	char *text;
};

void logrelay_init(struct logrelay *relay)
{
	memset(relay, 0, sizeof(*relay));
	list_init(&relay->lines);
}

static void forget(struct logrelay *relay, struct relayed *line)
{
	list_remove(&line->link);
	relay->count--;
	free(line->text);
	free(line);
}

static void write_plain(struct logrelay *relay, struct relayed *line)
{
	log_plain(line->level, span_from_str(line->text));
	forget(relay, line);
}

/* The one of the present generation; while that has none, any. NULL: lines are the master's own. */
static struct template *find_template(struct master *master)
{
	struct template *present = templates_of(master, master->pool.generation), *found = NULL;

	if (present != NULL && present->has_logger_answer)
		return present->has_logger && present->peer != NULL ? present : NULL;
	LIST_EACH(&master->templates, it)
	{
		struct template *template = LIST_ENTRY(it, struct template, link);

		if (template->has_logger && template->peer != NULL && template_state(template->moves) != TEMPLATE_RETIRING)
			found = template;
	}
	return found;
}

static bool is_stuck(const struct logrelay *relay)
{
	if (list_is_empty(&relay->lines))
		return false;

	const struct relayed *oldest = LIST_ENTRY(relay->lines.next, struct relayed, link);

	return oldest->generation != 0 && clock_ms() - oldest->since_ms > STUCK_MS;
}

static bool send_line(struct template *template, struct relayed *line)
{
	struct message message;

	message_init(&message, MESSAGE_log_line);
	message.log_line.serial = line->serial;
	message.log_line.level = (uint32_t)line->level;
	message.log_line.pid = (uint32_t)getpid();
	message.log_line.wall_ms = line->wall_ms;
	message.log_line.text = line->text;
	if (peer_send(template->peer, &message) != 0)
		return false;
	line->generation = template->generation;
	line->since_ms = clock_ms();
	return true;
}

static struct relayed *add_line(struct logrelay *relay, enum log_level level, struct span message, struct span details)
{
	struct relayed *line = xcalloc(1, sizeof(*line));
	struct span below = span_trim(details, "\n");
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	list_init(&line->link);
	line->serial = ++relay->last_serial;
	line->level = level;
	line->wall_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	line->since_ms = clock_ms();
	line->text = xasprintf("%.*s%s%.*s", (int)MIN(message.len, (size_t)MESSAGE_TEXT_MAX / 4), message.at,
	                       below.len > 0 ? "\n" : "", (int)MIN(below.len, (size_t)MESSAGE_TEXT_MAX / 2), below.at);
	list_add_tail(&relay->lines, &line->link);
	relay->count++;
	return line;
}

static bool take(void *context, enum log_level level, struct span message, struct span details)
{
	struct master *master = context;
	struct logrelay *relay = &master->logrelay;
	struct template *template = find_template(master);

	if (relay->count >= LINES_MAX || (template == NULL && !relay->is_holding) || is_stuck(relay))
		return false;

	struct relayed *line = add_line(relay, level, message, details);

	if (template == NULL || send_line(template, line))
		return true;
	forget(relay, line);
	return false;
}

static void set_sink(struct master *master, enum log_level level)
{
	const struct log_sink sink = { .take = take, .context = master, .level = level };

	log_set_sink(&sink);
}

static bool is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

void logrelay_hold(struct master *master, const struct settings *settings)
{
	static const char *const ours[] = { "gunicorn.glogging.Logger", "simple", "gunicorn.instrument.statsd.Statsd" };
	bool is_ours = !is_given(settings->logger_class);

	for (size_t i = 0; i < ARRAY_LEN(ours) && !is_ours; i++)
		is_ours = strcmp(settings->logger_class, ours[i]) == 0;
	if (is_ours && !settings->syslog && !is_given(settings->logconfig) && !is_given(settings->logconfig_json) &&
	    (!is_given(settings->logconfig_dict) || strcmp(settings->logconfig_dict, "{}") == 0))
		return;
	master->logrelay.is_holding = true;
	set_sink(master, LOG_DEBUG);
}

/* Lines that wait for a template: to this one, or written when there is none. */
static void pass_on(struct logrelay *relay, struct template *template)
{
	LIST_EACH(&relay->lines, it)
	{
		struct relayed *line = LIST_ENTRY(it, struct relayed, link);

		if (line->generation == 0 && (template == NULL || !send_line(template, line)))
			write_plain(relay, line);
	}
}

void logrelay_update(struct master *master)
{
	struct template *template = find_template(master);

	if (template == NULL)
		log_set_sink(NULL);
	else
		set_sink(master, template->logger_level);
	master->logrelay.is_holding = false;
	pass_on(&master->logrelay, template);
}

void logrelay_done(struct master *master, const struct template *template, uint32_t serial)
{
	LIST_EACH(&master->logrelay.lines, it)
	{
		struct relayed *line = LIST_ENTRY(it, struct relayed, link);

		if (line->generation == template->generation && (int32_t)(serial - line->serial) >= 0)
			forget(&master->logrelay, line);
	}
}

void logrelay_template_gone(struct master *master, const struct template *template)
{
	struct logrelay *relay = &master->logrelay;

	LIST_EACH(&relay->lines, it)
	{
		struct relayed *line = LIST_ENTRY(it, struct relayed, link);

		if (line->generation == template->generation)
			line->generation = 0;
	}
	if (relay->is_holding || relay->count > 0 || template->has_logger)
		logrelay_update(master);
}

void logrelay_finish(struct master *master)
{
	log_set_sink(NULL);
	master->logrelay.is_holding = false;
	LIST_EACH(&master->logrelay.lines, it)
	write_plain(&master->logrelay, LIST_ENTRY(it, struct relayed, link));
}
