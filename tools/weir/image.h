/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_IMAGE_H
#define WEIR_TOOL_IMAGE_H

/*
 * Making of the default image, in its parts.
 *
 *   image.c    where it is, who makes it, opening of images
 *   ext4.c     the file system: mke2fs over a folder, twice
 *   stage.c    that folder: a copy of the source tree
 *
 * An interrupt by the user (SIGINT, SIGTERM, SIGHUP) sets image_stopped; the parts look at it
 * between two steps and give up, so that what they made can be removed.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define IMAGE_BLOCK 4096u
#define IMAGE_MIN (64u << 20)

extern volatile sig_atomic_t image_stopped;

/* Percent done, on a terminal. */
void image_progress(unsigned int percent);

/* "weir: cannot make the disk image: WHAT 'PATH': errno; or use another ...". Gives false. */
bool image_failed(const char *what, const char *path);

/*
 * Copy the tree below `from` into the new folder `to`: folders, files and symbolic links, without
 * version control, build folders and files of more than 16 MiB. Adds up the files and their bytes.
 */
bool stage_tree(const char *from, const char *to, unsigned int *files, uint64_t *bytes);
/* Remove whatever is below `path`, and it. */
void stage_remove(const char *path);

/*
 * Make the file `image` an ext4 of the folder `tree` and a file of random data that fills it.
 * `dir` is a folder for what is needed meanwhile.
 */
bool ext4_make(const char *image, const char *tree, const char *dir, unsigned int files,
	       uint64_t bytes);

#endif
