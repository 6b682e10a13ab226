/* SPDX-License-Identifier: MIT */
/*
 * Exceptions (DDI 0487, "Exception vectors"): a table for EL1 and one for EL2, from one macro; they
 * differ in the names of registers alone.
 *
 * Threads run on SP_EL0, so what they cause and what interrupts them comes through the first four
 * entries, on SP_ELx: this CPU's exception stack. An exception that comes while on SP_ELx is one
 * inside a handler; its own state is saved below the handler's, unless SP_ELx cannot be used any
 * more: then the exception stack is begun again at its top, for a report that nobody returns from.
 */

/* struct virt_frame; exception.c asserts them. */
#define FRAME_SIZE	288
#define FRAME_SP	248
#define FRAME_ELR	256
#define FRAME_ESR	272

/* struct virt_cpu; exception.c asserts it. */
#define CPU_EXCEPTION_STACK	16

/* What of an exception stack may be in use for a report to fit below: BARE_STACK_SIZE - 4 KiB. */
#define STACK_IN_USE	(12 << 10)

/* What an interrupt saves: x29, ELR (a frame record), x30, SPSR, x0 to x18, 8 bytes of padding. */
#define IRQ_SIZE	192

/* VIRT_VECTOR_STACK_LOST of virt.h */
#define STACK_LOST	16

	/* x0 = the vector, x1 = SP_EL0; x0 and x1 of before are in the frame. */
	.macro	entry el, vector
	.balign	0x80
	sub	sp, sp, #FRAME_SIZE
	stp	x0, x1, [sp]
	mov	x0, #\vector
	mrs	x1, sp_el0
	str	x1, [sp, #FRAME_SP]
	b	save_\el
	.endm

	.macro	entry_irq el
	.balign	0x80
	b	irq_\el
	.endm

	/* The stack is not to be touched yet. */
	.macro	entry_nested el, vector
	.balign	0x80
	msr	tpidr_el1, x0
	msr	tpidrro_el0, x1
	mov	x1, #\vector
	b	nested_\el
	.endm

	.macro	vectors el
	.balign	0x800
	.global	virt_vectors_\el
	.hidden	virt_vectors_\el
	.type	virt_vectors_\el, %function
virt_vectors_\el:
	entry	\el, 0
	entry_irq \el
	entry	\el, 2
	entry	\el, 3
	entry_nested \el, 4
	entry_nested \el, 5
	entry_nested \el, 6
	entry_nested \el, 7
	entry	\el, 8
	entry	\el, 9
	entry	\el, 10
	entry	\el, 11
	entry	\el, 12
	entry	\el, 13
	entry	\el, 14
	entry	\el, 15
	.size	virt_vectors_\el, . - virt_vectors_\el

	/*
	 * x1 = the vector; x0 and x1 of before are in TPIDR_EL1 and TPIDRRO_EL0, which nobody else
	 * uses. SP_ELx can be used if it is aligned and between the stack's top and the last of its
	 * pages. Before TPIDR_EL0 is set there is nothing to compare with.
	 */
	.type	nested_\el, %function
nested_\el:
	mrs	x0, tpidr_el0
	cbz	x0, 1f
	ldr	x0, [x0, #CPU_EXCEPTION_STACK]
	cbz	x0, 1f
	cmp	sp, x0
	b.hi	2f
	sub	x0, x0, #STACK_IN_USE
	cmp	sp, x0
	b.lo	2f
	mov	x0, sp
	tst	x0, #15
	b.ne	2f
1:	mov	x0, sp
	b	3f
2:	add	x1, x1, #STACK_LOST
	mrs	x0, tpidr_el0
	ldr	x0, [x0, #CPU_EXCEPTION_STACK]
3:	sub	x0, x0, #FRAME_SIZE
	str	x2, [x0, #16]
	mov	x2, sp
	str	x2, [x0, #FRAME_SP]
	mov	sp, x0
	mov	x0, x1
	mrs	x1, tpidr_el1
	mrs	x2, tpidrro_el0
	stp	x1, x2, [sp]
	ldr	x2, [sp, #16]
	b	save_\el
	.size	nested_\el, . - nested_\el

	/* ELR and SPSR are saved too: a handler may take an exception that it returns from. */
	.type	save_\el, %function
save_\el:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	str	x30, [sp, #240]
	mrs	x1, elr_\el
	mrs	x2, spsr_\el
	stp	x1, x2, [sp, #FRAME_ELR]
	mrs	x1, esr_\el
	mrs	x2, far_\el
	stp	x1, x2, [sp, #FRAME_ESR]
	mov	x1, x0
	mov	x0, sp
	bl	virt_exception
	ldp	x1, x2, [sp, #FRAME_ELR]
	msr	elr_\el, x1
	msr	spsr_\el, x2
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldr	x30, [sp, #240]
	add	sp, sp, #FRAME_SIZE
	eret
	.size	save_\el, . - save_\el

	/* What a C function may change. The frame record leads back traces to the interrupted. */
	.type	irq_\el, %function
irq_\el:
	sub	sp, sp, #IRQ_SIZE
	stp	x0, x1, [sp, #32]
	stp	x2, x3, [sp, #48]
	stp	x4, x5, [sp, #64]
	stp	x6, x7, [sp, #80]
	stp	x8, x9, [sp, #96]
	stp	x10, x11, [sp, #112]
	stp	x12, x13, [sp, #128]
	stp	x14, x15, [sp, #144]
	stp	x16, x17, [sp, #160]
	str	x18, [sp, #176]
	mrs	x0, elr_\el
	mrs	x1, spsr_\el
	stp	x29, x0, [sp]
	stp	x30, x1, [sp, #16]
	mov	x29, sp
	bl	virt_irq_dispatch
	ldp	x29, x0, [sp]
	ldp	x30, x1, [sp, #16]
	msr	elr_\el, x0
	msr	spsr_\el, x1
	ldp	x0, x1, [sp, #32]
	ldp	x2, x3, [sp, #48]
	ldp	x4, x5, [sp, #64]
	ldp	x6, x7, [sp, #80]
	ldp	x8, x9, [sp, #96]
	ldp	x10, x11, [sp, #112]
	ldp	x12, x13, [sp, #128]
	ldp	x14, x15, [sp, #144]
	ldp	x16, x17, [sp, #160]
	ldr	x18, [sp, #176]
	add	sp, sp, #IRQ_SIZE
	eret
	.size	irq_\el, . - irq_\el
	.endm

	.text
	vectors	el1
	vectors	el2
