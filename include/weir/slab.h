/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SLAB_H
#define WEIR_SLAB_H

/* The heap under the header's name that drivers include; see weir/mm.h. */

#include <weir/mm.h>

#endif
