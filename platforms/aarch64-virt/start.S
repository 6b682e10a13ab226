/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to virt_main(), from PSCI's CPU_ON to virt_secondary_main(), and the switch
 * between threads.
 *
 * The boot CPU arrives by Linux's arm64 boot protocol: x0 holds the physical address of the device
 * tree, the MMU is off, interrupts are masked, the image's bytes are clean to the point of
 * coherency. Until the MMU is on, data accesses go past the caches: whatever is written meanwhile
 * is invalidated before (a dirty line could be evicted over it) and after (a stale line could hide
 * it).
 *
 * The image runs at the exception level that it finds, EL1 or EL2; at EL2 with HCR_EL2.E2H and TGE
 * 0. Fields of registers are those of DDI 0487, "AArch64 System Register Descriptions".
 */

#define CURRENT_EL1	(1 << 2)
#define CURRENT_EL2	(2 << 2)

#define FDT_MAGIC	0xd00dfeed
/* The boot protocol says 2 MiB; QEMU makes a tree that it was given (-dtb) larger than that. */
#define FDT_MAX_SIZE	(8 << 20)

#define ELF_RELATIVE	1027		/* R_AARCH64_RELATIVE */
#define RELA_SIZE	24

/* MAIR_ELx: attribute 0 is device memory, nGnRE; 1 is normal memory, write-back, allocating. */
#define MAIR		0xff04

/*
 * TCR_ELx: 48 bits of virtual address, 4 KiB pages, walks through write-back inner shareable
 * memory. At EL1 the upper half of the addresses faults without a walk (EPD1). The size of a
 * physical address is put in from ID_AA64MMFR0_EL1.
 */
#define TCR_WALKS	((3 << 12) | (1 << 10) | (1 << 8))
#define TCR_EL1		((2 << 30) | (1 << 23) | (16 << 16) | TCR_WALKS | 16)
#define TCR_EL1_IPS	32
#define TCR_EL2		((1 << 31) | (1 << 23) | TCR_WALKS | 16)
#define TCR_EL2_PS	16
#define PARANGE_48	5

/* SCTLR_ELx: MMU, both caches, stack alignment checked; bits that are RES1 in Armv8.0. */
#define SCTLR_ON	((1 << 12) | (1 << 3) | (1 << 2) | (1 << 0))
#define SCTLR_EL1	(0x30d00980 | SCTLR_ON)
#define SCTLR_EL2	(0x30c50830 | SCTLR_ON)
#define SCTLR_M		1

#define HCR_RW		(1 << 31)
#define HCR_MASKS	((1 << 5) | (1 << 4) | (1 << 3))	/* AMO, IMO, FMO */
#define HCR_E2H		34
#define CPTR_EL2	0x37ff		/* RES1; TFP: floating point is trapped here, too */
#define CNTHCTL_EL2	3		/* EL1 may read the physical counter and its timer */

/* Block descriptors of the first tables: AF, inner shareable, attribute 1. */
#define BLOCK		((1 << 10) | (3 << 8) | (1 << 2) | 1)
#define BLOCK_AP1	(1 << 6)	/* RES1 at EL2 */
#define TABLE		3

/* struct virt_cpu; machine.c asserts them. */
#define CPU_EXCEPTION_STACK	16
#define CPU_START_STACK		24

#define STACK_SIZE	(16 << 10)

#define SEMIHOST_WRITE0	0x04
#define SEMIHOST_EXIT	0x18
#define SEMIHOST_STOPPED 0x20026	/* ADP_Stopped_ApplicationExit */

	.macro	func name
	.global	\name
	.hidden	\name
	.type	\name, %function
	.balign	4
\name:
	.endm

	.macro	endfunc name
	.size	\name, . - \name
	.endm

	/* \reg: the address of a symbol, wherever the image is. */
	.macro	address reg, symbol
	adrp	\reg, \symbol
	add	\reg, \reg, :lo12:\symbol
	.endm

	/* Branch to \label at EL2. */
	.macro	if_el2 label, scratch
	mrs	\scratch, CurrentEL
	cmp	\scratch, #CURRENT_EL2
	b.eq	\label
	.endm

	.section .head, "ax"
	b	virt_start
	.long	0

	.text

