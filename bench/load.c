/* SPDX-License-Identifier: MIT */
/*
 * load.c - clients that ask as fast as they are answered, check every answer, and put each request in exactly one class.
 *
 * A program of its own (`make bench/load`), run by bench/ scripts and by hand beside any HTTP/1.1 server. One thread, one epoll
 * set. Must not repair anything: a request that fails is counted and not sent again.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CLASSES(X)                                                                                                          \
	X(ok)          /* status and body as expected, framing complete */                                                  \
	X(http_5xx)    /* a complete answer of that kind */                                                                 \
	X(http_other)  /* a complete answer with another status than 200 */                                                 \
	X(bad_body)    /* complete, and not the body that was expected */                                                   \
	X(refused)     /* nobody listens */                                                                                 \
	X(not_reached) /* connecting, or the TLS handshake, failed in another way */                                        \
	X(fresh_reset) /* closed or reset before the first byte of an answer, on a new connection */                        \
	X(race)        /* the same on a connection that had served before */                                                \
	X(partial)     /* closed or reset within an answer */                                                               \
	X(late)        /* no complete answer in time */                                                                     \
	X(garbage)     /* no HTTP */

enum class {
#define X(name) CLASS_##name,
	CLASSES(X)
#undef X
	CLASS_MAX
};

enum { IN_BYTES = 1 << 20, EVENTS = 256, SAMPLES_MAX = 1 << 22 };

enum state { CLOSED, CONNECTING, SHAKING, SENDING, READING };

struct client {
	int fd;
	SSL *tls;
	enum state state;
	unsigned served;
	size_t sent;
	char *in;
	size_t in_len;
	uint64_t began_ns;
};

static struct {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_un local;
	} address;
	socklen_t address_len;
	const char *path, *expect, *host;
	bool is_fresh, is_tls;
	int proxy_version; /* 0: no header */
	unsigned clients;
	uint64_t limit, until_ns, patience_ns;
} options = { .path = "/", .host = "localhost", .clients = 16, .limit = UINT64_MAX, .patience_ns = 10000000000 };

static uint64_t counts[CLASS_MAX], begun, reconnects;
static uint32_t *samples_us; /* of the good answers */
static size_t sample_count;
static char preamble[64], *request;
static size_t preamble_len, request_len;
static SSL_CTX *tls_context;
static int epoll_fd;

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void hang_up(struct client *client)
{
	SSL_free(client->tls);
	client->tls = NULL;
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
	client->state = CLOSED;
	client->served = 0;
	client->in_len = 0;
}

static void finish(struct client *client, enum class class)
{
	counts[class]++;
	if (class == CLASS_ok && sample_count < SAMPLES_MAX)
		samples_us[sample_count++] = (uint32_t)((now_ns() - client->began_ns) / 1000);
	if (class != CLASS_ok)
		hang_up(client);
}

static bool may_ask(void)
{
	return begun < options.limit && now_ns() < options.until_ns;
}

static bool begin_request(struct client *client)
{
	if (!may_ask()) {
		hang_up(client);
		return false;
	}
	begun++;
	client->began_ns = now_ns();
	client->sent = 0;
	client->in_len = 0;
	return true;
}

static void connect_client(struct client *client)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = client };
	const int one = 1;

	if (!begin_request(client))
		return;
	reconnects++;
	client->fd = socket(options.address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		die("socket");
	client->state = CONNECTING;
	/* A unix socket whose queue is full says so at once unless the caller may wait. */
	if (options.address.any.sa_family == AF_INET &&
	    (setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	     fcntl(client->fd, F_SETFL, O_NONBLOCK) < 0))
		die("socket");
	if (connect(client->fd, &options.address.any, options.address_len) < 0 && errno != EINPROGRESS) {
		finish(client, errno == ECONNREFUSED || errno == ENOENT ? CLASS_refused : CLASS_not_reached);
		return;
	}
	if (fcntl(client->fd, F_SETFL, O_NONBLOCK) < 0)
		die("socket");
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
		die("epoll_ctl");
}

