/* SPDX-License-Identifier: MIT */

/*
 * SHA-256 of the bare-metal program (tools/baremetal/sha256.c), against OpenSSL's.
 *
 *   - the same digest for every length from 0 to 300 bytes, which is every way to pad
 *   - the same digest however the data is cut into pieces, empty ones too
 *   - the length, which ends what is hashed, may take more than 32 bits
 */

#define OPENSSL_SUPPRESS_DEPRECATED /* one block of SHA-256 by itself */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <sha256.h>

#define DIGEST 32
#define LONGEST 300
#define PIECES_SIZE 5000

static uint64_t seed = 1;

static uint64_t next_random(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void fill(unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)next_random();
}

static void expect(struct sha256 *sha, const unsigned char *want)
{
	unsigned char got[DIGEST];

	sha256_final(sha, got);
	assert_memory_equal(got, want, DIGEST);
}

static void every_length(void **state)
{
	unsigned char data[LONGEST], want[DIGEST];

	(void)state;
	fill(data, sizeof(data));
	for (size_t size = 0; size <= LONGEST; size++) {
		struct sha256 sha;

		assert_true(EVP_Digest(data, size, want, NULL, EVP_sha256(), NULL));
		sha256_init(&sha);
		sha256_update(&sha, data, size);
		expect(&sha, want);
	}
}

static void any_pieces(void **state)
{
	unsigned char data[PIECES_SIZE], want[DIGEST];

	(void)state;
	fill(data, sizeof(data));
	assert_true(EVP_Digest(data, sizeof(data), want, NULL, EVP_sha256(), NULL));
	for (unsigned int run = 0; run < 500; run++) {
		size_t longest = 1 + next_random() % 400, done = 0;
		struct sha256 sha;

		sha256_init(&sha);
		while (done < sizeof(data)) {
			size_t piece = next_random() % (longest + 1);

			if (piece > sizeof(data) - done)
				piece = sizeof(data) - done;
			sha256_update(&sha, data + done, piece);
			done += piece;
		}
		expect(&sha, want);
	}
}

/* As if so many bytes had gone before: the length fills both words of the last block. */
static void long_message(void **state)
{
	const uint64_t bytes = 0x0123456789abcdc0;
	unsigned char last[SHA256_BLOCK] = { 0x80 }, want[DIGEST];
	struct sha256 sha;
	SHA256_CTX other;

	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		last[SHA256_BLOCK - 8 + i] = (unsigned char)(bytes << 3 >> (56 - 8 * i));
	assert_true(SHA256_Init(&other));
	SHA256_Transform(&other, last);
	for (unsigned int i = 0; i < DIGEST; i++)
		want[i] = (unsigned char)(other.h[i / 4] >> (24 - 8 * (i % 4)));
	sha256_init(&sha);
	sha.bytes = bytes;
	expect(&sha, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length),
		cmocka_unit_test(any_pieces),
		cmocka_unit_test(long_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
