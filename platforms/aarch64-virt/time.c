/* SPDX-License-Identifier: MIT */
/*
 * The generic timer (DDI 0487, "The Generic Timer in AArch64 state"): the virtual counter, which
 * all CPUs see alike, and each CPU's virtual timer. Also how a CPU waits.
 *
 * Ticks and nanoseconds are turned into each other by multiplying, 64 by 64 bits: `ns_per_tick` is
 * in units of 2^-NS_SHIFT, and `ticks_per_ns` is 2^64 / ns_per_tick, rounded up, so that a timer
 * set by it never fires early by the clock. Both are written at bring-up and read-only from then
 * on.
 */

#include <weir/sys.h>

#include "virt.h"

#define NS_PER_S 1000000000u
#define NS_SHIFT 34 /* NS_PER_S << NS_SHIFT just fits in 64 bits */
#define MIN_HZ 100000u
#define MAX_TICKS ((uint64_t)1 << 60)

#define TIMER_VIRTUAL 2u /* index in `interrupts`: secure, non-secure, virtual, hypervisor */
#define GIC_PPI 1u
#define GIC_FIRST_PPI 16u
#define GIC_PPIS 16u

#define CTL_ENABLE 1u

static uint64_t ns_per_tick, ticks_per_ns;

static uint64_t multiply(uint64_t a, uint64_t b, unsigned int shift)
{
	__extension__ typedef unsigned __int128 wide;

	return (uint64_t)((wide)a * b >> shift);
}

/* ISB: the counter is not read ahead of what the program did before. */
static uint64_t ticks_now(void)
{
	uint64_t ticks;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
	return ticks;
}

uint64_t plat_time_ns(void *plat)
{
	(void)plat;
	return multiply(ticks_now(), ns_per_tick, NS_SHIFT);
}

/* ---- What the tree and the processor say ---------------------------------------------------- */

static void find_timer(struct weir_fdt_node *node)
{
	weir_fdt_root(&virt.fdt, node);
	if (weir_fdt_next_compatible(&virt.fdt, node, "arm,armv8-timer"))
		return;
	if (!weir_fdt_next_compatible(&virt.fdt, node, "arm,armv7-timer"))
		virt_bad_tree("no timer: no node is compatible with arm,armv8-timer");
}

static void find_frequency(const struct weir_fdt_node *node)
{
	uint64_t hz = VIRT_READ(cntfrq_el0) & UINT32_MAX;
	uint32_t value;
	int err;

	err = weir_fdt_u32(&virt.fdt, node, "clock-frequency", &value);
	if (err == -WEIR_EINVAL)
		virt_bad_tree(NULL);
	if (!err)
		hz = value;
	if (hz < MIN_HZ)
		bare_panic("the timer runs at %lu Hz, which cannot be: firmware has to set "
			   "CNTFRQ_EL0, or the device tree clock-frequency of the timer",
			   hz);
	ns_per_tick = ((uint64_t)NS_PER_S << NS_SHIFT) / hz;
	ticks_per_ns = UINT64_MAX / ns_per_tick + 1;
}

static void find_interrupt(const struct weir_fdt_node *node)
{
	struct weir_fdt_irq irq;
	int err;

	err = weir_fdt_irq_by_name(&virt.fdt, node, "virt", &irq);
	if (err == -WEIR_ENOENT)
		err = weir_fdt_irq(&virt.fdt, node, TIMER_VIRTUAL, &irq);
	if (err == -WEIR_ENOENT)
		virt_bad_tree("the timer has no third interrupt, that of the virtual timer");
	if (err)
		virt_bad_tree(NULL);
	if (irq.count < 3 || irq.cells[0] != GIC_PPI || irq.cells[1] >= GIC_PPIS)
		virt_bad_tree("the virtual timer's interrupt is not a PPI of a GIC");
	virt.timer_intid = GIC_FIRST_PPI + irq.cells[1];
}

void virt_time_init(void)
{
	struct weir_fdt_node node;

	find_timer(&node);
	find_frequency(&node);
	find_interrupt(&node);
}

/* ---- This CPU's timer ------------------------------------------------------------------------ */

/* ISB: the timer's output has changed before anything after it looks at interrupts, or sleeps. */
static void set_control(uint64_t value)
{
	VIRT_WRITE(cntv_ctl_el0, value);
	__asm__ volatile("isb" : : : "memory");
}

void virt_time_cpu_init(void)
{
	set_control(0);
	virt_gic_enable_private(virt.timer_intid);
}

void virt_time_interrupt(void)
{
	/* Its interrupt is level-sensitive: it would come again at once. */
	set_control(0);
	bare_timer_interrupt();
}

static uint64_t ticks_until(uint64_t delta_ns)
{
	uint64_t ticks;

	if (delta_ns >= MAX_TICKS)
		return MAX_TICKS;
	/* One for a fraction of a nanosecond, one for a fraction of a tick. */
	ticks = multiply(delta_ns + 1, ticks_per_ns, 64 - NS_SHIFT) + 1;
	return ticks < MAX_TICKS ? ticks : MAX_TICKS;
}

void bare_machine_set_timer(uint64_t deadline_ns)
{
	uint64_t now = ticks_now(), now_ns = multiply(now, ns_per_tick, NS_SHIFT);

	if (deadline_ns == UINT64_MAX) {
		set_control(0);
		return;
	}
	/* A compare value that has passed fires at once. */
	VIRT_WRITE(cntv_cval_el0,
		   deadline_ns > now_ns ? now + ticks_until(deadline_ns - now_ns) : now);
	set_control(CTL_ENABLE);
}

/*
 * A pending interrupt ends WFI though it is masked (DDI 0487, "Wait for Interrupt mechanism"), so
 * none is lost between the caller's last look and here. It is taken in the window that follows:
 * ISB, since an unmasked interrupt need not be taken before one.
 */
void bare_machine_idle(void)
{
	__asm__ volatile("dsb sy\n\twfi\n\tmsr daifclr, #3\n\tisb\n\tmsr daifset, #3"
			 :
			 :
			 : "memory");
}

void bare_machine_irq_enable(void)
{
	__asm__ volatile("msr daifclr, #3" : : : "memory");
}
