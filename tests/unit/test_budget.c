/* SPDX-License-Identifier: MIT */
/*
 * test_budget.c - what may be used, and what is over.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/budget.h"

#define MB ((uint64_t)1 << 20)
#define UNKNOWN READING_UNKNOWN

static struct settings settings;
static struct cgroup_reading container;
static struct budget_facts facts;
static struct budget_limits limits;
static struct strlist refusals;

static void set(enum setting_id id, const char *text)
{
	struct err err = ERR_NONE;

	cr_assert_eq(settings_set(&settings, id, text, SOURCE_CLI, &err), 0, "%s", err.text);
}

static void resolve(void)
{
	strlist_release(&refusals);
	strlist_init(&refusals);
	budget_resolve(&settings, &container, &facts, &limits, &refusals);
}

static void setup(void)
{
	struct err err = ERR_NONE;

	cr_assert_eq(settings_init(&settings, false, &err), 0);
	memset(&container, 0xff, sizeof(container));
	container.version = CGROUP_V2;
	container.is_limited = true;
	container.limit_bytes = 256 * MB;
	facts = (struct budget_facts){ UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN };
	strlist_init(&refusals);
}

static void teardown(void)
{
	strlist_release(&refusals);
	settings_release(&settings);
}

TestSuite(budget, .init = setup, .fini = teardown);

Test(budget, the_container_gives_the_limit_and_keeps_room_for_a_booting_worker)
{
	resolve();
	cr_assert_eq(limits.limit_bytes, 256 * MB);
	cr_assert_eq(limits.service.source, BUDGET_CONTAINER);
	uint64_t without_facts = limits.service.soft_bytes;

	facts.boot_bytes = 60 * MB;
	resolve();
	/* 256 - 24 - 60 = 172, of which 80 %; 92 % of 256. */
	cr_assert_eq(limits.service.soft_bytes / MB, 137);
	cr_assert_eq(limits.service.hard_bytes / MB, 235);
	cr_assert_lt(limits.service.soft_bytes, without_facts);
}

Test(budget, without_a_container_nothing_is_limited_by_itself)
{
	container.is_limited = false;
	container.limit_bytes = 24000 * MB;
	facts.baseline_bytes = 40 * MB;
	resolve();
	cr_assert_eq(limits.limit_bytes, UNKNOWN);
	cr_assert_eq(limits.service.source, BUDGET_OFF);
	cr_assert_eq(limits.worker.source, BUDGET_OFF);
	cr_assert_eq(limits.sockets.soft_bytes, UNKNOWN);
	cr_assert_eq(limits.request_bytes, UNKNOWN);
	cr_assert_eq(budget_service_level(&limits, 23999 * MB, 1 << 30), LEVEL_NONE);
}

Test(budget, a_percentage_without_a_container_is_of_the_machine)
{
	container.is_limited = false;
	container.limit_bytes = 1000 * MB;
	set(S_memory_limit, "50%");
	resolve();
	cr_assert_eq(limits.limit_bytes / MB, 500);
	cr_assert_eq(limits.service.source, BUDGET_SETTING);
}

Test(budget, whatever_is_written_the_kernel_kills_at_the_containers_limit)
{
	set(S_memory_limit, "10G");
	resolve();
	cr_assert_eq(limits.limit_bytes, 256 * MB);
	cr_assert_eq(limits.service.source, BUDGET_CONTAINER);
	set(S_memory_limit, "100M");
	resolve();
	cr_assert_eq(limits.limit_bytes, 100 * MB);
	cr_assert_eq(limits.service.source, BUDGET_SETTING);
}

Test(budget, a_worker_may_use_twice_its_baseline_or_its_share)
{
	set(S_workers, "2");
	facts = (struct budget_facts){ 30 * MB, 40 * MB, UNKNOWN, UNKNOWN };
	resolve();
	cr_assert_eq(limits.worker.source, BUDGET_CONTAINER);
	cr_assert_eq(limits.worker.soft_bytes, MAX(80 * MB, limits.service.soft_bytes / 2));
	cr_assert_eq(limits.worker.hard_bytes, UNKNOWN, "a derived budget has no hard side");
}

