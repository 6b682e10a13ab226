/* SPDX-License-Identifier: MIT */
#ifndef VIRT_H
#define VIRT_H

/*
 * An aarch64 machine as QEMU's `virt` describes it in its device tree: what the files of this
 * folder are to each other. Nothing about the machine is a constant here; addresses, interrupts and
 * CPUs come from the tree, sizes and widths from the processor's and the GIC's ID registers.
 *
 *   start.S      from the boot loader to virt_main(): relocation, MMU on, for the boot CPU and for
 *                the others; the context switch
 *   image.lds    how the image lies in memory, and its header (Linux's arm64 boot protocol)
 *   machine.c    the order of bring-up; banks of RAM, CPUs, command line, from the tree
 *   vm.c         page tables; registers (plat_mmio_map()) and stacks, each in an area of their own
 *   psci.c       CPUs on, machine off
 *   vectors.S    exceptions, at EL1 and at EL2
 *   exception.c  an exception that nobody expected: where and why, in words
 *   symbols.c    functions of the image by address (symbols.py makes the table); back traces
 *   console.c    PL011, and semihosting before there is one; the exit status
 *   time.c       the generic timer
 *   cache.c      maintenance to the point of coherency
 *   irq.c        handlers of interrupts: plat_irq_*(); dispatch
 *   gic.c its.c  GICv3: distributor, redistributors, CPU interface; the ITS: plat_msi_*()
 *   inline.h     the hottest functions of platform.h, inline (WEIR_PLAT_INLINE)
 *
 * The image stays at the exception level in which it was started, EL1 or EL2 (without VHE). System
 * registers whose name has a level in it are chosen by virt.el2; most code has none, because
 * TPIDR_EL0 (this CPU's struct virt_cpu), SP_EL0 (threads' stacks) and the virtual timer CNTV_*_EL0
 * are the same at both.
 *
 * Memory: RAM is mapped at its physical address, the image's code read-only and executable, nothing
 * else executable. Threads run on SP_EL0, exceptions and interrupts on SP_ELx: a stack of each CPU
 * that no thread can overflow.
 */

#include <weir/fdt.h>

#include "machine.h"

/* How far a CPU is; whoever moves it on from VIRT_CPU_OFF first decides. */
enum virt_cpu_state {
	VIRT_CPU_OFF,
	VIRT_CPU_UP,	   /* by itself, as it calls bare_cpu_enter() */
	VIRT_CPU_GIVEN_UP, /* by who waited for it too long */
};

/* One for each CPU; TPIDR_EL0 points to it. */
struct virt_cpu {
	uint32_t index;			 /* first: plat_cpu() loads it */
	uint32_t state;			 /* atomic: enum virt_cpu_state */
	uint64_t mpidr;			 /* affinity fields alone */
	void *exception_stack;		 /* top of what SP_ELx starts at */
	void *start_stack;		 /* where a secondary CPU starts; then its idle thread's */
	volatile void WEIR_IOMEM *rdist; /* its redistributor (gic.c) */
};

/* The machine. Written at bring-up by the boot CPU, read-only once other CPUs run. */
struct virt {
	bool el2;
	struct weir_fdt fdt;
	size_t fdt_size;
	unsigned int nr_cpus;
	struct virt_cpu cpus[BARE_MAX_CPUS];
	const char *arguments;
	unsigned int timer_intid; /* of the virtual timer */
};
extern struct virt virt;

static inline struct virt_cpu *virt_cpu(void)
{
	struct virt_cpu *cpu;

	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(cpu));
	return cpu;
}