/* ---- The boot CPU ---------------------------------------------------------------------------- */

func virt_start
	msr	daifset, #0xf
	mov	x19, x0
	mrs	x0, CurrentEL
	cmp	x0, #CURRENT_EL1
	ccmp	x0, #CURRENT_EL2, #4, ne
	adr	x0, say_level
	b.ne	give_up

	/*
	 * The size of the device tree, from its header: big-endian, the second word. The protocol
	 * does not ask for a clean tree: its first line is cleaned, to be read past the caches.
	 */
	adr	x0, say_tree
	tst	x19, #7
	b.ne	give_up
	lsr	x1, x19, #48
	cbnz	x1, give_up
	dc	civac, x19
	dsb	sy
	ldp	w1, w2, [x19]
	rev	w1, w1
	rev	w20, w2
	ldr	w3, =FDT_MAGIC
	cmp	w1, w3
	b.ne	give_up
	cbz	w20, give_up
	cmp	w20, #FDT_MAX_SIZE
	b.hi	give_up

	adrp	x0, virt_code_end
	adrp	x1, virt_image_end
	bl	invalidate
	bl	relocate
	bl	clear_bss
	bl	map_first
	adrp	x0, virt_image_start
	adrp	x1, virt_image_end
	bl	invalidate
	bl	setup
	adrp	x0, boot_root
	bl	mmu_on

	address	x0, virt_boot_exception_top
	address	x1, virt_boot_stack_top
	bl	take_stacks
	mov	x0, x19
	mov	x30, xzr
	b	virt_main
endfunc virt_start

/*
 * DC IVAC over [x0, x1), lines of CTR_EL0.DminLine words. With the MMU off, stores are to device
 * memory, which nothing but a barrier orders against cache maintenance (DDI 0487, "Ordering and
 * completion of data and instruction cache instructions"). Clobbers x0, x2, x3.
 */
func invalidate
	dmb	sy
	mrs	x2, ctr_el0
	ubfx	x2, x2, #16, #4
	mov	x3, #4
	lsl	x2, x3, x2
1:	dc	ivac, x0
	add	x0, x0, x2
	cmp	x0, x1
	b.lo	1b
	dsb	sy
	ret
endfunc invalidate

/*
 * Linked to 0: what is added is where the image lies. AAELF64, "Dynamic relocations".
 * Clobbers x0-x5.
 */
func relocate
	adrp	x5, virt_image_start
	address	x0, virt_rela_start
	address	x1, virt_rela_end
