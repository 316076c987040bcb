/* SPDX-License-Identifier: MIT */
/*
 * table.c - the status document as a page for people.
 *
 * Called by main.c and top.c. Pure. What the document does not tell is left out, or a dash.
 */
#include "base/base.h"

#include "ctl/table.h"

#include "base/span.h"
#include "ctl/human.h"

enum { WIDE_COLUMNS = 100, NAME_COLUMNS = 34, EXITS_SHOWN = 3 };

/* "memory.container.limit_bytes"; NULL when something on the way is missing or null. */
static const json_t *at(const json_t *value, const char *path)
{
	struct span rest = span_from_str(path);
	struct span piece;
	char name[64];

	while (value != NULL && span_split(&rest, '.', &piece)) {
		(void)snprintf(name, sizeof(name), "%.*s", SPAN_ARG(piece));
		value = json_object_get(value, name);
	}
	return json_is_null(value) ? NULL : value;
}

static const char *text_at(const json_t *value, const char *path)
{
	const char *text = json_string_value(at(value, path));

	return text != NULL ? text : "-";
}

#define SIZE(value, path) human_size(at(value, path)).text
#define DURATION(value, path) human_duration(at(value, path)).text
#define COUNT(value, path) human_count(at(value, path)).text

/* ---- the lines above the table ---- */

static void add_server(struct buf *into, const json_t *status)
{
	buf_addf(into, "gunwale %s: ", text_at(status, "server.version"));
	human_add_text(into, text_at(status, "status"));
	buf_addf(into, ", %s, generation %s, up %s, master pid %s\n", text_at(status, "server.state"),
	         COUNT(status, "server.generation"), DURATION(status, "server.uptime_seconds"), COUNT(status, "server.pid"));
}

static void add_listeners(struct buf *into, const json_t *status)
{
	const json_t *listener;
	size_t i;

	json_array_foreach(at(status, "listeners"), i, listener) {
		buf_add_str(into, i == 0 ? "listening  " : ", ");
		human_add_text(into, text_at(listener, "address"));
		if (at(listener, "queue") != NULL)
			buf_addf(into, " (%s of %s wait)", COUNT(listener, "queue"), COUNT(listener, "queue_max"));
	}
	if (json_array_size(at(status, "listeners")) > 0)
		buf_add_byte(into, '\n');
}

static void add_work(struct buf *into, const json_t *status)
{
	buf_addf(into, "workers    %s of %s serve, %s forked since the start", COUNT(status, "workers_current"),
	         COUNT(status, "workers_target"), COUNT(status, "workers_spawned_total"));
	if (json_number_value(at(status, "reload.failed_total")) > 0)
		buf_addf(into, ", %s reloads failed", COUNT(status, "reload.failed_total"));
	buf_addf(into, "\nrequests   %s done, %s active", COUNT(status, "requests.total"), COUNT(status, "requests.active"));
	if (at(status, "requests.latency_seconds.p50") != NULL)
		buf_addf(into, "; last minute p50 %s, p95 %s, p99 %s", DURATION(status, "requests.latency_seconds.p50"),
		         DURATION(status, "requests.latency_seconds.p95"), DURATION(status, "requests.latency_seconds.p99"));
	if (json_number_value(at(status, "requests.by_status.5xx")) > 0)
		buf_addf(into, "; %s x 5xx", COUNT(status, "requests.by_status.5xx"));
	buf_add_byte(into, '\n');
}

static void add_memory(struct buf *into, const json_t *status)
{
	const json_t *memory = at(status, "memory");

	if (memory == NULL)
		return;
	buf_addf(into, "memory     workers %s, sockets %s", SIZE(memory, "workers_rss_bytes"), SIZE(memory, "sockets.bytes"));
	if (at(memory, "container.current_bytes") != NULL)
		buf_addf(into, ", container %s", SIZE(memory, "container.current_bytes"));
	if (at(memory, "container.limit_bytes") != NULL)
		buf_addf(into, " of %s", SIZE(memory, "container.limit_bytes"));
	if (at(status, "limits.memory.soft_bytes") != NULL)
		buf_addf(into, " (soft %s, hard %s)", SIZE(status, "limits.memory.soft_bytes"),
		         SIZE(status, "limits.memory.hard_bytes"));
	if (json_number_value(at(memory, "container.oom_kill_total")) > 0)
		buf_addf(into, "; %s OOM kills", COUNT(memory, "container.oom_kill_total"));
	buf_add_byte(into, '\n');
}