static bool want_more(SSL *tls, int result)
{
	const int error = SSL_get_error(tls, result);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* 1 done, 0 later, -1 broken. The PROXY header goes ahead of TLS. */
static int put(struct client *client)
{
	/* Until the handshake there is nothing else to send. */
	const size_t len = preamble_len + (options.is_tls && client->tls == NULL ? 0 : request_len);

	while (client->sent < len) {
		const bool is_plain = client->tls == NULL || client->sent < preamble_len;
		const char *at = client->sent < preamble_len ? preamble + client->sent : request + client->sent - preamble_len;
		const size_t left = client->sent < preamble_len ? preamble_len - client->sent
		                                                : request_len + preamble_len - client->sent;
		ssize_t sent;

		if (is_plain) {
			sent = send(client->fd, at, left, MSG_NOSIGNAL);
			if (sent < 0 && errno == EAGAIN)
				return 0;
		} else {
			ERR_clear_error();
			sent = SSL_write(client->tls, at, (int)left);
			if (sent <= 0 && want_more(client->tls, (int)sent))
				return 0;
		}
		if (sent <= 0)
			return -1;
		client->sent += (size_t)sent;
	}
	return 1;
}

/* Bytes read, 0 at the end, -1 later, -2 broken. */
static ssize_t take(struct client *client)
{
	char *at = client->in + client->in_len;
	const size_t room = IN_BYTES - client->in_len - 1;
	ssize_t count;

	if (client->tls == NULL) {
		count = recv(client->fd, at, room, 0);
		if (count < 0)
			count = errno == EAGAIN ? -1 : -2;
	} else {
		ERR_clear_error();
		count = SSL_read(client->tls, at, (int)room);
		if (count <= 0)
			count = want_more(client->tls, (int)count) ? -1 : 0;
	}
	if (count > 0)
		client->in_len += (size_t)count;
	return count;
}

struct answer {
	int status;
	size_t body_at, body_len, len; /* len: of the whole answer; 0: not complete */
	bool will_close, is_garbage;
};

static const char *find_field(const char *head, const char *end, const char *name)
{
	const size_t len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line != NULL && line < end; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':')
			return line + 3 + len + strspn(line + 3 + len, " ");
	return NULL;
}

/* Joins the chunks in place; sets len when the last one is there. */
static void measure_chunks(char *in, size_t in_len, struct answer *answer)
{
	size_t at = answer->body_at, to = answer->body_at;

	for (;;) {
		char *line_end = memmem(in + at, in_len - at, "\r\n", 2);
		unsigned long size;

		if (line_end == NULL)
			return;
		size = strtoul(in + at, NULL, 16);
		at = (size_t)(line_end - in) + 2;
		if (in_len - at < size + 2)
			return;
		if (size == 0)
			break;
		to += size;
		at += size + 2;
	}
	answer->len = at + 2;
	answer->body_len = 0;
	for (at = to = answer->body_at;;) {
		const unsigned long size = strtoul(in + at, NULL, 16);

		if (size == 0)
			break;
		at = (size_t)((char *)memmem(in + at, in_len - at, "\r\n", 2) - in) + 2;
		memmove(in + to, in + at, size);
		to += size;
		at += size + 2;
	}
	answer->body_len = to - answer->body_at;
}

static struct answer measure(char *in, size_t in_len, bool is_end)
{
	struct answer answer = { 0 };
	const char *end, *field;

	in[in_len] = '\0';
	if (in_len >= 9 && (strncmp(in, "HTTP/1.", 7) != 0 || in[8] != ' '))
		answer.is_garbage = true;
	end = strstr(in, "\r\n\r\n");
	if (end == NULL || answer.is_garbage)
		return answer;
	answer.status = atoi(in + 9);
	answer.body_at = (size_t)(end - in) + 4;
	field = find_field(in, end, "Connection");
	answer.will_close = field != NULL && strncasecmp(field, "close", 5) == 0;
	if ((field = find_field(in, end, "Content-Length")) != NULL) {
		answer.body_len = strtoul(field, NULL, 10);
		if (in_len >= answer.body_at + answer.body_len)
			answer.len = answer.body_at + answer.body_len;
	} else if ((field = find_field(in, end, "Transfer-Encoding")) != NULL) {
		measure_chunks(in, in_len, &answer);
	} else {
		answer.will_close = true;
		answer.body_len = in_len - answer.body_at;
		answer.len = is_end ? in_len : 0;
	}
	return answer;
}