#define VIRT_READ(reg)                                                                             \
	__extension__({                                                                            \
		uint64_t virt_value;                                                               \
		__asm__ volatile("mrs %0, " #reg : "=r"(virt_value));                              \
		virt_value;                                                                        \
	})
#define VIRT_WRITE(reg, value)                                                                     \
	__asm__ volatile("msr " #reg ", %0" : : "r"((uint64_t)(value)) : "memory")

/* Where the image lies (image.lds). Pages: code, read-only data, data with bss. */
extern char virt_image_start[], virt_code_end[], virt_rodata_end[], virt_image_end[];

/* ---- start.S ----------------------------------------------------------------------------- */

/* Where PSCI lets another CPU begin: x0 is its struct virt_cpu. */
void virt_secondary_start(void);
/* Where a thread begins; its entry is in x19. */
void virt_thread_begin(void);
/* This CPU, the only one that runs, goes over to the tables at `root`. */
void virt_use_tables(uint64_t root);
/* The top table of the final ones, on which other CPUs begin. */
extern uint64_t virt_root[512];
/* The boot CPU's stacks, in the image, each with an unmapped page below it. */
extern char virt_boot_guard[], virt_boot_exception_guard[], virt_boot_exception_top[];

/* ---- machine.c --------------------------------------------------------------------------- */

/*
 * From start.S, on the boot CPU: interrupts off, MMU and caches on with a first set of tables that
 * maps the image and the device tree, VBAR set, SP_EL0 and SP_ELx on stacks of their own.
 */
_Noreturn void virt_main(const void *fdt);
/* From start.S, on another CPU, on the final tables. TPIDR_EL0 is set. */
_Noreturn void virt_secondary_main(void);
/*
 * A node that the machine cannot do without is missing or wrong: panic with what `fdt` says, or
 * with `what` where that is not NULL.
 */
_Noreturn void virt_bad_tree(const char *what);
/* A line in the log. */
void virt_log(enum weir_level level, const char *format, ...) WEIR_PRINTF(2, 3);
/* The index-th bank of RAM: whole pages, sorted, apart from each other. false: no more. */
bool virt_ram_bank(unsigned int index, weir_phys_t *base, uint64_t *size);

/* ---- vm.c -------------------------------------------------------------------------------- */

enum virt_memory { VIRT_RAM, VIRT_CODE, VIRT_RODATA, VIRT_DEVICE };

/* One past the last address at which RAM can be mapped. */
weir_phys_t virt_ram_limit(void);
/* The final tables: every bank of RAM, and the image by its parts; this CPU switches to them. */
void virt_vm_init(void);
/* Map whole pages. 0, -WEIR_ENOMEM; nothing was mapped there before. Any context. */
int virt_map(uint64_t va, weir_phys_t phys, uint64_t size, enum virt_memory type);
/* Unmap and invalidate, on all CPUs; complete when it returns. */
void virt_unmap(uint64_t va, uint64_t size);
/* An address in the guard page of a thread's or a CPU's stack. */
bool virt_is_stack_guard(uint64_t va);

/* ---- psci.c ------------------------------------------------------------------------------ */

/* false: there is none that can be called. virt_psci_off() then returns, and this CPU is alone. */
bool virt_psci_init(void);
/* PSCI's error number, or 0. `entry` is physical; x0 is `argument` there. */
int virt_psci_cpu_on(uint64_t mpidr, uint64_t entry, uint64_t argument);
void virt_psci_off(void);

/* ---- exception.c, vectors.S --------------------------------------------------------------- */

/* What vectors.S saves, and in this order. */
struct virt_frame {
	uint64_t x[31];
	uint64_t sp; /* of who was interrupted */
	uint64_t elr, spsr, esr, far;
};

extern char virt_vectors_el1[], virt_vectors_el2[];
/* The exception stack could not be used any more: the frame is at its top, over what was there. */
#define VIRT_VECTOR_STACK_LOST 16u
/*
 * An exception that is no interrupt, by its entry in the table of vectors (0 to 15). Returns only
 * where execution goes on at frame->elr.
 */
void virt_exception(struct virt_frame *frame, unsigned int vector);

/* ---- symbols.c ----------------------------------------------------------------------------- */

/* A function of the image and the offset in it, or "?" and the address: "nvme_probe+0x1c". */
void virt_symbol(uint64_t address, char *buf, size_t size);
/* A load of the aligned word at `address` would neither fault nor touch a device. */
bool virt_is_readable(uint64_t address);
/* To the console, past every lock. For reports from which nobody returns. */
void virt_say(const char *format, ...) WEIR_PRINTF(1, 2);
/* Print `address` (if it is not 0), then who called it, by the frame record at `record`. */
void virt_back_trace(uint64_t address, uint64_t record);

/* ---- console.c --------------------------------------------------------------------------- */

/* Until then bare_machine_write() goes through semihosting, if there is any. */
void virt_console_init(void);
/* Its registers are what faults: semihosting again. For reports from which nobody returns. */
void virt_console_lose(void);

/* ---- time.c ------------------------------------------------------------------------------ */

void virt_time_init(void);	/* frequency, the timer's interrupt */
void virt_time_cpu_init(void);	/* this CPU's timer: off, its interrupt enabled */
void virt_time_interrupt(void); /* from irq.c: quiet the timer, bare_timer_interrupt() */

/* ---- irq.c, gic.c, its.c ------------------------------------------------------------------ */

/* Take all interrupts that are pending. From vectors.S, in IRQ context. */
void virt_irq_dispatch(void);

void virt_gic_init(void);     /* distributor, all redistributors found; before the other CPUs */
void virt_gic_cpu_init(void); /* this CPU's redistributor and interface */
/* Enable an interrupt of this CPU's own (SGI, PPI). */
void virt_gic_enable_private(unsigned int intid);
/* LPIs and the ITS; without one plat_msi_alloc() says -WEIR_EOPNOTSUPP. Needs pages. */
void virt_its_init(void);
void virt_its_cpu_init(void); /* this CPU's LPIs on, its collection mapped */

#endif
