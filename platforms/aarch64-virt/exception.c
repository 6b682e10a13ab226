/* SPDX-License-Identifier: MIT */
/*
 * An exception that nobody expected: why (ESR_ELx in words; DDI 0487, "ESR_EL1, Exception Syndrome
 * Register"), where, registers, back trace; then the machine ends. The one that is expected is a
 * semihosting call where nobody serves it.
 *
 * The first CPU that comes here makes its report without a lock, others stop. `reporter` is that
 * CPU's; `nested` is written by it alone.
 */

#include <weir/sys.h>

#include "virt.h"

#define STATUS_PANIC 70
#define HLT_SEMIHOSTING 0xd45e0000u

/* ESR_ELx */
#define ESR_EC(esr) ((esr) >> 26 & 0x3f)
#define EC_UNKNOWN 0x00u
#define EC_INSTRUCTION_ABORT 0x21u
#define EC_DATA_ABORT 0x25u
#define ESR_FSC(esr) ((esr)&0x3f)
#define FSC_PERMISSION 0x0cu
#define FSC_LEVEL 0x03u
#define ESR_WNR WEIR_BIT(6)
#define ESR_CM WEIR_BIT(8)
#define ESR_FNV WEIR_BIT(10)

/* Entries of the table of vectors: four kinds from each of four sources. */
#define KIND(vector) ((vector) % 4)
#define SOURCE(vector) ((vector) / 4 % 4)
enum { SYNCHRONOUS, IRQ, FIQ, SERROR };
enum { FROM_THREAD, FROM_HANDLER, FROM_LOWER };

#define SYMBOL_SIZE 80

_Static_assert(sizeof(struct virt_frame) == 288, "vectors.S: FRAME_SIZE");
_Static_assert(offsetof(struct virt_frame, sp) == 248, "vectors.S: FRAME_SP");
_Static_assert(offsetof(struct virt_frame, elr) == 256, "vectors.S: FRAME_ELR");
_Static_assert(offsetof(struct virt_frame, esr) == 272, "vectors.S: FRAME_ESR");
_Static_assert(offsetof(struct virt_cpu, exception_stack) == 16, "vectors.S: CPU_EXCEPTION_STACK");
_Static_assert(BARE_STACK_SIZE == (16 << 10), "vectors.S: STACK_IN_USE");

static uintptr_t reporter; /* its struct virt_cpu plus 1; 0: none */
static unsigned int nested;

/* ---- Why ------------------------------------------------------------------------------------ */

struct fault {
	uint8_t mask, code; /* a mask without FSC_LEVEL: the level is in there */
	const char *name, *words;
};

static const struct fault faults[] = {
	{ 0x3c, 0x00, "address size fault", "its translation is too large an address" },
	{ 0x3c, 0x04, "translation fault", "nothing is mapped there" },
	{ 0x3c, 0x08, "access flag fault", "its translation has no access flag" },
	{ 0x3c, FSC_PERMISSION, "permission fault", "that is not allowed there" },
	{ 0x3f, 0x10, "external abort", "an error came back; is there RAM or a device?" },
	{ 0x3c, 0x14, "external abort", "an error came back to the page-table walk" },
	{ 0x3f, 0x18, "parity or ECC error", "the memory is broken" },
	{ 0x3c, 0x1c, "parity or ECC error", "the memory of the page table is broken" },
	{ 0x3f, 0x21, "alignment fault", "the address is not aligned as it has to be" },
	{ 0x3f, 0x30, "TLB conflict abort", "the TLB holds two translations of it" },
	{ 0x3f, 0x35, "unsupported access", "no exclusive or atomic accesses to such memory" },
};

struct exception_class {
	uint8_t code;
	const char *words;
};

static const struct exception_class classes[] = {
	{ 0x01, "WFI or WFE was trapped" },
	{ 0x07, "a floating-point or vector instruction; the image is built without them" },
	{ 0x0d, "a branch to what is no branch target" },
	{ 0x0e, "illegal execution state: a broken SPSR was returned to" },
	{ 0x15, "an SVC instruction: nobody here serves system calls" },
	{ 0x16, "an HVC instruction: nobody here serves hypervisor calls" },
	{ 0x17, "an SMC instruction was trapped" },
	{ 0x18, "an access to a system register was trapped" },
	{ 0x1c, "a pointer failed its authentication" },
	{ 0x22, "a jump to an address that is not a multiple of 4" },
	{ 0x26, "the stack pointer is not a multiple of 16" },
	{ 0x31, "a breakpoint that nobody here has set" },
	{ 0x33, "a single step that nobody here has asked for" },
	{ 0x35, "a watchpoint that nobody here has set" },
	{ 0x3c, "a BRK instruction: the compiler's trap, at what must not be reached" },
};

