/* SPDX-License-Identifier: MIT */
/*
 * The SMMUv3 model against the oracle: any implementation, tables that are right or wrong, any
 * transactions (tests/support/smmucase.h).
 *
 * - Each ends as the oracle says, at the address, with the attributes, event and updates of
 *   descriptors that it says; or it rests on what is UNPREDICTABLE.
 * - Asked again, out of the caches, the same.
 * - Nothing else in memory changes.
 */

#include "smmucase.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct smmucase c;
	struct input in = { data, size < 1024 ? size : 1024 };

	case_run(&c, &in);
	return 0;
}