Test(budget, an_explicit_worker_budget_has_a_hard_side_half_above)
{
	set(S_max_worker_memory, "400");
	resolve();
	cr_assert_eq(limits.worker.soft_bytes, 400 * MB);
	cr_assert_eq(limits.worker.hard_bytes, 600 * MB);
	set(S_max_worker_memory_hard, "500M");
	resolve();
	cr_assert_eq(limits.worker.hard_bytes, 500 * MB);
	set(S_max_worker_memory_hard, "off");
	resolve();
	cr_assert_eq(limits.worker.hard_bytes, UNKNOWN);
}

Test(budget, a_hard_budget_of_workers_counts_beside_a_derived_soft_one)
{
	set(S_max_worker_memory_hard, "60M");
	facts = (struct budget_facts){ 30 * MB, 40 * MB, UNKNOWN, UNKNOWN };
	resolve();
	cr_assert_eq(limits.worker.source, BUDGET_CONTAINER);
	cr_assert_eq(budget_level(&limits.worker, 61 * MB), LEVEL_HARD);
	set(S_max_worker_memory, "80M");
	resolve();
	cr_assert_eq(refusals.count, 1);
	cr_assert(strstr(refusals.items[0], "not above max_worker_memory") != NULL);
	cr_assert_eq(limits.worker.hard_bytes, UNKNOWN);
}

Test(budget, a_budget_below_the_baseline_is_refused_with_a_sentence)
{
	set(S_max_worker_memory, "20M");
	facts.baseline_bytes = 34 * MB;
	resolve();
	cr_assert_eq(limits.worker.source, BUDGET_REFUSED);
	cr_assert_eq(limits.worker.soft_bytes, UNKNOWN);
	cr_assert_eq(refusals.count, 1);
	cr_assert_str_eq(refusals.items[0], "max_worker_memory = 20.0 MB is below the 34.0 MB that a worker uses right after the "
	                                    "start: it is not obeyed; use at least 43M");
	set(S_memory_limit, "100M");
	facts.service_bytes = 120 * MB;
	resolve();
	cr_assert_eq(refusals.count, 2);
	/* The container's own limit stays. */
	cr_assert_eq(limits.service.source, BUDGET_CONTAINER);
	cr_assert_eq(limits.limit_bytes, 256 * MB);
	container.is_limited = false;
	resolve();
	cr_assert_eq(limits.service.source, BUDGET_REFUSED);
	cr_assert_eq(limits.limit_bytes, UNKNOWN);
}

Test(budget, a_service_that_is_big_from_its_start_is_not_short_of_memory)
{
	facts = (struct budget_facts){ 40 * MB, 60 * MB, 170 * MB, UNKNOWN };
	resolve();
	cr_assert_eq(budget_service_level(&limits, 172 * MB, 0), LEVEL_NONE);
	cr_assert_lt(limits.service.soft_bytes, limits.service.hard_bytes);
}

Test(budget, there_is_room_for_a_successor_when_it_is_ready_not_only_when_it_begins)
{
	const int64_t slope = 40 * (int64_t)MB;

	facts = (struct budget_facts){ 40 * MB, 60 * MB, UNKNOWN, 1000 };
	resolve();
	cr_assert_eq(limits.service.hard_bytes / MB, 235);
	cr_assert(budget_has_room(&limits, &facts, 190 * MB, 0));
	cr_assert_not(budget_has_room(&limits, &facts, 200 * MB, 0));
	cr_assert(budget_has_room(&limits, &facts, 150 * MB, slope));
	cr_assert_not(budget_has_room(&limits, &facts, 160 * MB, slope), "the others take it while it boots");
	cr_assert(budget_has_room(&limits, &facts, 190 * MB, -slope), "who shrinks may grow again");
	facts.boot_ms = UNKNOWN;
	cr_assert(budget_has_room(&limits, &facts, 190 * MB, slope));
	facts.boot_bytes = UNKNOWN;
	cr_assert(budget_has_room(&limits, &facts, 250 * MB, 0));
}

