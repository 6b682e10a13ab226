/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HW_ROGUE_H
#define WEIR_HW_ROGUE_H

/*
 * The rogue device of the models: registers in BAR 0 (32 and 64 bits wide, little-endian).
 * MSI-X vector 0 is sent when a list is done.
 */

#define WEIR_ROGUE_VENDOR 0x1b36u /* a vendor with IDs for virtual devices */
#define WEIR_ROGUE_DEVICE 0x0bad
#define WEIR_ROGUE_CLASS 0xff0000

#define WEIR_ROGUE_ID 0x000       /* r: WEIR_ROGUE_MAGIC */
#define WEIR_ROGUE_MAGIC 0x65756f72u /* "roue" */
#define WEIR_ROGUE_COUNT 0x008    /* rw: entries of the list to try; capped at LIST_MAX */
#define WEIR_ROGUE_DOORBELL 0x00c /* w: 1 starts; ignored while busy */
#define WEIR_ROGUE_STATUS 0x010   /* r: WEIR_ROGUE_BUSY */
#define WEIR_ROGUE_BUSY 0x1u
#define WEIR_ROGUE_BLOCKED 0x014  /* r: of the last list: entries that failed */
#define WEIR_ROGUE_HITS 0x018     /* r: of the last list: entries that reached memory */
#define WEIR_ROGUE_MSIX 0x2000    /* MSI-X table; PBA on the next page */
#define WEIR_ROGUE_LIST 0x10000   /* rw: 64-bit entries: address[63:3], flags[2:0] */
#define WEIR_ROGUE_LIST_MAX 4096u
#define WEIR_ROGUE_WRITE 0x1u     /* entry: write 8 bytes; else read them */
#define WEIR_ROGUE_BAR_SIZE 0x20000u

#define WEIR_ROGUE_PATTERN 0xdeadbadc0ffee000ull /* what it writes */

#endif
