/* SPDX-License-Identifier: MIT */

/*
 * Files of the user's (disk images, device trees), and the default image.
 *
 * The default image lives in the user's cache and is made once. All of the making happens in a
 * folder next to it, under a lock: what lies in that folder when the lock is taken was left by a
 * run that was killed. The image gets its name when it is whole and on the disk.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "tool.h"

/* The number changes when what is in the image does. */
#define IMAGE_NAME "source-tree-v1.img"
#define IMAGE_MAX (64ull << 40)
#define CHUNK (1u << 20)

volatile sig_atomic_t image_stopped;

/* ---- Opening ---------------------------------------------------------------------------- */

static bool size_of(int fd, const struct stat *st, uint64_t *size)
{
	if (S_ISBLK(st->st_mode))
		return !ioctl(fd, BLKGETSIZE64, size);
	*size = (uint64_t)st->st_size;
	return true;
}

/* What is wrong with an image that could be opened; NULL: nothing. */
static const char *unfit(int fd, uint64_t *size)
{
	struct stat st;
	char byte;

	if (fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return S_ISDIR(st.st_mode) ? "it is a folder: name a file" :
					     "it is neither a file nor a disk: name one that is";
	if (!size_of(fd, &st, size))
		return "its size cannot be told: copy it to a file first";
	if (!*size)
		return "it is empty: name a file with at least one byte";
	if (*size > IMAGE_MAX)
		return "it is larger than 64 TiB: name a smaller one";
	if (pread(fd, &byte, 1, 0) != 1)
		return "it cannot be read: copy it elsewhere, or name another";
	return NULL;
}

static const char *advice(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return "check the path, or leave --image out to have an image made";
	case EACCES:
	case EPERM:
		return "make it readable, or name another";
	default:
		return "name another";
	}
}

