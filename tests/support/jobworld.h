/* SPDX-License-Identifier: MIT */
#ifndef JOBWORLD_H
#define JOBWORLD_H

/*
 * For tests: a world for the job of tools/job on a stack's machine. What arrives is compared with
 * the stack's disk, byte by byte, in place of a checksum.
 */

#include <job.h>

#include "stack.h"

struct jobworld {
	struct job_world world;
	struct stack *stack;
	unsigned int fail_start, fail_join; /* the Nth call gives -EIO, counted from 1; 0: none */
	unsigned int starts, joins;
	uint64_t bytes;	   /* that arrived */
	uint64_t wrong;	   /* pieces of them that are not what the disk holds there */
	uint64_t progress; /* what was told last */
	uint64_t disorder; /* times that what was told was not what had arrived */
};

void jobworld_init(struct jobworld *w, struct stack *s);

#endif
