/* SPDX-License-Identifier: MIT */
#ifndef SHA256_H
#define SHA256_H

/* SHA-256 (FIPS 180-4), of data that comes in pieces. */

#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK 64u

struct sha256 {
	uint32_t state[8];
	uint64_t bytes; /* hashed so far */
	unsigned char block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *data, size_t size);
/* The digest; the hash is used up. */
void sha256_final(struct sha256 *sha, unsigned char digest[32]);

#endif
