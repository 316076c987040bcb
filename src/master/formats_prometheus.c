/* SPDX-License-Identifier: MIT */
/*
 * formats_prometheus.c - the status document in Prometheus' text format 0.0.4.
 *
 * Called by formats.c. Pure. Series of a worker carry its slot and not its pid, so that a worker that is replaced is a counter that
 * starts anew and no new series; gunwale_worker_info tells the pid.
 */
#include "base/base.h"

#include "master/formats.h"

#define PREFIX "gunwale_"

enum counter_kind { TOTAL, GAUGE };
static const char *const kind_names[] = { [TOTAL] = "counter", [GAUGE] = "gauge" };

/* All samples of one name; HELP and TYPE are written before the first of them. */
struct family {
	struct buf *into;
	const char *name;
	const char *type;
	const char *help;
	bool has_begun;
};

static void add_escaped(struct buf *into, const char *text, bool is_label)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			buf_add_str(into, "\\n");
		else if (*text == '\\' || (*text == '"' && is_label))
			buf_addf(into, "\\%c", *text);
		else
			buf_add_byte(into, *text);
	}
}

static void add_value(struct buf *into, const json_t *value, double scale)
{
	if (json_is_integer(value) && scale == 1)
		buf_addf(into, "%lld\n", (long long)json_integer_value(value));
	else
		buf_addf(into, "%.12g\n", json_number_value(value) * scale);
}

struct label {
	const char *name; /* NULL: none */
	const char *value;
};

/* Nothing at all for what is no number. */
static void add_sample(struct family *family, const char *suffix, struct label first, struct label second, const json_t *value,
                       double scale)
{
	struct buf *into = family->into;

	if (!json_is_number(value))
		return;
	if (!family->has_begun) {
		buf_addf(into, "# HELP " PREFIX "%s ", family->name);
		add_escaped(into, family->help, false);
		buf_addf(into, "\n# TYPE " PREFIX "%s %s\n", family->name, family->type);
		family->has_begun = true;
	}
	buf_addf(into, PREFIX "%s%s", family->name, suffix);
	if (first.name != NULL) {
		buf_addf(into, "{%s=\"", first.name);
		add_escaped(into, first.value, true);
		buf_add_byte(into, '"');
		if (second.name != NULL) {
			buf_addf(into, ",%s=\"", second.name);
			add_escaped(into, second.value, true);
			buf_add_byte(into, '"');
		}
		buf_add_byte(into, '}');
	}
	buf_add_byte(into, ' ');
	add_value(into, value, scale);
}

#define NO_LABEL ((struct label){ NULL, NULL })

static void add_labelled(struct family *family, const char *label, const char *text, const json_t *value)
{
	add_sample(family, "", (struct label){ label, text }, NO_LABEL, value, 1);
}

/* A number that is no part of the document. */
static void add_made(struct family *family, struct label first, struct label second, double number)
{
	json_t *value = json_real(number);

	add_sample(family, "", first, second, value, 1);
	json_decref(value);
}

static const char *slot_text(const json_t *worker, char into[24])
{
	(void)snprintf(into, 24, "%lld", (long long)format_number(worker, "slot"));
	return into;
}

/* ---- metrics.def ---- */

struct value_row {
	const char *path;
	const char *name;
	enum counter_kind kind;
	const char *help;
	double factor;
};

static const struct value_row service_rows[] = {
#define SERVICE_METRIC(path, name, kind, factor, text) { path, #name, kind, text, factor },
#include "tables/metrics.def"
#undef SERVICE_METRIC
};

static const struct value_row worker_rows[] = {
#define WORKER_METRIC(path, name, kind, factor, text) { path, #name, kind, text, factor },
#include "tables/metrics.def"
#undef WORKER_METRIC
};

static void add_service_row(struct buf *into, const json_t *document, const struct value_row *row)
{
	struct family family = { into, row->name, kind_names[row->kind], row->help, false };

	add_sample(&family, "", NO_LABEL, NO_LABEL, format_at(document, row->path), row->factor);
}

