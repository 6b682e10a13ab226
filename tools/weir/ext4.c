/* SPDX-License-Identifier: MIT */

/*
 * The file system of the default image.
 *
 * mke2fs (of e2fsprogs) makes it twice: of the tree alone, to see how many blocks that leaves, and
 * of the tree with a file of random data that takes just these. There is no journal, no room for
 * growth, and no more inodes than files, so that hardly a block is left that is like another.
 * What mke2fs takes over from the folder and would differ between two makers (times, owners,
 * permissions) is set to fixed values afterwards: equal trees give equal images.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "tool.h"

#define UUID "77656972-0000-4000-8000-646d61646d61"
#define TIME 1704067200u /* 2024-01-01 */
#define TIME_TEXT "1704067200"
#define RESERVED_INODES 11u
#define SEED 0x77656972ull

/* Offsets in the superblock, a group descriptor, an inode. */
enum {
	SB = 1024,
	SB_BLOCKS = 4,
	SB_FREE_BLOCKS = 12,
	SB_LOG_BLOCK_SIZE = 24,
	SB_BLOCKS_PER_GROUP = 32,
	SB_INODES_PER_GROUP = 40,
	SB_MAGIC = 56,
	SB_INODE_SIZE = 88,
	GROUP_SIZE = 32,
	GROUP_INODE_TABLE = 8,
	INODE_SIZE = 128,
	INODE_MODE = 0,
	INODE_UID = 2,
	INODE_ATIME = 8,
	INODE_CTIME = 12,
	INODE_MTIME = 16,
	INODE_GID = 24,
	INODE_UID_GID_HIGH = 120,
};

