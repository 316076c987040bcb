/* SPDX-License-Identifier: MIT */
/*
 * guest.c - somebody at a door: heard, answered, seen off.
 *
 * Called by door.c, and through door.h by those who answer.
 */
#include "base/base.h"

#include "master/door_internal.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"

enum {
	LINGER_MS = 1000,         /* for the farewell */
	LINGER_BYTES = 64 * 1024, /* what a guest may still say meanwhile, unheard */
};

static void on_guest_closed(uv_handle_t *handle)
{
	struct guest *guest = handle->data;

	buf_release(&guest->input);
	buf_release(&guest->output);
	free(guest);
}

void guest_drop(struct guest *guest)
{
	if (guest->is_closed)
		return;
	guest->is_closed = true;
	list_remove(&guest->link);
	guest->door->guest_count--;
	uv_close((uv_handle_t *)&guest->poll, on_guest_closed);
	fd_close(&guest->fd);
}

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct guest *guest)
{
	/* Who does not take the answer is not heard. */
	if (!guest->is_closed)
		(void)uv_poll_start(&guest->poll, guest->output.len > 0 ? UV_WRITABLE : UV_READABLE, on_event);
}

/*
 * A close with unheard bytes in the receive queue is a reset, which may overtake the answer: so first the end of what we say, then
 * the guest's own end.
 */
static void begin_farewell(struct guest *guest)
{
	guest->is_lingering = true;
	guest->deadline_ms = MIN(guest->deadline_ms, clock_ms() + LINGER_MS);
	if (shutdown(guest->fd, SHUT_WR) != 0)
		guest_drop(guest);
}

/* Writes what the guest takes now. */
static void flush(struct guest *guest)
{
	size_t done = 0;

	if (guest->is_closed)
		return;
	while (done < guest->output.len) {
		ssize_t count = send(guest->fd, guest->output.data + done, guest->output.len - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && errno == EAGAIN)
			break;
		if (count < 0) {
			guest_drop(guest);
			return;
		}
		done += (size_t)count;
	}
	if (done > 0)
		memmove(guest->output.data, guest->output.data + done, guest->output.len - done);
	guest->output.len -= done;
	if (guest->output.len == 0 && guest->is_finished && !guest->is_lingering)
		begin_farewell(guest);
}

void guest_say(struct guest *guest, const void *data, size_t len)
{
	if (!guest->is_closed && !guest->is_finished)
		buf_add(&guest->output, data, len);
}

void guest_finish(struct guest *guest)
{
	guest->is_finished = true;
}

void *guest_owner(const struct guest *guest)
{
	return guest->door->owner;
}

int guest_fd(const struct guest *guest)
{
	return guest->fd;
}

/* Hands over whole questions, one after the other, as long as the answers are taken. */
static void hear(struct guest *guest)
{
	const struct door_kind *kind = guest->door->kind;

	while (!guest->is_closed && !guest->is_finished && guest->output.len == 0 && guest->input.len > 0) {
		size_t used = kind->on_input(guest, buf_span(&guest->input));

		if (guest->is_closed)
			return;
		if (used > 0) {
			memmove(guest->input.data, guest->input.data + used, guest->input.len - used);
			guest->input.len -= used;
			guest->deadline_ms = clock_ms() + kind->patience_ms;
		} else if (!guest->is_finished && guest->input.len >= kind->input_max) {
			kind->on_excess(guest);
			guest->is_finished = true;
		}
		flush(guest);
		if (used == 0)
			return;
	}
}

static void receive(struct guest *guest)
{
	size_t room = guest->door->kind->input_max - MIN(guest->input.len, guest->door->kind->input_max);
	char unheard[4096];
	ssize_t count;

	buf_reserve(&guest->input, room);
	if (guest->is_finished)
		count = recv(guest->fd, unheard, sizeof(unheard), MSG_DONTWAIT);
	else
		count = recv(guest->fd, guest->input.data + guest->input.len, room, MSG_DONTWAIT);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		guest_drop(guest);
		return;
	}
	if (guest->is_finished) {
		guest->unheard += (size_t)count;
		if (guest->unheard > LINGER_BYTES)
			guest_drop(guest);
		return;
	}
	guest->input.len += (size_t)count;
	hear(guest);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct guest *guest = poll->data;

	if (guest->is_closed)
		return;
	if (status < 0) {
		guest_drop(guest);
		return;
	}
	if (events & UV_WRITABLE) {
		flush(guest);
		hear(guest);
	}
	if ((events & UV_READABLE) && !guest->is_closed)
		receive(guest);
	watch(guest);
}

void guest_come(struct door *door, int fd)
{
	struct guest *guest = xcalloc(1, sizeof(*guest));

	if (uv_poll_init(door->poll.loop, &guest->poll, fd) != 0) {
		fd_close(&fd);
		free(guest);
		return;
	}
	if (door->guest_count >= door->kind->guests_max)
		guest_drop(LIST_ENTRY(door->guests.next, struct guest, link));
	guest->poll.data = guest;
	guest->door = door;
	guest->fd = fd;
	guest->deadline_ms = clock_ms() + door->kind->patience_ms;
	list_init(&guest->link);
	list_add_tail(&door->guests, &guest->link);
	door->guest_count++;
	if (door->kind->on_guest != NULL) {
		door->kind->on_guest(guest);
		flush(guest);
	}
	watch(guest);
}
