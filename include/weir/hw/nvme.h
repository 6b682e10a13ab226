/* SPDX-License-Identifier: MIT */
#ifndef WEIR_HW_NVME_H
#define WEIR_HW_NVME_H

/*
 * NVM Express 1.4 over PCIe: registers, queue entries, opcodes, status codes and Identify data.
 * Names are the specification's behind WEIR_NVME_. A field X has X_MASK, in place, and X_SHIFT if
 * it does not begin at bit 0. Everything is little-endian. Offsets into Identify data are in bytes.
 */

#include <stdint.h>

/* PCI: mass storage, non-volatile memory, NVM Express. Registers and doorbells are in BAR 0. */
#define WEIR_NVME_PCI_CLASS 0x010802u

/* ---- Controller registers (section 3.1) ---- */

#define WEIR_NVME_REG_CAP 0x00 /* 64 bits */
#define WEIR_NVME_REG_VS 0x08
#define WEIR_NVME_REG_INTMS 0x0c /* write 1 sets; not used with MSI-X */
#define WEIR_NVME_REG_INTMC 0x10 /* write 1 clears */
#define WEIR_NVME_REG_CC 0x14
#define WEIR_NVME_REG_CSTS 0x1c
#define WEIR_NVME_REG_NSSR 0x20
#define WEIR_NVME_REG_AQA 0x24
#define WEIR_NVME_REG_ASQ 0x28 /* 64 bits */
#define WEIR_NVME_REG_ACQ 0x30 /* 64 bits */
#define WEIR_NVME_REG_CMBLOC 0x38
#define WEIR_NVME_REG_CMBSZ 0x3c
#define WEIR_NVME_REG_BPINFO 0x40
#define WEIR_NVME_REG_BPRSEL 0x44
#define WEIR_NVME_REG_BPMBL 0x48 /* 64 bits */
#define WEIR_NVME_REG_DOORBELLS                                                                    \
	0x1000 /* SQyTDBL at (2y) << (2 + DSTRD), CQyHDBL at (2y + 1) << ... */

#define WEIR_NVME_SQ_TAIL(qid, dstrd) (WEIR_NVME_REG_DOORBELLS + ((2u * (qid)) << (2u + (dstrd))))
#define WEIR_NVME_CQ_HEAD(qid, dstrd)                                                              \
	(WEIR_NVME_REG_DOORBELLS + ((2u * (qid) + 1u) << (2u + (dstrd))))

#define WEIR_NVME_CAP_MQES_MASK 0x000000000000ffffull /* zero-based */
#define WEIR_NVME_CAP_CQR 0x0000000000010000ull	      /* contiguous queues required */
#define WEIR_NVME_CAP_AMS_MASK 0x0000000000060000ull
#define WEIR_NVME_CAP_AMS_SHIFT 17
#define WEIR_NVME_CAP_TO_MASK 0x00000000ff000000ull /* in units of 500 ms */
#define WEIR_NVME_CAP_TO_SHIFT 24
#define WEIR_NVME_CAP_DSTRD_MASK 0x0000000f00000000ull /* 4 << DSTRD bytes */
#define WEIR_NVME_CAP_DSTRD_SHIFT 32
#define WEIR_NVME_CAP_NSSRS 0x0000001000000000ull
#define WEIR_NVME_CAP_CSS_NVM 0x0000002000000000ull /* the NVM command set */
#define WEIR_NVME_CAP_BPS 0x0000200000000000ull
#define WEIR_NVME_CAP_MPSMIN_MASK 0x000f000000000000ull /* 4096 << MPSMIN bytes */
#define WEIR_NVME_CAP_MPSMIN_SHIFT 48
#define WEIR_NVME_CAP_MPSMAX_MASK 0x00f0000000000000ull
#define WEIR_NVME_CAP_MPSMAX_SHIFT 52
#define WEIR_NVME_CAP_PMRS 0x0100000000000000ull
#define WEIR_NVME_CAP_CMBS 0x0200000000000000ull

#define WEIR_NVME_VS_1_4 0x00010400u

