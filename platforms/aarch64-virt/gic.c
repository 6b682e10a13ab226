/* SPDX-License-Identifier: MIT */
/*
 * GICv3: distributor, redistributors, and the CPU interface by system registers. One security state
 * or the non-secure view of two look alike to what is done here: group 1 alone, affinity routing,
 * each SPI to one CPU. The distributor is set up by the boot CPU; afterwards interrupts of one
 * register share only GICD_ICFGR, whose read-modify-write has a lock. A redistributor is its own
 * CPU's, whose interrupts are off where it is written.
 */
#include "gic.h"

#define PATIENCE_NS 1000000000u
#define ALL_ONES 0xffffffffu
#define AFFINITY_MASK 0xff00ffffffull /* of MPIDR_EL1 and GICD_IROUTER: Aff3, and Aff2 to Aff0 */

struct virt_gic virt_gic;
static struct weir_spinlock config_lock;

bool virt_gic_wait(volatile void WEIR_IOMEM *reg, uint32_t mask, uint32_t value)
{
	uint64_t end = plat_time_ns(bare_plat()) + PATIENCE_NS;

	while ((plat_mmio_read32(reg) & mask) != value) {
		/* A virtual CPU may have been away for long: look once more after the time. */
		if (plat_time_ns(bare_plat()) > end)
			return (plat_mmio_read32(reg) & mask) == value;
		plat_relax(bare_plat());
	}
	return true;
}

/* ---- Distributor -------------------------------------------------------------------------- */

static uint32_t dist_read(size_t offset)
{
	return plat_mmio_read32(virt_gic_at(virt_gic.dist, offset));
}

static void dist_write(size_t offset, uint32_t value)
{
	plat_mmio_write32(virt_gic_at(virt_gic.dist, offset), value);
}

/* Enables and GICD_CTLR have taken effect when this bit is gone (IHI 0069, GICD_CTLR.RWP). */
static void dist_sync(void)
{
	if (!virt_gic_wait(virt_gic_at(virt_gic.dist, GICD_CTLR), GICD_CTLR_RWP, 0))
		bare_panic("the GIC's distributor does not finish a write (GICD_CTLR 0x%x)",
			   (unsigned int)dist_read(GICD_CTLR));
}

static volatile void WEIR_IOMEM *map_or_panic(weir_phys_t phys, size_t size)
{
	volatile void WEIR_IOMEM *regs;

	if (!WEIR_IS_ALIGNED(phys, GIC_FRAME_SIZE))
		virt_bad_tree("the GIC's registers are not at a multiple of 64 KiB");
	regs = plat_mmio_map(bare_plat(), phys, size);
	if (!regs)
		bare_panic("the GIC's registers at 0x%llx cannot be mapped",
			   (unsigned long long)phys);
	return regs;
}

static void check_revision(volatile void WEIR_IOMEM *frame, const char *what)
{
	uint32_t rev = GIC_PIDR2_ArchRev(plat_mmio_read32(virt_gic_at(frame, GIC_PIDR2)));

	if (rev != 3 && rev != 4)
		bare_panic("%s is of GIC architecture %u, not 3 or 4", what, (unsigned int)rev);
}

static void dist_map(const struct weir_fdt_node *node)
{
	uint64_t base, size;
	unsigned int lines;

	if (weir_fdt_reg(&virt.fdt, node, 0, &base, &size))
		virt_bad_tree(NULL);
	if (size < GIC_FRAME_SIZE)
		virt_bad_tree("the GIC's distributor (its first reg) is smaller than 64 KiB");
	virt_gic.dist = map_or_panic(base, GIC_FRAME_SIZE);
	virt_gic.phandle = weir_fdt_phandle(&virt.fdt, node);
	check_revision(virt_gic.dist, "the interrupt distributor");
	virt_gic.typer = dist_read(GICD_TYPER);
	lines = 32 * (GICD_TYPER_ITLinesNumber(virt_gic.typer) + 1);
	virt_gic.spi_end = lines < GIC_SPI_END ? lines : GIC_SPI_END;
}

