/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HW_PCI_H
#define WEIR_HW_PCI_H

/*
 * PCI and PCI Express configuration space: offsets and fields, from the PCI Local Bus 3.0,
 * PCI-to-PCI Bridge 1.2 and PCI Express Base specifications. Registers of a capability are offsets
 * from where the capability stands.
 */

/* ECAM (PCIe Base, 7.2.2): address bits of bus, and of device and function. */
#define WEIR_PCI_ECAM_BUS_SHIFT 20
#define WEIR_PCI_ECAM_DEVFN_SHIFT 12
#define WEIR_PCI_CFG_SPACE_SIZE 256
#define WEIR_PCI_CFG_SPACE_EXP_SIZE 4096

#define WEIR_PCI_DEVFN(slot, func) ((((slot)&0x1fu) << 3) | ((func)&0x07u))
#define WEIR_PCI_SLOT(devfn) (((devfn) >> 3) & 0x1fu)
#define WEIR_PCI_FUNC(devfn) ((devfn)&0x07u)

/* ---- Header, both types ----------------------------------------------------------------- */

#define WEIR_PCI_VENDOR_ID 0x00
#define WEIR_PCI_DEVICE_ID 0x02
#define WEIR_PCI_COMMAND 0x04
#define WEIR_PCI_COMMAND_IO 0x0001u
#define WEIR_PCI_COMMAND_MEMORY 0x0002u
#define WEIR_PCI_COMMAND_MASTER 0x0004u
#define WEIR_PCI_COMMAND_PARITY 0x0040u
#define WEIR_PCI_COMMAND_SERR 0x0100u
#define WEIR_PCI_COMMAND_INTX_DISABLE 0x0400u
#define WEIR_PCI_STATUS 0x06
#define WEIR_PCI_STATUS_INTERRUPT 0x0008u
#define WEIR_PCI_STATUS_CAP_LIST 0x0010u
#define WEIR_PCI_CLASS_REVISION 0x08 /* 32 bits: class, subclass, interface, revision */
#define WEIR_PCI_REVISION_ID 0x08
#define WEIR_PCI_CLASS_PROG 0x09
#define WEIR_PCI_CLASS_DEVICE 0x0a
#define WEIR_PCI_CACHE_LINE_SIZE 0x0c
#define WEIR_PCI_LATENCY_TIMER 0x0d
#define WEIR_PCI_HEADER_TYPE 0x0e
#define WEIR_PCI_HEADER_TYPE_MASK 0x7fu
#define WEIR_PCI_HEADER_TYPE_NORMAL 0
#define WEIR_PCI_HEADER_TYPE_BRIDGE 1
#define WEIR_PCI_HEADER_TYPE_MFD 0x80u
#define WEIR_PCI_BASE_ADDRESS_0 0x10
#define WEIR_PCI_BASE_ADDRESS_SPACE_IO 0x01u
#define WEIR_PCI_BASE_ADDRESS_MEM_TYPE_MASK 0x06u
#define WEIR_PCI_BASE_ADDRESS_MEM_TYPE_32 0x00u
#define WEIR_PCI_BASE_ADDRESS_MEM_TYPE_64 0x04u
#define WEIR_PCI_BASE_ADDRESS_MEM_PREFETCH 0x08u
#define WEIR_PCI_BASE_ADDRESS_MEM_MASK (~0x0fu)
#define WEIR_PCI_CAPABILITY_LIST 0x34
#define WEIR_PCI_INTERRUPT_LINE 0x3c
#define WEIR_PCI_INTERRUPT_PIN 0x3d

/* Type 0 */
#define WEIR_PCI_STD_NUM_BARS 6
#define WEIR_PCI_SUBSYSTEM_VENDOR_ID 0x2c
#define WEIR_PCI_SUBSYSTEM_ID 0x2e
#define WEIR_PCI_ROM_ADDRESS 0x30