static void add_exits(struct buf *into, const json_t *status)
{
	const json_t *exits = at(status, "exits");
	size_t count = json_array_size(exits);

	for (size_t i = count > EXITS_SHOWN ? count - EXITS_SHOWN : 0; i < count; i++) {
		const json_t *one = json_array_get(exits, i);

		buf_addf(into, "ended      slot %s, pid %s, ", COUNT(one, "slot"), COUNT(one, "pid"));
		human_add_text(into, text_at(one, "reason"));
		buf_addf(into, ", after %s and %s requests", DURATION(one, "age_seconds"), COUNT(one, "requests_total"));
		if (at(one, "last_words") != NULL) {
			buf_add_str(into, ": ");
			human_add_text(into, text_at(one, "last_words"));
		}
		buf_add_byte(into, '\n');
	}
	if (at(status, "reload.last_error") != NULL) {
		buf_add_str(into, "reload     failed: ");
		human_add_text(into, text_at(status, "reload.last_error"));
		buf_add_byte(into, '\n');
	}
}

/* ---- the table ---- */

static double rss_of(const json_t *worker)
{
	return json_number_value(at(worker, "rss_bytes"));
}

static int compare_rss(const void *a, const void *b)
{
	const json_t *left = *(json_t *const *)a, *right = *(json_t *const *)b;

	if (rss_of(left) != rss_of(right))
		return rss_of(left) < rss_of(right) ? 1 : -1;
	/* The same order each time, or the lines would jump. */
	return json_number_value(at(left, "slot")) < json_number_value(at(right, "slot")) ? -1 : 1;
}

/* Kernel memory of its sockets, of both kinds. */
static struct human socket_size(const json_t *worker)
{
	const json_t *client = at(worker, "sockets.client_bytes"), *upstream = at(worker, "sockets.upstream_bytes");
	json_t *sum = client != NULL ? json_real(json_number_value(client) + json_number_value(upstream)) : NULL;
	struct human human = human_size(sum);

	json_decref(sum);
	return human;
}

/* The request that has run longest, and how many there are besides. */
static void add_in_flight(struct buf *into, const json_t *worker)
{
	const json_t *requests = at(worker, "requests_in_flight"), *request, *oldest = NULL;
	double age = -1;
	size_t i;

	json_array_foreach(requests, i, request) {
		if (json_number_value(at(request, "age_seconds")) > age) {
			age = json_number_value(at(request, "age_seconds"));
			oldest = request;
		}
	}
	if (oldest == NULL)
		return;
	buf_addf(into, "%s ", DURATION(oldest, "age_seconds"));
	if (json_array_size(requests) > 1)
		buf_addf(into, "(+%zu) ", json_array_size(requests) - 1);
	human_add_text(into, text_at(oldest, "method"));
	buf_add_byte(into, ' ');
	human_add_text(into, text_at(oldest, "path"));
}

static void add_worker(struct buf *into, const json_t *worker, bool is_wide)
{
	char state[16];
	bool is_recycling = json_is_true(at(worker, "is_recycling")) && strcmp(text_at(worker, "state"), "serving") == 0;

	(void)snprintf(state, sizeof(state), "%s", is_recycling ? "recycling" : text_at(worker, "state"));
	buf_addf(into, "%4s %8s ", COUNT(worker, "slot"), COUNT(worker, "pid"));
	human_add_text(into, state);
	buf_addf(into, "%*s %7s %9s %4s %6s %6s ", (int)MAX(0, 9 - (int)strlen(state)), "", DURATION(worker, "age_seconds"),
	         COUNT(worker, "requests_total"), COUNT(worker, "requests_active"), SIZE(worker, "rss_bytes"),
	         socket_size(worker).text);
	if (is_wide)
		buf_addf(into, "%6s %8s ", SIZE(worker, "memory.uss_bytes"), SIZE(worker, "memory.growth_bytes_per_second"));
	add_in_flight(into, worker);
	while (into->len > 0 && into->data[into->len - 1] == ' ')
		into->len--;
}