#define WEIR_NVME_CC_EN 0x00000001u
#define WEIR_NVME_CC_CSS_MASK 0x00000070u /* 0: NVM */
#define WEIR_NVME_CC_CSS_SHIFT 4
#define WEIR_NVME_CC_MPS_MASK 0x00000780u /* 4096 << MPS bytes */
#define WEIR_NVME_CC_MPS_SHIFT 7
#define WEIR_NVME_CC_AMS_MASK 0x00003800u /* 0: round robin */
#define WEIR_NVME_CC_AMS_SHIFT 11
#define WEIR_NVME_CC_SHN_MASK 0x0000c000u
#define WEIR_NVME_CC_SHN_NORMAL 0x00004000u
#define WEIR_NVME_CC_SHN_ABRUPT 0x00008000u
#define WEIR_NVME_CC_IOSQES_MASK 0x000f0000u /* log2 of bytes */
#define WEIR_NVME_CC_IOSQES_SHIFT 16
#define WEIR_NVME_CC_IOCQES_MASK 0x00f00000u /* log2 of bytes */
#define WEIR_NVME_CC_IOCQES_SHIFT 20

#define WEIR_NVME_CSTS_RDY 0x00000001u
#define WEIR_NVME_CSTS_CFS 0x00000002u
#define WEIR_NVME_CSTS_SHST_MASK 0x0000000cu
#define WEIR_NVME_CSTS_SHST_NORMAL 0x00000000u
#define WEIR_NVME_CSTS_SHST_OCCURRING 0x00000004u
#define WEIR_NVME_CSTS_SHST_COMPLETE 0x00000008u
#define WEIR_NVME_CSTS_NSSRO 0x00000010u
#define WEIR_NVME_CSTS_PP 0x00000020u

#define WEIR_NVME_AQA_ASQS_MASK 0x00000fffu /* zero-based */
#define WEIR_NVME_AQA_ACQS_MASK 0x0fff0000u /* zero-based */
#define WEIR_NVME_AQA_ACQS_SHIFT 16
#define WEIR_NVME_AQ_BASE_MASK 0xfffffffffffff000ull /* of ASQ and ACQ */

/* ---- Queue entries (sections 4.2, 4.6) ---- */

#define WEIR_NVME_SQE_SIZE 64u
#define WEIR_NVME_SQE_SHIFT 6 /* CC.IOSQES */
#define WEIR_NVME_CQE_SIZE 16u
#define WEIR_NVME_CQE_SHIFT 4 /* CC.IOCQES */

struct weir_nvme_sqe {
	uint8_t opcode;
	uint8_t flags; /* FUSE, PSDT */
	uint16_t cid;
	uint32_t nsid;
	uint32_t cdw2;
	uint32_t cdw3;
	uint64_t mptr;
	uint64_t prp1;
	uint64_t prp2;
	uint32_t cdw10;
	uint32_t cdw11;
	uint32_t cdw12;
	uint32_t cdw13;
	uint32_t cdw14;
	uint32_t cdw15;
};

struct weir_nvme_cqe {
	uint32_t dw0; /* command specific */
	uint32_t dw1;
	uint16_t sqhd;
	uint16_t sqid;
	uint16_t cid;
	uint16_t status; /* with the phase tag */
};

#define WEIR_NVME_SQE_FUSE_MASK 0x03u
#define WEIR_NVME_SQE_PSDT_MASK 0xc0u /* 0: PRPs */

#define WEIR_NVME_CQE_PHASE 0x0001u
#define WEIR_NVME_CQE_STATUS_SHIFT 1 /* what follows is the status field without the phase tag */

#define WEIR_NVME_STATUS_SC_MASK 0x00ffu
#define WEIR_NVME_STATUS_SCT_MASK 0x0700u
#define WEIR_NVME_STATUS_SCT_SHIFT 8
#define WEIR_NVME_STATUS_CRD_MASK 0x1800u
#define WEIR_NVME_STATUS_CRD_SHIFT 11
#define WEIR_NVME_STATUS_MORE 0x2000u
#define WEIR_NVME_STATUS_DNR 0x4000u

