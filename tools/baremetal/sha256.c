/* SPDX-License-Identifier: MIT */

/* SHA-256: names of functions and variables are those of FIPS 180-4, sections 4.1.2 and 6.2. */

#include <weir/base.h>

#include "sha256.h"

#define ROUNDS 64u

/* 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t K[ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotr(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

static uint32_t load_be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_be32(unsigned char *p, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		p[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* 6.2.2, step 1: the message schedule. */
static void schedule(uint32_t W[ROUNDS], const unsigned char *block)
{
	for (unsigned int t = 0; t < 16; t++)
		W[t] = load_be32(block + 4 * t);
	for (unsigned int t = 16; t < ROUNDS; t++) {
		uint32_t a = W[t - 15], b = W[t - 2];
		uint32_t s0 = rotr(a, 7) ^ rotr(a, 18) ^ a >> 3;
		uint32_t s1 = rotr(b, 17) ^ rotr(b, 19) ^ b >> 10;

		W[t] = s1 + W[t - 7] + s0 + W[t - 16];
	}
}

/* 6.2.2, steps 2 to 4. */
static void compress(uint32_t H[8], const unsigned char *block)
{
	uint32_t W[ROUNDS];
	uint32_t a = H[0], b = H[1], c = H[2], d = H[3], e = H[4], f = H[5], g = H[6], h = H[7];

	schedule(W, block);
	for (unsigned int t = 0; t < ROUNDS; t++) {
		uint32_t S1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
		uint32_t S0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
		uint32_t T1 = h + S1 + ((e & f) ^ (~e & g)) + K[t] + W[t];
		uint32_t T2 = S0 + ((a & b) ^ (a & c) ^ (b & c));

		h = g;
		g = f;
		f = e;
		e = d + T1;
		d = c;
		c = b;
		b = a;
		a = T1 + T2;
	}
	H[0] += a;
	H[1] += b;
	H[2] += c;
	H[3] += d;
	H[4] += e;
	H[5] += f;
	H[6] += g;
	H[7] += h;
}

void sha256_init(struct sha256 *sha)
{
	/* 5.3.3 */
	static const uint32_t H0[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memcpy(sha->state, H0, sizeof(H0));
	sha->bytes = 0;
}

void sha256_update(struct sha256 *sha, const void *data, size_t size)
{
	const unsigned char *p = data;
	size_t used = sha->bytes % SHA256_BLOCK;

	sha->bytes += size;
	if (used) {
		size_t part = SHA256_BLOCK - used < size ? SHA256_BLOCK - used : size;

		memcpy(sha->block + used, p, part);
		if (used + part < SHA256_BLOCK)
			return;
		compress(sha->state, sha->block);
		p += part;
		size -= part;
	}
	for (; size >= SHA256_BLOCK; p += SHA256_BLOCK, size -= SHA256_BLOCK)
		compress(sha->state, p);
	memcpy(sha->block, p, size);
}

/* 5.1.1: a one bit, zeroes, and the length in bits at the end of a block. */
void sha256_final(struct sha256 *sha, unsigned char digest[32])
{
	size_t used = sha->bytes % SHA256_BLOCK;

	sha->block[used++] = 0x80;
	if (used > SHA256_BLOCK - 8) {
		memset(sha->block + used, 0, SHA256_BLOCK - used);
		compress(sha->state, sha->block);
		used = 0;
	}
	memset(sha->block + used, 0, SHA256_BLOCK - 8 - used);
	store_be32(sha->block + SHA256_BLOCK - 8, (uint32_t)(sha->bytes >> 29));
	store_be32(sha->block + SHA256_BLOCK - 4, (uint32_t)(sha->bytes << 3));
	compress(sha->state, sha->block);
	for (unsigned int i = 0; i < 8; i++)
		store_be32(digest + 4 * i, sha->state[i]);
}