1:	cmp	x0, x1
	b.hs	2f
	ldp	x2, x3, [x0]
	ldr	x4, [x0, #16]
	cmp	x3, #ELF_RELATIVE
	b.ne	3f
	add	x4, x4, x5
	str	x4, [x5, x2]
	add	x0, x0, #RELA_SIZE
	b	1b
2:	ret
3:	adr	x0, say_relocation
	b	give_up
endfunc relocate

/* Clobbers x0, x1. */
func clear_bss
	adrp	x0, virt_bss_start
	adrp	x1, virt_image_end
1:	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b
	ret
endfunc clear_bss

/*
 * The first tables: identity, in blocks of 1 GiB, where the image and the device tree (x19, w20
 * bytes) begin and end. Clobbers x0-x7.
 */
func map_first
	mov	x7, x30
	address	x4, boot_tables
	adrp	x0, virt_image_start
	bl	map_gib
	adrp	x0, virt_image_end
	sub	x0, x0, #1
	bl	map_gib
	mov	x0, x19
	bl	map_gib
	add	x0, x19, x20
	sub	x0, x0, #1
	bl	map_gib
	ret	x7
endfunc map_first

/* Map the GiB of x0. x4: the next free table; one is left for each call. Clobbers x0-x3, x5. */
func map_gib
	adrp	x1, boot_root
	ubfx	x2, x0, #39, #9
	add	x1, x1, x2, lsl #3
	ldr	x2, [x1]
	cbnz	x2, 1f
	orr	x2, x4, #TABLE
	str	x2, [x1]
	add	x4, x4, #4096
1:	bic	x2, x2, #TABLE
	ubfx	x1, x0, #30, #9
	lsr	x0, x0, #30
	lsl	x0, x0, #30
	mov	x3, #BLOCK
	orr	x0, x0, x3
	if_el2	2f, x3
	b	3f
2:	orr	x0, x0, #BLOCK_AP1
3:	str	x0, [x2, x1, lsl #3]
	ret
endfunc map_gib

/* Say x0 through semihosting, which also ends the machine; stay here where there is none. */
func give_up
	mov	x1, x0
	mov	w0, #SEMIHOST_WRITE0
	hlt	#0xf000
	mov	w0, #SEMIHOST_EXIT
	adr	x1, exit_block
	hlt	#0xf000
1:	wfi
	b	1b
endfunc give_up

	.balign	8
exit_block:
	.quad	SEMIHOST_STOPPED, 70
say_level:
	.asciz	"weir: cannot run at EL0 or EL3: start the image at EL1 or EL2\n"
say_tree:
	.ascii	"weir: no device tree of at most 8 MiB at the address in x0: "
	.asciz	"start the image by Linux's arm64 boot protocol\n"
say_relocation:
	.ascii	"weir: the image has a relocation of a kind that it cannot apply: "
	.asciz	"link it with image.lds\n"
say_granule:
	.asciz	"weir: this processor has no 4 KiB pages\n"
say_vhe:
	.asciz	"weir: this processor has VHE always on at EL2: start the image at EL1\n"
	.balign	4

/* ---- Another CPU ----------------------------------------------------------------------------- */

/* From PSCI: x0 is its struct virt_cpu. Nothing but code is read before the MMU is on. */
func virt_secondary_start
	msr	daifset, #0xf
	mov	x19, x0
	bl	setup
	adrp	x0, virt_root
	bl	mmu_on
	msr	tpidr_el0, x19
	ldr	x0, [x19, #CPU_EXCEPTION_STACK]
	ldr	x1, [x19, #CPU_START_STACK]
	bl	take_stacks
	mov	x30, xzr
	b	virt_secondary_main
endfunc virt_secondary_start

/* ---- Both ------------------------------------------------------------------------------------ */

/*
 * Everything but TTBR0 and SCTLR. TPIDR_EL0 is 0, for vectors.S, until there is a struct virt_cpu.
 * Clobbers x0-x2.
 */
func setup
	msr	tpidr_el0, xzr
	ic	iallu
	mrs	x1, id_aa64mmfr0_el1
	ubfx	x2, x1, #28, #4		/* TGran4: 15 is "none" */
	cmp	x2, #15
	adr	x0, say_granule
	b.eq	give_up
	and	x1, x1, #15
	mov	x2, #PARANGE_48		/* more is not to be had from 4 KiB pages and TCR.DS 0 */
	cmp	x1, x2
	csel	x1, x1, x2, lo
	mov	x0, #MAIR
	if_el2	1f, x2

	msr	mair_el1, x0
	ldr	x0, =TCR_EL1
	bfi	x0, x1, #TCR_EL1_IPS, #3
	msr	tcr_el1, x0
	msr	cpacr_el1, xzr		/* floating point is trapped: nobody saves its registers */
	msr	mdscr_el1, xzr
	address	x0, virt_vectors_el1
	msr	vbar_el1, x0
	b	2f

1:	msr	mair_el2, x0
	ldr	x0, =(HCR_RW | HCR_MASKS)
	msr	hcr_el2, x0
	isb				/* before registers whose layout E2H decides */
	mrs	x2, hcr_el2
	adr	x0, say_vhe
	tbnz	x2, #HCR_E2H, give_up
	ldr	x0, =TCR_EL2
	bfi	x0, x1, #TCR_EL2_PS, #3
	msr	tcr_el2, x0
	mov	x0, #CPTR_EL2
	msr	cptr_el2, x0
	mov	x0, #CNTHCTL_EL2
	msr	cnthctl_el2, x0
	msr	cntvoff_el2, xzr
	address	x0, virt_vectors_el2
	msr	vbar_el2, x0
2:	dsb	nsh			/* the instruction cache is empty */
	isb
	ret
endfunc setup

/* The MMU is off: on with it, on the tables at x0. Clobbers x1. */
func mmu_on
	if_el2	1f, x1
	tlbi	vmalle1
	dsb	nsh			/* the TLB is empty before a walk may fill it */
	msr	ttbr0_el1, x0
	isb
	ldr	x1, =SCTLR_EL1
	msr	sctlr_el1, x1
	isb				/* the next instruction is fetched through the MMU */
	ret
1:	tlbi	alle2
	dsb	nsh
	msr	ttbr0_el2, x0
	isb
	ldr	x1, =SCTLR_EL2
	msr	sctlr_el2, x1
	isb
	ret
endfunc mmu_on

/*
 * void virt_use_tables(uint64_t root): from the first tables to others. They translate the same
 * addresses with blocks of other sizes and with other rights; a TLB that held entries of both may
 * answer with a mixture, or with a TLB conflict abort (DDI 0487, D8, "Using break-before-make when
 * updating translation table entries"). At EL2 there is no ASID to tell them apart. So the MMU is
 * off between the two, while the TLB is emptied: this code lies at its physical address, and
 * touches no data meanwhile but constants among the code, which memory holds since it was loaded.
 */
func virt_use_tables
	dsb	ish			/* tables are written before a walk reads them */
	if_el2	1f, x1
	mrs	x1, sctlr_el1
	bic	x1, x1, #SCTLR_M
	msr	sctlr_el1, x1
	isb
	b	mmu_on
1:	mrs	x1, sctlr_el2
	bic	x1, x1, #SCTLR_M
	msr	sctlr_el2, x1
	isb
	b	mmu_on
endfunc virt_use_tables

/*
 * SP_ELx = x0 for exceptions, SP_EL0 = x1 for what runs from now on; SErrors come through; a back
 * trace ends here.
 */
func take_stacks
	msr	spsel, #1
	mov	sp, x0
	msr	spsel, #0
	mov	sp, x1
	mov	x29, xzr
	msr	daifclr, #4
	ret
endfunc take_stacks

/* ---- Threads --------------------------------------------------------------------------------- */

/* void bare_machine_switch(struct bare_context *from, const struct bare_context *to) */
func bare_machine_switch
	stp	x19, x20, [x0]
	stp	x21, x22, [x0, #16]
	stp	x23, x24, [x0, #32]
	stp	x25, x26, [x0, #48]
	stp	x27, x28, [x0, #64]
	stp	x29, x30, [x0, #80]
	mov	x2, sp
	str	x2, [x0, #96]
	ldp	x19, x20, [x1]
	ldp	x21, x22, [x1, #16]
	ldp	x23, x24, [x1, #32]
	ldp	x25, x26, [x1, #48]
	ldp	x27, x28, [x1, #64]
	ldp	x29, x30, [x1, #80]
	ldr	x2, [x1, #96]
	mov	sp, x2
	ret
endfunc bare_machine_switch

/* Where a context begins: entry is in x19; nobody is to return to. */
func virt_thread_begin
	mov	x29, xzr
	mov	x30, xzr
	br	x19
endfunc virt_thread_begin

/* ---- Tables and stacks of the boot CPU ------------------------------------------------------- */

	.macro	object name
	.global	\name
	.hidden	\name
\name:
	.endm

	.section .bss.pages, "aw", %nobits
	.balign	4096
	/* Where everything is translated from once virt_vm_init() has filled it in. */
object virt_root
	.skip	4096
boot_root:
	.skip	4096
boot_tables:
	.skip	4 * 4096
	/* Below each stack a page that the final tables leave out. */
object virt_boot_exception_guard
	.skip	4096 + STACK_SIZE
object virt_boot_exception_top
object virt_boot_guard
	.skip	4096 + STACK_SIZE
object virt_boot_stack_top