/* Status code type and status code together (section 4.6.1). Generic: */
#define WEIR_NVME_SC_SUCCESS 0x000u
#define WEIR_NVME_SC_INVALID_OPCODE 0x001u
#define WEIR_NVME_SC_INVALID_FIELD 0x002u
#define WEIR_NVME_SC_CID_CONFLICT 0x003u
#define WEIR_NVME_SC_DATA_TRANSFER_ERROR 0x004u
#define WEIR_NVME_SC_POWER_LOSS 0x005u
#define WEIR_NVME_SC_INTERNAL_ERROR 0x006u
#define WEIR_NVME_SC_ABORT_REQUESTED 0x007u
#define WEIR_NVME_SC_ABORTED_SQ_DELETED 0x008u
#define WEIR_NVME_SC_INVALID_NS 0x00bu /* Invalid Namespace or Format */
#define WEIR_NVME_SC_SEQUENCE_ERROR 0x00cu
#define WEIR_NVME_SC_INVALID_PRP_OFFSET 0x013u
#define WEIR_NVME_SC_OPERATION_DENIED 0x015u
#define WEIR_NVME_SC_NS_WRITE_PROTECTED 0x020u
#define WEIR_NVME_SC_LBA_RANGE 0x080u
#define WEIR_NVME_SC_CAPACITY_EXCEEDED 0x081u
#define WEIR_NVME_SC_NS_NOT_READY 0x082u
/* Command specific: */
#define WEIR_NVME_SC_CQ_INVALID 0x100u
#define WEIR_NVME_SC_INVALID_QID 0x101u
#define WEIR_NVME_SC_INVALID_QSIZE 0x102u
#define WEIR_NVME_SC_ABORT_LIMIT 0x103u
#define WEIR_NVME_SC_AER_LIMIT 0x105u
#define WEIR_NVME_SC_INVALID_VECTOR 0x108u
#define WEIR_NVME_SC_INVALID_LOG_PAGE 0x109u
#define WEIR_NVME_SC_INVALID_QUEUE_DELETION 0x10cu
#define WEIR_NVME_SC_FEATURE_NOT_SAVEABLE 0x10du
#define WEIR_NVME_SC_FEATURE_NOT_CHANGEABLE 0x10eu
#define WEIR_NVME_SC_FEATURE_NOT_NS_SPECIFIC 0x10fu
#define WEIR_NVME_SC_READ_ONLY_RANGE 0x182u
/* Media and data integrity: */
#define WEIR_NVME_SC_WRITE_FAULT 0x280u
#define WEIR_NVME_SC_UNRECOVERED_READ 0x281u

/* ---- Admin commands (section 5) ---- */

#define WEIR_NVME_ADMIN_DELETE_SQ 0x00
#define WEIR_NVME_ADMIN_CREATE_SQ 0x01
#define WEIR_NVME_ADMIN_GET_LOG_PAGE 0x02
#define WEIR_NVME_ADMIN_DELETE_CQ 0x04
#define WEIR_NVME_ADMIN_CREATE_CQ 0x05
#define WEIR_NVME_ADMIN_IDENTIFY 0x06
#define WEIR_NVME_ADMIN_ABORT 0x08
#define WEIR_NVME_ADMIN_SET_FEATURES 0x09
#define WEIR_NVME_ADMIN_GET_FEATURES 0x0a
#define WEIR_NVME_ADMIN_ASYNC_EVENT 0x0c
#define WEIR_NVME_ADMIN_KEEP_ALIVE 0x18

/* Create and Delete Queue: CDW10, CDW11 */
#define WEIR_NVME_QUEUE_QID_MASK 0x0000ffffu   /* CDW10 */
#define WEIR_NVME_QUEUE_QSIZE_MASK 0xffff0000u /* CDW10, zero-based */
#define WEIR_NVME_QUEUE_QSIZE_SHIFT 16
#define WEIR_NVME_QUEUE_PC 0x00000001u	 /* CDW11: physically contiguous */
#define WEIR_NVME_CQ_IEN 0x00000002u	 /* CDW11: interrupts enabled */
#define WEIR_NVME_CQ_IV_MASK 0xffff0000u /* CDW11: interrupt vector */
#define WEIR_NVME_CQ_IV_SHIFT 16
#define WEIR_NVME_SQ_QPRIO_MASK 0x00000006u /* CDW11 */
#define WEIR_NVME_SQ_QPRIO_SHIFT 1
#define WEIR_NVME_SQ_CQID_MASK 0xffff0000u /* CDW11 */
#define WEIR_NVME_SQ_CQID_SHIFT 16

