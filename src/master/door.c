/* SPDX-License-Identifier: MIT */
/*
 * door.c - a small server inside the master: who is let in.
 *
 * Called by webstatus.c and control.c. Knows nothing of what is asked.
 */
#include "base/base.h"

#include "master/door_internal.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"

enum {
	GUESTS_PER_TURN = 16,
	LOOK_MS = 250, /* how exact patience is, and the pause after a lack of descriptors or memory */
};

static void on_time(uv_timer_t *timer);

/* While there are guests to be dropped, or the door waits to accept again. */
static void arm(struct door *door)
{
	if (!door->is_closed && (door->guest_count > 0 || door->is_paused)) {
		if (!uv_is_active((uv_handle_t *)&door->timer))
			(void)uv_timer_start(&door->timer, on_time, LOOK_MS, LOOK_MS);
	} else if (!door->is_closed) {
		(void)uv_timer_stop(&door->timer);
	}
}

static void on_knock(uv_poll_t *poll, int status, int events)
{
	struct door *door = poll->data;

	(void)events;
	for (int i = 0; i < GUESTS_PER_TURN && status >= 0 && !door->is_closed; i++) {
		int fd = accept4(door->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			guest_come(door, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* The knock stays; without a pause the loop would turn at full speed. */
			door->is_paused = true;
			(void)uv_poll_stop(&door->poll);
		}
		if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
	arm(door);
}

static void on_time(uv_timer_t *timer)
{
	struct door *door = timer->data;
	uint64_t now_ms = clock_ms();

	LIST_EACH(&door->guests, it) {
		struct guest *guest = LIST_ENTRY(it, struct guest, link);

		if (now_ms >= guest->deadline_ms)
			guest_drop(guest);
	}
	if (door->is_paused) {
		door->is_paused = false;
		(void)uv_poll_start(&door->poll, UV_READABLE, on_knock);
	}
	arm(door);
}

/* A file that a dead process left refuses. */
static bool is_answered(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	bool is_alive;
	int fd;

	if (strlen(path) >= sizeof(at.sun_path))
		return false;
	memcpy(at.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	is_alive = connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 || errno == EAGAIN;
	fd_close(&fd);
	return is_alive;
}

static void on_door_closed(uv_handle_t *handle)
{
	struct door *door = handle->data;

	if (--door->open_handles == 0)
		free(door);
}

int door_open(struct door **ret_door, uv_loop_t *loop, const struct door_kind *kind, struct listen_address *address_take,
              const struct listen_options *options, void *owner, struct err *err)
{
	struct door *door = xcalloc(1, sizeof(*door));
	int error;

	if (address_take->kind == LISTEN_UNIX && is_answered(address_take->path)) {
		error = err_set(err, -EADDRINUSE, "another process listens at '%s'", address_take->path);
		listen_address_release(address_take);
		free(door);
		return error;
	}
	error = listen_open(&door->listener, address_take, options, err);
	if (error != 0) {
		free(door);
		return error;
	}
	error = uv_poll_init(loop, &door->poll, door->listener.fd);
	if (error != 0) {
		listen_close(&door->listener, true);
		free(door);
		return err_set_errno(err, error, "can't watch a socket");
	}
	(void)uv_timer_init(loop, &door->timer);
	door->open_handles = 2;
	door->poll.data = door;
	door->timer.data = door;
	door->kind = kind;
	door->owner = owner;
	list_init(&door->guests);
	(void)uv_poll_start(&door->poll, UV_READABLE, on_knock);
	*ret_door = door;
	return 0;
}

void door_close(struct door **door)
{
	struct door *gone = *door;

	*door = NULL;
	if (gone == NULL)
		return;
	gone->is_closed = true;
	LIST_EACH(&gone->guests, it)
	guest_drop(LIST_ENTRY(it, struct guest, link));
	uv_close((uv_handle_t *)&gone->poll, on_door_closed);
	uv_close((uv_handle_t *)&gone->timer, on_door_closed);
	listen_close(&gone->listener, true);
}

const struct listener *door_listener(const struct door *door)
{
	return &door->listener;
}
