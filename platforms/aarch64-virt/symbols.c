/* SPDX-License-Identifier: MIT */
/*
 * Functions by their addresses, and back traces. The table is made from the first link of the image
 * by symbols.py and put into the second: the number of entries, a word that is 0, then an offset
 * from the image's start and that of a name from the table's start for each function, in order of
 * address, then the names. Offsets are also the addresses in the ELF file, which is linked to 0.
 *
 * A frame record (AAPCS64, "The Frame Pointer") is the caller's record and the return address; x29
 * points to the latest one.
 */

#include <weir/sys.h>

#include "virt.h"

#define MAX_CALLS 1024 /* a chain that was written over may be a circle */
#define MAX_LINES 24
#define INSTRUCTION 4u

#define PAR_F 1u
#define PAR_ATTR_NORMAL 0xf0u /* its upper half is 0 for devices */

/* From image.lds; both are the same in the first link. */
extern const uint32_t virt_symbols_start[], virt_symbols_end[];

struct symbol {
	uint32_t offset, name;
};

static bool in_code(uint64_t address)
{
	return address >= (uintptr_t)virt_image_start && address < (uintptr_t)virt_code_end;
}

/* The last function that begins at or before `offset`. */
static const struct symbol *find(uint32_t offset)
{
	const struct symbol *symbols = (const void *)(virt_symbols_start + 2);
	uint32_t low = 0, high, middle;

	/* As numbers: to a compiler two objects never are at one address. */
	if ((uintptr_t)virt_symbols_start == (uintptr_t)virt_symbols_end)
		return NULL;
	high = virt_symbols_start[0];
	while (low < high) {
		middle = low + (high - low) / 2;
		if (symbols[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &symbols[low - 1] : NULL;
}

void virt_symbol(uint64_t address, char *buf, size_t size)
{
	const struct symbol *symbol = NULL;
	uint32_t offset = (uint32_t)(address - (uintptr_t)virt_image_start);

	if (in_code(address))
		symbol = find(offset);
	if (symbol)
		weir_snprintf(buf, size, "%s+0x%x", (const char *)virt_symbols_start + symbol->name,
			      offset - symbol->offset);
	else
		weir_snprintf(buf, size, "? 0x%lx", address);
}

void virt_say(const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	bare_machine_write(line, (size_t)weir_vsnprintf(line, sizeof(line), format, args));
	va_end(args);
}

/* By the MMU's own word: PAR_EL1 after an address translation instruction. */
bool virt_is_readable(uint64_t address)
{
	uint64_t par;

	if (virt.el2)
		__asm__ volatile("at s1e2r, %0" : : "r"(address) : "memory");
	else
		__asm__ volatile("at s1e1r, %0" : : "r"(address) : "memory");
	__asm__ volatile("isb\n\tmrs %0, par_el1" : "=r"(par) : : "memory");
	return WEIR_IS_ALIGNED(address, 8) && !(par & PAR_F) && (par >> 56 & PAR_ATTR_NORMAL);
}

static void say_address(uint64_t address)
{
	char symbol[80];

	virt_symbol(address, symbol, sizeof(symbol));
	if (in_code(address))
		virt_say("    0x%06lx %s\n", address - (uintptr_t)virt_image_start, symbol);
	else
		virt_say("    %s\n", symbol);
}

/* Nothing of the chain is believed: a stack that was written over must not fault once more. */
static bool read_record(uint64_t *record, uint64_t *address)
{
	const uint64_t *words = (const uint64_t *)*record;

	if (!*record)
		return false;
	if (!virt_is_readable(*record) || !virt_is_readable(*record + 8)) {
		virt_say("    no frame record at 0x%lx\n", *record);
		return false;
	}
	*record = words[0];
	/* Where the call is, not where it returns to: that may be the next line. */
	*address = words[1] - INSTRUCTION;
	return words[1] != 0;
}

/* A recursion is told in two lines. */
static void say_repeated(unsigned int *repeated)
{
	if (*repeated)
		virt_say("    ... and %u times more\n", *repeated);
	*repeated = 0;
}

void virt_back_trace(uint64_t address, uint64_t record)
{
	unsigned int calls, lines = 0, repeated = 0;
	uint64_t last = address;

	virt_say("  back trace; for lines: aarch64-linux-gnu-addr2line -pfie "
		 "weir-virt.elf OFFSET... (docs/bare-metal.md)\n");
	if (address)
		say_address(address);
	for (calls = 0; calls < MAX_CALLS && read_record(&record, &address); calls++) {
		if (address == last) {
			repeated++;
			continue;
		}
		say_repeated(&repeated);
		if (lines++ == MAX_LINES)
			return;
		say_address(address);
		last = address;
	}
	say_repeated(&repeated);
}

void bare_machine_backtrace(void)
{
	virt_say("  CPU %u at EL%u, sp 0x%lx\n", plat_cpu(), virt.el2 ? 2 : 1,
		 (uintptr_t)__builtin_frame_address(0));
	virt_back_trace(0, (uintptr_t)__builtin_frame_address(0));
}