/* Abort: CDW10; bit 0 of the completion's DW0 is set when nothing was aborted */
#define WEIR_NVME_ABORT_SQID_MASK 0x0000ffffu
#define WEIR_NVME_ABORT_CID_MASK 0xffff0000u
#define WEIR_NVME_ABORT_CID_SHIFT 16
#define WEIR_NVME_ABORT_NOT_DONE 0x00000001u

/* Identify: CDW10 */
#define WEIR_NVME_IDENTIFY_CNS_MASK 0x000000ffu
#define WEIR_NVME_IDENTIFY_CNTID_MASK 0xffff0000u
#define WEIR_NVME_CNS_NAMESPACE 0x00u
#define WEIR_NVME_CNS_CONTROLLER 0x01u
#define WEIR_NVME_CNS_ACTIVE_NS 0x02u
#define WEIR_NVME_CNS_NS_DESCRIPTORS 0x03u
#define WEIR_NVME_IDENTIFY_SIZE 4096u
#define WEIR_NVME_NSID_ALL 0xffffffffu

/* Namespace Identification Descriptor: type, length, 2 reserved bytes, the identifier */
#define WEIR_NVME_NIDT_EUI64 1u
#define WEIR_NVME_NIDT_NGUID 2u
#define WEIR_NVME_NIDT_UUID 3u

/* Get and Set Features: CDW10 */
#define WEIR_NVME_FEATURE_FID_MASK 0x000000ffu
#define WEIR_NVME_FEATURE_SEL_MASK 0x00000700u /* Get */
#define WEIR_NVME_FEATURE_SEL_SHIFT 8
#define WEIR_NVME_FEATURE_SEL_CURRENT 0u
#define WEIR_NVME_FEATURE_SEL_DEFAULT 1u
#define WEIR_NVME_FEATURE_SEL_SAVED 2u
#define WEIR_NVME_FEATURE_SEL_SUPPORTED 3u
#define WEIR_NVME_FEATURE_SV 0x80000000u    /* Set */
#define WEIR_NVME_FEATURE_CAP_SAVEABLE 0x1u /* DW0 for SEL_SUPPORTED */
#define WEIR_NVME_FEATURE_CAP_NS_SPECIFIC 0x2u
#define WEIR_NVME_FEATURE_CAP_CHANGEABLE 0x4u
#define WEIR_NVME_FID_ARBITRATION 0x01u
#define WEIR_NVME_FID_POWER_MANAGEMENT 0x02u
#define WEIR_NVME_FID_TEMPERATURE 0x04u
#define WEIR_NVME_FID_ERROR_RECOVERY 0x05u
#define WEIR_NVME_FID_WRITE_CACHE 0x06u
#define WEIR_NVME_FID_QUEUES 0x07u
#define WEIR_NVME_FID_INT_COALESCING 0x08u
#define WEIR_NVME_FID_INT_VECTOR 0x09u
#define WEIR_NVME_FID_WRITE_ATOMICITY 0x0au
#define WEIR_NVME_FID_ASYNC_EVENT 0x0bu
#define WEIR_NVME_QUEUES_NSQ_MASK 0x0000ffffu /* zero-based: asked in CDW11, granted in DW0 */
#define WEIR_NVME_QUEUES_NCQ_MASK 0xffff0000u
#define WEIR_NVME_QUEUES_NCQ_SHIFT 16
#define WEIR_NVME_WRITE_CACHE_WCE 0x1u
#define WEIR_NVME_INT_VECTOR_IV_MASK 0x0000ffffu /* CDW11 */
#define WEIR_NVME_INT_VECTOR_CD 0x00010000u	 /* CDW11: coalescing disabled */
#define WEIR_NVME_TEMPERATURE_TMPTH_MASK 0x0000ffffu
#define WEIR_NVME_TEMPERATURE_TMPSEL_MASK 0x000f0000u
#define WEIR_NVME_TEMPERATURE_TMPSEL_SHIFT 16
#define WEIR_NVME_TEMPERATURE_THSEL_MASK 0x00300000u
#define WEIR_NVME_TEMPERATURE_THSEL_SHIFT 20