static enum class judge(const struct client *client, const struct answer *answer)
{
	if (answer->status != 200)
		return answer->status / 100 == 5 ? CLASS_http_5xx : CLASS_http_other;
	if (options.expect != NULL && (answer->body_len != strlen(options.expect) ||
	                               memcmp(client->in + answer->body_at, options.expect, answer->body_len) != 0))
		return CLASS_bad_body;
	return CLASS_ok;
}

/* False: nothing more can be done now. */
static bool read_answer(struct client *client)
{
	const ssize_t count = take(client);
	struct answer answer;

	if (count == -1)
		return false;
	answer = measure(client->in, client->in_len, count == 0);
	if (answer.is_garbage || client->in_len == IN_BYTES - 1) {
		finish(client, CLASS_garbage);
	} else if (answer.len > 0) {
		const enum class class = judge(client, &answer);

		finish(client, class);
		client->served++;
		if (class == CLASS_ok && (answer.will_close || options.is_fresh))
			hang_up(client);
		else if (class == CLASS_ok && begin_request(client))
			client->state = SENDING;
	} else if (count <= 0) {
		finish(client, client->in_len > 0 ? CLASS_partial : client->served > 0 ? CLASS_race : CLASS_fresh_reset);
	}
	return client->state == SENDING || client->state == READING;
}

static int shake(struct client *client)
{
	int result;

	if (client->tls == NULL) {
		client->tls = SSL_new(tls_context);
		if (client->tls == NULL || SSL_set_fd(client->tls, client->fd) != 1)
			die("TLS");
	}
	ERR_clear_error();
	result = SSL_connect(client->tls);
	if (result == 1)
		return 1;
	return want_more(client->tls, result) ? 0 : -1;
}

static void run(struct client *client)
{
	int error = 0, result;
	socklen_t len = sizeof(error);

	if (client->state == CONNECTING) {
		if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0) {
			finish(client, error == ECONNREFUSED ? CLASS_refused : CLASS_not_reached);
			return;
		}
		client->state = SENDING;
		if (options.is_tls) {
			if (put(client) != 1) {
				finish(client, CLASS_not_reached);
				return;
			}
			client->state = SHAKING;
		}
	}
	if (client->state == SHAKING) {
		result = shake(client);
		if (result < 0)
			finish(client, CLASS_not_reached);
		if (result <= 0)
			return;
		client->state = SENDING;
	}
	do {
		if (client->state == SENDING) {
			/* A new connection has sent its preamble; on an old one there is none. */
			if (client->served > 0 && client->sent == 0)
				client->sent = preamble_len;
			result = put(client);
			/* A reset is told by the read, with what came before it. */
			if (result != 0)
				client->state = READING;
		}
	} while (client->state == READING && read_answer(client));
}

static void expire(struct client *clients, uint64_t now)
{
	for (unsigned i = 0; i < options.clients; i++)
		if (clients[i].state != CLOSED && now - clients[i].began_ns > options.patience_ns)
			finish(&clients[i], CLASS_late);
}

static int compare(const void *a, const void *b)
{
	const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

static double percentile_ms(double share)
{
	return sample_count == 0 ? 0 : samples_us[(size_t)((double)(sample_count - 1) * share)] / 1000.0;
}

static void report(uint64_t elapsed_ns)
{
	static const char *const names[] = {
#define X(name) #name,
		CLASSES(X)
#undef X
	};
	uint64_t total = 0;

	qsort(samples_us, sample_count, sizeof(*samples_us), compare);
	printf("{");
	for (int i = 0; i < CLASS_MAX; i++) {
		printf("\"%s\": %llu, ", names[i], (unsigned long long)counts[i]);
		total += counts[i];
	}
	printf("\"requests\": %llu, \"failed\": %llu, \"connections\": %llu, \"seconds\": %.2f, \"rps\": %.0f, \"p50_ms\": %.2f, "
	       "\"p99_ms\": %.2f, \"max_ms\": %.2f}\n",
	       (unsigned long long)total, (unsigned long long)(total - counts[CLASS_ok]), (unsigned long long)reconnects,
	       (double)elapsed_ns / 1e9, (double)total / ((double)elapsed_ns / 1e9), percentile_ms(0.5), percentile_ms(0.99),
	       percentile_ms(1));
}

static void set_address(const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[64];

	if (strncmp(text, "unix:", 5) == 0) {
		options.address.local.sun_family = AF_UNIX;
		if (strlen(text + 5) >= sizeof(options.address.local.sun_path))
			die("address");
		strcpy(options.address.local.sun_path, text + 5);
		options.address_len = sizeof(options.address.local);
		return;
	}
	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		die("address");
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	options.address.v4.sin_family = AF_INET;
	options.address.v4.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &options.address.v4.sin_addr) != 1)
		die("address");
	options.address_len = sizeof(options.address.v4);
}

