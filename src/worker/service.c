/* SPDX-License-Identifier: MIT */
/*
 * service.c - what the connections of one loop share.
 *
 * Called by sync.c, conn.c and exchange.c. Touches no client's socket.
 */
#include "base/base.h"

#include "worker/service.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pace.h"
#include "py/boot.h"
#include "py/clientsocket.h"
#include "py/early_hints.h"
#include "py/errors.h"
#include "py/filewrapper.h"
#include "py/input.h"
#include "py/py.h"
#include "py/pyerr.h"
#include "py/result.h"
#include "py/start_response.h"

/* gunicorn's gthread gives a silent client five seconds and the keep-alive time on top. */
#define FRESH_MS 5000
#define SHAKE_MS 15000
#define HEAD_MS 30000
#define BODY_MS 30000
#define DISCARD_MS 5000
#define LINGER_MS 2000
#define LAST_CHANCE_MS 250
#define LAST_FRESH_MS 1000

static void set_durations(struct service *service)
{
	const uint64_t keepalive_ms = (uint64_t)service->settings->keepalive * 1000;

	service->timer_ms[TIMER_FRESH] = FRESH_MS + keepalive_ms;
	service->timer_ms[TIMER_SHAKE] = SHAKE_MS;
	service->timer_ms[TIMER_IDLE] = keepalive_ms;
	service->timer_ms[TIMER_HEAD] = HEAD_MS;
	service->timer_ms[TIMER_BODY] = BODY_MS;
	service->timer_ms[TIMER_WRITE] = PACE_MS;
	service->timer_ms[TIMER_DISCARD] = DISCARD_MS;
	service->timer_ms[TIMER_LINGER] = LINGER_MS;
	service->timer_ms[TIMER_LAST_CHANCE] = LAST_CHANCE_MS;
	service->timer_ms[TIMER_LAST_FRESH] = LAST_FRESH_MS;
}

static void set_policy(struct http_policy *policy, const struct settings *settings)
{
	http_policy_init(policy, settings->limit_request_line, settings->limit_request_fields,
	                 settings->limit_request_field_size);
	policy->permit_obsolete_folding = settings->permit_obsolete_folding;
	policy->strip_header_spaces = settings->strip_header_spaces;
	policy->permit_unconventional_method = settings->permit_unconventional_http_method;
	policy->permit_missing_host = settings->permit_missing_host;
	policy->permit_unconventional_version = settings->permit_unconventional_http_version;
	policy->casefold_method = settings->casefold_http_method;
	policy->header_map = (enum http_header_map)settings->header_map;
}

static int name_listener(struct service_listener *listener)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
		struct sockaddr_storage storage;
	} address;
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "", port[8] = "";

	memset(&address, 0, sizeof(address));
	if (getsockname(listener->fd, &address.any, &len) < 0)
		return -errno;
	switch (address.any.sa_family) {
	case AF_INET:
		(void)inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host));
		(void)snprintf(port, sizeof(port), "%u", (unsigned)ntohs(address.v4.sin_port));
		break;
	case AF_INET6:
		(void)inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof(host));
		(void)snprintf(port, sizeof(port), "%u", (unsigned)ntohs(address.v6.sin6_port));
		break;
	default:
		listener->server.is_unix = true;
		break;
	}
	if (listener->server.is_unix)
		listener->server.name =
			PyUnicode_DecodeFSDefault(address.any.sa_family == AF_UNIX ? address.local.sun_path : "");
	else
		listener->server.name = PyUnicode_FromString(host);
	listener->server.port = PyUnicode_FromString(port);
	return listener->server.name != NULL && listener->server.port != NULL ? 0 : -ENOMEM;
}

static int set_listeners(struct service *service, struct err *err)
{
	const struct worker *worker = service->worker;

	service->listeners = xcalloc(worker->listen_count, sizeof(*service->listeners));
	service->listener_count = worker->listen_count;
	for (size_t i = 0; i < worker->listen_count; i++) {
		struct service_listener *listener = &service->listeners[i];
		int code;

		listener->fd = worker->listen_fds[i];
		listener->turn.is_listener = true;
		list_init(&listener->turn.link);
		code = name_listener(listener);
		if (code < 0) {
			PyErr_Clear();
			return err_set_errno(err, code, "cannot tell the address of a listening socket");
		}
	}
	return 0;
}

static int prepare_python(struct service *service, struct err *err)
{
	if (boot_names(&service->server_name, &service->software) < 0)
		return pyerr_to_err(err, -EINVAL);
	const struct environ_options options = environ_options_from(service->settings, service->software);

	if (input_setup() < 0 || start_response_setup() < 0 || early_hints_setup() < 0 || clientsocket_setup() < 0 ||
	    result_setup() < 0 || filewrapper_setup() < 0 || environ_kit_init(&service->kit, &options) < 0 ||
	    environ_kit_expect(&service->kit, &service->listeners[0].server) < 0 ||
	    trust_init(&service->trust, service->settings) < 0 || reqhooks_init(&service->hooks, service->worker->proxy) < 0)
		return pyerr_to_err(err, -EINVAL);
	return 0;
}