static uint32_t get32(const unsigned char *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put32(unsigned char *at, uint32_t value)
{
	at[0] = (unsigned char)value;
	at[1] = (unsigned char)(value >> 8);
	at[2] = (unsigned char)(value >> 16);
	at[3] = (unsigned char)(value >> 24);
}

/* ---- mke2fs ----------------------------------------------------------------------------- */

/* In the child: mke2fs, wherever it is, with what it says in the file `log`. */
static void exec_mke2fs(char *const argv[], const char *log)
{
	static const char more[] = "/usr/local/sbin:/usr/sbin:/sbin";
	const char *search = getenv("PATH");
	char *path = NULL;
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (asprintf(&path, "PATH=%s:%s", search ? search : "/bin", more) > 0) {
		char config[] = "MKE2FS_CONFIG=/dev/null", locale[] = "LC_ALL=C";
		char now[] = "E2FSPROGS_FAKE_TIME=" TIME_TEXT;
		char epoch[] = "SOURCE_DATE_EPOCH=" TIME_TEXT;
		char *env[] = { path, config, locale, now, epoch, NULL };

		/* Not to outlive a parent that was killed, and write into what another makes. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		environ = env;
		execvp(argv[0], argv);
	}
	_exit(127);
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
		if (image_stopped)
			kill(child, SIGTERM);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The file system `image` of `blocks` blocks from `tree`. The exit status of mke2fs; -1: none. */
static int mke2fs(const char *image, const char *tree, uint64_t blocks, unsigned int inodes,
		  const char *log)
{
	static const char extended[] = "hash_seed=" UUID ",root_owner=0:0,nodiscard";
	char count[24], numbers[24];
	const char *argv[] = { "mke2fs", "-q", "-F", "-t", "ext4",
			       "-O", "none,filetype,extent,large_file,sparse_super",
			       "-b", "4096", "-I", "128", "-N", numbers, "-m", "0",
			       "-U", UUID, "-E", extended,
			       "-d", tree, image, count, NULL };
	pid_t child;

	snprintf(count, sizeof(count), "%llu", (unsigned long long)blocks);
	snprintf(numbers, sizeof(numbers), "%u", inodes);
	unlink(image);
	child = fork();
	if (!child)
		exec_mke2fs((char *const *)argv, log);
	return child < 0 ? -1 : wait_for(child);
}

/* The last line of `log` that says something. */
static void last_line(const char *log, char *line, size_t size)
{
	FILE *file = fopen(log, "re");
	char buf[256];

	snprintf(line, size, "no reason given");
	while (file && fgets(buf, sizeof(buf), file)) {
		buf[strcspn(buf, "\n")] = '\0';
		if (buf[0])
			snprintf(line, size, "%s", buf);
	}
	if (file)
		fclose(file);
}

static bool mke2fs_failed(int status, const char *log)
{
	char line[256];

	if (image_stopped)
		return false;
	last_line(log, line, sizeof(line));
	if (status == 127)
		complain("cannot make the disk image: mke2fs is not there: install e2fsprogs, or "
			 "pass --image FILE");
	else
		complain("cannot make the disk image: mke2fs failed (%s): pass --image FILE", line);
	return false;
}

/* ---- What it made ----------------------------------------------------------------------- */

static bool read_at(int fd, void *buf, size_t size, uint64_t at)
{
	return pread(fd, buf, size, (off_t)at) == (ssize_t)size;
}

/* The superblock, if the file system is of the kind that was asked for. */
static bool read_super(int fd, unsigned char *sb)
{
	errno = EIO;
	return read_at(fd, sb, 1024, SB) && sb[SB_MAGIC] == 0x53 && sb[SB_MAGIC + 1] == 0xef &&
	       get32(sb + SB_LOG_BLOCK_SIZE) == 2 && sb[SB_INODE_SIZE] == INODE_SIZE &&
	       get32(sb + SB_BLOCKS_PER_GROUP);
}

static bool free_blocks(const char *image, uint64_t *blocks)
{
	unsigned char sb[1024];
	int fd = open(image, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read_super(fd, sb);

	if (fd >= 0)
		close(fd);
	if (ok)
		*blocks = get32(sb + SB_FREE_BLOCKS);
	return ok || image_failed("cannot read back", image);
}

static void settle_inode(unsigned char *inode)
{
	unsigned int mode = inode[INODE_MODE] | (unsigned int)inode[INODE_MODE + 1] << 8;

	if (!mode)
		return;
	mode = (mode & S_IFMT) | (S_ISLNK(mode) ? 0777 : mode & S_IXUSR ? 0755 : 0644);
	inode[INODE_MODE] = (unsigned char)mode;
	inode[INODE_MODE + 1] = (unsigned char)(mode >> 8);
	memset(inode + INODE_UID, 0, 2);
	memset(inode + INODE_GID, 0, 2);
	memset(inode + INODE_UID_GID_HIGH, 0, 4);
	put32(inode + INODE_ATIME, TIME);
	put32(inode + INODE_CTIME, TIME);
	put32(inode + INODE_MTIME, TIME);
}

static bool settle_table(int fd, uint64_t at, uint32_t inodes)
{
	unsigned char block[IMAGE_BLOCK];
	uint32_t done, i;

	for (done = 0; done < inodes; done += IMAGE_BLOCK / INODE_SIZE, at += IMAGE_BLOCK) {
		if (!read_at(fd, block, sizeof(block), at))
			return false;
		for (i = 0; i < IMAGE_BLOCK; i += INODE_SIZE)
			settle_inode(block + i);
		if (pwrite(fd, block, sizeof(block), (off_t)at) != (ssize_t)sizeof(block))
			return false;
	}
	return true;
}

static bool settle_inodes(const char *image)
{
	unsigned char sb[1024], group[GROUP_SIZE];
	int fd = open(image, O_RDWR | O_CLOEXEC);
	bool ok = fd >= 0 && read_super(fd, sb);
	uint32_t i, per_group, groups = 0;

	if (ok) {
		per_group = get32(sb + SB_BLOCKS_PER_GROUP);
		groups = (get32(sb + SB_BLOCKS) + per_group - 1) / per_group;
	}
	for (i = 0; ok && i < groups; i++)
		ok = read_at(fd, group, sizeof(group), IMAGE_BLOCK + (uint64_t)i * GROUP_SIZE) &&
		     settle_table(fd, (uint64_t)get32(group + GROUP_INODE_TABLE) * IMAGE_BLOCK,
				  get32(sb + SB_INODES_PER_GROUP));
	if (fd >= 0 && close(fd))
		ok = false;
	return ok || image_failed("cannot finish", image);
}

/* ---- The file that fills it ------------------------------------------------------------- */

/* A bijection of the counter (splitmix64): no two words, and so no two blocks, are equal. */
static uint64_t scramble(uint64_t counter)
{
	uint64_t z = counter * 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static bool write_filler(const char *path, uint64_t blocks)
{
	uint64_t words[IMAGE_BLOCK / 8], counter = SEED, block;
	FILE *file = fopen(path, "wxe");
	bool ok = file;
	size_t i;

	for (block = 0; ok && block < blocks && !image_stopped; block++) {
		for (i = 0; i < WEIR_ARRAY_SIZE(words); i++)
			words[i] = scramble(counter++);
		ok = fwrite(words, sizeof(words), 1, file) == 1;
		if (block % 1024 == 0)
			image_progress((unsigned int)(20 + block * 40 / blocks));
	}
	if (file && fclose(file))
		ok = false;
	return ok || image_failed("cannot write", path);
}

/* How large: the tree with as much again, and no less than the least. */
static uint64_t blocks_for(unsigned int files, uint64_t bytes)
{
	uint64_t size = WEIR_ALIGN_UP(2 * (bytes + (uint64_t)files * IMAGE_BLOCK), 1u << 20);

	return (size > IMAGE_MIN ? size : IMAGE_MIN) / IMAGE_BLOCK;
}

/* The last blocks may be needed to describe the filler: try with a few less until it fits. */
static bool fill(const char *image, const char *tree, const char *filler, const char *log,
		 uint64_t blocks, unsigned int inodes)
{
	uint64_t room = 0, less;
	int status = 1;

	if (!free_blocks(image, &room) || !write_filler(filler, room))
		return false;
	for (less = 0; status > 0 && less <= 64 && less < room; less += 1 + less) {
		image_progress(60);
		if (truncate(filler, (off_t)((room - less) * IMAGE_BLOCK)))
			return image_failed("cannot write", filler);
		status = mke2fs(image, tree, blocks, inodes, log);
	}
	return !status || mke2fs_failed(status, log);
}

bool ext4_make(const char *image, const char *tree, const char *dir, unsigned int files,
	       uint64_t bytes)
{
	unsigned int inodes = RESERVED_INODES + files + 1;
	uint64_t blocks = blocks_for(files, bytes);
	char *log = NULL, *filler = NULL;
	bool ok = asprintf(&log, "%s/log", dir) > 0 &&
		  asprintf(&filler, "%s/random-data", tree) > 0;
	int status;

	if (!ok) {
		image_failed("cannot make", image);
		goto out;
	}
	image_progress(10);
	status = mke2fs(image, tree, blocks, inodes, log);
	image_progress(20);
	ok = status ? mke2fs_failed(status, log) :
		      fill(image, tree, filler, log, blocks, inodes) && settle_inodes(image);
	image_progress(100);
out:
	free(log);
	free(filler);
	return ok && !image_stopped;
}
