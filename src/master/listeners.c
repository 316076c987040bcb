/* SPDX-License-Identifier: MIT */
/*
 * listeners.c - the sockets of one generation.
 *
 * Called by generation.c, master.c and status.c. Never waits for an address to become free: the caller tries again.
 */
#include "base/base.h"

#include "master/listeners.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/fd.h"

struct shared_listener {
	struct listener listener;
	uint32_t holders;
	bool is_held_back; /* bound beside an older one, and does not listen yet */
	int backlog;
};

static struct shared_listener *find(const struct listeners *set, const struct listen_address *address)
{
	for (size_t i = 0; set != NULL && i < set->count; i++)
		if (listen_address_equals(&set->items[i]->listener.address, address))
			return set->items[i];
	return NULL;
}

/* gunicorn: sock.py create_sockets(), one line for what is the matter and one for the address and the error. */
static int bind_anew(struct shared_listener *shared, struct listen_address *address, const struct listen_options *options,
                     char **ret_failed, struct err *err)
{
	struct err why = ERR_NONE;
	char *text = listen_address_repr(address);
	int error = listen_open(&shared->listener, address, options, &why);

	if (error == 0) {
		free(text);
		return 0;
	}
	if (error == -EADDRINUSE)
		err_set(err, error, "Connection in use: %s\n%s", text, why.text);
	else if (error == -EADDRNOTAVAIL)
		err_set(err, error, "Invalid address: %s\n%s", text, why.text);
	else
		err_set(err, error, "%s", why.text);
	*ret_failed = text;
	return error;
}

static bool is_at_port(const struct shared_listener *shared, uint16_t port)
{
	return shared->listener.address.kind == LISTEN_TCP && shared->listener.address.port == port;
}

static void set_beside(const struct listeners *set, uint16_t port, bool is_on)
{
	for (size_t i = 0; i < set->count; i++)
		if (is_at_port(set->items[i], port))
			listen_set_beside(&set->items[i]->listener, is_on);
}

static bool has_port(const struct listeners *set, uint16_t port)
{
	for (size_t i = 0; set != NULL && i < set->count; i++)
		if (is_at_port(set->items[i], port))
			return true;
	return false;
}

/* The same place by another name: localhost:80 and 127.0.0.1:80. */
static struct shared_listener *find_bound(const struct listeners *set, const struct listen_address *address)
{
	for (size_t i = 0; set != NULL && i < set->count; i++)
		if (address->kind == LISTEN_TCP && address->port != 0 && is_at_port(set->items[i], address->port) &&
		    listen_is_at(address, set->items[i]->listener.fd))
			return set->items[i];
	return NULL;
}

/* The port is in use: by an older socket of our own? Then only for as long as that one serves. */
static int bind_beside(struct shared_listener *shared, const char *text, const struct listeners *present,
                       const struct listen_options *options)
{
	struct listen_options beside = *options;
	struct listen_address address;
	struct err unused = ERR_NONE;
	int error = listen_parse(text, &address, &unused);
	uint16_t port = address.port;

	if (error != 0)
		return error;
	if (address.kind != LISTEN_TCP || port == 0 || options->reuse_port || !has_port(present, port)) {
		listen_address_release(&address);
		return -EADDRINUSE;
	}
	beside.reuse_port = true;
	beside.binds_only = true;
	set_beside(present, port, true);
	error = listen_open(&shared->listener, &address, &beside, &unused);
	set_beside(present, port, false);
	shared->is_held_back = error == 0;
	shared->backlog = options->backlog;
	return error;
}

int listeners_begin(struct listeners *set, const struct listeners *present, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < set->count; i++) {
		struct shared_listener *shared = set->items[i];
		uint16_t port = shared->listener.address.port;
		int error;

		if (!shared->is_held_back)
			continue;
		shared->is_held_back = false;
		/* listen() looks for conflicts once more. */
		set_beside(present, port, true);
		error = listen_begin(&shared->listener, shared->backlog);
		set_beside(present, port, false);
		listen_set_beside(&shared->listener, false);
		if (error != 0)
			result = err_set_errno(err, error, "can't listen at %s", shared->listener.name);
	}
	return result;
}

static int add(struct listeners *set, const struct listeners *present, const char *text, const struct listen_options *options,
               char **ret_failed, struct err *err)
{
	struct err why = ERR_NONE;
	struct listen_address address;
	int error = listen_parse(text, &address, err);

	if (error != 0)
		return error;

	struct shared_listener *shared = find(set, &address);

	if (shared != NULL) { /* the same address twice in one list */
		listen_address_release(&address);
		return 0;
	}
	shared = find(present, &address);
	if (shared == NULL)
		shared = find_bound(present, &address);
	if (shared != NULL) {
		listen_address_release(&address);
	} else {
		shared = xcalloc(1, sizeof(*shared));
		error = bind_anew(shared, &address, options, ret_failed, &why);
		if (error == -EADDRINUSE && bind_beside(shared, text, present, options) == 0) {
			free(*ret_failed);
			*ret_failed = NULL;
			error = 0;
		}
		if (error != 0) {
			err_set(err, error, "%s", why.text);
			free(shared);
			return error;
		}
	}
	shared->holders++;
	set->items[set->count++] = shared;
	return 0;
}

