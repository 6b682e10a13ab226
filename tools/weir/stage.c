/* SPDX-License-Identifier: MIT */

/* A copy of the source tree, as what the default image is made of. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

#define FILE_MAX (16u << 20)
#define DEPTH_MAX 32 /* of folders; also bounds the recursion */

struct stage {
	const char *root;
	unsigned int files;
	uint64_t bytes;
};

static bool left_out(const char *folder, const char *root, const char *name)
{
	static const char *const anywhere[] = { ".", "..", ".git", ".cache", "__pycache__" };
	size_t i;

	for (i = 0; i < sizeof(anywhere) / sizeof(anywhere[0]); i++)
		if (!strcmp(name, anywhere[i]))
			return true;
	return !strcmp(folder, root) && !strncmp(name, "build", 5);
}

static bool copy_bytes(int in, int out)
{
	char buf[65536];
	ssize_t got;

	while ((got = read(in, buf, sizeof(buf))) > 0) {
		ssize_t put = write(out, buf, (size_t)got);

		if (put != got) {
			errno = put < 0 ? errno : ENOSPC;
			return false;
		}
	}
	return !got;
}

/* What the user cannot read is left out. */
static bool unreadable(const char *path)
{
	return errno == EACCES || errno == ENOENT || image_failed("cannot read", path);
}

static bool copy_file(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	bool ok;

	if (in < 0)
		return unreadable(from);
	ok = out >= 0 && copy_bytes(in, out);
	close(in);
	if (out >= 0 && close(out))
		ok = false;
	return ok || image_failed("cannot write", to);
}

static bool copy_link(const char *from, const char *to)
{
	char target[PATH_MAX];
	ssize_t len = readlink(from, target, sizeof(target) - 1);

	if (len < 0)
		return image_failed("cannot read", from);
	target[len] = '\0';
	return !symlink(target, to) || image_failed("cannot write", to);
}

static bool copy_folder(struct stage *stage, const char *from, const char *to, unsigned int depth);

static bool copy_entry(struct stage *stage, const char *from, const char *to, unsigned int depth)
{
	struct stat st;

	if (lstat(from, &st))
		return unreadable(from);
	stage->files++;
	if (S_ISDIR(st.st_mode))
		return copy_folder(stage, from, to, depth + 1);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to);
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return true;
	stage->bytes += (uint64_t)st.st_size;
	return copy_file(from, to, st.st_mode & S_IXUSR ? 0700 : 0600);
}

static bool copy_named(struct stage *stage, const char *from, const char *to, const char *name,
		       unsigned int depth)
{
	char *source = NULL, *target = NULL;
	bool ok = asprintf(&source, "%s/%s", from, name) > 0 &&
		  asprintf(&target, "%s/%s", to, name) > 0;

	ok = ok ? copy_entry(stage, source, target, depth) : image_failed("cannot read", from);
	free(source);
	free(target);
	return ok;
}

static bool copy_folder(struct stage *stage, const char *from, const char *to, unsigned int depth)
{
	struct dirent *entry;
	DIR *dir;
	bool ok = true;

	if (depth > DEPTH_MAX)
		return true;
	if (mkdir(to, 0700))
		return image_failed("cannot make the folder", to);
	dir = opendir(from);
	if (!dir)
		return unreadable(from);
	while (ok && !image_stopped && (entry = readdir(dir)))
		if (!left_out(from, stage->root, entry->d_name))
			ok = copy_named(stage, from, to, entry->d_name, depth);
	closedir(dir);
	return ok && !image_stopped;
}

bool stage_tree(const char *from, const char *to, unsigned int *files, uint64_t *bytes)
{
	struct stage stage = { .root = from };
	bool ok = copy_folder(&stage, from, to, 0);

	*files = stage.files;
	*bytes = stage.bytes;
	return ok;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

void stage_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
