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

static int add(struct listeners *set, const struct listeners *present, const char *text, const struct listen_options *options,
               char **ret_failed, struct err *err)
{
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
	if (shared != NULL) {
		listen_address_release(&address);
	} else {
		shared = xcalloc(1, sizeof(*shared));
		error = bind_anew(shared, &address, options, ret_failed, err);
		if (error != 0) {
			free(shared);
			return error;
		}
	}
	shared->holders++;
	set->items[set->count++] = shared;
	return 0;
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