/* All lines off, forgotten, in group 1, of one priority. */
static void dist_reset_lines(void)
{
	unsigned int i;

	for (i = GIC_SPI_FIRST; i < virt_gic.spi_end; i += 32) {
		dist_write(GICD_ICENABLER + i / 8, ALL_ONES);
		dist_write(GICD_ICPENDR + i / 8, ALL_ONES);
		dist_write(GICD_ICACTIVER + i / 8, ALL_ONES);
		dist_write(GICD_IGROUPR + i / 8, ALL_ONES);
	}
	for (i = GIC_SPI_FIRST; i < virt_gic.spi_end; i += 4)
		dist_write(GICD_IPRIORITYR + i, GIC_PRIORITY * 0x01010101u);
	dist_sync();
}

static void dist_init(void)
{
	uint32_t ctlr = dist_read(GICD_CTLR) &
			~(GICD_CTLR_EnableGrp0 | GICD_CTLR_EnableGrp1A | GICD_CTLR_RWP);

	/* ARE must not change while a group is enabled (IHI 0069, GICD_CTLR.ARE_NS). */
	dist_write(GICD_CTLR, ctlr);
	dist_sync();
	dist_write(GICD_CTLR, ctlr | GICD_CTLR_ARE_NS);
	dist_sync();
	ctlr = dist_read(GICD_CTLR) & ~GICD_CTLR_RWP;
	if (!(ctlr & GICD_CTLR_ARE_NS))
		bare_panic("the GIC has no affinity routing (GICD_CTLR 0x%x)", (unsigned int)ctlr);
	dist_reset_lines();
	dist_write(GICD_CTLR, ctlr | GICD_CTLR_EnableGrp1A);
	dist_sync();
}

void virt_gic_spi_enable(unsigned int intid, unsigned int cpu, bool edge)
{
	size_t config = GICD_ICFGR + intid / 16 * 4;
	uint32_t bit = 2u << intid % 16 * 2;
	uintptr_t flags = plat_irq_save();

	plat_spin_lock(&config_lock);
	dist_write(config, (dist_read(config) & ~bit) | (edge ? bit : 0));
	plat_spin_unlock(&config_lock);
	plat_irq_restore(flags);
	plat_mmio_write64(virt_gic_at(virt_gic.dist, GICD_IROUTER + 8 * (size_t)intid),
			  virt.cpus[cpu].mpidr & AFFINITY_MASK);
	dist_write(GICD_ISENABLER + intid / 32 * 4, 1u << intid % 32);
}

void virt_gic_spi_disable(unsigned int intid)
{
	dist_write(GICD_ICENABLER + intid / 32 * 4, 1u << intid % 32);
	dist_sync();
}

bool virt_gic_spi_is_enabled(unsigned int intid)
{
	return dist_read(GICD_ISENABLER + intid / 32 * 4) >> intid % 32 & 1;
}

/* ---- Redistributors ----------------------------------------------------------------------- */

/* The CPU with this affinity: Aff3 to Aff0 as four bytes in GICR_TYPER, with a gap in MPIDR_EL1. */
static struct virt_cpu *cpu_of(uint64_t affinity)
{
	uint64_t mpidr = (affinity & 0xffffff) | (affinity >> 24 & 0xff) << 32;
	unsigned int i;

	for (i = 0; i < virt.nr_cpus; i++)
		if ((virt.cpus[i].mpidr & AFFINITY_MASK) == mpidr)
			return &virt.cpus[i];
	return NULL;
}

/* Look at one redistributor; what its GICR_TYPER says. Mapped for good only if a CPU is its own. */
static uint64_t rdist_look(weir_phys_t phys)
{
	size_t size = 2 * GIC_FRAME_SIZE;
	volatile void WEIR_IOMEM *regs = map_or_panic(phys, size);
	uint64_t typer;
	struct virt_cpu *cpu;

	check_revision(regs, "a redistributor");
	typer = plat_mmio_read64(virt_gic_at(regs, GICR_TYPER));
	cpu = cpu_of(GICR_TYPER_Affinity(typer));
	if (cpu && !cpu->rdist) {
		cpu->rdist = regs;
		virt_gic.rdist_phys[cpu->index] = phys;
	} else {
		plat_mmio_unmap(bare_plat(), regs, size);
	}
	return typer;
}