/* Type 1 */
#define WEIR_PCI_PRIMARY_BUS 0x18
#define WEIR_PCI_SECONDARY_BUS 0x19
#define WEIR_PCI_SUBORDINATE_BUS 0x1a
#define WEIR_PCI_IO_BASE 0x1c
#define WEIR_PCI_IO_LIMIT 0x1d
#define WEIR_PCI_SEC_STATUS 0x1e
#define WEIR_PCI_MEMORY_BASE 0x20 /* 16 bits: address[31:20] in [15:4] */
#define WEIR_PCI_MEMORY_LIMIT 0x22
#define WEIR_PCI_MEMORY_RANGE_MASK (~0x0fu)
#define WEIR_PCI_PREF_MEMORY_BASE 0x24 /* the same, with PREF_BASE_UPPER32 above it */
#define WEIR_PCI_PREF_MEMORY_LIMIT 0x26
#define WEIR_PCI_PREF_RANGE_TYPE_MASK 0x0fu
#define WEIR_PCI_PREF_RANGE_TYPE_64 0x01u
#define WEIR_PCI_PREF_RANGE_MASK (~0x0fu)
#define WEIR_PCI_PREF_BASE_UPPER32 0x28
#define WEIR_PCI_PREF_LIMIT_UPPER32 0x2c
#define WEIR_PCI_BRIDGE_CONTROL 0x3e
#define WEIR_PCI_BRIDGE_CTL_PARITY 0x0001u
#define WEIR_PCI_BRIDGE_CTL_SERR 0x0002u
#define WEIR_PCI_BRIDGE_CTL_BUS_RESET 0x0040u

/* Classes (16 bits) */
#define WEIR_PCI_CLASS_STORAGE_EXPRESS 0x010802 /* 24 bits: NVM Express */
#define WEIR_PCI_CLASS_BRIDGE_HOST 0x0600
#define WEIR_PCI_CLASS_BRIDGE_PCI 0x0604

/* ---- Capabilities ----------------------------------------------------------------------- */

#define WEIR_PCI_CAP_LIST_ID 0
#define WEIR_PCI_CAP_LIST_NEXT 1
#define WEIR_PCI_CAP_ID_PM 0x01
#define WEIR_PCI_CAP_ID_MSI 0x05
#define WEIR_PCI_CAP_ID_EXP 0x10
#define WEIR_PCI_CAP_ID_MSIX 0x11

/* MSI-X */
#define WEIR_PCI_MSIX_FLAGS 2
#define WEIR_PCI_MSIX_FLAGS_QSIZE 0x07ffu /* vectors - 1 */
#define WEIR_PCI_MSIX_FLAGS_MASKALL 0x4000u
#define WEIR_PCI_MSIX_FLAGS_ENABLE 0x8000u
#define WEIR_PCI_MSIX_TABLE 4
#define WEIR_PCI_MSIX_PBA 8
#define WEIR_PCI_MSIX_BIR 0x07u /* of TABLE and PBA: which BAR; the rest is the offset */
#define WEIR_PCI_MSIX_OFFSET (~0x07u)
#define WEIR_PCI_CAP_MSIX_SIZEOF 12
#define WEIR_PCI_MSIX_MAX_VECTORS 2048
#define WEIR_PCI_MSIX_ENTRY_SIZE 16
#define WEIR_PCI_MSIX_ENTRY_LOWER_ADDR 0x0
#define WEIR_PCI_MSIX_ENTRY_UPPER_ADDR 0x4
#define WEIR_PCI_MSIX_ENTRY_DATA 0x8
#define WEIR_PCI_MSIX_ENTRY_VECTOR_CTRL 0xc
#define WEIR_PCI_MSIX_ENTRY_CTRL_MASKBIT 0x1u