static void add_worker_row(struct buf *into, const json_t *document, const struct value_row *row)
{
	struct family family = { into, row->name, kind_names[row->kind], row->help, false };
	const json_t *worker;
	char slot[24];
	size_t i;

	json_array_foreach(format_at(document, "workers"), i, worker)
		add_sample(&family, "", (struct label){ "slot", slot_text(worker, slot) }, NO_LABEL, format_at(worker, row->path),
		           row->factor);
}

/* ---- counters.def ---- */

#define CLASS_PREFIX "responses_"

/* "2xx" of "responses_2xx_total"; NULL for other names. Those are one family with a label here. */
static const char *class_of(const char *name, char into[4])
{
	if (strncmp(name, CLASS_PREFIX, strlen(CLASS_PREFIX)) != 0)
		return NULL;
	(void)snprintf(into, 4, "%s", name + strlen(CLASS_PREFIX));
	return into;
}

static const struct value_row counter_rows[] = {
#define COUNTER(counter, kind, unit, text) { #counter, #counter, kind, text, 1 },
#include "tables/counters.def"
#undef COUNTER
};

static void add_classes(struct family *family, const json_t *counts, const char *slot)
{
	char class[4];

	for (size_t i = 0; i < ARRAY_LEN(counter_rows); i++) {
		const char *name = counter_rows[i].name;

		if (class_of(name, class) != NULL)
			add_sample(family, "", (struct label){ "class", class }, (struct label){ slot != NULL ? "slot" : NULL, slot },
			           format_at(counts, name), 1);
	}
}

static void add_counters(struct buf *into, const json_t *document)
{
	struct family classes = { into, "responses_total", "counter", "Responses sent, by the class of their status.", false };
	struct family worker_classes = { into, "worker_responses_total", "counter", "The same, by worker.", false };
	const json_t *totals = format_at(document, "totals");
	const json_t *worker;
	char class[4], slot[24], name[80];
	size_t k;

	for (size_t i = 0; i < ARRAY_LEN(counter_rows); i++) {
		struct value_row row = counter_rows[i];

		/* The sum of the histogram says the same, in seconds. */
		if (class_of(row.name, class) != NULL || strcmp(row.name, "request_microseconds_total") == 0)
			continue;
		add_service_row(into, totals, &row);
		(void)snprintf(name, sizeof(name), "worker_%s", row.name);
		row.name = name;
		add_worker_row(into, document, &row);
	}
	add_classes(&classes, totals, NULL);
	json_array_foreach(format_at(document, "workers"), k, worker)
		add_classes(&worker_classes, worker, slot_text(worker, slot));
}

/* ---- families with labels of their own ---- */

static void add_word(struct buf *into, const char *name, const char *help, const char *label, const char *words, const char *word)
{
	struct family family = { into, name, "gauge", help, false };
	struct span rest = span_from_str(words);
	struct span piece;
	char text[16];

	while (word[0] != '\0' && span_split(&rest, ' ', &piece)) {
		(void)snprintf(text, sizeof(text), "%.*s", SPAN_ARG(piece));
		add_made(&family, (struct label){ label, text }, NO_LABEL, strcmp(text, word) == 0);
	}
}

static void add_identity(struct buf *into, const json_t *document)
{
	struct family info = { into, "info", "gauge", "Version and worker class.", false };
	struct family start = { into, "start_time_seconds", "gauge", "When the master started, in seconds since 1970.", false };
	struct family workers = { into, "worker_info", "gauge", "Which process a slot holds.", false };
	double start_time = format_time(document, "server.start_time");
	const json_t *worker;
	char slot[24], pid[24];
	size_t i;

	if (format_at(document, "server.version") != NULL)
		add_made(&info, (struct label){ "version", format_text(document, "server.version") },
		         (struct label){ "worker_class", format_text(document, "server.worker_class") }, 1);
	if (start_time > 0)
		add_made(&start, NO_LABEL, NO_LABEL, start_time);
	json_array_foreach(format_at(document, "workers"), i, worker) {
		if (format_at(worker, "pid") == NULL)
			continue;
		(void)snprintf(pid, sizeof(pid), "%lld", (long long)format_number(worker, "pid"));
		add_made(&workers, (struct label){ "slot", slot_text(worker, slot) }, (struct label){ "pid", pid }, 1);
	}
}