Test(budget, sockets_have_a_share_of_the_limit)
{
	resolve();
	cr_assert_eq(limits.sockets.soft_bytes / MB, 38);
	cr_assert_eq(limits.sockets.hard_bytes / MB, 63);
	cr_assert_eq(limits.worker_sockets.soft_bytes, limits.sockets.soft_bytes);
	set(S_max_socket_memory, "off");
	resolve();
	cr_assert_eq(limits.sockets.soft_bytes, UNKNOWN);
}

Test(budget, policy_off_watches_nothing)
{
	set(S_memory_policy, "off");
	set(S_max_worker_memory, "400");
	resolve();
	cr_assert_eq(limits.limit_bytes, UNKNOWN);
	cr_assert_eq(limits.worker.soft_bytes, UNKNOWN);
}

Test(budget, a_limit_that_changes_at_run_time_changes_everything)
{
	resolve();
	uint64_t before = limits.service.hard_bytes;

	container.limit_bytes = 512 * MB;
	resolve();
	cr_assert_eq(limits.service.hard_bytes / MB, 2 * before / MB);
	container.is_limited = false;
	resolve();
	cr_assert_eq(limits.service.source, BUDGET_OFF);
}

Test(budget, what_is_not_known_is_never_over)
{
	resolve();
	cr_assert_eq(budget_level(&limits.service, UNKNOWN), LEVEL_NONE);
	cr_assert_eq(budget_service_level(&limits, UNKNOWN, 1 << 30), LEVEL_NONE);
	cr_assert_eq(budget_time_to(UNKNOWN, 5, 5), UINT64_MAX);
}

Test(budget, page_cache_does_not_count)
{
	container.anon_bytes = 50 * MB;
	container.shmem_bytes = 10 * MB;
	container.kernel_bytes = 5 * MB;
	container.sock_bytes = 20 * MB;
	container.current_bytes = 250 * MB;
	container.file_bytes = 165 * MB;
	cr_assert_eq(budget_used(&container), 85 * MB);
	container.version = CGROUP_V1;
	cr_assert_eq(budget_used(&container), 65 * MB, "v1 accounts sockets beside its limit");
	container.anon_bytes = UNKNOWN;
	cr_assert_eq(budget_used(&container), 250 * MB);
}

Test(budget, hard_begins_when_the_limit_is_250_ms_away)
{
	resolve();
	cr_assert_eq(budget_service_level(&limits, 150 * MB, 0), LEVEL_NONE);
	/* 300 MB a second: at 181 MB there is a quarter of a second left. */
	cr_assert_neq(budget_service_level(&limits, 175 * MB, 300 * (int64_t)MB), LEVEL_HARD);
	cr_assert_eq(budget_service_level(&limits, 182 * MB, 300 * (int64_t)MB), LEVEL_HARD);
	cr_assert_eq(budget_service_level(&limits, 240 * MB, -1), LEVEL_HARD);
}

Test(budget, plain_words_say_what_is_in_force_and_where_it_comes_from)
{
	struct strlist sentences;

	strlist_init(&sentences);
	set(S_max_worker_memory, "400");
	resolve();
	budget_describe(&settings, &container, &limits, &sentences);
	cr_assert_eq(sentences.count, 3);
	cr_assert(strstr(sentences.items[0], "256.0 MB (the container's limit)") != NULL, "%s", sentences.items[0]);
	cr_assert(strstr(sentences.items[1], "max_worker_memory") != NULL, "%s", sentences.items[1]);
	strlist_release(&sentences);
	container.is_limited = false;
	set(S_max_worker_memory, "off");
	resolve();
	budget_describe(&settings, &container, &limits, &sentences);
	cr_assert_eq(sentences.count, 1);
	cr_assert(strstr(sentences.items[0], "no limit") != NULL, "%s", sentences.items[0]);
	strlist_release(&sentences);
}
