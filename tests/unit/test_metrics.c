/* SPDX-License-Identifier: MIT */
/*
 * test_metrics.c - addresses of a statsd server, and what is sent there.
 */
#include "base/base.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "shared/metrics.h"

static struct metrics metrics;

static void expect(const char *host, const char *name, const char *port)
{
	cr_assert_eq(metrics_init(&metrics, host, NULL, NULL, NULL), 0, "%s", host);
	cr_assert(metrics.is_on && !metrics.is_unix);
	cr_assert_str_eq(metrics.host, name);
	cr_assert_str_eq(metrics.port, port);
	metrics_release(&metrics);
}

static void expect_path(const char *host, const char *path)
{
	cr_assert_eq(metrics_init(&metrics, host, NULL, NULL, NULL), 0, "%s", host);
	cr_assert(metrics.is_unix);
	cr_assert_str_eq(metrics.local.sun_path, path);
	metrics_release(&metrics);
}

Test(metrics, addresses_are_gunicorns)
{
	expect("statsd", "statsd", "8125");
	expect("127.0.0.1:99", "127.0.0.1", "99");
	expect("[::1]:99", "::1", "99");
	expect("[::1]", "::1", "8125");
	expect("unix:8126", "unix", "8126");
	expect_path("unix:/run/statsd", "/run/statsd");
	expect_path("unix:///run/statsd", "/run/statsd");
	cr_assert_eq(metrics_init(&metrics, "", NULL, NULL, NULL), 0);
	cr_assert_not(metrics.is_on);
}

Test(metrics, bad_addresses_are_refused_with_a_sentence)
{
	static const char *const bad[] = { "h:x", "h:0", "h:65536", "[::1", "unix:" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = ERR_NONE;

		cr_assert_eq(metrics_init(&metrics, bad[i], NULL, NULL, &err), -EINVAL, "%s", bad[i]);
		cr_assert_not_null(strstr(err.text, "statsd_host"));
		metrics_release(&metrics);
	}
}

static const char *received(int fd)
{
	static char text[2048];
	ssize_t len = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[MAX(len, 0)] = '\0';
	return text;
}

Test(metrics, a_request_is_three_datagrams)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	char *host = xasprintf("127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
	cr_assert_eq(metrics_init(&metrics, host, "site..", "a:b", NULL), 0);
	cr_assert_eq(metrics_connect(&metrics, NULL), 0);
	metrics_send_request(&metrics, 404, 1234005);
	cr_assert_str_eq(received(fd), "site.gunicorn.request.duration:1234.005|ms|#a:b");
	cr_assert_str_eq(received(fd), "site.gunicorn.requests:1|c|@1.0|#a:b");
	cr_assert_str_eq(received(fd), "site.gunicorn.request.status.404:1|c|@1.0|#a:b");
	metrics_note_line(&metrics, LOG_ERROR, true);
	cr_assert_str_eq(received(fd), "site.gunicorn.log.exception:1|c|@1.0|#a:b");
	metrics_note_line(&metrics, LOG_WARNING, false);
	cr_assert_str_eq(received(fd), "site.gunicorn.log.warning:1|c|@1.0|#a:b");
	metrics_note_line(&metrics, LOG_INFO, false);
	cr_assert_str_eq(received(fd), "");
	metrics_release(&metrics);
	fd_close(&fd);
	free(host);
}