static void add_workers(struct buf *into, const json_t *status, const struct table_view *view, size_t lines)
{
	const json_t *list = at(status, "workers");
	size_t count = json_array_size(list);
	json_t **workers = xcalloc(count + 1, sizeof(*workers));
	bool is_wide = view->columns >= WIDE_COLUMNS;
	size_t shown = view->rows == 0 || count <= lines ? count : MAX(lines, 1) - 1;

	for (size_t i = 0; i < count; i++)
		workers[i] = json_array_get(list, i);
	if (view->is_by_rss)
		qsort(workers, count, sizeof(*workers), compare_rss);
	for (size_t i = 0; i < shown; i++) {
		size_t begin = into->len;

		add_worker(into, workers[i], is_wide);
		human_cut_line(into, begin, view->columns);
		buf_add_byte(into, '\n');
	}
	if (shown < count)
		buf_addf(into, "     and %zu more\n", count - shown);
	free(workers);
}

/* Each line of the page for itself. */
static void cut_lines(struct buf *into, size_t begin, const struct table_view *view)
{
	struct buf page = BUF_NONE;
	struct span rest = span_of(into->data + begin, into->len - begin);
	struct span line;
	size_t count = 0;

	while (rest.len > 0 && span_split(&rest, '\n', &line) && (view->rows == 0 || count++ < view->rows)) {
		size_t start = page.len;

		buf_add_span(&page, line);
		human_cut_line(&page, start, view->columns);
		buf_add_byte(&page, '\n');
	}
	into->len = begin;
	buf_add_span(into, buf_span(&page));
	buf_release(&page);
}

static size_t count_lines(const struct buf *text, size_t begin)
{
	size_t count = 0;

	for (size_t i = begin; i < text->len; i++)
		count += text->data[i] == '\n';
	return count;
}

void table_add_status(struct buf *into, const json_t *status, const struct table_view *view)
{
	size_t begin = into->len;
	size_t used;

	add_server(into, status);
	add_listeners(into, status);
	add_work(into, status);
	add_memory(into, status);
	add_exits(into, status);
	buf_addf(into, "\n%4s %8s %-9s %7s %9s %4s %6s %6s %s%s\n", "SLOT", "PID", "STATE", "AGE", "REQUESTS", "ACT", "RSS", "SOCK",
	         view->columns >= WIDE_COLUMNS ? "   USS   GROW/S " : "", "IN FLIGHT");
	used = count_lines(into, begin);
	add_workers(into, status, view, view->rows > used ? view->rows - used : 0);
	if (view->is_cut)
		cut_lines(into, begin, view);
}

/* ---- limits, settings ---- */

static void add_budget(struct buf *into, const char *name, const json_t *value)
{
	buf_addf(into, "%-24s ", name);
	if (json_is_object(value)) {
		buf_addf(into, "soft %6s  hard %6s", SIZE(value, "soft_bytes"), SIZE(value, "hard_bytes"));
		if (at(value, "source") != NULL) {
			buf_add_str(into, "  from ");
			human_add_text(into, text_at(value, "source"));
		}
	} else if (json_is_string(value)) {
		human_add_text(into, json_string_value(value));
	} else if (json_is_null(value)) {
		buf_add_byte(into, '-');
	} else {
		bool is_size = strstr(name, "_bytes") != NULL;

		buf_add_str(into, is_size ? human_size(value).text : human_count(value).text);
	}
	buf_add_byte(into, '\n');
}

void table_add_limits(struct buf *into, const json_t *limits)
{
	const json_t *sentence;
	json_t *object;
	json_t *value;
	const char *name;
	size_t i;

	if (!json_is_object(limits)) {
		buf_add_str(into, "The server tells no limits.\n");
		return;
	}
	json_array_foreach(at(limits, "sentences"), i, sentence) {
		human_add_text(into, json_string_value(sentence) != NULL ? json_string_value(sentence) : "-");
		buf_add_byte(into, '\n');
	}
	if (i > 0)
		buf_add_byte(into, '\n');
	memcpy(&object, &limits, sizeof(object)); /* the macro reads only */
	json_object_foreach(object, name, value)
		if (!json_is_array(value))
			add_budget(into, name, value);
}

void table_add_config(struct buf *into, const json_t *settings)
{
	json_t *object;
	json_t *setting;
	const char *name;

	memcpy(&object, &settings, sizeof(object)); /* the macro reads only */
	json_object_foreach(object, name, setting) {
		const json_t *value = json_object_get(setting, "value");
		const char *source = text_at(setting, "source");
		char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY);

		buf_addf(into, "%-*s = ", NAME_COLUMNS, name);
		human_add_text(into, text != NULL ? text : "-");
		free(text);
		if (strcmp(source, "default") != 0) {
			buf_add_str(into, "  (");
			human_add_text(into, source);
			buf_add_byte(into, ')');
		}
		buf_add_byte(into, '\n');
	}
}
