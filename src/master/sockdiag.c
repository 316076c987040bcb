/* SPDX-License-Identifier: MIT */
/*
 * sockdiag.c - kernel memory of the TCP sockets of the network namespace, by NETLINK_SOCK_DIAG.
 *
 * Called on the master's timers. A dump is made within send() and recv(): there is nothing to wait for, and nothing is waited
 * for. Never allocates after sockdiag_new(), never logs.
 */
#include "base/base.h"

#include "master/sockdiag.h"

#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/fd.h"

#include "master/readings.h"
#include "master/sockdiag_internal.h"

/* A message of a dump carries some 200 sockets; beyond this something is wrong. */
enum { RECEIVE_MAX = SOCKDIAG_SOCKET_MAX / 20 };

struct dump_request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

enum dump_step { DUMP_MORE, DUMP_DONE, DUMP_FULL, DUMP_FAILED };

static bool open_netlink(struct sockdiag *sockdiag)
{
	if (sockdiag->netlink < 0)
		sockdiag->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	return sockdiag->netlink >= 0;
}

static bool ask(struct sockdiag *sockdiag, uint8_t family, uint32_t states)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct dump_request request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = ++sockdiag->sequence,
		},
		.body = {
			.sdiag_family = family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1),
			.idiag_states = states,
		},
	};
	ssize_t sent;

	do {
		sent = sendto(sockdiag->netlink, &request, sizeof(request), MSG_DONTWAIT, (const struct sockaddr *)&kernel,
		              sizeof(kernel));
	} while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)sizeof(request);
}

/*
 * receive: rmem_alloc. send: wmem_queued, not wmem_alloc, which counts what is on its way to the device: clones that share the
 * data of wmem_queued. fwd_alloc is what the socket has reserved and not yet filled: charged to the container like the rest, so
 * it is part of the memory, on neither side. It is a signed number: below 0 it is a short debt, and the bytes of the queues are
 * there all the same.
 */
static void add_memory(struct sockdiag_reading *reading, const uint32_t *meminfo)
{
	int32_t reserved;

	memcpy(&reserved, &meminfo[SK_MEMINFO_FWD_ALLOC], sizeof(reserved));
	reading->receive_bytes += meminfo[SK_MEMINFO_RMEM_ALLOC];
	reading->send_bytes += meminfo[SK_MEMINFO_WMEM_QUEUED];
	reading->memory_bytes += (uint64_t)meminfo[SK_MEMINFO_RMEM_ALLOC] + meminfo[SK_MEMINFO_WMEM_QUEUED];
	if (reserved > 0)
		reading->memory_bytes += (uint64_t)reserved;
}

static void add_socket(struct sockdiag_reading *reading, const char *attributes, size_t len)
{
	uint32_t meminfo[SK_MEMINFO_WMEM_QUEUED + 1];
	struct nlattr attribute;

	for (size_t at = 0; at + sizeof(attribute) <= len; at += NLMSG_ALIGN(attribute.nla_len)) {
		memcpy(&attribute, attributes + at, sizeof(attribute));
		if (attribute.nla_len < sizeof(attribute) || attribute.nla_len > len - at)
			return;
		if (attribute.nla_type == INET_DIAG_SKMEMINFO && attribute.nla_len >= sizeof(attribute) + sizeof(meminfo)) {
			memcpy(meminfo, attributes + at + sizeof(attribute), sizeof(meminfo));
			add_memory(reading, meminfo);
			reading->sockets++;
			return;
		}
	}
	/* Without: what is left of a closed socket (TIME_WAIT, seen as FIN_WAIT2), which has no memory. */
}

static enum dump_step take_message(struct sockdiag *sockdiag, const char *at, const struct nlmsghdr *header,
                                   struct sockdiag_reading *reading)
{
	const size_t body = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct inet_diag_msg));
	int32_t error = 0;

	if (header->nlmsg_seq != sockdiag->sequence)
		return DUMP_MORE;
	switch (header->nlmsg_type) {
	case NLMSG_DONE:
		/* A missing tcp_diag is told here. */
		if (header->nlmsg_len >= NLMSG_HDRLEN + sizeof(error))
			memcpy(&error, at + NLMSG_HDRLEN, sizeof(error));
		return error < 0 ? DUMP_FAILED : DUMP_DONE;
	case NLMSG_ERROR:
		return DUMP_FAILED;
	case SOCK_DIAG_BY_FAMILY:
		if (header->nlmsg_len >= body)
			add_socket(reading, at + body, header->nlmsg_len - body);
		return reading->sockets < SOCKDIAG_SOCKET_MAX ? DUMP_MORE : DUMP_FULL;
	default:
		return DUMP_MORE;
	}
}

static enum dump_step take_messages(struct sockdiag *sockdiag, size_t len, struct sockdiag_reading *reading)
{
	struct nlmsghdr header;

