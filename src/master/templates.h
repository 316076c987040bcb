/* SPDX-License-Identifier: MIT */
/*
 * templates.h - the template processes: started, spoken to, dismissed. template.h decides, this acts.
 *
 * At most one template of the pool's generation, one candidate of a reload, older ones that still have workers, and one whose
 * hooks have started threads.
 */
#ifndef MASTER_TEMPLATES_H
#define MASTER_TEMPLATES_H

#include "base/base.h"
#include "base/list.h"
#include "base/log.h"
#include "master/listeners.h"
#include "master/peer.h"
#include "master/template.h"
#include "shared/settings.h"

struct master;

/* What a template is started for. */
enum template_role {
	ROLE_FIRST,       /* the first generation: its failure ends the program */
	ROLE_CANDIDATE,   /* a reload's: its failure ends the reload */
	ROLE_REPLACEMENT, /* of a template that died: its failure is tried again */
};

enum template_purpose { PURPOSE_SERVE, PURPOSE_CHECK }; /* as in message `go` */

struct template {
	struct list link;             /* in master->templates, oldest first */
	struct master *master;
	struct template_moves *moves;
	enum template_role role;
	uint32_t generation;
	pid_t pid;
	struct peer *peer;
	struct settings settings;     /* valid once it was told to go */
	struct listeners listeners;
	char *values_json;            /* what the configuration file said; NULL before */
	bool has_threads;             /* of server hooks: is dismissed at the end of the server only */
	bool has_closed;              /* its listening sockets, long before its end */
	bool has_failed;              /* said so; the reaping is no news then */
	bool has_logger;              /* its Python logger writes the log */
	bool has_logger_answer;       /* it said whether that is so */
	enum log_level logger_level;  /* from where on */
	int statsd_fd;                /* connected to statsd_host; owned; FD_NONE: none */
	int bind_tries;
	uint64_t retry_ms;            /* when to try to bind again; 0: not waiting */
};

/* Starts one and puts it on the list. NULL with a sentence when that fails. */
struct template *templates_start(struct master *master, enum template_role role, uint32_t generation, struct err *err);
/* The one that forks workers of that generation; NULL when none is READY. */
struct template *templates_ready_of(struct master *master, uint32_t generation);
/* The newest of that generation in any state; NULL when there is none. */
struct template *templates_of(struct master *master, uint32_t generation);
uint32_t templates_count(const struct master *master);

/* Its settings are valid and its sockets open: sends both. */
void templates_go(struct template *template, enum template_purpose purpose);
/* Asks for a worker; worker_fd is its end of its link (stays the caller's). 0 or -errno. */
int templates_fork(struct template *template, uint32_t slot, uint32_t serial, uint32_t request_limit, int worker_fd);
/* Runs a server hook, unless the template cannot any more. hook: enum hook_id; arguments: JSON. */
void templates_hook(struct template *template, uint32_t hook, const char *arguments);
void templates_reopen_logs(struct master *master);
void templates_stop_listening(struct master *master);
void templates_dismiss(struct template *template);
/* Does not answer: SIGKILL, and whoever needs one gets another. Harmless for NULL. */
void templates_kill(struct template *template);
/* Dismisses those of older generations whose last worker has gone; those whose hooks have started threads stay idle. */
void templates_dismiss_unused(struct master *master);

/* A process ended: true when it was one of ours. */
bool templates_on_exit(struct master *master, pid_t pid, int status);
/* Kills those that did not leave in time. */
void templates_on_time(struct master *master, uint64_t now_ms);
/* When that has to be looked at again; 0: no timer is armed. */
uint64_t templates_next_ms(const struct master *master);

enum hook_id {
#define HOOK(name, parameters, process, text) HOOK_##name,
#include "tables/hooks.def"
#undef HOOK
	HOOK_MAX
};

#endif