int image_open(const char *path, uint64_t *size)
{
	/* Without O_NONBLOCK a FIFO would wait for somebody to write into it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *problem;

	if (fd < 0) {
		int error = errno;

		complain("cannot open the image '%s': %s: %s", path, strerror(error),
			 advice(error));
		return -1;
	}
	problem = unfit(fd, size);
	if (problem) {
		complain("cannot use the image '%s': %s", path, problem);
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- Device trees ----------------------------------------------------------------------- */

#define TREE_MAX (2u << 20)

void *tree_load(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	void *tree = file ? malloc(TREE_MAX + 1) : NULL;

	errno = file ? ENOMEM : errno;
	*size = 0;
	if (tree) {
		errno = 0;
		*size = fread(tree, 1, TREE_MAX + 1, file);
	}
	if (!tree || ferror(file))
		complain("cannot read the device tree '%s': %s: name a device tree blob", path,
			 strerror(errno));
	else if (!*size || *size > TREE_MAX)
		complain("cannot use the device tree '%s': it is %s: name a device tree blob", path,
			 *size ? "larger than 2 MiB" : "empty");
	else
		goto out;
	free(tree);
	tree = NULL;
out:
	if (file)
		fclose(file);
	return tree;
}

/* ---- Checksums -------------------------------------------------------------------------- */

/* Up to CHUNK bytes into the digest; how many, or -1 with errno (0: the file became shorter). */
static ssize_t digest_chunk(EVP_MD_CTX *ctx, int fd, unsigned char *buf, uint64_t at, uint64_t left)
{
	ssize_t got = pread(fd, buf, left < CHUNK ? left : CHUNK, (off_t)at);

	if (got > 0 && EVP_DigestUpdate(ctx, buf, (size_t)got) != 1) {
		errno = ENOMEM;
		return -1;
	}
	return got;
}

bool image_digest(int fd, uint64_t size, unsigned char digest[SHA256_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *buf = malloc(CHUNK);
	bool ok = ctx && buf && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
	uint64_t at = 0;

	if (!ok)
		complain("cannot compute a checksum: no memory");
	while (ok && at < size) {
		ssize_t got = digest_chunk(ctx, fd, buf, at, size - at);

		if (got > 0) {
			at += (uint64_t)got;
		} else if (!(got < 0 && errno == EINTR)) {
			complain("cannot read the image at byte %llu: %s", (unsigned long long)at,
				 got ? strerror(errno) : "it became shorter");
			ok = false;
		}
	}
	ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	free(buf);
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* ---- The default image ------------------------------------------------------------------ */

void image_progress(unsigned int percent)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rMaking the disk image, once: %3u %%", percent);
}

static void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

bool image_failed(const char *what, const char *path)
{
	int error = errno;

	if (image_stopped)
		return false;
	end_progress();
	complain("cannot make the disk image: %s '%s': %s%s; or use another: weir run --image FILE",
		 what, path, strerror(error),
		 error == ENOSPC || error == EDQUOT ? ": about 200 MiB are needed there" : "");
	return false;
}

static void stop(int signal)
{
	image_stopped = signal;
}

static const int stop_signals[] = { SIGINT, SIGTERM, SIGHUP };

static void catch_signals(struct sigaction saved[])
{
	struct sigaction action = { .sa_handler = stop };
	size_t i;

	sigemptyset(&action.sa_mask);
	for (i = 0; i < WEIR_ARRAY_SIZE(stop_signals); i++) {
		sigaction(stop_signals[i], NULL, &saved[i]);
		/* One that is ignored (nohup) stays ignored. */
		if (saved[i].sa_handler != SIG_IGN)
			sigaction(stop_signals[i], &action, NULL);
	}
}

static void release_signals(const struct sigaction saved[])
{
	size_t i;

	for (i = 0; i < WEIR_ARRAY_SIZE(stop_signals); i++)
		sigaction(stop_signals[i], &saved[i], NULL);
	if (image_stopped)
		raise((int)image_stopped);
}

static bool is_made(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_size >= IMAGE_MIN;
}

/* fsync by name: a folder, or a file that another program wrote. */
static bool settle(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && !fsync(fd);

	if (fd >= 0)
		close(fd);
	return ok || image_failed("cannot write", path);
}

/* In `dir`, a folder that this process alone has. */
static bool make_in(const char *dir, const char *path)
{
	char *tree = NULL, *image = NULL;
	unsigned int files = 0;
	uint64_t bytes = 0;
	bool ok = asprintf(&tree, "%s/tree", dir) > 0 && asprintf(&image, "%s/image", dir) > 0;

	image_progress(0);
	if (!ok)
		image_failed("cannot make", path);
	ok = ok && stage_tree(WEIR_SOURCE_ROOT, tree, &files, &bytes) &&
	     ext4_make(image, tree, dir, files, bytes) && settle(image);
	if (ok && (image_stopped || rename(image, path)))
		ok = image_failed("cannot write", path);
	end_progress();
	free(tree);
	free(image);
	return ok;
}

static bool make(const char *dir, const char *path)
{
	struct sigaction saved[WEIR_ARRAY_SIZE(stop_signals)];
	bool ok;

	if (access(WEIR_SOURCE_ROOT "/meson.build", R_OK)) {
		complain("the source tree '%s' that the disk image is made of is not there: use "
			 "another: weir run --image FILE",
			 WEIR_SOURCE_ROOT);
		return false;
	}
	catch_signals(saved);
	stage_remove(dir);
	ok = !mkdir(dir, 0700) ? make_in(dir, path) : image_failed("cannot make the folder", dir);
	stage_remove(dir);
	release_signals(saved);
	return ok;
}

/* One at a time: who comes second finds the image made. */
static bool make_locked(const char *cache, const char *path)
{
	char *lock = NULL, *dir = NULL;
	bool ok = false;
	int fd = -1;

	if (asprintf(&lock, "%s/lock", cache) < 0 || asprintf(&dir, "%s/making", cache) < 0) {
		image_failed("cannot make", path);
		goto out;
	}
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX))
		image_failed("cannot lock", lock);
	else
		ok = is_made(path) || make(dir, path);
	if (fd >= 0)
		close(fd);
out:
	free(lock);
	free(dir);
	return ok;
}

/* mkdir -p. `path` is changed meanwhile. */
static bool make_folders(char *path)
{
	char *slash = path;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST && access(path, F_OK))
			return image_failed("cannot make the folder", path);
		*slash = '/';
	}
	if (mkdir(path, 0700) && errno != EEXIST)
		return image_failed("cannot make the folder", path);
	return true;
}

/* The cache of weir, as the XDG Base Directory Specification has it; NULL: nobody says where. */
static char *cache_folder(void)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int ret = 0;

	if (xdg && xdg[0] == '/')
		ret = asprintf(&path, "%s/weir", xdg);
	else if (home && home[0] == '/')
		ret = asprintf(&path, "%s/.cache/weir", home);
	else
		complain("no place for the disk image: set HOME or XDG_CACHE_HOME, or use "
			 "another: weir run --image FILE");
	return ret > 0 ? path : NULL;
}

char *image_default(void)
{
	char *cache = cache_folder(), *path = NULL;

	if (!cache)
		return NULL;
	if (asprintf(&path, "%s/%s", cache, IMAGE_NAME) < 0)
		path = NULL;
	if (path && !is_made(path) && !(make_folders(cache) && make_locked(cache, path))) {
		free(path);
		path = NULL;
	}
	free(cache);
	return path;
}