/* PCI Express */
#define WEIR_PCI_EXP_FLAGS 2
#define WEIR_PCI_EXP_FLAGS_VERS 0x000fu
#define WEIR_PCI_EXP_FLAGS_TYPE 0x00f0u
#define WEIR_PCI_EXP_FLAGS_TYPE_SHIFT 4
#define WEIR_PCI_EXP_TYPE_ENDPOINT 0x0
#define WEIR_PCI_EXP_TYPE_LEG_END 0x1
#define WEIR_PCI_EXP_TYPE_ROOT_PORT 0x4
#define WEIR_PCI_EXP_TYPE_UPSTREAM 0x5
#define WEIR_PCI_EXP_TYPE_DOWNSTREAM 0x6
#define WEIR_PCI_EXP_TYPE_PCI_BRIDGE 0x7  /* PCI Express to PCI */
#define WEIR_PCI_EXP_TYPE_PCIE_BRIDGE 0x8 /* PCI to PCI Express */
#define WEIR_PCI_EXP_TYPE_RC_END 0x9
#define WEIR_PCI_EXP_TYPE_RC_EC 0xa
#define WEIR_PCI_EXP_DEVCAP 0x04
#define WEIR_PCI_EXP_DEVCAP_RBER 0x00008000u
#define WEIR_PCI_EXP_DEVCAP_FLR 0x10000000u
#define WEIR_PCI_EXP_DEVCTL 0x08
#define WEIR_PCI_EXP_DEVCTL_ERRORS 0x000fu
#define WEIR_PCI_EXP_DEVCTL_RELAX_EN 0x0010u
#define WEIR_PCI_EXP_DEVCTL_PAYLOAD 0x00e0u
#define WEIR_PCI_EXP_DEVCTL_NOSNOOP_EN 0x0800u
#define WEIR_PCI_EXP_DEVCTL_READRQ 0x7000u
#define WEIR_PCI_EXP_DEVCTL_READRQ_512B 0x2000u
#define WEIR_PCI_EXP_DEVCTL_BCR_FLR 0x8000u
#define WEIR_PCI_EXP_DEVSTA 0x0a
#define WEIR_PCI_EXP_DEVSTA_TRPND 0x0020u
#define WEIR_PCI_EXP_LNKCAP 0x0c
#define WEIR_PCI_EXP_LNKCAP_SLS_2_5GB 0x00000001u
#define WEIR_PCI_EXP_LNKCAP_MLW_X1 0x00000010u
#define WEIR_PCI_EXP_LNKCAP_DLLLARC 0x00100000u
#define WEIR_PCI_EXP_LNKCTL 0x10
#define WEIR_PCI_EXP_LNKCTL_ASPMC 0x0003u
#define WEIR_PCI_EXP_LNKCTL_RCB 0x0008u
#define WEIR_PCI_EXP_LNKCTL_CCC 0x0040u
#define WEIR_PCI_EXP_LNKCTL_ES 0x0080u
#define WEIR_PCI_EXP_LNKSTA 0x12
#define WEIR_PCI_EXP_LNKSTA_CLS_2_5GB 0x0001u
#define WEIR_PCI_EXP_LNKSTA_NLW_X1 0x0010u
#define WEIR_PCI_EXP_LNKSTA_DLLLA 0x2000u
#define WEIR_PCI_EXP_DEVCAP2 0x24
#define WEIR_PCI_EXP_DEVCTL2 0x28
#define WEIR_PCI_EXP_LNKCAP2 0x2c
#define WEIR_PCI_EXP_LNKCAP2_SLS_2_5GB 0x00000002u
#define WEIR_PCI_EXP_LNKCTL2 0x30
#define WEIR_PCI_CAP_EXP_SIZEOF 0x3c

/* ---- Extended capabilities -------------------------------------------------------------- */

/* A header is 32 bits: ID [15:0], version [19:16], next [31:20]. The first stands at 0x100. */
#define WEIR_PCI_EXT_CAP_START 0x100
#define WEIR_PCI_EXT_CAP_ID_MASK 0x0000ffffu
#define WEIR_PCI_EXT_CAP_VER_SHIFT 16
#define WEIR_PCI_EXT_CAP_NEXT_SHIFT 20
#define WEIR_PCI_EXT_CAP_NEXT_MASK 0xffcu
#define WEIR_PCI_EXT_CAP_ID_ERR 0x01
#define WEIR_PCI_EXT_CAP_ID_ACS 0x0d
#define WEIR_PCI_EXT_CAP_ID_ARI 0x0e
#define WEIR_PCI_EXT_CAP_ID_ATS 0x0f
#define WEIR_PCI_EXT_CAP_ID_SRIOV 0x10
#define WEIR_PCI_EXT_CAP_ID_PRI 0x13
#define WEIR_PCI_EXT_CAP_ID_PASID 0x1b

/* Access Control Services; the bits are those of both the capability and the control register. */
#define WEIR_PCI_ACS_CAP 0x04
#define WEIR_PCI_ACS_SV 0x0001u	      /* source validation */
#define WEIR_PCI_ACS_TB 0x0002u	      /* translation blocking */
#define WEIR_PCI_ACS_RR 0x0004u	      /* peer-to-peer request redirect */
#define WEIR_PCI_ACS_CR 0x0008u	      /* peer-to-peer completion redirect */
#define WEIR_PCI_ACS_UF 0x0010u	      /* upstream forwarding */
#define WEIR_PCI_ACS_EC 0x0020u	      /* peer-to-peer egress control */
#define WEIR_PCI_ACS_DT 0x0040u	      /* direct translated peer-to-peer */
#define WEIR_PCI_ACS_EGRESS_BITS 0x05 /* 8 bits: size of the egress control vector; 0: 256 */
#define WEIR_PCI_ACS_CTRL 0x06
#define WEIR_PCI_ACS_EGRESS_CTL_V 0x08

#endif
