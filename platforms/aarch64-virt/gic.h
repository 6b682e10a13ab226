/* SPDX-License-Identifier: MIT */
#ifndef GIC_H
#define GIC_H

/*
 * What irq.c, gic.c and its.c share: the registers of a GICv3 as "Arm Generic Interrupt Controller
 * Architecture Specification, GIC architecture version 3 and 4" (IHI 0069) names them, what the
 * machine's is like, and an interrupt's handler.
 */

#include "virt.h"

/* Ranges of INTIDs (IHI 0069, 2.2). */
#define GIC_INTID_KICK 0u /* the one SGI in use: bare_machine_kick() */
#define GIC_SPI_FIRST 32u
#define GIC_SPI_END 1020u
#define GIC_INTID_SPECIAL_END 1024u
#define GIC_LPI_FIRST 8192u

/* Registers come in frames of 64 KiB, each at a multiple of that (IHI 0069, 12.8). */
#define GIC_FRAME_SIZE 0x10000u

/* Of every interrupt; lower than the mask in ICC_PMR_EL1, one level: handlers do not nest. */
#define GIC_PRIORITY 0xa0u

/* ---- Distributor (IHI 0069, 12.9) --------------------------------------------------------- */

#define GICD_CTLR 0x0000
#define GICD_CTLR_EnableGrp0 (1u << 0) /* with two security states: EnableGrp1 */
#define GICD_CTLR_EnableGrp1A (1u << 1)
#define GICD_CTLR_ARE_NS (1u << 4)
#define GICD_CTLR_RWP (1u << 31)
#define GICD_TYPER 0x0004
#define GICD_TYPER_ITLinesNumber(typer) ((typer)&0x1fu)
/* 0: as many LPIs as IDbits have room for; n: 2^(n + 1) of them. */
#define GICD_TYPER_num_LPIs(typer) ((typer) >> 11 & 0x1fu)
#define GICD_TYPER_LPIS (1u << 17)
#define GICD_TYPER_IDbits(typer) ((typer) >> 19 & 0x1fu)
#define GICD_TYPER_RSS (1u << 26)
#define GICD_IGROUPR 0x0080
#define GICD_ISENABLER 0x0100
#define GICD_ICENABLER 0x0180
#define GICD_ICPENDR 0x0280
#define GICD_ICACTIVER 0x0380
#define GICD_IPRIORITYR 0x0400
#define GICD_ICFGR 0x0c00
#define GICD_IROUTER 0x6000
/* The same in the distributor, a redistributor and an ITS. */
#define GIC_PIDR2 0xffe8
#define GIC_PIDR2_ArchRev(pidr2) ((pidr2) >> 4 & 0xfu)

/* ---- Redistributors (IHI 0069, 12.11) ----------------------------------------------------- */

#define GICR_CTLR 0x0000
#define GICR_CTLR_EnableLPIs (1u << 0)
#define GICR_CTLR_RWP (1u << 3)
#define GICR_TYPER 0x0008
#define GICR_TYPER_PLPIS WEIR_BIT(0)
#define GICR_TYPER_VLPIS WEIR_BIT(1)
#define GICR_TYPER_Last WEIR_BIT(4)
#define GICR_TYPER_Processor_Number(typer) ((typer) >> 8 & 0xffffu)
#define GICR_TYPER_Affinity(typer) ((typer) >> 32)
#define GICR_WAKER 0x0014
#define GICR_WAKER_ProcessorSleep (1u << 1)
#define GICR_WAKER_ChildrenAsleep (1u << 2)
#define GICR_PROPBASER 0x0070
#define GICR_PENDBASER 0x0078
#define GICR_PENDBASER_PTZ WEIR_BIT(62)
#define GICR_BASER_InnerCache_SHIFT 7
/* The second frame: SGIs and PPIs. */
#define GICR_SGI_BASE GIC_FRAME_SIZE
#define GICR_IGROUPR0 (GICR_SGI_BASE + 0x0080)
#define GICR_ISENABLER0 (GICR_SGI_BASE + 0x0100)
#define GICR_ICENABLER0 (GICR_SGI_BASE + 0x0180)
#define GICR_ICPENDR0 (GICR_SGI_BASE + 0x0280)
#define GICR_ICACTIVER0 (GICR_SGI_BASE + 0x0380)
#define GICR_IPRIORITYR (GICR_SGI_BASE + 0x0400)
#define GICR_ICFGR1 (GICR_SGI_BASE + 0x0c04)

/* ---- ITS (IHI 0069, 12.19) ---------------------------------------------------------------- */