/* Get Log Page: CDW10 to CDW13 */
#define WEIR_NVME_LOG_LID_MASK 0x000000ffu
#define WEIR_NVME_LOG_RAE 0x00008000u
#define WEIR_NVME_LOG_NUMDL_MASK 0xffff0000u /* CDW10; dwords, zero-based */
#define WEIR_NVME_LOG_NUMDL_SHIFT 16
#define WEIR_NVME_LOG_NUMDU_MASK 0x0000ffffu /* CDW11 */
#define WEIR_NVME_LID_ERROR 0x01u
#define WEIR_NVME_LID_SMART 0x02u
#define WEIR_NVME_LID_FIRMWARE 0x03u
#define WEIR_NVME_LOG_ERROR_SIZE 64u /* of one entry */
#define WEIR_NVME_LOG_SMART_SIZE 512u
#define WEIR_NVME_LOG_FIRMWARE_SIZE 512u
/* Error Information entry */
#define WEIR_NVME_ERROR_COUNT 0 /* 8 bytes */
#define WEIR_NVME_ERROR_SQID 8
#define WEIR_NVME_ERROR_CID 10
#define WEIR_NVME_ERROR_STATUS 12
#define WEIR_NVME_ERROR_LOCATION 14
#define WEIR_NVME_ERROR_LBA 16
#define WEIR_NVME_ERROR_NSID 24
/* SMART / Health; counters have 16 bytes */
#define WEIR_NVME_SMART_WARNING 0
#define WEIR_NVME_SMART_WARNING_TEMPERATURE 0x02u
#define WEIR_NVME_SMART_WARNING_READ_ONLY 0x08u
#define WEIR_NVME_SMART_TEMPERATURE 1 /* 2 bytes, Kelvin */
#define WEIR_NVME_SMART_SPARE 3
#define WEIR_NVME_SMART_SPARE_THRESHOLD 4
#define WEIR_NVME_SMART_USED 5
#define WEIR_NVME_SMART_UNITS_READ 32 /* in thousands of 512 bytes */
#define WEIR_NVME_SMART_UNITS_WRITTEN 48
#define WEIR_NVME_SMART_HOST_READS 64
#define WEIR_NVME_SMART_HOST_WRITES 80
#define WEIR_NVME_SMART_POWER_CYCLES 112
#define WEIR_NVME_SMART_MEDIA_ERRORS 160
#define WEIR_NVME_SMART_ERROR_ENTRIES 176
/* Firmware Slot */
#define WEIR_NVME_FIRMWARE_AFI 0
#define WEIR_NVME_FIRMWARE_FRS1 8

/* Asynchronous Event Request: DW0 of its completion */
#define WEIR_NVME_AER_TYPE_MASK 0x00000007u
#define WEIR_NVME_AER_TYPE_ERROR 0u
#define WEIR_NVME_AER_TYPE_SMART 1u
#define WEIR_NVME_AER_TYPE_NOTICE 2u
#define WEIR_NVME_AER_INFO_MASK 0x0000ff00u
#define WEIR_NVME_AER_INFO_SHIFT 8
#define WEIR_NVME_AER_INFO_INVALID_DOORBELL 0u /* of type error: a doorbell of no queue */
#define WEIR_NVME_AER_INFO_INVALID_VALUE 1u    /* of type error: a value outside the queue */
#define WEIR_NVME_AER_LID_MASK 0x00ff0000u
#define WEIR_NVME_AER_LID_SHIFT 16

/* ---- NVM commands (section 6) ---- */

#define WEIR_NVME_CMD_FLUSH 0x00
#define WEIR_NVME_CMD_WRITE 0x01
#define WEIR_NVME_CMD_READ 0x02

/* Read and Write: CDW10 and CDW11 are the first block; CDW12: */
#define WEIR_NVME_RW_NLB_MASK 0x0000ffffu /* zero-based */
#define WEIR_NVME_RW_PRINFO_MASK 0x3c000000u
#define WEIR_NVME_RW_FUA 0x40000000u
#define WEIR_NVME_RW_LR 0x80000000u

/* ---- Identify Controller (section 5.15.2.2) ---- */

