/* SPDX-License-Identifier: MIT */
/*
 * cgroup_find.c - the directories of the memory controller that this process is charged to.
 *
 * Called by cgroup.c, once. Joins /proc/self/cgroup (which cgroup) with /proc/self/mountinfo (where that can be seen). Never
 * reads a value of the controller, never logs.
 */
#include "base/base.h"

#include "master/cgroup_internal.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/span.h"

/* A host of many containers has thousands of mounts. */
enum { TEXT_MAX_BYTES = 16 * 1024 * 1024, MOUNT_MAX = 16 };

/* Borrowed from the text of mountinfo, still escaped. */
struct mount {
	struct span root;  /* the cgroup that is seen at `point` */
	struct span point;
	struct span type;
	struct span super_options;
};

/* "4:cpu,memory:/docker/3f" in a list of words between commas */
static bool has_word(struct span list, struct span word)
{
	struct span piece;

	while (span_split(&list, ',', &piece)) {
		if (span_equals(piece, word))
			return true;
	}
	return false;
}

/* false when /proc/self/cgroup does not have that hierarchy. */
static bool find_own(struct span text, enum cgroup_version version, struct span *ret_path)
{
	struct span line;

	while (span_split(&text, '\n', &line)) {
		struct span number, controllers;

		if (!span_split(&line, ':', &number) || !span_split(&line, ':', &controllers) || line.len == 0)
			continue;
		if (version == CGROUP_V1 ? has_word(controllers, SPAN_LIT("memory"))
		                         : controllers.len == 0 && span_equals(number, SPAN_LIT("0"))) {
			*ret_path = line;
			return true;
		}
	}
	return false;
}

/* "36 35 98:0 /root /point rw,nosuid shared:1 - cgroup2 source rw,nsdelegate" */
static bool parse_mount(struct span line, struct mount *ret_mount)
{
	struct span piece;

	for (int i = 0; i < 6; i++) {
		if (!span_split(&line, ' ', &piece))
			return false;
		if (i == 3)
			ret_mount->root = piece;
		if (i == 4)
			ret_mount->point = piece;
	}
	/* Any number of optional fields. */
	do {
		if (!span_split(&line, ' ', &piece))
			return false;
	} while (!span_equals(piece, SPAN_LIT("-")));
	return span_split(&line, ' ', &ret_mount->type) && span_split(&line, ' ', &piece) &&
	       span_split(&line, ' ', &ret_mount->super_options);
}

static bool is_wanted(const struct mount *mount, enum cgroup_version version)
{
	if (version == CGROUP_V2)
		return span_equals(mount->type, SPAN_LIT("cgroup2"));
	return span_equals(mount->type, SPAN_LIT("cgroup")) && has_word(mount->super_options, SPAN_LIT("memory"));
}

/* Mounts of the controller that are not covered by another mount on the same point. Returns their number. */
static size_t find_mounts(struct span text, enum cgroup_version version, struct mount ret_mounts[static MOUNT_MAX])
{
	struct span line;
	size_t count = 0;

	while (span_split(&text, '\n', &line)) {
		struct mount mount;

		if (!parse_mount(line, &mount))
			continue;
		/* Covered mounts stay listed; the last one is what a path leads to. */
		for (size_t i = count; i > 0; i--) {
			if (span_equals(ret_mounts[i - 1].point, mount.point)) {
				memmove(&ret_mounts[i - 1], &ret_mounts[i], (count - i) * sizeof(mount));
				count--;
			}
		}
		if (is_wanted(&mount, version) && count < MOUNT_MAX)
			ret_mounts[count++] = mount;
	}
	return count;
}

static bool is_octal(struct span s)
{
	return s.len == 3 && s.at[0] >= '0' && s.at[0] <= '3' && s.at[1] >= '0' && s.at[1] <= '7' && s.at[2] >= '0' && s.at[2] <= '7';
}

/* Blanks and backslashes come as \040, \134. The caller frees. */
static char *unescape(struct span text)
{
	struct buf plain = BUF_NONE;

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '\\' && text.len - i > 3 && is_octal(span_of(text.at + i + 1, 3))) {
			const char *digits = text.at + i + 1;

			buf_add_byte(&plain, (char)((digits[0] - '0') << 6 | (digits[1] - '0') << 3 | (digits[2] - '0')));
			i += 3;
		} else {
			buf_add_byte(&plain, text.at[i]);
		}
	}
	return buf_detach(&plain);
}

/* How many "/.." are at the start: levels above the root of the own cgroup namespace. Takes them off. */
static size_t take_ups(struct span *path)
{
	size_t ups = 0;

	while (span_starts_with(*path, SPAN_LIT("/..")) && (path->len == 3 || path->at[3] == '/')) {
		*path = span_of(path->at + 3, path->len - 3);
		ups++;
	}
	return ups;
}

/*
 * The way from the mount's root to the own cgroup: "" or "/a/b". false when the own cgroup can't be seen below this mount;
 * ret_is_above then says whether the mount's root is at least an ancestor of it.
 */
static bool way_to_own(struct span mount_root, struct span own, struct span *ret_way, bool *ret_is_above)
{
	struct span root_rest = mount_root;
	struct span own_rest = own;
	size_t root_ups = take_ups(&root_rest);
	size_t own_ups = take_ups(&own_rest);

	/* Both are told as seen from the root of the own cgroup namespace. */
	if (span_equals(root_rest, SPAN_LIT("/")))
		root_rest = SPAN_LIT("");
	if (span_equals(own_rest, SPAN_LIT("/")))
		own_rest = SPAN_LIT("");
	*ret_is_above = root_rest.len == 0 && root_ups > own_ups;
	if (root_ups != own_ups || !span_starts_with(own_rest, root_rest))
		return false;
	*ret_way = span_of(own_rest.at + root_rest.len, own_rest.len - root_rest.len);
	return ret_way->len == 0 || ret_way->at[0] == '/';
}

