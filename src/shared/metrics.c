/* SPDX-License-Identifier: MIT */
/*
 * metrics.c - metrics to a statsd server.
 *
 * Called by worker/ for requests and by master/statsd.c for gauges. Never waits but in metrics_connect(), never logs: also
 * the log itself is counted here.
 */
#include "base/base.h"

#include "shared/metrics.h"

#include <netdb.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/span.h"

enum { DATAGRAM_MAX = 1024, REQUEST_METRICS = 3 };

static bool is_all_digits(struct span text)
{
	uint64_t number;

	return text.len > 0 && span_to_u64(text, &number);
}

static int set_port(struct metrics *metrics, struct span port, struct err *err)
{
	uint64_t number = 8125;

	if (port.at != NULL && (!span_to_u64(port, &number) || number == 0 || number > 65535))
		return err_set(err, -EINVAL, "Invalid value for statsd_host: '%.*s' is not a valid port number.", SPAN_ARG(port));
	(void)snprintf(metrics->port, sizeof(metrics->port), "%u", (unsigned)number);
	return 0;
}

static int set_path(struct metrics *metrics, struct span path, struct err *err)
{
	if (path.len == 0 || path.len >= sizeof(metrics->local.sun_path))
		return err_set(err, -EINVAL, "Invalid value for statsd_host: '%.*s' is no path of a unix socket", SPAN_ARG(path));
	metrics->is_unix = true;
	metrics->local.sun_family = AF_UNIX;
	memcpy(metrics->local.sun_path, path.at, path.len);
	return 0;
}

/* gunicorn: config.py validate_statsd_address(); unix:8125 is a host of that name. */
static int set_address(struct metrics *metrics, const char *text, struct err *err)
{
	struct span address = span_trim(span_from_str(text), " \t"), host = address, port = SPAN_NONE;

	if (span_starts_with(address, SPAN_LIT("unix:"))) {
		struct span path = span_of(address.at + 5, address.len - 5);
		if (span_starts_with(path, SPAN_LIT("//")))
			path = span_of(path.at + 2, path.len - 2);
		if (!is_all_digits(path))
			return set_path(metrics, path, err);
	}
	if (address.at[0] == '[') {
		ssize_t end = span_find(address, ']');
		if (end < 0)
			return err_set(err, -EINVAL, "Invalid value for statsd_host: '%s' lacks a ]", text);
		host = span_of(address.at + 1, (size_t)end - 1);
		if ((size_t)end + 1 < address.len && address.at[end + 1] == ':')
			port = span_of(address.at + end + 2, address.len - (size_t)end - 2);
	} else {
		ssize_t colon = span_find(address, ':');
		if (colon >= 0) {
			host = span_of(address.at, (size_t)colon);
			port = span_of(address.at + colon + 1, address.len - (size_t)colon - 1);
		}
	}
	metrics->host = host.len > 0 ? span_dup(host) : xstrdup("localhost");
	return set_port(metrics, port, err);
}

int metrics_init(struct metrics *metrics, const char *host, const char *prefix, const char *tags, struct err *err)
{
	*metrics = (struct metrics){ .fd = FD_NONE };
	if (host == NULL || host[0] == '\0')
		return 0;

	struct span bare = span_from_str(prefix);
	while (bare.len > 0 && bare.at[bare.len - 1] == '.')
		bare.len--;
	metrics->prefix = bare.len > 0 ? xasprintf("%.*s.", SPAN_ARG(bare)) : xstrdup("");
	metrics->tags = tags != NULL && tags[0] != '\0' ? xasprintf("|#%s", tags) : xstrdup("");
	int result = set_address(metrics, host, err);
	metrics->is_on = result == 0;
	return result;
}

int metrics_connect(struct metrics *metrics, struct err *err)
{
	const struct addrinfo wanted = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found = NULL;

	if (!metrics->is_on)
		return 0;
	if (metrics->is_unix) {
		metrics->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		return metrics->fd >= 0 ? 0 : err_set_errno(err, -errno, "no socket for statsd");
	}
	int code = getaddrinfo(metrics->host, metrics->port, &wanted, &found);
	if (code != 0)
		return err_set(err, -EHOSTUNREACH, "No metrics are sent: statsd_host %s: %s", metrics->host, gai_strerror(code));
	for (const struct addrinfo *one = found; one != NULL && metrics->fd < 0; one = one->ai_next) {
		metrics->fd = socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (metrics->fd >= 0 && connect(metrics->fd, one->ai_addr, one->ai_addrlen) != 0) {
			(void)err_set_errno(err, -errno, "No metrics are sent: statsd_host %s", metrics->host);
			fd_close(&metrics->fd);
		}
	}
	freeaddrinfo(found);
	return metrics->fd >= 0 ? 0 : -EHOSTUNREACH;
}

