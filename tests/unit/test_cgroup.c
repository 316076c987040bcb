/* SPDX-License-Identifier: MIT */
/*
 * test_cgroup.c - finding the container's limit, and what is used of it, in trees made for it.
 */
#include "base/base.h"

#include <criterion/criterion.h>

#include "master/cgroup.h"
#include "unit_tree.h"

#define MB (UINT64_C(1) << 20)
#define V1 "/sys/fs/cgroup/memory"
#define V2 "/sys/fs/cgroup"
#define UNLIMITED_V1 "9223372036854771712\n"

static struct tree tree;

static void make_machine(void)
{
	tree_make(&tree);
	tree_put(&tree, "/proc/meminfo",
	         "MemTotal:        8388608 kB\nMemFree:          100 kB\nMemAvailable:    4194304 kB\nBuffers: 1 kB\n");
	tree_put(&tree, "/proc/pressure/memory",
	         "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=1\n");
}

static void remove_machine(void)
{
	tree_remove(&tree);
}

TestSuite(cgroup, .init = make_machine, .fini = remove_machine);

static void mounts_v2(const char *own, const char *root)
{
	tree_putf(&tree, "/proc/self/cgroup", "0::%s\n", own);
	tree_putf(&tree, "/proc/self/mountinfo",
	          "22 1 8:1 / / rw shared:1 - ext4 /dev/sda rw\n"
	          "30 22 0:26 %s /sys/fs/cgroup rw,nosuid shared:4 master:3 - cgroup2 cgroup2 rw,nsdelegate\n", root);
}

static void mounts_v1(const char *own, const char *root)
{
	tree_putf(&tree, "/proc/self/cgroup", "5:cpu,cpuacct:/elsewhere\n4:hugetlb,memory:%s\n0::/\n", own);
	tree_putf(&tree, "/proc/self/mountinfo",
	          "31 22 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
	          "32 31 0:29 %s /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
	          "33 31 0:32 %s /sys/fs/cgroup/memory rw - cgroup cgroup rw,hugetlb,memory\n", root, root);
}

/* A directory with the files that tell of its use. */
static void level_v2(const char *path, const char *limit, uint64_t current)
{
	tree_putf(&tree, tree_join(path, "/memory.max"), "%s\n", limit);
	tree_putf(&tree, tree_join(path, "/memory.current"), "%llu\n", (unsigned long long)current);
}

static void level_v1(const char *path, const char *limit, uint64_t usage)
{
	tree_putf(&tree, tree_join(path, "/memory.limit_in_bytes"), "%s\n", limit);
	tree_putf(&tree, tree_join(path, "/memory.usage_in_bytes"), "%llu\n", (unsigned long long)usage);
}

/* One look from the start. */
static struct cgroup_reading look(void)
{
	struct cgroup *cgroup = cgroup_new(tree.root);
	struct cgroup_reading reading;

	cgroup_read(cgroup, &reading);
	cgroup_free(cgroup);
	return reading;
}

static void assert_limit(enum cgroup_version version, uint64_t limit, uint64_t current)
{
	struct cgroup_reading reading = look();

	cr_assert_eq(reading.version, version, "%s", cgroup_version_name(reading.version));
	cr_assert(reading.is_limited);
	cr_assert_eq(reading.limit_bytes, limit, "%llu", (unsigned long long)reading.limit_bytes);
	cr_assert_eq(reading.current_bytes, current, "%llu", (unsigned long long)reading.current_bytes);
}

static void assert_unlimited(enum cgroup_version version, uint64_t current)
{
	struct cgroup_reading reading = look();

	cr_assert_eq(reading.version, version, "%s", cgroup_version_name(reading.version));
	cr_assert_not(reading.is_limited);
	cr_assert_eq(reading.limit_bytes, 8192 * MB);
	cr_assert_eq(reading.current_bytes, current, "%llu", (unsigned long long)reading.current_bytes);
}

/* ---- v2 -------------------------------------------------------------------------------------------------------------- */

