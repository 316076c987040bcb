/* SPDX-License-Identifier: MIT */
/*
 * top.c - the status page again and again.
 *
 * Called by main.c. A frame is one write, over the last one, so that nothing flickers.
 */
#include "base/base.h"

#include "ctl/top.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "ctl/human.h"
#include "ctl/table.h"

/* Another screen, without a cursor; and back. */
#define SCREEN_ENTER "\033[?1049h\033[?25l"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define CURSOR_HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

enum { COLUMNS_ELSEWHERE = 80 };

static volatile sig_atomic_t must_end;
static volatile sig_atomic_t is_resized;

static void on_end_signal(int number)
{
	(void)number;
	must_end = 1;
}

static void on_resize(int number)
{
	(void)number;
	is_resized = 1;
}

struct screen {
	bool is_terminal;       /* standard output */
	bool has_keys;          /* standard input is one, too, and not line by line */
	struct termios before;  /* of standard input */
};

size_t top_columns(int fd, size_t *ret_rows)
{
	struct winsize size;

	if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 0;
	if (ret_rows != NULL)
		*ret_rows = size.ws_row;
	return size.ws_col;
}

/* The signals are let in only while we wait: see wait_for(). */
static void catch_signals(sigset_t *ret_outside)
{
	struct sigaction action = { .sa_handler = on_end_signal };
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t held;

	(void)sigemptyset(&held);
	(void)sigaddset(&held, SIGWINCH);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		(void)sigaddset(&held, ends[i]);
		(void)sigaction(ends[i], &action, NULL);
	}
	action.sa_handler = on_resize;
	(void)sigaction(SIGWINCH, &action, NULL);
	(void)sigprocmask(SIG_BLOCK, &held, ret_outside);
	(void)sigdelset(ret_outside, SIGWINCH);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		(void)sigdelset(ret_outside, ends[i]);
}

static void enter(struct screen *screen)
{
	struct termios keys;

	screen->is_terminal = isatty(STDOUT_FILENO) != 0;
	if (!screen->is_terminal)
		return;
	if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen->before) == 0) {
		keys = screen->before;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		keys.c_cc[VMIN] = 1;
		keys.c_cc[VTIME] = 0;
		screen->has_keys = tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
	}
	(void)fd_write_all(STDOUT_FILENO, SCREEN_ENTER, strlen(SCREEN_ENTER));
}

static void leave(struct screen *screen)
{
	if (!screen->is_terminal)
		return;
	(void)fd_write_all(STDOUT_FILENO, SCREEN_LEAVE, strlen(SCREEN_LEAVE));
	if (screen->has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

/* Over what is there: each line is cleared behind its end, and what is below the last one. */
static int show_in_place(const struct buf *page)
{
	struct buf frame = BUF_NONE;
	struct span rest = buf_span(page);
	struct span line;
	bool is_first = true;
	int error;

	buf_add_str(&frame, CURSOR_HOME);
	while (rest.len > 0 && span_split(&rest, '\n', &line)) {
		/* Not behind the last line: it would scroll a full screen. */
		if (!is_first)
			buf_add_str(&frame, "\r\n");
		is_first = false;
		buf_add_span(&frame, line);
		buf_add_str(&frame, CLEAR_LINE);
	}
	buf_add_str(&frame, CLEAR_BELOW);
	error = fd_write_all(STDOUT_FILENO, frame.data, frame.len);
	buf_release(&frame);
	return error;
}

static int show(const struct screen *screen, const json_t *reply, const struct err *trouble)
{
	struct table_view view = { .columns = COLUMNS_ELSEWHERE, .is_cut = true, .is_by_rss = true };
	struct buf page = BUF_NONE;
	size_t columns = top_columns(STDOUT_FILENO, &view.rows);
	int error;

	if (columns > 0)
		view.columns = columns;
	if (reply != NULL) {
		table_add_status(&page, json_object_get(reply, "status"), &view);
	} else {
		human_add_text(&page, trouble->text);
		human_cut_line(&page, 0, view.columns);
		buf_add_byte(&page, '\n');
	}
	if (screen->is_terminal) {
		error = show_in_place(&page);
	} else {
		buf_add_byte(&page, '\n');
		error = fd_write_all(STDOUT_FILENO, page.data, page.len);
	}
	buf_release(&page);
	return error;
}

/* Until the time is up, the user presses a key, or the window has another size. */
static void wait_for(const struct screen *screen, uint64_t until_ms, const sigset_t *outside)
{
	uint64_t now_ms = clock_ms();
	uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
	struct timespec left = { .tv_sec = (time_t)(left_ms / 1000), .tv_nsec = (long)(left_ms % 1000) * 1000000 };
	struct pollfd keys = { .fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN };
	char key;

	if (ppoll(&keys, 1, &left, outside) <= 0 || (keys.revents & (POLLIN | POLLHUP)) == 0)
		return;
	if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
		must_end = 1;
}

enum client_result top_run(const struct top_options *options, struct err *err)
{
	struct screen screen = { .is_terminal = false };
	json_t *reply = NULL;
	/* Before the screen is touched. */
	enum client_result result = client_ask(options->socket, json_pack("{s:s}", "command", "status"), &reply, err);
	long shown = 0;
	sigset_t outside;

	if (result != CLIENT_OK)
		return result;
	catch_signals(&outside);
	enter(&screen);
	for (;;) {
		struct err trouble = ERR_NONE;
		uint64_t next_ms = clock_ms() + options->interval_ms;

		if (reply == NULL)
			(void)client_ask(options->socket, json_pack("{s:s}", "command", "status"), &reply, &trouble);
		if (show(&screen, reply, &trouble) != 0 || ++shown == options->frames)
			break;
		do {
			is_resized = 0;
			wait_for(&screen, next_ms, &outside);
			if (is_resized && reply != NULL)
				(void)show(&screen, reply, &trouble);
		} while (is_resized && !must_end);
		json_decref(reply);
		reply = NULL;
		if (must_end)
			break;
	}
	json_decref(reply);
	leave(&screen);
	return CLIENT_OK;
}