void metrics_use_take(struct metrics *metrics, int fd)
{
	fd_close(&metrics->fd);
	metrics->fd = fd;
}

void metrics_release(struct metrics *metrics)
{
	if (metrics->host == NULL && metrics->prefix == NULL) {
		*metrics = (struct metrics){ .fd = FD_NONE };
		return;
	}
	fd_close(&metrics->fd);
	free(metrics->host);
	free(metrics->prefix);
	free(metrics->tags);
	*metrics = (struct metrics){ .fd = FD_NONE };
}

/* All in one system call. What the kernel does not take is forgotten. */
static void send_all(const struct metrics *metrics, char texts[][DATAGRAM_MAX], const size_t *lens, size_t count)
{
	struct mmsghdr messages[REQUEST_METRICS];
	struct iovec parts[REQUEST_METRICS];
	struct sockaddr_un local = metrics->local;
	int saved = errno;

	memset(messages, 0, sizeof(messages));
	for (size_t i = 0; i < count; i++) {
		parts[i] = (struct iovec){ texts[i], lens[i] };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		if (metrics->is_unix) {
			messages[i].msg_hdr.msg_name = &local;
			messages[i].msg_hdr.msg_namelen = sizeof(local);
		}
	}
	for (size_t sent = 0, refused = 0; sent < count;) {
		int done = sendmmsg(metrics->fd, messages + sent, (unsigned)(count - sent), MSG_DONTWAIT | MSG_NOSIGNAL);
		/* "Connection refused" is about an earlier datagram: once more. */
		if (done < 0 && errno == ECONNREFUSED && refused++ == 0)
			continue;
		sent += done > 0 ? (size_t)done : 1;
	}
	errno = saved;
}

static size_t put(const struct metrics *metrics, char into[DATAGRAM_MAX], const char *text)
{
	int len = snprintf(into, DATAGRAM_MAX, "%s%s%s", metrics->prefix, text, metrics->tags);

	return len > 0 && len < DATAGRAM_MAX ? (size_t)len : 0;
}

void metrics_send(const struct metrics *metrics, const char *text)
{
	char texts[1][DATAGRAM_MAX];

	if (!metrics->is_on || metrics->fd < 0)
		return;
	size_t len = put(metrics, texts[0], text);
	if (len > 0)
		send_all(metrics, texts, &len, 1);
}

void metrics_send_request(const struct metrics *metrics, int status, uint64_t duration_us)
{
	char texts[REQUEST_METRICS][DATAGRAM_MAX], text[96];
	size_t lens[REQUEST_METRICS];

	if (!metrics->is_on || metrics->fd < 0)
		return;
	(void)snprintf(text, sizeof(text), "gunicorn.request.duration:%llu.%03u|ms", (unsigned long long)(duration_us / 1000),
	               (unsigned)(duration_us % 1000));
	lens[0] = put(metrics, texts[0], text);
	lens[1] = put(metrics, texts[1], "gunicorn.requests:1|c|@1.0");
	(void)snprintf(text, sizeof(text), "gunicorn.request.status.%d:1|c|@1.0", status);
	lens[2] = put(metrics, texts[2], text);
	if (lens[0] > 0 && lens[1] > 0 && lens[2] > 0)
		send_all(metrics, texts, lens, REQUEST_METRICS);
}

void metrics_note_line(void *context, enum log_level level, bool has_details)
{
	const struct metrics *metrics = context;

	if (has_details && level >= LOG_ERROR)
		metrics_send(metrics, "gunicorn.log.exception:1|c|@1.0");
	else if (level == LOG_CRITICAL)
		metrics_send(metrics, "gunicorn.log.critical:1|c|@1.0");
	else if (level == LOG_ERROR)
		metrics_send(metrics, "gunicorn.log.error:1|c|@1.0");
	else if (level == LOG_WARNING)
		metrics_send(metrics, "gunicorn.log.warning:1|c|@1.0");
}