#define GITS_SIZE 0x20000u
#define GITS_CTLR 0x0000
#define GITS_CTLR_Enabled (1u << 0)
#define GITS_CTLR_Quiescent (1u << 31)
#define GITS_TYPER 0x0008
#define GITS_TYPER_Physical WEIR_BIT(0)
#define GITS_TYPER_ITT_entry_size(typer) (((typer) >> 4 & 0xf) + 1)
#define GITS_TYPER_ID_bits(typer) ((unsigned int)((typer) >> 8 & 0x1f) + 1)
#define GITS_TYPER_Devbits(typer) ((unsigned int)((typer) >> 13 & 0x1f) + 1)
#define GITS_TYPER_PTA WEIR_BIT(19)
#define GITS_TYPER_CIDbits(typer) ((unsigned int)((typer) >> 32 & 0xf) + 1)
#define GITS_TYPER_CIL WEIR_BIT(36)
#define GITS_CBASER 0x0080
#define GITS_CWRITER 0x0088
#define GITS_CREADR 0x0090
#define GITS_CREADR_Stalled (1u << 0)
#define GITS_CREADR_Offset 0xfffe0u
#define GITS_BASER(n) (0x0100 + 8 * (n))
#define GITS_BASERS 8u
#define GITS_BASER_Valid WEIR_BIT(63) /* and of GITS_CBASER, and of a level 1 entry */
#define GITS_BASER_Indirect WEIR_BIT(62)
#define GITS_BASER_InnerCache_SHIFT 59 /* and of GITS_CBASER */
#define GITS_BASER_Type(baser) ((baser) >> 56 & 7)
#define GITS_BASER_Type_DEVICES 1
#define GITS_BASER_Type_COLLECTIONS 4
#define GITS_BASER_Entry_Size(baser) (((baser) >> 48 & 0x1f) + 1)
#define GITS_BASER_Page_Size(baser) ((unsigned int)((baser) >> 8 & 3))
#define GITS_BASER_Page_Size_SHIFT 8
#define GITS_BASER_MAX_PAGES 256u
#define GITS_TRANSLATER 0x10040

/* In GITS_BASER, GITS_CBASER, GICR_PROPBASER and GICR_PENDBASER alike. */
#define GIC_BASER_Shareability WEIR_GENMASK(11, 10)
#define GIC_BASER_Shareability_INNER WEIR_BIT(10)
#define GIC_BASER_InnerCache_RaWaWb 7
#define GIC_BASER_InnerCache_NC 1

/* Commands of the ITS (IHI 0069, 5.3): the first byte. */
#define GITS_CMD_SYNC 0x05
#define GITS_CMD_MAPD 0x08
#define GITS_CMD_MAPC 0x09
#define GITS_CMD_MAPTI 0x0a
#define GITS_CMD_INV 0x0c
#define GITS_CMD_INVALL 0x0d
#define GITS_CMD_DISCARD 0x0f
#define GITS_CMD_SIZE 32u

/* An LPI's byte in the configuration table (IHI 0069, 5.1.1). */
#define GIC_LPI_RES1 0x2u
#define GIC_LPI_ENABLE 0x1u

/* ---- CPU interface (IHI 0069, 12.2) by encoding: not every assembler knows the names -------- */

#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_SGI1R_EL1 S3_0_C12_C11_5
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_BPR1_EL1 S3_0_C12_C12_3
#define ICC_CTLR_EL1 S3_0_C12_C12_4
#define ICC_CTLR_EL1_EOImode WEIR_BIT(1)
#define ICC_CTLR_EL1_RSS WEIR_BIT(18)
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_SRE_SRE WEIR_BIT(0)
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_SRE_EL2 S3_4_C12_C9_5
#define ICC_SRE_EL2_Enable WEIR_BIT(3)

/* Expand a name to its encoding before VIRT_READ() makes a string of it. */
#define GIC_READ(reg) VIRT_READ(reg)
#define GIC_WRITE(reg, value) VIRT_WRITE(reg, value)

/* ---- irq.c -------------------------------------------------------------------------------- */

/* An SPI's or an LPI's handler; what guards which field is in irq.c. */
struct virt_irq {
	weir_irq_fn *fn;
	void *arg;
	uint32_t running; /* CPUs between acknowledging it and its end */
	bool taken;
	bool edge; /* SPI: else level */
};

/* ---- gic.c -------------------------------------------------------------------------------- */

/* Written by virt_gic_init(), then read-only. */
struct virt_gic {
	volatile void WEIR_IOMEM *dist;
	uint32_t phandle;
	uint32_t typer;
	unsigned int spi_end; /* INTIDs from GIC_SPI_FIRST to below it are lines */
	weir_phys_t rdist_phys[BARE_MAX_CPUS];
};
extern struct virt_gic virt_gic;

static inline volatile void WEIR_IOMEM *virt_gic_at(volatile void WEIR_IOMEM *base, size_t offset)
{
	return (volatile char WEIR_IOMEM *)base + offset;
}

/* Poll until (register & mask) == value; false: it is not within a second. Any context. */
bool virt_gic_wait(volatile void WEIR_IOMEM *reg, uint32_t mask, uint32_t value);
/* A disabled SPI: its trigger, whom it goes to, and on. Any context. */
void virt_gic_spi_enable(unsigned int intid, unsigned int cpu, bool edge);
/* Off; when it returns no CPU can acknowledge it any more. Any context. */
void virt_gic_spi_disable(unsigned int intid);
bool virt_gic_spi_is_enabled(unsigned int intid);
/* An SGI or PPI of this CPU. Any context. */
void virt_gic_disable_private(unsigned int intid);

/* ---- its.c -------------------------------------------------------------------------------- */

/* The handler of an LPI; NULL: there is no such LPI. Any context. */
struct virt_irq *virt_its_irq(unsigned int intid);
/* It is some device's message. Any context. */
bool virt_its_is_message(unsigned int intid);
/* A message on or off, for every observer when it returns. 0, or -WEIR_EIO. Any context. */
int virt_its_set_enabled(unsigned int intid, bool enabled);
bool virt_its_is_enabled(unsigned int intid);

#endif
