/* SPDX-License-Identifier: MIT */

/*
 * Numbers of threads: the lowest that is free, from a bitmap under a lock. A thread that ends gives
 * its number back in the destructor of a key, under the same lock: that orders its writes before
 * those of the next owner. Where the bitmap is used up, or there is no key, every thread gets
 * WEIR_MODEL_THREADS, which is nobody's own.
 */

#include "base/thread.h"

#include <pthread.h>

#define WORD_BITS 64u
#define WORDS (WEIR_MODEL_THREADS / WORD_BITS)

_Thread_local unsigned int weir_model_thread_tls;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t taken[WORDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

static void give_back(void *opaque)
{
	unsigned int number = (unsigned int)((uintptr_t)opaque - 1);

	/* A later destructor that uses a model registers again. */
	weir_model_thread_tls = 0;
	pthread_mutex_lock(&lock);
	taken[number / WORD_BITS] &= ~WEIR_BIT(number % WORD_BITS);
	pthread_mutex_unlock(&lock);
}

static void make_key(void)
{
	has_key = !pthread_key_create(&key, give_back);
}

static unsigned int take(void)
{
	unsigned int number = WEIR_MODEL_THREADS;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < WORDS; i++) {
		if (!~taken[i])
			continue;
		number = i * WORD_BITS + (unsigned int)__builtin_ctzll(~taken[i]);
		taken[i] |= WEIR_BIT(number % WORD_BITS);
		break;
	}
	pthread_mutex_unlock(&lock);
	return number;
}

unsigned int weir_model_thread_register(void)
{
	unsigned int number;

	pthread_once(&once, make_key);
	if (!has_key)
		return WEIR_MODEL_THREADS;
	number = take();
	if (number == WEIR_MODEL_THREADS)
		return number;
	/* What could not be given back is not taken. */
	if (pthread_setspecific(key, (void *)((uintptr_t)number + 1))) {
		give_back((void *)((uintptr_t)number + 1));
		return WEIR_MODEL_THREADS;
	}
	weir_model_thread_tls = number + 1;
	return number;
}