static bool rdists_complete(void)
{
	unsigned int i;

	for (i = 0; i < virt.nr_cpus; i++)
		if (!virt.cpus[i].rdist)
			return false;
	return true;
}

/*
 * One region: redistributors side by side until the one that says it is the last. Two frames each,
 * four with virtual LPIs (IHI 0069, GICR_TYPER.VLPIS), unless the tree gives a stride.
 */
static void rdist_walk(weir_phys_t base, uint64_t size, uint64_t stride)
{
	uint64_t offset = 0, typer, step;

	do {
		if (size < 2 * GIC_FRAME_SIZE || offset > size - 2 * GIC_FRAME_SIZE)
			return;
		typer = rdist_look(base + offset);
		step = typer & GICR_TYPER_VLPIS ? 4 * GIC_FRAME_SIZE : 2 * GIC_FRAME_SIZE;
		offset += stride ? stride : step;
	} while (!(typer & GICR_TYPER_Last) && !rdists_complete());
}

/* A number of one or two cells; 0: there is no such property. */
static uint64_t rdist_stride(const struct weir_fdt_node *node)
{
	struct weir_fdt_prop prop;
	uint64_t stride;

	if (!weir_fdt_prop(&virt.fdt, node, "redistributor-stride", &prop))
		return 0;
	stride = prop.size == 4 || prop.size == 8 ? weir_fdt_cells(&prop, 0, prop.size / 4) : 0;
	if (stride < 2 * GIC_FRAME_SIZE || stride % GIC_FRAME_SIZE || stride >> 32)
		virt_bad_tree(
			"the GIC's redistributor-stride is no multiple of 64 KiB, 128 KiB or more");
	return stride;
}

static void rdists_find(const struct weir_fdt_node *node)
{
	uint64_t base, size, stride = rdist_stride(node);
	uint32_t regions = 1, i;

	if (weir_fdt_u32(&virt.fdt, node, "#redistributor-regions", &regions) == -WEIR_EINVAL)
		virt_bad_tree(NULL);
	for (i = 0; i < regions && !rdists_complete(); i++) {
		int err = weir_fdt_reg(&virt.fdt, node, 1 + i, &base, &size);

		if (err == -WEIR_ENOENT)
			virt_bad_tree(
				"the GIC's reg has fewer regions than #redistributor-regions says");
		if (err)
			virt_bad_tree(NULL);
		rdist_walk(base, size, stride);
	}
	for (i = 0; i < virt.nr_cpus; i++)
		if (!virt.cpus[i].rdist)
			bare_panic("CPU %u (affinity 0x%llx) has no redistributor in the GIC",
				   (unsigned int)i, (unsigned long long)virt.cpus[i].mpidr);
}

void virt_gic_init(void)
{
	struct weir_fdt_node node;

	weir_fdt_root(&virt.fdt, &node);
	do {
		if (!weir_fdt_next_compatible(&virt.fdt, &node, "arm,gic-v3"))
			virt_bad_tree("there is no GICv3 (start QEMU with -M virt,gic-version=3)");
	} while (!weir_fdt_is_enabled(&virt.fdt, &node));
	dist_map(&node);
	rdists_find(&node);
	dist_init();
}

static void rdist_write(size_t offset, uint32_t value)
{
	plat_mmio_write32(virt_gic_at(virt_cpu()->rdist, offset), value);
}

static void rdist_sync(void)
{
	if (!virt_gic_wait(virt_gic_at(virt_cpu()->rdist, GICR_CTLR), GICR_CTLR_RWP, 0))
		bare_panic("CPU %u's redistributor does not finish a write", virt_cpu()->index);
}

/* Where security is another's business GICR_WAKER reads as awake (IHI 0069, GICR_WAKER). */
static void rdist_wake(void)
{
	volatile void WEIR_IOMEM *waker = virt_gic_at(virt_cpu()->rdist, GICR_WAKER);

	plat_mmio_write32(waker, plat_mmio_read32(waker) & ~GICR_WAKER_ProcessorSleep);
	if (!virt_gic_wait(waker, GICR_WAKER_ChildrenAsleep, 0))
		bare_panic("CPU %u's redistributor does not wake up", virt_cpu()->index);
}