static bool has_file(const char *directory, const char *name)
{
	char *path = xasprintf("%s/%s", directory, name);
	bool is_there = access(path, F_OK) == 0;

	free(path);
	return is_there;
}

/* The root of the whole v2 tree has no memory.max; one below which the controller is not enabled has none of them. */
static bool has_controller(const char *directory, enum cgroup_version version)
{
	return has_file(directory, "memory.stat") ||
	       has_file(directory, version == CGROUP_V2 ? "memory.max" : "memory.limit_in_bytes") ||
	       has_file(directory, version == CGROUP_V2 ? "memory.current" : "memory.usage_in_bytes");
}

/* What can be seen through this mount. */
static void look_through(const char *root, const struct mount *mount, enum cgroup_version version, struct span own,
                         struct cgroup_place *ret_place)
{
	char *mount_root = unescape(mount->root);
	char *point = unescape(mount->point);
	struct span way = SPAN_LIT("");
	bool is_above = false;
	bool is_below = way_to_own(span_from_str(mount_root), own, &way, &is_above);

	*ret_place = (struct cgroup_place){ .version = version };
	ret_place->has_local_events = has_word(mount->super_options, SPAN_LIT("memory_localevents"));
	if (is_below || is_above) {
		char *path = xasprintf("%s%s%.*s", root, strcmp(point, "/") == 0 ? "" : point, SPAN_ARG(way));
		size_t top = strlen(path) - way.len;

		/* A folder without files of the controller is charged to the next one that has them: that is its own then. */
		ret_place->is_own_known = is_below && access(path, F_OK) == 0;
		while (ret_place->levels.count < CGROUP_LEVEL_MAX) {
			char *slash = strrchr(path, '/');

			if (has_controller(path, version))
				strlist_add(&ret_place->levels, path);
			if (strlen(path) <= top || slash == NULL)
				break;
			*slash = '\0';
		}
		free(path);
	}
	free(mount_root);
	free(point);
}

/* A v2 hierarchy beside a v1 memory controller has other controllers, or none. */
static bool is_memory_of_v2(const char *root, const struct mount *mount)
{
	char *point = unescape(mount->point);
	char *path = xasprintf("%s%s/cgroup.controllers", root, point);
	char *text = NULL;
	size_t len = 0;
	bool is_there = false;

	if (fd_read_file(path, 64 * 1024, &text, &len) == 0) {
		struct span rest = span_trim(span_of(text, len), "\n");
		struct span word;

		while (!is_there && span_split(&rest, ' ', &word))
			is_there = span_equals(word, SPAN_LIT("memory"));
	}
	free(text);
	free(path);
	free(point);
	return is_there;
}

static bool is_better(const struct cgroup_place *a, const struct cgroup_place *b)
{
	if (a->is_own_known != b->is_own_known)
		return a->is_own_known;
	return a->levels.count > b->levels.count;
}

/* true when this version has the memory controller. */
static bool find_version(const char *root, enum cgroup_version version, struct span cgroups, struct span mountinfo,
                         struct cgroup_place *ret_place)
{
	struct mount mounts[MOUNT_MAX];
	struct span own;
	bool has_memory = false;

	if (!find_own(cgroups, version, &own))
		return false;

	size_t count = find_mounts(mountinfo, version, mounts);

	*ret_place = (struct cgroup_place){ .version = version };
	for (size_t i = 0; i < count; i++) {
		struct cgroup_place place;

		look_through(root, &mounts[i], version, own, &place);
		has_memory |= version == CGROUP_V1 || place.levels.count != 0 || is_memory_of_v2(root, &mounts[i]);
		if (place.levels.count != 0 && (ret_place->levels.count == 0 || is_better(&place, ret_place))) {
			cgroup_place_release(ret_place);
			*ret_place = place;
		} else {
			cgroup_place_release(&place);
		}
	}
	return has_memory;
}

void cgroup_find(const char *root, struct cgroup_place *ret_place)
{
	char *cgroup_path = xasprintf("%s/proc/self/cgroup", root);
	char *mountinfo_path = xasprintf("%s/proc/self/mountinfo", root);
	char *cgroups = NULL;
	char *mountinfo = NULL;
	size_t cgroups_len = 0;
	size_t mountinfo_len = 0;

	*ret_place = (struct cgroup_place){ .version = CGROUP_NONE };
	if (fd_read_file(cgroup_path, TEXT_MAX_BYTES, &cgroups, &cgroups_len) == 0 &&
	    fd_read_file(mountinfo_path, TEXT_MAX_BYTES, &mountinfo, &mountinfo_len) == 0) {
		struct span cgroups_text = span_of(cgroups, cgroups_len);
		struct span mountinfo_text = span_of(mountinfo, mountinfo_len);

		/* v1 first: where both are mounted and v1 has a memory controller, v2 has none. */
		if (!find_version(root, CGROUP_V1, cgroups_text, mountinfo_text, ret_place) &&
		    !find_version(root, CGROUP_V2, cgroups_text, mountinfo_text, ret_place))
			*ret_place = (struct cgroup_place){ .version = CGROUP_NONE };
	}
	free(cgroups);
	free(mountinfo);
	free(cgroup_path);
	free(mountinfo_path);
}

void cgroup_place_release(struct cgroup_place *place)
{
	strlist_release(&place->levels);
}