static void set_preamble(void)
{
	static const unsigned char v2[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11,
		                            0x00, 0x0c, 192,  0,    2,    7,    192,  0,    2,    1,    0x1f, 0x90, 0x00, 0x50 };

	if (options.proxy_version == 1) {
		preamble_len = (size_t)snprintf(preamble, sizeof(preamble), "PROXY TCP4 192.0.2.7 192.0.2.1 8080 80\r\n");
	} else if (options.proxy_version == 2) {
		memcpy(preamble, v2, sizeof(v2));
		preamble_len = sizeof(v2);
	}
}

static void usage(void)
{
	fputs("usage: load [options] HOST:PORT | unix:PATH\n"
	      "  -c N     connections (16)\n"
	      "  -n N     requests; -d SECONDS: so long (one of the two)\n"
	      "  -p PATH  what is asked for (/)\n"
	      "  -e TEXT  the body that every answer must have\n"
	      "  -t MS    patience for one answer (10000)\n"
	      "  -x       a new connection for each request\n"
	      "  -s       TLS; the certificate is not checked\n"
	      "  -P 1|2   a PROXY header of that version first\n",
	      stderr);
	exit(2);
}

static void read_options(int argc, char **argv)
{
	uint64_t seconds = 0;
	int option;

	while ((option = getopt(argc, argv, "c:n:d:p:e:t:xsP:")) != -1) {
		switch (option) {
		case 'c': options.clients = (unsigned)atoi(optarg); break;
		case 'n': options.limit = strtoull(optarg, NULL, 10); break;
		case 'd': seconds = strtoull(optarg, NULL, 10); break;
		case 'p': options.path = optarg; break;
		case 'e': options.expect = optarg; break;
		case 't': options.patience_ns = strtoull(optarg, NULL, 10) * 1000000; break;
		case 'x': options.is_fresh = true; break;
		case 's': options.is_tls = true; break;
		case 'P': options.proxy_version = atoi(optarg); break;
		default: usage();
		}
	}
	if (optind != argc - 1 || (options.limit == UINT64_MAX && seconds == 0) || options.clients == 0)
		usage();
	set_address(argv[optind]);
	set_preamble();
	options.until_ns = seconds > 0 ? now_ns() + seconds * 1000000000 : UINT64_MAX;
	if (asprintf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", options.path, options.host,
	             options.is_fresh ? "Connection: close\r\n" : "") < 0)
		die("request");
	request_len = strlen(request);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	struct client *clients;
	uint64_t begin_ns, looked_ns;
	bool is_active = true;

	read_options(argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	samples_us = calloc(SAMPLES_MAX, sizeof(*samples_us));
	clients = calloc(options.clients, sizeof(*clients));
	if (epoll_fd < 0 || samples_us == NULL || clients == NULL)
		die("set-up");
	if (options.is_tls && (tls_context = SSL_CTX_new(TLS_client_method())) == NULL)
		die("TLS");
	for (unsigned i = 0; i < options.clients; i++) {
		clients[i].fd = -1;
		clients[i].in = malloc(IN_BYTES);
		if (clients[i].in == NULL)
			die("set-up");
	}
	begin_ns = looked_ns = now_ns();
	while (is_active) {
		int count;

		is_active = false;
		for (unsigned i = 0; i < options.clients; i++) {
			if (clients[i].state == CLOSED && may_ask())
				connect_client(&clients[i]);
			is_active = is_active || clients[i].state != CLOSED || may_ask();
		}
		count = epoll_wait(epoll_fd, events, EVENTS, 100);
		for (int i = 0; i < count; i++)
			if (((struct client *)events[i].data.ptr)->state != CLOSED)
				run(events[i].data.ptr);
		if (now_ns() - looked_ns > 100000000) {
			looked_ns = now_ns();
			expire(clients, looked_ns);
		}
	}
	report(now_ns() - begin_ns);
	return 0;
}