	for (size_t at = 0; at + sizeof(header) <= len; at += NLMSG_ALIGN(header.nlmsg_len)) {
		memcpy(&header, sockdiag->buffer + at, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > len - at)
			return DUMP_FAILED;

		enum dump_step step = take_message(sockdiag, sockdiag->buffer + at, &header, reading);

		if (step != DUMP_MORE)
			return step;
	}
	return DUMP_MORE;
}

static enum dump_step receive(struct sockdiag *sockdiag, struct sockdiag_reading *reading)
{
	enum dump_step step = DUMP_MORE;

	for (int i = 0; i < RECEIVE_MAX && step == DUMP_MORE; i++) {
		struct sockaddr_nl sender;
		socklen_t sender_len = sizeof(sender);
		ssize_t len = recvfrom(sockdiag->netlink, sockdiag->buffer, sizeof(sockdiag->buffer), MSG_DONTWAIT | MSG_TRUNC,
		                       (struct sockaddr *)&sender, &sender_len);

		if (len < 0 && errno == EINTR)
			continue;
		/* EAGAIN: the kernel did not go on with the dump by itself. Others will not make it. */
		if (len <= 0 || (size_t)len > sizeof(sockdiag->buffer))
			return DUMP_FAILED;
		if (sender_len == sizeof(sender) && sender.nl_pid != 0)
			continue;
		step = take_messages(sockdiag, (size_t)len, reading);
	}
	return step == DUMP_MORE ? DUMP_FULL : step;
}

static enum dump_step dump(struct sockdiag *sockdiag, uint8_t family, uint32_t states, struct sockdiag_reading *reading)
{
	if (!open_netlink(sockdiag))
		return DUMP_FAILED;

	enum dump_step step = ask(sockdiag, family, states) ? receive(sockdiag, reading) : DUMP_FAILED;

	/* A dump that is not read to its end stays with its socket and refuses the next one. */
	if (step != DUMP_DONE)
		fd_close(&sockdiag->netlink);
	return step;
}

static bool read_netlink(struct sockdiag *sockdiag, struct sockdiag_reading *ret_reading)
{
	struct sockdiag_reading reading = { .method = SOCKDIAG_NETLINK };
	enum dump_step step = dump(sockdiag, AF_INET, SOCKDIAG_STATES, &reading);

	if (step == DUMP_DONE && sockdiag->has_netlink6)
		step = dump(sockdiag, AF_INET6, SOCKDIAG_STATES, &reading);
	/* Half of the truth is none: the files are asked, this once. */
	if (step == DUMP_FAILED)
		return false;
	*ret_reading = reading;
	return true;
}

void sockdiag_read(struct sockdiag *sockdiag, struct sockdiag_reading *ret_reading)
{
	*ret_reading = (struct sockdiag_reading){ SOCKDIAG_NONE, READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN, READING_UNKNOWN };
	if (sockdiag->has_netlink && read_netlink(sockdiag, ret_reading))
		return;
	if (sockdiag_read_proc(sockdiag, ret_reading))
		return;
	(void)sockdiag_read_sockstat(sockdiag, ret_reading);
}

static int open_below(const char *root, const char *name)
{
	char *path = xasprintf("%s%s", root, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	free(path);
	return fd < 0 ? FD_NONE : fd;
}

struct sockdiag *sockdiag_new(const char *root, bool has_netlink)
{
	struct sockdiag *sockdiag = xcalloc(1, sizeof(*sockdiag));
	struct sockdiag_reading nothing = { 0 };

	sockdiag->netlink = FD_NONE;
	sockdiag->tcp = open_below(root, "/proc/net/tcp");
	sockdiag->tcp6 = open_below(root, "/proc/net/tcp6");
	sockdiag->sockstat = open_below(root, "/proc/net/sockstat");
	/* An empty dump, of no state. Where tcp_diag is a module the kernel loads it now, and that may take some milliseconds. */
	sockdiag->has_netlink = has_netlink && dump(sockdiag, AF_INET, 0, &nothing) == DUMP_DONE;
	sockdiag->has_netlink6 = sockdiag->has_netlink && dump(sockdiag, AF_INET6, 0, &nothing) == DUMP_DONE;
	return sockdiag;
}

void sockdiag_free(struct sockdiag *sockdiag)
{
	if (sockdiag == NULL)
		return;
	fd_close(&sockdiag->netlink);
	fd_close(&sockdiag->tcp);
	fd_close(&sockdiag->tcp6);
	fd_close(&sockdiag->sockstat);
	free(sockdiag);
}

const char *sockdiag_method_name(enum sockdiag_method method)
{
	static const char *const names[] = {
		[SOCKDIAG_NONE] = "none",
		[SOCKDIAG_NETLINK] = "sock_diag",
		[SOCKDIAG_PROC] = "proc",
		[SOCKDIAG_SOCKSTAT] = "sockstat",
	};

	return names[method];
}