static const char *class_words(uint64_t esr)
{
	size_t i;

	for (i = 0; i < WEIR_ARRAY_SIZE(classes); i++)
		if (classes[i].code == ESR_EC(esr))
			return classes[i].words;
	return "an exception of a class that this program does not know";
}

/* ": nothing is mapped there (translation fault, level 1)" */
static void say_fault(uint64_t esr)
{
	const struct fault *fault;

	for (fault = faults; fault < faults + WEIR_ARRAY_SIZE(faults); fault++) {
		if ((ESR_FSC(esr) & fault->mask) != fault->code)
			continue;
		virt_say(": %s (%s", fault->words, fault->name);
		if (!(fault->mask & FSC_LEVEL))
			virt_say(", level %u", (unsigned int)(esr & FSC_LEVEL));
		virt_say(")");
		return;
	}
	virt_say(": fault status 0x%02x", (unsigned int)ESR_FSC(esr));
}

static void say_guess(uint64_t address, uint64_t esr)
{
	bool permission = (ESR_FSC(esr) & ~(uint64_t)FSC_LEVEL) == FSC_PERMISSION;

	if (address < WEIR_PAGE_SIZE)
		virt_say("; a null pointer?");
	else if (permission && ESR_EC(esr) == EC_INSTRUCTION_ABORT)
		virt_say("; only the image's code is executable");
	else if (permission && address >= (uintptr_t)virt_image_start &&
		 address < (uintptr_t)virt_code_end)
		virt_say("; the image's code is read-only");
	else if (permission && address >= (uintptr_t)virt_code_end &&
		 address < (uintptr_t)virt_rodata_end)
		virt_say("; the image's constants are read-only");
}

static void say_data_abort(const struct virt_frame *frame)
{
	const char *verb = frame->esr & ESR_CM ? "cache maintenance of" : "read from";
	bool overflow = !(frame->esr & ESR_FNV) && virt_is_stack_guard(frame->far);
	char symbol[SYMBOL_SIZE];

	if (frame->esr & ESR_WNR && !(frame->esr & ESR_CM))
		verb = "write to";
	virt_symbol(frame->elr, symbol, sizeof(symbol));
	virt_say("%s: %s ", overflow ? "stack overflow" : "data abort", verb);
	if (frame->esr & ESR_FNV)
		virt_say("an unknown address by %s", symbol);
	else
		virt_say("0x%lx by %s", frame->far, symbol);
	if (overflow) {
		virt_say(": the guard page below a stack\n");
		return;
	}
	say_fault(frame->esr);
	if (!(frame->esr & ESR_FNV))
		say_guess(frame->far, frame->esr);
	virt_say("\n");
}

/* Where the jump came from is not recorded; the link register tells it if it was a call. */
static void say_instruction_abort(const struct virt_frame *frame)
{
	char symbol[SYMBOL_SIZE];

	virt_symbol(frame->x[30] - 4, symbol, sizeof(symbol));
	virt_say("instruction abort: jump to 0x%lx (if it was a call: by %s)", frame->elr, symbol);
	say_fault(frame->esr);
	say_guess(frame->elr, frame->esr);
	virt_say("\n");
}

static bool instruction_at(uint64_t address, uint32_t *instruction)
{
	if (!WEIR_IS_ALIGNED(address, 4) || !virt_is_readable(address & ~(uint64_t)7))
		return false;
	*instruction = *(const uint32_t *)address;
	return true;
}

static void say_undefined(const struct virt_frame *frame)
{
	char symbol[SYMBOL_SIZE];
	uint32_t instruction;

	virt_symbol(frame->elr, symbol, sizeof(symbol));
	if (instruction_at(frame->elr, &instruction))
		virt_say("undefined instruction 0x%08x at %s\n", instruction, symbol);
	else
		virt_say("undefined instruction at %s\n", symbol);
}

