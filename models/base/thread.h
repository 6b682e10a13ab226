/* SPDX-License-Identifier: MIT */
#ifndef WEIR_MODELS_BASE_THREAD_H
#define WEIR_MODELS_BASE_THREAD_H

/*
 * Small numbers for threads, so that a model may have an array of what is each thread's own.
 */

#include <weir/base.h>

#define WEIR_MODEL_THREADS 256u

/*
 * The calling thread's, plus one; 0: it has none yet. Of the initial-exec model: without it each
 * access from position-independent code is a call, and a translation takes a fifth longer.
 */
extern _Thread_local unsigned int weir_model_thread_tls __attribute__((tls_model("initial-exec")));

unsigned int weir_model_thread_register(void);

/*
 * Number of the calling thread, below WEIR_MODEL_THREADS; of those that run, no two have the same.
 * WEIR_MODEL_THREADS itself is of all that came too late. The number of a
 * thread that ended goes to another, which sees all that the first one wrote.
 */
static inline unsigned int weir_model_thread(void)
{
	unsigned int tls = weir_model_thread_tls;

	if (WEIR_UNLIKELY(!tls))
		return weir_model_thread_register();
	return tls - 1;
}

#endif