#define WEIR_NVME_IDC_VID 0
#define WEIR_NVME_IDC_SSVID 2
#define WEIR_NVME_IDC_SN 4
#define WEIR_NVME_IDC_SN_SIZE 20
#define WEIR_NVME_IDC_MN 24
#define WEIR_NVME_IDC_MN_SIZE 40
#define WEIR_NVME_IDC_FR 64
#define WEIR_NVME_IDC_FR_SIZE 8
#define WEIR_NVME_IDC_RAB 72
#define WEIR_NVME_IDC_IEEE 73
#define WEIR_NVME_IDC_CMIC 76
#define WEIR_NVME_IDC_MDTS 77
#define WEIR_NVME_IDC_CNTLID 78
#define WEIR_NVME_IDC_VER 80
#define WEIR_NVME_IDC_RTD3R 84
#define WEIR_NVME_IDC_RTD3E 88
#define WEIR_NVME_IDC_OAES 92
#define WEIR_NVME_IDC_CTRATT 96
#define WEIR_NVME_IDC_CNTRLTYPE 111
#define WEIR_NVME_CNTRLTYPE_IO 1u
#define WEIR_NVME_IDC_OACS 256
#define WEIR_NVME_IDC_ACL 258  /* zero-based */
#define WEIR_NVME_IDC_AERL 259 /* zero-based */
#define WEIR_NVME_IDC_FRMW 260
#define WEIR_NVME_IDC_LPA 261
#define WEIR_NVME_LPA_EXTENDED 0x04u /* Get Log Page with 32-bit NUMD and an offset */
#define WEIR_NVME_IDC_ELPE 262	     /* zero-based */
#define WEIR_NVME_IDC_NPSS 263
#define WEIR_NVME_IDC_WCTEMP 266
#define WEIR_NVME_IDC_CCTEMP 268
#define WEIR_NVME_IDC_KAS 320
#define WEIR_NVME_IDC_SQES 512 /* log2: required in [3:0], largest in [7:4] */
#define WEIR_NVME_IDC_CQES 513
#define WEIR_NVME_IDC_MAXCMD 514
#define WEIR_NVME_IDC_NN 516
#define WEIR_NVME_IDC_ONCS 520
#define WEIR_NVME_ONCS_SELECT 0x0010u /* Save and Select of Set and Get Features */
#define WEIR_NVME_IDC_FUSES 522
#define WEIR_NVME_IDC_FNA 524
#define WEIR_NVME_IDC_VWC 525
#define WEIR_NVME_VWC_PRESENT 0x01u
#define WEIR_NVME_VWC_FLUSH_ALL 0x06u /* Flush takes NSID_ALL */
#define WEIR_NVME_IDC_AWUN 526
#define WEIR_NVME_IDC_AWUPF 528
#define WEIR_NVME_IDC_SGLS 536
#define WEIR_NVME_IDC_SUBNQN 768
#define WEIR_NVME_IDC_SUBNQN_SIZE 256
#define WEIR_NVME_IDC_PSD0 2048
#define WEIR_NVME_IDC_PSD_SIZE 32

/* ---- Identify Namespace (section 5.15.2.1) ---- */

#define WEIR_NVME_IDN_NSZE 0
#define WEIR_NVME_IDN_NCAP 8
#define WEIR_NVME_IDN_NUSE 16
#define WEIR_NVME_IDN_NSFEAT 24
#define WEIR_NVME_IDN_NLBAF 25 /* zero-based */
#define WEIR_NVME_IDN_FLBAS 26
#define WEIR_NVME_FLBAS_INDEX_MASK 0x0fu
#define WEIR_NVME_IDN_MC 27
#define WEIR_NVME_IDN_DPC 28
#define WEIR_NVME_IDN_DPS 29
#define WEIR_NVME_IDN_NMIC 30
#define WEIR_NVME_IDN_DLFEAT 33
#define WEIR_NVME_IDN_NSATTR 99
#define WEIR_NVME_NSATTR_WRITE_PROTECTED 0x01u
#define WEIR_NVME_IDN_NGUID 104
#define WEIR_NVME_IDN_EUI64 120
#define WEIR_NVME_IDN_LBAF0 128 /* 4 bytes each */
#define WEIR_NVME_LBAF_MS_MASK 0x0000ffffu
#define WEIR_NVME_LBAF_LBADS_MASK 0x00ff0000u /* log2 of bytes */
#define WEIR_NVME_LBAF_LBADS_SHIFT 16
#define WEIR_NVME_LBAF_RP_MASK 0x03000000u

#endif