static void say_synchronous(const struct virt_frame *frame)
{
	char symbol[SYMBOL_SIZE];

	switch (ESR_EC(frame->esr)) {
	case EC_UNKNOWN:
		say_undefined(frame);
		return;
	case EC_DATA_ABORT:
		say_data_abort(frame);
		return;
	case EC_INSTRUCTION_ABORT:
		say_instruction_abort(frame);
		return;
	default:
		virt_symbol(frame->elr, symbol, sizeof(symbol));
		virt_say("%s (class 0x%02x, at %s)\n", class_words(frame->esr),
			 (unsigned int)ESR_EC(frame->esr), symbol);
	}
}

static void say_why(const struct virt_frame *frame, unsigned int vector)
{
	virt_say("\n");
	if (SOURCE(vector) >= FROM_LOWER) {
		virt_say("an exception from a lower level, where nothing of this program runs\n");
		return;
	}
	switch (KIND(vector)) {
	case SYNCHRONOUS:
		say_synchronous(frame);
		return;
	case IRQ:
		virt_say("an interrupt inside a handler, where they are masked\n");
		return;
	case FIQ:
		virt_say("an FIQ: an interrupt of the GIC's group 0, which nobody here uses\n");
		return;
	default:
		virt_say("SError: memory or a device answered an earlier access with an error\n");
	}
}

/* ---- Where ----------------------------------------------------------------------------------- */

static const char *stack_words(unsigned int vector)
{
	if (vector & VIRT_VECTOR_STACK_LOST)
		return "inside a handler that lost its stack (an overflow?)";
	return SOURCE(vector) == FROM_HANDLER ? "inside a handler" : "on a thread's stack";
}

static void say_registers(const struct virt_frame *frame)
{
	unsigned int i;

	for (i = 0; i < 31; i++)
		virt_say("  %sx%u %016lx%s", i < 10 ? " " : "", i, frame->x[i],
			 i % 4 == 3 ? "\n" : "");
	virt_say("   sp %016lx\n", frame->sp);
}

static void say_where(const struct virt_frame *frame, unsigned int vector)
{
	char symbol[SYMBOL_SIZE];

	virt_say("  CPU %u at EL%u, %s; ESR 0x%lx FAR 0x%lx ELR 0x%lx SPSR 0x%lx\n", plat_cpu(),
		 virt.el2 ? 2 : 1, stack_words(vector), frame->esr, frame->far, frame->elr,
		 frame->spsr);
	say_registers(frame);
	/* A function that calls none need not have a frame record: this tells its caller. */
	virt_symbol(frame->x[30], symbol, sizeof(symbol));
	virt_say("  link register: %s\n", symbol);
	virt_back_trace(frame->elr, frame->x[29]);
}

/* ---- What is done about it ------------------------------------------------------------------- */

static _Noreturn void stop(void)
{
	for (;;)
		__asm__ volatile("wfi");
}

/* An exception in the report on one. */
static void report_nested(const struct virt_frame *frame)
{
	unsigned int before = nested++;

	if (before > 1)
		stop();
	if (before)
		virt_console_lose(); /* perhaps telling is what faults */
	virt_say("\nanother exception meanwhile: ESR 0x%lx FAR 0x%lx ELR 0x%lx\n", frame->esr,
		 frame->far, frame->elr);
	bare_machine_exit(STATUS_PANIC);
}

/*
 * A processor with no semihosting server takes its HLT as an undefined instruction. -1 is what
 * semihosting returns for failure; the caller does without.
 */
static bool skip_semihosting(struct virt_frame *frame, unsigned int vector)
{
	uint32_t instruction;

	if ((vector != 4 * FROM_THREAD && vector != 4 * FROM_HANDLER) ||
	    ESR_EC(frame->esr) != EC_UNKNOWN || !instruction_at(frame->elr, &instruction) ||
	    instruction != HLT_SEMIHOSTING)
		return false;
	frame->x[0] = ~(uint64_t)0;
	frame->elr += 4;
	return true;
}

void virt_exception(struct virt_frame *frame, unsigned int vector)
{
	uintptr_t self = (uintptr_t)virt_cpu() + 1, other = 0;

	if (skip_semihosting(frame, vector))
		return;
	/* Relaxed: who is first decides alone; no data goes from one to the other. */
	if (!__atomic_compare_exchange_n(&reporter, &other, self, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED)) {
		if (other != self)
			stop();
		report_nested(frame);
	}
	say_why(frame, vector);
	say_where(frame, vector);
	bare_machine_exit(STATUS_PANIC);
}