static void rdist_init(void)
{
	unsigned int i;

	rdist_wake();
	rdist_write(GICR_ICENABLER0, ALL_ONES);
	rdist_sync();
	rdist_write(GICR_ICPENDR0, ALL_ONES);
	rdist_write(GICR_ICACTIVER0, ALL_ONES);
	rdist_write(GICR_IGROUPR0, ALL_ONES);
	for (i = 0; i < 32; i += 4)
		rdist_write(GICR_IPRIORITYR + i, GIC_PRIORITY * 0x01010101u);
	rdist_write(GICR_ICFGR1, 0); /* timers hold their PPI until they are quieted: level */
	rdist_sync();
}

void virt_gic_enable_private(unsigned int intid)
{
	rdist_write(GICR_ISENABLER0, 1u << intid);
}

void virt_gic_disable_private(unsigned int intid)
{
	rdist_write(GICR_ICENABLER0, 1u << intid);
	rdist_sync();
}

/* ---- CPU interface ------------------------------------------------------------------------ */

static void system_registers_on(void)
{
	/* ID_AA64PFR0_EL1.GIC (DDI 0487). */
	if (!(VIRT_READ(id_aa64pfr0_el1) >> 24 & 0xf))
		bare_panic("the processor has no system registers for its GIC");
	if (virt.el2) {
		GIC_WRITE(ICC_SRE_EL2, GIC_READ(ICC_SRE_EL2) | ICC_SRE_SRE | ICC_SRE_EL2_Enable);
		/* The other ICC registers exist only once this write took effect. */
		__asm__ volatile("isb" ::: "memory");
	}
	GIC_WRITE(ICC_SRE_EL1, GIC_READ(ICC_SRE_EL1) | ICC_SRE_SRE);
	__asm__ volatile("isb" ::: "memory");
	if (!(GIC_READ(ICC_SRE_EL1) & ICC_SRE_SRE))
		bare_panic("firmware keeps the GIC's system registers off (ICC_SRE_EL1)");
}

/* Whether an SGI can name this CPU: beyond 16 in a cluster only with a range selector. */
static void check_kick(void)
{
	uint64_t aff0 = virt_cpu()->mpidr & 0xff;

	if (aff0 > 15 &&
	    !(virt_gic.typer & GICD_TYPER_RSS && GIC_READ(ICC_CTLR_EL1) & ICC_CTLR_EL1_RSS))
		bare_panic("CPU %u: affinity level 0 is %u, and the GIC reaches only 0 to 15",
			   virt_cpu()->index, (unsigned int)aff0);
}

void virt_gic_cpu_init(void)
{
	rdist_init();
	system_registers_on();
	check_kick();
	GIC_WRITE(ICC_PMR_EL1, 0xff);
	GIC_WRITE(ICC_BPR1_EL1, 0);
	/* EOImode 0: one write ends an interrupt, priority and activity. */
	GIC_WRITE(ICC_CTLR_EL1, GIC_READ(ICC_CTLR_EL1) & ~ICC_CTLR_EL1_EOImode);
	GIC_WRITE(ICC_IGRPEN1_EL1, 1);
	/* Interrupts of group 1 are signalled from here on. */
	__asm__ volatile("isb" ::: "memory");
	virt_gic_enable_private(GIC_INTID_KICK);
}

void bare_machine_kick(unsigned int cpu)
{
	uint64_t mpidr = virt.cpus[cpu].mpidr;
	uint64_t sgi = (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 |
		       (mpidr >> 8 & 0xff) << 16 | (mpidr >> 4 & 0xf) << 44 |
		       WEIR_BIT(mpidr & 0xf) | (uint64_t)GIC_INTID_KICK << 24;

	/*
	 * What this CPU wrote before is there for the one that wakes up: a system register is not
	 * ordered against memory by less than a DSB. Pairs with the one in virt_irq_dispatch().
	 */
	__asm__ volatile("dsb ishst" ::: "memory");
	GIC_WRITE(ICC_SGI1R_EL1, sgi);
	/* Sent now, not with the next context synchronisation. */
	__asm__ volatile("isb" ::: "memory");
}