static void add_listeners(struct buf *into, const json_t *document, const char *key, const char *name, const char *help)
{
	struct family family = { into, name, "gauge", help, false };
	const json_t *listener;
	size_t i;

	json_array_foreach(format_at(document, "listeners"), i, listener)
		add_labelled(&family, "address", format_text(listener, "address"), format_at(listener, key));
}

static void add_members(struct buf *into, const json_t *document, const char *path, struct family family, const char *label)
{
	json_t *value;
	const char *key;
	json_t *object;
	const json_t *found = format_at(document, path);

	family.into = into;
	memcpy(&object, &found, sizeof(object)); /* the macro reads only */
	json_object_foreach(object, key, value)
		add_labelled(&family, label, key, value);
}

static void add_limits(struct buf *into, const json_t *document)
{
	struct family family = { into, "limit_bytes", "gauge", "Budgets of memory.", false };
	const json_t *found = format_at(document, "limits");
	json_t *limits;
	json_t *value;
	const char *key;

	memcpy(&limits, &found, sizeof(limits));
	json_object_foreach(limits, key, value) {
		add_sample(&family, "", (struct label){ "budget", key }, (struct label){ "level", "soft" },
		           format_at(value, "soft_bytes"), 1);
		add_sample(&family, "", (struct label){ "budget", key }, (struct label){ "level", "hard" },
		           format_at(value, "hard_bytes"), 1);
	}
}

static void add_durations(struct buf *into, const json_t *document)
{
	struct family histogram = { into, "request_duration_seconds", "histogram", "How long requests took.", false };
	struct family recent = { into, "request_recent_duration_seconds", "gauge",
		                 "Below how much so many percent of the last minute's requests stayed.", false };
	static const struct {
		const char *path, *percentile;
	} percentiles[] = { { "p50", "50" }, { "p95", "95" }, { "p99", "99" } };
	const json_t *durations = format_at(document, "requests.duration_seconds");
	const json_t *bucket;
	char limit[32];
	size_t i;

	json_array_foreach(format_at(durations, "buckets"), i, bucket) {
		(void)snprintf(limit, sizeof(limit), "%.12g", format_number(bucket, "le"));
		add_sample(&histogram, "_bucket", (struct label){ "le", limit }, NO_LABEL, format_at(bucket, "count"), 1);
	}
	add_sample(&histogram, "_bucket", (struct label){ "le", "+Inf" }, NO_LABEL, format_at(durations, "count"), 1);
	add_sample(&histogram, "_sum", NO_LABEL, NO_LABEL, format_at(durations, "sum"), 1);
	add_sample(&histogram, "_count", NO_LABEL, NO_LABEL, format_at(durations, "count"), 1);
	for (i = 0; i < ARRAY_LEN(percentiles); i++)
		add_labelled(&recent, "percentile", percentiles[i].percentile,
		             format_at(format_at(document, "requests.latency_seconds"), percentiles[i].path));
}

void format_add_prometheus(struct buf *into, const json_t *document)
{
	static const struct family exits = { NULL, "worker_exits_total", "counter", "Workers that ended, by reason.", false };

	add_identity(into, document);
	add_word(into, "status", "How the service is.", "status", "pass warn fail", format_text(document, "status"));
	add_word(into, "memory_level", "Which budget of memory is exceeded.", "level", "none soft hard",
	         format_text(document, "memory.level"));
	for (size_t i = 0; i < ARRAY_LEN(service_rows); i++)
		add_service_row(into, document, &service_rows[i]);
	add_limits(into, document);
	add_listeners(into, document, "queue", "listener_queue", "Connections that wait to be accepted.");
	add_listeners(into, document, "queue_max", "listener_queue_limit", "How many may wait.");
	add_members(into, document, "exits_total", exits, "reason");
	add_durations(into, document);
	add_counters(into, document);
	for (size_t i = 0; i < ARRAY_LEN(worker_rows); i++)
		add_worker_row(into, document, &worker_rows[i]);
}