Test(cgroup, v2_tells_everything)
{
	struct cgroup *cgroup;
	struct cgroup_reading reading;
	struct cgroup_use use;

	mounts_v2("/app.slice/web.service", "/");
	level_v2(V2 "/app.slice/web.service", "268435456", 100 * MB);
	tree_put(&tree, V2 "/app.slice/web.service/memory.peak", "209715200\n");
	tree_put(&tree, V2 "/app.slice/web.service/memory.stat",
	         "anon 1001\nfile 1002\nkernel 1003\nkernel_stack 7\npagetables 8\nsock 1004\nshmem 1005\nfile_mapped 3\n"
	         "inactive_anon 5\ninactive_file 1006\nactive_file 6\nslab 9\n");
	tree_put(&tree, V2 "/app.slice/web.service/memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
	tree_put(&tree, V2 "/app.slice/web.service/memory.pressure",
	         "some avg10=12.34 avg60=1.00 avg300=0.00 total=9\nfull avg10=100.00 avg60=0.00 avg300=0.00 total=9\n");

	cgroup = cgroup_new(tree.root);
	cgroup_read_use(cgroup, &use);
	cr_assert_eq(use.current_bytes, 100 * MB, "known before the first cgroup_read()");
	cgroup_read(cgroup, &reading);
	cr_assert_eq(reading.version, CGROUP_V2);
	cr_assert(reading.is_limited);
	cr_assert_eq(reading.limit_bytes, 256 * MB);
	cr_assert_eq(reading.machine_bytes, 8192 * MB);
	cr_assert_eq(reading.available_bytes, 4096 * MB);
	cr_assert_eq(reading.current_bytes, 100 * MB);
	cr_assert_eq(reading.peak_bytes, 200 * MB);
	cr_assert_eq(reading.anon_bytes, 1001);
	cr_assert_eq(reading.file_bytes, 1002);
	cr_assert_eq(reading.kernel_bytes, 1003);
	cr_assert_eq(reading.sock_bytes, 1004);
	cr_assert_eq(reading.shmem_bytes, 1005);
	cr_assert_eq(reading.inactive_file_bytes, 1006);
	cr_assert_eq(reading.high_event_total, 2);
	cr_assert_eq(reading.max_event_total, 3);
	cr_assert_eq(reading.oom_kill_total, 5);
	cr_assert_eq(reading.psi_some_avg10_hundredths, 1234);
	cr_assert_eq(reading.psi_full_avg10_hundredths, 10000);
	cr_assert_str_eq(cgroup_path(cgroup) + strlen(tree.root), V2 "/app.slice/web.service");
	cgroup_free(cgroup);
}

Test(cgroup, v2_without_a_limit_is_limited_by_the_machine)
{
	struct cgroup *cgroup;

	mounts_v2("/a/b", "/");
	level_v2(V2 "/a/b", "max", 10 * MB);
	level_v2(V2 "/a", "max", 20 * MB);
	tree_put(&tree, V2 "/memory.stat", "anon 1\n");
	assert_unlimited(CGROUP_V2, 10 * MB);
	cgroup = cgroup_new(tree.root);
	cr_assert_str_eq(cgroup_path(cgroup), "");
	cgroup_free(cgroup);
}

Test(cgroup, v2_smallest_limit_on_the_way_up_counts_with_its_own_usage)
{
	mounts_v2("/a/b/c", "/");
	level_v2(V2 "/a/b/c", "max", 10 * MB);
	level_v2(V2 "/a/b", "314572800", 20 * MB);
	level_v2(V2 "/a", "536870912", 30 * MB);
	assert_limit(CGROUP_V2, 300 * MB, 20 * MB);
}

Test(cgroup, v2_of_equal_limits_the_highest_is_hit_first)
{
	mounts_v2("/a/b", "/");
	level_v2(V2 "/a/b", "314572800", 10 * MB);
	level_v2(V2 "/a", "314572800", 30 * MB);
	assert_limit(CGROUP_V2, 300 * MB, 30 * MB);
}

Test(cgroup, v2_where_the_controller_is_not_enabled_below_the_one_above_is_the_own)
{
	mounts_v2("/a/b", "/");
	tree_put(&tree, V2 "/a/b/cgroup.procs", "1\n");
	level_v2(V2 "/a", "max", 30 * MB);
	assert_unlimited(CGROUP_V2, 30 * MB);
	level_v2(V2 "/a", "314572800", 30 * MB);
	assert_limit(CGROUP_V2, 300 * MB, 30 * MB);
}

Test(cgroup, v2_private_namespace_hides_all_but_the_own)
{
	mounts_v2("/", "/");
	level_v2(V2, "134217728", 10 * MB);
	assert_limit(CGROUP_V2, 128 * MB, 10 * MB);
}

Test(cgroup, v2_bind_mount_of_the_own_directory)
{
	mounts_v2("/docker/3f/init", "/docker/3f");
	level_v2(V2 "/init", "max", 10 * MB);
	level_v2(V2, "134217728", 11 * MB);
	assert_limit(CGROUP_V2, 128 * MB, 11 * MB);
}

Test(cgroup, a_bind_mount_of_another_container_says_nothing)
{
	mounts_v2("/docker/3f", "/docker/3");
	level_v2(V2, "134217728", 11 * MB);
	level_v2(V2 "/f", "134217728", 11 * MB);
	tree_put(&tree, V2 "/cgroup.controllers", "cpu memory pids\n");
	assert_unlimited(CGROUP_V2, UINT64_MAX);
	mounts_v2("/", "/docker/3");
	assert_unlimited(CGROUP_V2, UINT64_MAX);
}

Test(cgroup, new_namespace_without_a_new_mount_shows_ancestors_only)
{
	/* The mount's root is two levels above the own cgroup, which has no name there. */
	mounts_v2("/", "/../..");
	level_v2(V2, "314572800", 99 * MB);
	assert_limit(CGROUP_V2, 300 * MB, 99 * MB);
	level_v2(V2, "max", 99 * MB);
	assert_unlimited(CGROUP_V2, UINT64_MAX);
}

Test(cgroup, own_cgroup_beside_the_namespace)
{
	mounts_v2("/../sister", "/..");
	level_v2(V2 "/sister", "314572800", 9 * MB);
	assert_limit(CGROUP_V2, 300 * MB, 9 * MB);
	/* The mount shows the namespace only. */
	mounts_v2("/../sister", "/");
	level_v2(V2, "314572800", 9 * MB);
	tree_put(&tree, V2 "/cgroup.controllers", "memory\n");
	assert_unlimited(CGROUP_V2, UINT64_MAX);
	mounts_v2("/../../x", "/..");
	assert_unlimited(CGROUP_V2, UINT64_MAX);
}

Test(cgroup, v2_own_directory_that_is_not_there)
{
	mounts_v2("/gone (deleted)", "/");
	level_v2(V2, "314572800", 9 * MB);
	assert_limit(CGROUP_V2, 300 * MB, 9 * MB);
	level_v2(V2, "max", 9 * MB);
	assert_unlimited(CGROUP_V2, UINT64_MAX);
}

Test(cgroup, v2_kernel_memory_before_it_had_a_line_of_its_own)
{
	mounts_v2("/a", "/");
	level_v2(V2 "/a", "max", 9 * MB);
	tree_put(&tree, V2 "/a/memory.stat", "anon 1\nkernel_stack 10\npercpu 300\nslab 4000\nslab_reclaimable 1\n");
	cr_assert_eq(look().kernel_bytes, 4310);
	cr_assert_eq(look().sock_bytes, UINT64_MAX);
}

Test(cgroup, v2_that_counts_only_local_events_is_asked_where_the_victim_is)
{
	tree_put(&tree, "/proc/self/cgroup", "0::/a/b\n");
	tree_put(&tree, "/proc/self/mountinfo", "30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,memory_localevents\n");
	level_v2(V2 "/a/b", "max", 10 * MB);
	level_v2(V2 "/a", "314572800", 30 * MB);
	tree_put(&tree, V2 "/a/memory.events", "max 7\noom_kill 0\n");
	tree_put(&tree, V2 "/a/b/memory.events", "max 0\noom_kill 3\n");
	cr_assert_eq(look().oom_kill_total, 3);
	cr_assert_eq(look().max_event_total, 7);
}

/* ---- v1 -------------------------------------------------------------------------------------------------------------- */

Test(cgroup, v1_tells_everything_it_has)
{
	struct cgroup_reading reading;

	mounts_v1("/docker/3f", "/docker/3f");
	level_v1(V1, "268435456", 100 * MB);
	tree_put(&tree, V1 "/memory.max_usage_in_bytes", "209715200\n");
	tree_put(&tree, V1 "/memory.failcnt", "90\n");
	tree_put(&tree, V1 "/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
	tree_put(&tree, V1 "/memory.kmem.usage_in_bytes", "1003\n");
	tree_put(&tree, V1 "/memory.kmem.tcp.usage_in_bytes", "1004\n");
	tree_put(&tree, V1 "/memory.kmem.tcp.limit_in_bytes", UNLIMITED_V1);
	tree_put(&tree, V1 "/memory.stat",
	         "cache 1\nrss 2\nshmem 3\ninactive_file 4\nhierarchical_memory_limit 268435456\n"
	         "hierarchical_memsw_limit 9223372036854771712\ntotal_cache 1002\ntotal_rss 1001\ntotal_shmem 1005\n"
	         "total_inactive_file 1006\n");
	reading = look();
	cr_assert_eq(reading.version, CGROUP_V1);
	cr_assert(reading.is_limited);
	cr_assert_eq(reading.limit_bytes, 256 * MB);
	cr_assert_eq(reading.current_bytes, 100 * MB);
	cr_assert_eq(reading.peak_bytes, 200 * MB);
	cr_assert_eq(reading.anon_bytes, 1001);
	cr_assert_eq(reading.file_bytes, 1002);
	cr_assert_eq(reading.kernel_bytes, 1003);
	cr_assert_eq(reading.sock_bytes, 1004);
	cr_assert_eq(reading.shmem_bytes, 1005);
	cr_assert_eq(reading.inactive_file_bytes, 1006);
	cr_assert_eq(reading.max_event_total, 90);
	cr_assert_eq(reading.oom_kill_total, 1);
	cr_assert_eq(reading.high_event_total, UINT64_MAX);
	cr_assert_eq(reading.psi_some_avg10_hundredths, 150, "of the machine");
	cr_assert_eq(reading.psi_full_avg10_hundredths, 25);
}

Test(cgroup, v1_sockets_that_are_not_accounted_are_unknown)
{
	mounts_v1("/", "/");
	level_v1(V1, "268435456", 100 * MB);
	tree_put(&tree, V1 "/memory.kmem.tcp.usage_in_bytes", "0\n");
	tree_put(&tree, V1 "/memory.kmem.tcp.limit_in_bytes", UNLIMITED_V1);
	cr_assert_eq(look().sock_bytes, UINT64_MAX);
	tree_put(&tree, V1 "/memory.kmem.tcp.limit_in_bytes", "1048576\n");
	cr_assert_eq(look().sock_bytes, 0);
}

Test(cgroup, v1_no_limit_is_a_huge_number)
{
	static const char *const none[] = { "9223372036854771712", "9223372036854710272", "9223372036854775807",
		                            "18446744073709551615", "4611686018427387904" };

	mounts_v1("/a", "/");
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		level_v1(V1 "/a", none[i], 10 * MB);
		level_v1(V1, none[i], 10 * MB);
		assert_unlimited(CGROUP_V1, 10 * MB);
	}
}

Test(cgroup, v1_limit_of_an_ancestor)
{
	mounts_v1("/a/b", "/");
	level_v1(V1 "/a/b", "536870912", 10 * MB);
	level_v1(V1 "/a", "314572800", 30 * MB);
	level_v1(V1, "9223372036854771712", 999 * MB);
	assert_limit(CGROUP_V1, 300 * MB, 30 * MB);
	/* With it said also where the kernel sums it up. */
	tree_put(&tree, V1 "/a/b/memory.stat", "hierarchical_memory_limit 314572800\n");
	assert_limit(CGROUP_V1, 300 * MB, 30 * MB);
}

Test(cgroup, v1_limit_of_a_hidden_ancestor)
{
	struct cgroup *cgroup;

	mounts_v1("/own/sub", "/own");
	level_v1(V1 "/sub", "9223372036854771712", 10 * MB);
	level_v1(V1, "9223372036854771712", 20 * MB);
	tree_put(&tree, V1 "/sub/memory.stat", "hierarchical_memory_limit 314572800\n");
	assert_limit(CGROUP_V1, 300 * MB, 20 * MB);
	cgroup = cgroup_new(tree.root);
	cr_assert_str_eq(cgroup_path(cgroup) + strlen(tree.root), V1);
	cgroup_free(cgroup);
}

Test(cgroup, v1_without_use_hierarchy_ancestors_have_no_say)
{
	mounts_v1("/a/b", "/");
	level_v1(V1 "/a/b", "9223372036854771712", 10 * MB);
	level_v1(V1 "/a", "314572800", 30 * MB);
	tree_put(&tree, V1 "/a/b/memory.stat", "hierarchical_memory_limit 9223372036854771712\n");
	assert_unlimited(CGROUP_V1, 10 * MB);
	level_v1(V1 "/a/b", "536870912", 10 * MB);
	tree_put(&tree, V1 "/a/b/memory.stat", "hierarchical_memory_limit 536870912\n");
	assert_limit(CGROUP_V1, 512 * MB, 10 * MB);
}

Test(cgroup, v1_kills_are_counted_where_the_victim_is)
{
	mounts_v1("/a/b", "/");
	level_v1(V1 "/a/b", "9223372036854771712", 10 * MB);
	level_v1(V1 "/a", "314572800", 30 * MB);
	tree_put(&tree, V1 "/a/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
	tree_put(&tree, V1 "/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
	tree_put(&tree, V1 "/a/memory.failcnt", "8\n");
	cr_assert_eq(look().oom_kill_total, 2);
	cr_assert_eq(look().max_event_total, 8);
}

Test(cgroup, v1_ancestor_counts_no_kills_of_a_cgroup_that_cannot_be_seen)
{
	mounts_v1("/", "/../..");
	level_v1(V1, "314572800", 30 * MB);
	tree_put(&tree, V1 "/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
	tree_put(&tree, V1 "/memory.stat", "hierarchical_memory_limit 268435456\n");
	assert_limit(CGROUP_V1, 256 * MB, 30 * MB);
	cr_assert_eq(look().oom_kill_total, UINT64_MAX);
}

Test(cgroup, hybrid_has_its_memory_controller_in_v1)
{
	tree_put(&tree, "/proc/self/cgroup", "4:memory:/a\n1:name=systemd:/a\n0::/a\n");
	tree_put(&tree, "/proc/self/mountinfo",
	         "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	         "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
	level_v1(V1 "/a", "314572800", 30 * MB);
	tree_put(&tree, V2 "/unified/cgroup.controllers", "\n");
	tree_put(&tree, V2 "/unified/a/memory.pressure", "some avg10=9.00\n");
	assert_limit(CGROUP_V1, 300 * MB, 30 * MB);
}

Test(cgroup, v1_hierarchies_beside_a_v2_memory_controller)
{
	tree_put(&tree, "/proc/self/cgroup", "1:name=systemd:/a\n0::/a\n");
	tree_put(&tree, "/proc/self/mountinfo",
	         "35 31 0:32 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
	         "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	level_v2(V2 "/a", "314572800", 30 * MB);
	assert_limit(CGROUP_V2, 300 * MB, 30 * MB);
}

/* ---- mounts ---------------------------------------------------------------------------------------------------------- */

Test(cgroup, the_last_mount_on_a_point_is_what_is_seen)
{
	tree_put(&tree, "/proc/self/cgroup", "0::/docker/3f\n");
	tree_put(&tree, "/proc/self/mountinfo",
	         "30 22 0:26 /other /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	         "31 30 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	         "32 31 0:26 /docker/3f /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	level_v2(V2, "134217728", 10 * MB);
	assert_limit(CGROUP_V2, 128 * MB, 10 * MB);
}

Test(cgroup, a_covered_mount_is_not_seen)
{
	tree_put(&tree, "/proc/self/cgroup", "0::/\n");
	tree_put(&tree, "/proc/self/mountinfo",
	         "30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	         "31 30 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n");
	level_v2(V2, "134217728", 10 * MB);
	assert_unlimited(CGROUP_NONE, UINT64_MAX);
}

Test(cgroup, the_mount_that_shows_most_of_the_way_up_is_taken)
{
	tree_put(&tree, "/proc/self/cgroup", "0::/a/b\n");
	tree_put(&tree, "/proc/self/mountinfo",
	         "30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	         "31 22 0:26 /a/b /mnt/own rw - cgroup2 cgroup2 rw\n"
	         "32 22 0:26 /x /mnt/other rw - cgroup2 cgroup2 rw\n");
	level_v2(V2 "/a/b", "max", 10 * MB);
	level_v2(V2 "/a", "314572800", 20 * MB);
	level_v2("/mnt/own", "max", 10 * MB);
	level_v2("/mnt/other", "1048576", 1 * MB);
	assert_limit(CGROUP_V2, 300 * MB, 20 * MB);
}

Test(cgroup, blanks_in_paths_are_escaped_in_mountinfo_only)
{
	tree_put(&tree, "/proc/self/cgroup", "0::/my app/web:1\n");
	tree_put(&tree, "/proc/self/mountinfo", "30 22 0:26 /my\\040app /mnt/c\\134d\\040e\\ rw - cgroup2 cgroup2 rw\n");
	level_v2("/mnt/c\\d e\\/web:1", "134217728", 10 * MB);
	assert_limit(CGROUP_V2, 128 * MB, 10 * MB);
}

/* ---- changes at run time --------------------------------------------------------------------------------------------- */

Test(cgroup, a_limit_changed_at_run_time_is_noticed)
{
	struct cgroup *cgroup;
	struct cgroup_reading reading;
	struct cgroup_use use;

	mounts_v2("/a/b", "/");
	level_v2(V2 "/a/b", "max", 10 * MB);
	level_v2(V2 "/a", "max", 20 * MB);
	cgroup = cgroup_new(tree.root);
	cgroup_read(cgroup, &reading);
	cr_assert_not(reading.is_limited);
	cr_assert_eq(reading.current_bytes, 10 * MB);

	tree_put(&tree, V2 "/a/b/memory.max", "536870912\n");
	cgroup_read(cgroup, &reading);
	cr_assert(reading.is_limited);
	cr_assert_eq(reading.limit_bytes, 512 * MB);
	cr_assert_eq(reading.current_bytes, 10 * MB);

	/* Another level becomes the one that counts, and its usage with it. */
	tree_put(&tree, V2 "/a/memory.max", "314572800\n");
	cgroup_read(cgroup, &reading);
	cr_assert_eq(reading.limit_bytes, 300 * MB);
	cr_assert_eq(reading.current_bytes, 20 * MB);
	cgroup_read_use(cgroup, &use);
	cr_assert_eq(use.current_bytes, 20 * MB);
	cr_assert_str_eq(cgroup_path(cgroup) + strlen(tree.root), V2 "/a");

	tree_put(&tree, V2 "/a/memory.max", "max\n");
	tree_put(&tree, V2 "/a/b/memory.max", "max\n");
	cgroup_read(cgroup, &reading);
	cr_assert_not(reading.is_limited);
	cr_assert_eq(reading.limit_bytes, 8192 * MB);
	cr_assert_eq(reading.current_bytes, 10 * MB);
	cr_assert_str_eq(cgroup_path(cgroup), "");
	cgroup_free(cgroup);
}

Test(cgroup, v1_hierarchical_limit_changed_at_run_time)
{
	struct cgroup *cgroup;
	struct cgroup_reading reading;

	mounts_v1("/", "/");
	level_v1(V1, "9223372036854771712", 10 * MB);
	tree_put(&tree, V1 "/memory.stat", "hierarchical_memory_limit 536870912\n");
	cgroup = cgroup_new(tree.root);
	tree_put(&tree, V1 "/memory.stat", "hierarchical_memory_limit 314572800\n");
	cgroup_read(cgroup, &reading);
	cr_assert_eq(reading.limit_bytes, 300 * MB);
	cgroup_free(cgroup);
}

Test(cgroup, a_limit_that_can_no_longer_be_read_is_unknown_not_the_machine)
{
	struct cgroup *cgroup;
	struct cgroup_reading reading;

	mounts_v2("/a", "/");
	level_v2(V2 "/a", "314572800", 10 * MB);
	cgroup = cgroup_new(tree.root);
	tree_put(&tree, V2 "/a/memory.max", "");
	tree_put(&tree, V2 "/a/memory.current", "");
	cgroup_read(cgroup, &reading);
	cr_assert_eq(reading.limit_bytes, UINT64_MAX);
	cr_assert_eq(reading.current_bytes, UINT64_MAX);
	cr_assert_eq(reading.machine_bytes, 8192 * MB);
	cgroup_free(cgroup);
}

/* ---- what is not there ----------------------------------------------------------------------------------------------- */

static void assert_nothing_but_the_machine(const struct cgroup_reading *reading)
{
	cr_assert_eq(reading->current_bytes, UINT64_MAX);
	cr_assert_eq(reading->peak_bytes, UINT64_MAX);
	cr_assert_eq(reading->anon_bytes, UINT64_MAX);
	cr_assert_eq(reading->file_bytes, UINT64_MAX);
	cr_assert_eq(reading->shmem_bytes, UINT64_MAX);
	cr_assert_eq(reading->kernel_bytes, UINT64_MAX);
	cr_assert_eq(reading->sock_bytes, UINT64_MAX);
	cr_assert_eq(reading->inactive_file_bytes, UINT64_MAX);
	cr_assert_eq(reading->oom_kill_total, UINT64_MAX);
	cr_assert_eq(reading->max_event_total, UINT64_MAX);
	cr_assert_eq(reading->high_event_total, UINT64_MAX);
}

Test(cgroup, no_cgroup_at_all)
{
	struct cgroup *cgroup = cgroup_new(tree.root);
	struct cgroup_reading reading;
	struct cgroup_use use;

	cgroup_read_use(cgroup, &use);
	cr_assert_eq(use.current_bytes, UINT64_MAX);
	cgroup_read(cgroup, &reading);
	cr_assert_eq(reading.version, CGROUP_NONE);
	cr_assert_str_eq(cgroup_version_name(reading.version), "none");
	cr_assert_not(reading.is_limited);
	cr_assert_eq(reading.limit_bytes, 8192 * MB);
	cr_assert_eq(reading.available_bytes, 4096 * MB);
	cr_assert_eq(reading.psi_some_avg10_hundredths, 150);
	assert_nothing_but_the_machine(&reading);
	cr_assert_str_eq(cgroup_path(cgroup), "");
	cgroup_free(cgroup);
	cgroup_free(NULL);
}

Test(cgroup, nothing_can_be_read)
{
	struct cgroup *cgroup = cgroup_new("/nowhere at all");
	struct cgroup_reading reading;

	cgroup_read(cgroup, &reading);
	cr_assert_eq(reading.version, CGROUP_NONE);
	cr_assert_not(reading.is_limited);
	cr_assert_eq(reading.limit_bytes, UINT64_MAX);
	cr_assert_eq(reading.machine_bytes, UINT64_MAX);
	cr_assert_eq(reading.available_bytes, UINT64_MAX);
	cr_assert_eq(reading.psi_some_avg10_hundredths, UINT64_MAX);
	cr_assert_eq(reading.psi_full_avg10_hundredths, UINT64_MAX);
	assert_nothing_but_the_machine(&reading);
	cgroup_free(cgroup);
}

Test(cgroup, a_v1_controller_that_is_mounted_nowhere)
{
	tree_put(&tree, "/proc/self/cgroup", "4:memory:/a\n0::/a\n");
	tree_put(&tree, "/proc/self/mountinfo", "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
	tree_put(&tree, V2 "/unified/a/cgroup.procs", "1\n");
	assert_unlimited(CGROUP_NONE, UINT64_MAX);
}

Test(cgroup, the_machines_root_has_a_controller_but_no_usage)
{
	mounts_v2("/", "/");
	tree_put(&tree, V2 "/cgroup.controllers", "cpuset cpu io memory\n");
	assert_unlimited(CGROUP_V2, UINT64_MAX);
	tree_put(&tree, V2 "/memory.stat", "anon 77\n");
	assert_unlimited(CGROUP_V2, UINT64_MAX);
	cr_assert_eq(look().anon_bytes, 77);
}

Test(cgroup, only_the_limit_is_there)
{
	struct cgroup_reading reading;

	mounts_v2("/", "/");
	tree_put(&tree, V2 "/memory.max", "134217728\n");
	reading = look();
	cr_assert(reading.is_limited);
	cr_assert_eq(reading.limit_bytes, 128 * MB);
	assert_nothing_but_the_machine(&reading);
}

Test(cgroup, a_limit_beyond_the_machine_is_none)
{
	mounts_v2("/", "/");
	level_v2(V2, "17179869184", 10 * MB);
	assert_unlimited(CGROUP_V2, 10 * MB);
	level_v2(V2, "8589934592", 10 * MB);
	assert_unlimited(CGROUP_V2, 10 * MB);
	/* Of an unknown machine it is all that is known. */
	tree_put(&tree, "/proc/meminfo", "");
	assert_limit(CGROUP_V2, 8192 * MB, 10 * MB);
}

Test(cgroup, garbage_is_unknown)
{
	struct cgroup_reading reading;

	mounts_v2("/a", "/");
	level_v2(V2 "/a", "12 apples", 10 * MB);
	tree_put(&tree, V2 "/a/memory.current", "-1\n");
	tree_put(&tree, V2 "/a/memory.peak", "99999999999999999999999\n");
	tree_put(&tree, V2 "/a/memory.stat", "anon\nfile \nkernel x\nsock 1x\nshmem 18446744073709551616\n\n \ninactive_file 4\n");
	tree_put(&tree, V2 "/a/memory.events", "max -1\nhigh\n");
	tree_put(&tree, V2 "/a/memory.pressure", "some avg10=1,5\nfull avg10=\nsome avg10=1.123\nsome avg10=101.00\n");
	tree_put(&tree, "/proc/pressure/memory", "\n");
	reading = look();
	cr_assert_not(reading.is_limited);
	cr_assert_eq(reading.limit_bytes, UINT64_MAX);
	cr_assert_eq(reading.inactive_file_bytes, 4);
	cr_assert_eq(reading.psi_some_avg10_hundredths, UINT64_MAX);
	cr_assert_eq(reading.psi_full_avg10_hundredths, UINT64_MAX);
	reading.inactive_file_bytes = UINT64_MAX;
	assert_nothing_but_the_machine(&reading);
}

Test(cgroup, garbage_in_the_lists_is_passed_over)
{
	tree_put(&tree, "/proc/self/cgroup", "\n:\n::\n0:\n0::\n4:memory\nx\n0::/a\n");
	tree_put(&tree, "/proc/self/mountinfo",
	         "\n30\n30 22 0:26 / /sys/fs/cgroup rw\n30 22 0:26 / /sys/fs/cgroup rw -\n"
	         "30 22 0:26 / /sys/fs/cgroup rw - cgroup2\n30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n31 x");
	level_v2(V2 "/a", "134217728", 10 * MB);
	assert_limit(CGROUP_V2, 128 * MB, 10 * MB);
}

Test(cgroup, deeper_than_anybody_nests)
{
	char own[512] = "";
	char path[640];

	for (int i = 0; i < 100; i++)
		(void)snprintf(own + strlen(own), sizeof(own) - strlen(own), "/a");
	mounts_v2(own, "/");
	(void)snprintf(path, sizeof(path), V2 "%s", own);
	level_v2(path, "134217728", 10 * MB);
	for (size_t len = strlen(path); len > strlen(V2); len -= 2) {
		path[len] = '\0';
		tree_put(&tree, tree_join(path, "/memory.stat"), "anon 1\n");
	}
	assert_limit(CGROUP_V2, 128 * MB, 10 * MB);
}

Test(cgroup, no_fd_is_left)
{
	struct cgroup *cgroup;
	int before = dup(0);
	int after;

	(void)close(before);
	mounts_v2("/a/b", "/");
	level_v2(V2 "/a/b", "314572800", 10 * MB);
	level_v2(V2 "/a", "536870912", 20 * MB);
	cgroup = cgroup_new(tree.root);
	cgroup_free(cgroup);
	after = dup(0);
	(void)close(after);
	cr_assert_eq(before, after);
}

Test(cgroup, the_real_one_knows_the_machine)
{
	struct cgroup *cgroup = cgroup_new("");
	struct cgroup_reading reading;

	cgroup_read(cgroup, &reading);
	cr_assert_gt(reading.machine_bytes, MB);
	cr_assert_neq(reading.machine_bytes, UINT64_MAX);
	cr_assert_neq(reading.limit_bytes, UINT64_MAX);
	cr_assert_leq(reading.limit_bytes, reading.machine_bytes);
	cgroup_free(cgroup);
}