/* 127.0.0.1:80 beside a new 0.0.0.0:80: the kernel goes on giving it connections, up to the moment that it is closed. */
static void keep_covered(struct listeners *set, const struct listeners *present)
{
	for (size_t i = 0; present != NULL && i < present->count; i++) {
		struct shared_listener *old = present->items[i];
		const struct listen_address *address = &old->listener.address;
		bool is_covered = false;

		for (size_t k = 0; k < set->count; k++) {
			const struct listen_address *any = &set->items[k]->listener.address;

			if (set->items[k] == old) {
				is_covered = false;
				break;
			}
			is_covered = is_covered || (is_at_port(old, any->port) && listen_is_any(any) && !listen_is_any(address) &&
			                            any->is_ipv6 == address->is_ipv6);
		}
		if (is_covered && set->count < LISTENERS_MAX) {
			old->holders++;
			set->items[set->count++] = old;
		}
	}
}

/* gunicorn: sock.py create_sockets(): where one fd:// is given, only the fds are used. */
static bool has_fd_address(const struct strlist *binds)
{
	for (size_t i = 0; i < binds->count; i++)
		if (strncmp(binds->items[i], "fd://", 5) == 0)
			return true;
	return false;
}

int listeners_open(struct listeners *set, const struct listeners *present, const struct strlist *binds,
                   const struct settings *settings, char **ret_failed, struct err *err)
{
	const struct listen_options options = {
		.backlog = (int)settings->backlog,
		.reuse_port = settings->reuse_port,
		.umask = settings->socket_mode != 0 ? ~(int)settings->socket_mode & 0777 : (int)settings->umask,
		.uid = settings->user,
		.gid = settings->group,
	};
	bool only_fds = has_fd_address(binds);

	*ret_failed = NULL;
	CHECK(set->count == 0);
	if (binds->count == 0)
		return err_set(err, -EINVAL, "bind is empty: give at least one address, such as 127.0.0.1:8000");
	if (binds->count > LISTENERS_MAX)
		return err_set(err, -EINVAL, "bind has %zu addresses; at most %d are accepted", binds->count, LISTENERS_MAX);
	for (size_t i = 0; i < binds->count; i++) {
		if (only_fds && strncmp(binds->items[i], "fd://", 5) != 0)
			continue;

		int error = add(set, present, binds->items[i], &options, ret_failed, err);

		if (error != 0) {
			listeners_release(set, true);
			return error;
		}
	}
	keep_covered(set, present);
	for (size_t i = 0; i < set->count; i++)
		listen_set_send_low_watermark(&set->items[i]->listener, settings->client_send_low_watermark.kind == SIZE_BYTES
		                                                                ? settings->client_send_low_watermark.amount
		                                                                : 0);
	return 0;
}

/* The bind address that fd is bound to becomes a listener of the set; false: there is none. */
static bool inherit(struct listeners *set, int fd, const struct strlist *binds, struct err *err)
{
	for (size_t i = 0; i < binds->count; i++) {
		struct listen_address address;

		if (listen_parse(binds->items[i], &address, err) != 0)
			return false;
		if (find(set, &address) == NULL && listen_is_at(&address, fd)) {
			struct shared_listener *shared = xcalloc(1, sizeof(*shared));

			if (listen_adopt(&shared->listener, &address, fd, err) != 0) {
				free(shared);
				return false;
			}
			shared->holders = 1;
			set->items[set->count++] = shared;
			return true;
		}
		listen_address_release(&address);
	}
	return false;
}

int listeners_inherit(struct listeners *set, const int *fds, size_t fd_count, const struct strlist *binds, struct err *err)
{
	CHECK(set->count == 0 && fd_count <= LISTENERS_MAX);
	for (size_t i = 0; i < fd_count; i++) {
		int fd = fds[i];

		if (!inherit(set, fd, binds, err))
			fd_close(&fd);
	}
	if (!err_is_set(err))
		return 0;
	listeners_release(set, false);
	return -EINVAL;
}

void listeners_own(struct listeners *set)
{
	for (size_t i = 0; i < set->count; i++)
		listen_own(&set->items[i]->listener);
}

void listeners_release(struct listeners *set, bool do_unlink)
{
	for (size_t i = 0; i < set->count; i++) {
		struct shared_listener *shared = set->items[i];

		if (--shared->holders == 0) {
			/* With another master beside us it is his socket as well. */
			if (do_unlink)
				listen_leave(&shared->listener);
			listen_close(&shared->listener, do_unlink);
			free(shared);
		}
	}
	set->count = 0;
}

const struct listener *listeners_get(const struct listeners *set, size_t index)
{
	CHECK(index < set->count);
	return &set->items[index]->listener;
}

bool listeners_equals(const struct listeners *a, const struct listeners *b)
{
	return a->count == b->count && memcmp(a->items, b->items, a->count * sizeof(a->items[0])) == 0;
}

char *listeners_name(const struct listeners *set, size_t index, const struct settings *settings)
{
	const char *name = listeners_get(set, index)->name;
	/* gunicorn: config.py is_ssl. The same socket may speak TLS after a reload. */
	const bool is_tls = (settings->certfile != NULL && settings->certfile[0] != '\0') ||
	                    (settings->keyfile != NULL && settings->keyfile[0] != '\0');

	if (is_tls && strncmp(name, "http://", 7) == 0)
		return xasprintf("https://%s", name + 7);
	return xstrdup(name);
}

char *listeners_text(const struct listeners *set, const struct settings *settings)
{
	struct buf text = BUF_NONE;

	for (size_t i = 0; i < set->count; i++) {
		char *name = listeners_name(set, i, settings);

		if (i > 0)
			buf_add_byte(&text, ',');
		buf_add_str(&text, name);
		free(name);
	}
	return buf_detach(&text);
}