int service_init(struct service *service, struct worker *worker, struct err *err)
{
	struct err format_err = ERR_NONE;
	int code;

	worker->service = service;
	*service = (struct service){ .worker = worker, .settings = worker->settings, .poller = { .fd = FD_NONE } };
	list_init(&service->turns);
	list_init(&service->conns);
	list_init(&service->free_conns);
	list_init(&service->free_exchanges);
	for (size_t i = 0; i < TIMER_MAX; i++)
		list_init(&service->timers[i]);
	service->now_ms = clock_ms();
	room_init(&service->room, (size_t)MAX(service->settings->worker_connections, 1L));
	set_durations(service);
	set_policy(&service->policy, service->settings);
	trust_init_peers(&service->proxies, &service->settings->proxy_allow_ips);
	code = poller_init(&service->poller);
	if (code < 0)
		return err_set_errno(err, code, "cannot make an epoll set");
	/* gunicorn serves with such a format, too, and complains of it at each request. */
	if (worker->access_log != NULL &&
	    access_init(&service->access, service->settings->access_log_format,
	                service->settings->log_format == LOG_FORMAT_JSON, &format_err) < 0)
		log_error("There is no access log: %s", format_err.text);
	code = set_listeners(service, err);
	return code < 0 ? code : prepare_python(service, err);
}

void service_release(struct service *service)
{
	service->worker->service = NULL;
	environ_kit_release(&service->kit);
	for (size_t i = 0; i < service->listener_count; i++) {
		Py_CLEAR(service->listeners[i].server.name);
		Py_CLEAR(service->listeners[i].server.port);
	}
	free(service->listeners);
	service->listeners = NULL;
	service->listener_count = 0;
	for (size_t i = 0; i < service->spare_count; i++)
		buf_release(&service->spares[i]);
	service->spare_count = 0;
	buf_release(&service->server_name);
	free(service->software);
	service->software = NULL;
	trust_release(&service->trust);
	trust_release(&service->proxies);
	access_release(&service->access);
	reqhooks_release(&service->hooks);
	poller_release(&service->poller);
}

void service_arm(struct service *service, struct timer *timer, enum timer_kind kind)
{
	list_remove(&timer->link);
	timer->is_over = false;
	timer->deadline_ms = service->now_ms + service->timer_ms[kind];
	list_add_tail(&service->timers[kind], &timer->link);
}

void service_disarm(struct timer *timer)
{
	list_remove(&timer->link);
	timer->is_over = false;
}

static struct timer *get_first(const struct service *service, size_t kind)
{
	const struct list *head = &service->timers[kind];

	return list_is_empty(head) ? NULL : LIST_ENTRY(head->next, struct timer, link);
}

int service_next_ms(const struct service *service, int limit_ms)
{
	uint64_t deadline_ms = MIN(service->now_ms + (uint64_t)limit_ms, room_next_ms(service));

	for (size_t kind = 0; kind < TIMER_MAX; kind++) {
		const struct timer *first = get_first(service, kind);

		if (first != NULL && first->deadline_ms < deadline_ms)
			deadline_ms = first->deadline_ms;
	}
	return deadline_ms > service->now_ms ? (int)(deadline_ms - service->now_ms) : 0;
}

struct timer *service_take_due(struct service *service)
{
	for (size_t kind = 0; kind < TIMER_MAX; kind++) {
		struct timer *first = get_first(service, kind);

		if (first != NULL && first->deadline_ms <= service->now_ms) {
			list_remove(&first->link);
			return first;
		}
	}
	return NULL;
}

void service_queue(struct service *service, struct turn *turn)
{
	if (turn->is_queued)
		return;
	turn->is_queued = true;
	list_add_tail(&service->turns, &turn->link);
}

void service_lend_buffer(struct service *service, struct buf *buf)
{
	if (buf->cap > 0)
		return;
	if (service->spare_count > 0)
		*buf = service->spares[--service->spare_count];
	else
		(void)!buf_try_reserve(buf, SERVICE_BUFFER_BYTES);
}

void service_take_back_buffer(struct service *service, struct buf *buf)
{
	if (buf->cap == 0)
		return;
	if (service->spare_count == SERVICE_SPARES || buf->cap > 2 * SERVICE_BUFFER_BYTES) {
		buf_release(buf);
		return;
	}
	buf_clear(buf);
	service->spares[service->spare_count++] = *buf;
	buf_init(buf);
}

struct span service_date(struct service *service)
{
	const time_t wall = clock_wall();

	if (wall != service->date_wall) {
		(void)http_date(service->date, wall);
		service->date_wall = wall;
	}
	return span_of(service->date, 29);
}
