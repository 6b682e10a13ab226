/* SPDX-License-Identifier: MIT */

/*
 * The SMMUv3 model as the vIOMMU of a virtual machine monitor: it needs <weir/model/smmuv3.h> and
 * libweir-models, and nothing of weir's stack.
 *
 *   main thread    the guest's CPU. Its loads and stores to the SMMU's registers trap to mmio().
 *   device thread  a device of the guest's: asks the model where each access goes, and goes there.
 *   worker thread  lets the model consume the guest's commands.
 *
 * The guest begins as a driver: it gives the device a page, has it write there, and takes the event
 * of an access that it did not allow. Then it turns hostile: random tables, queues and registers,
 * with the device running all the while. That costs the guest its data, and the VMM nothing.
 */

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <weir/hw/smmuv3.h>
#include <weir/model/smmuv3.h>

#define RAM_BASE 0x40000000ull
#define RAM_SIZE (16ull << 20)
#define SMMU_BASE 0x09050000ull
#define DOORBELL 0x08080040ull /* an MSI controller's */

struct vmm {
	uint8_t *ram; /* the guest's, at RAM_BASE */
	struct weir_model_smmuv3 *smmu;
	sem_t event_irq, sync_msi; /* interrupts that the guest waits for */
	sem_t work;		   /* the model has something to do */
	unsigned int stop;	   /* atomic */
	pthread_t worker;
};

/* ---- The VMM: what the model asks of it ------------------------------------------------- */

/* Each access of the model's to memory is checked here, or lies in a window that is given below. */
static uint64_t *guest_word(struct vmm *vmm, uint64_t addr)
{
	if (addr % 8 || addr < RAM_BASE || addr - RAM_BASE > RAM_SIZE - 8)
		return NULL;
	return (uint64_t *)(void *)(vmm->ram + (addr - RAM_BASE));
}

static enum weir_model_result load64(void *opaque, uint64_t addr, uint64_t *value)
{
	uint64_t *word = guest_word(opaque, addr);

	if (!word)
		return WEIR_MODEL_ABORT;
	*value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	return WEIR_MODEL_OK;
}

static enum weir_model_result store64(void *opaque, uint64_t addr, uint64_t value)
{
	uint64_t *word = guest_word(opaque, addr);

	if (!word)
		return WEIR_MODEL_ABORT;
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	return WEIR_MODEL_OK;
}

/* Optional. The model then reaches the guest's RAM without a call. */
static bool window(void *opaque, uint64_t addr, struct weir_model_window *out)
{
	struct vmm *vmm = opaque;

	*out = (struct weir_model_window){ RAM_BASE, RAM_SIZE, vmm->ram };
	return addr >= RAM_BASE && addr - RAM_BASE < RAM_SIZE;
}

/* A message-signalled interrupt. Here: a CMD_SYNC is done, and the guest asked to be told so. */
static enum weir_model_result msi(void *opaque, uint64_t addr, uint32_t data)
{
	struct vmm *vmm = opaque;

	(void)data; /* a VMM hands it to its interrupt controller */
	if (addr != DOORBELL)
		return WEIR_MODEL_ABORT;
	sem_post(&vmm->sync_msi);
	return WEIR_MODEL_OK;
}

/* A wired interrupt: an edge. */
static void line(void *opaque, unsigned int number)
{
	struct vmm *vmm = opaque;

	if (number == WEIR_MODEL_SMMUV3_EVENTQ)
		sem_post(&vmm->event_irq);
}

static const struct weir_model_host_ops host_ops = {
	.load64 = load64,
	.store64 = store64,
	.window = window,
	.msi = msi,
	.line = line,
};

/* ---- The VMM: commands are consumed by a thread of its own ------------------------------ */

static void kick(struct weir_model_stepper *stepper, void *opaque)
{
	struct vmm *vmm = opaque;

	(void)stepper;
	sem_post(&vmm->work); /* may be called with locks of the model's held: just a mark */
}

static void *work(void *opaque)
{
	struct vmm *vmm = opaque;
	struct weir_model_stepper *stepper = weir_model_smmuv3_stepper(vmm->smmu);

	while (!__atomic_load_n(&vmm->stop, __ATOMIC_ACQUIRE)) {
		sem_wait(&vmm->work);
		while (stepper->step(stepper, 64) == 64 &&
		       !__atomic_load_n(&vmm->stop, __ATOMIC_ACQUIRE))
			; /* a guest may queue commands for ever; others wait no longer for it */
	}
	return NULL;
}

/* ---- The VMM: a guest's load or store that trapped -------------------------------------- */

static uint64_t mmio(struct vmm *vmm, uint64_t addr, unsigned int size, bool write, uint64_t value)
{
	uint64_t offset = addr - SMMU_BASE;

	if (addr < SMMU_BASE || offset >= WEIR_MODEL_SMMUV3_MMIO_SIZE || offset % size)
		return 0; /* no register there: what a VMM does is its own */
	if (!write)
		return weir_model_smmuv3_read(vmm->smmu, offset, size);
	weir_model_smmuv3_write(vmm->smmu, offset, size, value);
	return 0;
}

static uint64_t rd(struct vmm *vmm, uint64_t reg, unsigned int size)
{
	return mmio(vmm, SMMU_BASE + reg, size, false, 0);
}

static void wr(struct vmm *vmm, uint64_t reg, unsigned int size, uint64_t value)
{
	mmio(vmm, SMMU_BASE + reg, size, true, value);
}

/* ---- The VMM: a device moves a word ----------------------------------------------------- */

static enum weir_model_result dma(struct vmm *vmm, uint32_t stream, uint64_t iova, bool write,
				  uint64_t *word)
{
	struct weir_model_txn txn = {
		.addr = iova,
		.stream = stream,
		.len = sizeof(*word), /* and never across a page of 4 KiB */
		.flags = write ? WEIR_MODEL_TXN_WRITE : 0,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct weir_model_translation where;
	enum weir_model_result result;

	result = weir_model_smmuv3_translate(vmm->smmu, &txn, &where);
	if (result != WEIR_MODEL_OK)
		return result;
	/* In flight: an invalidation waits for complete(). The address is the guest's: check it. */
	result = write ? store64(vmm, where.addr, *word) : load64(vmm, where.addr, word);
	weir_model_smmuv3_complete(vmm->smmu, &where);
	return result;
}

/* ---- The guest: an SMMU driver as small as can be --------------------------------------- */

#define STRTAB (RAM_BASE + 0x10000) /* 2^4 entries */
#define CMDQ (RAM_BASE + 0x20000)   /* 2^8 */
#define EVENTQ (RAM_BASE + 0x30000) /* 2^7 */
#define CD (RAM_BASE + 0x40000)
#define TABLE (RAM_BASE + 0x50000) /* levels 1 to 3, a page each */
#define ENABLED (WEIR_SMMU_CR0_SMMUEN | WEIR_SMMU_CR0_EVENTQEN | WEIR_SMMU_CR0_CMDQEN)
#define SYNC_DONE 0x5afe
#define BUFFER (RAM_BASE + 0x100000)
#define STREAM 5u
#define IOVA 0x7654000ull /* where the device is to see the buffer */
#define WILD 0xbad000ull  /* and where it sees nothing */

static void put(struct vmm *vmm, uint64_t addr, uint64_t value)
{
	store64(vmm, addr, value); /* a guest's own memory does not trap */
}

static uint64_t get(struct vmm *vmm, uint64_t addr)
{
	uint64_t value = 0;

	load64(vmm, addr, &value);
	return value;
}

static void queue_command(struct vmm *vmm, uint64_t word0, uint64_t word1)
{
	uint64_t prod = rd(vmm, WEIR_SMMU_CMDQ_PROD, 4);

	put(vmm, CMDQ + prod % 256 * WEIR_SMMU_CMD_SIZE, word0);
	put(vmm, CMDQ + prod % 256 * WEIR_SMMU_CMD_SIZE + 8, word1);
	wr(vmm, WEIR_SMMU_CMDQ_PROD, 4, (prod + 1) % 512);
}

/* Waits until the SMMU forgot all that it read before. */
static void invalidate_all(struct vmm *vmm)
{
	queue_command(vmm, WEIR_SMMU_CMD_CFGI_STE_RANGE, 31);
	queue_command(vmm, WEIR_SMMU_CMD_TLBI_NSNH_ALL, 0);
	queue_command(vmm,
		      WEIR_SMMU_CMD_SYNC |
			      WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_CS, WEIR_SMMU_CMD_SYNC_CS_IRQ) |
			      WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_MSIDATA, SYNC_DONE),
		      DOORBELL);
	sem_wait(&vmm->sync_msi);
}

static void guest_registers(struct vmm *vmm)
{
	wr(vmm, WEIR_SMMU_STRTAB_BASE, 8, STRTAB);
	wr(vmm, WEIR_SMMU_STRTAB_BASE_CFG, 4, 4);
	wr(vmm, WEIR_SMMU_CMDQ_BASE, 8, CMDQ | 8);
	wr(vmm, WEIR_SMMU_EVENTQ_BASE, 8, EVENTQ | 7);
	wr(vmm, WEIR_SMMU_IRQ_CTRL, 4, WEIR_SMMU_IRQ_CTRL_EVENTQ_IRQEN);
	wr(vmm, WEIR_SMMU_CR0, 4, ENABLED);
}

/* A stream with an address space of 39 bits: three levels of tables, one page mapped. */
static void guest_tables(struct vmm *vmm)
{
	uint64_t next = WEIR_VMSA_TYPE_TABLE, ste = STRTAB + STREAM * WEIR_SMMU_STE_SIZE;

	put(vmm, TABLE + (IOVA >> 30 & 511) * 8, (TABLE + 0x1000) | next);
	put(vmm, TABLE + 0x1000 + (IOVA >> 21 & 511) * 8, (TABLE + 0x2000) | next);
	put(vmm, TABLE + 0x2000 + (IOVA >> 12 & 511) * 8,
	    BUFFER | WEIR_VMSA_TYPE_PAGE | WEIR_VMSA_AF | WEIR_VMSA_NG | WEIR_VMSA_AP_UNPRIV);
	put(vmm, CD + 8, TABLE);
	put(vmm, CD + 24, WEIR_VMSA_MAIR_NORMAL_WB);
	put(vmm, CD,
	    WEIR_SMMU_CD_0_V | WEIR_SMMU_CD_0_AA64 | WEIR_SMMU_CD_0_A | WEIR_SMMU_CD_0_R |
		    WEIR_SMMU_CD_0_EPD1 | WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_T0SZ, 64 - 39) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_IPS, WEIR_SMMU_PS_44) |
		    WEIR_SMMU_FIELD(WEIR_SMMU_CD_0_ASID, 1));
	put(vmm, ste,
	    WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, WEIR_SMMU_STE_CONFIG_S1) |
		    CD);
}

/* The guest's handler of the event queue's interrupt. */
static bool guest_event(struct vmm *vmm)
{
	uint64_t cons = rd(vmm, WEIR_SMMU_EVENTQ_CONS, 4);
	uint64_t record = EVENTQ + cons % 128 * WEIR_SMMU_EVT_SIZE;
	uint64_t type = get(vmm, record) & WEIR_SMMU_EVT_0_TYPE, input = get(vmm, record + 16);
	uint64_t stream = WEIR_SMMU_FIELD_GET(WEIR_SMMU_EVT_0_SID, get(vmm, record));

	printf("guest: event 0x%02" PRIx64 " (F_TRANSLATION): stream %" PRIu64 ", %s of 0x%" PRIx64
	       "\n",
	       type, stream, get(vmm, record + 8) & WEIR_SMMU_EVT_1_RNW ? "read" : "write", input);
	wr(vmm, WEIR_SMMU_EVENTQ_CONS, 4, (cons + 1) % 256);
	return type == WEIR_SMMU_EVT_F_TRANSLATION && stream == STREAM && input == WILD;
}

/* ---- Good manners ----------------------------------------------------------------------- */

static void *device_copies(void *opaque)
{
	static const uint64_t words[] = { 0x6669727374, 0x7365636f6e64, 0x7468697264 };
	struct vmm *vmm = opaque;
	uint64_t word;

	for (size_t i = 0; i < WEIR_ARRAY_SIZE(words); i++) {
		word = words[i];
		if (dma(vmm, STREAM, IOVA + i * 8, true, &word) != WEIR_MODEL_OK ||
		    dma(vmm, STREAM, IOVA + i * 8, false, &word) != WEIR_MODEL_OK ||
		    word != get(vmm, BUFFER + i * 8))
			return "the device did not reach the buffer";
	}
	if (dma(vmm, STREAM, WILD, true, &word) != WEIR_MODEL_BLOCKED)
		return "the device got where it may not";
	return NULL;
}

static const char *well_behaved(struct vmm *vmm)
{
	pthread_t device;
	void *wrong;

	guest_registers(vmm);
	while (rd(vmm, WEIR_SMMU_CR0ACK, 4) != ENABLED)
		;
	guest_tables(vmm);
	invalidate_all(vmm);
	if (pthread_create(&device, NULL, device_copies, vmm))
		return "no thread for the device";
	pthread_join(device, &wrong);
	if (wrong)
		return wrong;
	printf("guest: the device wrote words to its page at 0x%" PRIx64 "\n", (uint64_t)IOVA);
	sem_wait(&vmm->event_irq);
	return guest_event(vmm) ? NULL : "the event is another";
}

/* ---- Bad manners ------------------------------------------------------------------------ */

static uint64_t dice(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A word that could be a descriptor, a pointer or a command: odd bits around an address in RAM. */
static uint64_t vicious(uint64_t *state)
{
	uint64_t addr = RAM_BASE + (dice(state) & (RAM_SIZE - 1) & ~0xfffull);
	uint64_t bits = dice(state) & 0xfff, high = dice(state);

	return dice(state) % 8 ? addr | bits | (high & high << 8 & ~WEIR_GENMASK(51, 0)) : high;
}

static void *device_runs_wild(void *opaque)
{
	struct vmm *vmm = opaque;
	uint64_t state = 2, word = 0;

	while (!__atomic_load_n(&vmm->stop, __ATOMIC_ACQUIRE)) {
		bool wild = dice(&state) % 4 == 0;
		uint64_t iova = wild ? dice(&state) >> (dice(&state) % 64) : IOVA;

		dma(vmm, wild ? (uint32_t)dice(&state) % 20 : STREAM, iova & ~7ull,
		    dice(&state) & 1, &word);
	}
	return NULL;
}

/* All as it should be again, so that the next mistake is reached. */
static void hostile_recovery(struct vmm *vmm)
{
	wr(vmm, WEIR_SMMU_CR0, 4, 0);
	wr(vmm, WEIR_SMMU_GERRORN, 4, rd(vmm, WEIR_SMMU_GERROR, 4));
	guest_tables(vmm);
	guest_registers(vmm);
}

static void hostile_round(struct vmm *vmm, uint64_t *state)
{
	static const uint64_t used[] = { STRTAB + STREAM * 64,
					 CD,
					 CD + 8,
					 TABLE,
					 TABLE + 0x1000 + (IOVA >> 21) * 8,
					 TABLE + 0x2000 + (IOVA >> 12 & 511) * 8 };
	static const uint8_t opcodes[] = {
		1, 2, 3, 3, 4, 5, 6, 16, 17, 18, 19, 48, 70, 70, 70, 255
	};
	uint64_t word = used[dice(state) % WEIR_ARRAY_SIZE(used)];

	put(vmm, word, get(vmm, word) ^ 1ull << dice(state) % 64);
	for (unsigned int i = 0; i < 64; i++) /* where tables and queues are, but for commands */
		put(vmm, EVENTQ + (dice(state) & 0x2fff8), vicious(state));
	for (unsigned int i = 0; i < 256; i++)
		put(vmm, CMDQ + i * WEIR_SMMU_CMD_SIZE,
		    (vicious(state) & ~0xffull) | opcodes[dice(state) % sizeof(opcodes)]);
	if (dice(state) % 2) /* most registers that matter are in the first 256 bytes */
		wr(vmm, dice(state) & (dice(state) % 2 ? 0xf8 : 0x1fff8), dice(state) % 2 ? 4 : 8,
		   vicious(state));
	rd(vmm, dice(state) & 0x1fff8, 8);
	wr(vmm, WEIR_SMMU_CMDQ_PROD, 4, dice(state) & 0x1ff);
	wr(vmm, WEIR_SMMU_EVENTQ_CONS, 4, rd(vmm, WEIR_SMMU_EVENTQ_PROD, 4));
	if (dice(state) % 4 == 0)
		hostile_recovery(vmm);
}

static const char *hostile(struct vmm *vmm)
{
	struct weir_model_smmuv3_stats stats;
	uint64_t state = 1;
	pthread_t device;

	if (pthread_create(&device, NULL, device_runs_wild, vmm))
		return "no thread for the device";
	for (unsigned int i = 0; i < 20000; i++)
		hostile_round(vmm, &state);
	__atomic_store_n(&vmm->stop, 1, __ATOMIC_RELEASE);
	pthread_join(device, NULL);
	weir_model_smmuv3_get_stats(vmm->smmu, &stats);
	printf("hostile guest: %" PRIu64 " commands, %" PRIu64 " accesses, %" PRIu64
	       " of them stopped, %" PRIu64 " events, and the VMM is well\n",
	       stats.commands, stats.transactions, stats.blocked, stats.events_written);
	return stats.blocked ? NULL : "nothing was stopped";
}

/* ---- All together ----------------------------------------------------------------------- */

/* RAM between two pages that nobody may touch: who leaves it ends the program. */
static bool make_ram(struct vmm *vmm)
{
	uint8_t *all = mmap(NULL, RAM_SIZE + 0x2000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	vmm->ram = all + 0x1000;
	return all != MAP_FAILED && !mprotect(vmm->ram, RAM_SIZE, PROT_READ | PROT_WRITE);
}

static bool make_smmu(struct vmm *vmm)
{
	struct weir_model_host host = { .ops = &host_ops, .opaque = vmm };
	struct weir_model_smmuv3_config config = { .aidr = 1 };
	struct weir_model_stepper *stepper;

	/* Any implementation, by its ID registers: here the default one, and MSIs. */
	memcpy(config.idr, weir_model_smmuv3_default_idr, sizeof(config.idr));
	config.idr[0] |= WEIR_SMMU_IDR0_MSI;
	if (weir_model_smmuv3_create(&host, &config, &vmm->smmu))
		return false;
	stepper = weir_model_smmuv3_stepper(vmm->smmu);
	stepper->kick = kick;
	stepper->kick_opaque = vmm;
	return !pthread_create(&vmm->worker, NULL, work, vmm);
}

int main(void)
{
	static struct vmm vmm;
	const char *wrong;

	sem_init(&vmm.event_irq, 0, 0);
	sem_init(&vmm.sync_msi, 0, 0);
	sem_init(&vmm.work, 0, 0);
	if (!make_ram(&vmm) || !make_smmu(&vmm)) {
		puts("the machine could not be made");
		return 1;
	}
	wrong = well_behaved(&vmm);
	if (!wrong)
		wrong = hostile(&vmm);
	__atomic_store_n(&vmm.stop, 1, __ATOMIC_RELEASE);
	sem_post(&vmm.work);
	pthread_join(vmm.worker, NULL);
	weir_model_smmuv3_destroy(vmm.smmu);
	if (wrong)
		puts(wrong);
	return wrong ? 1 : 0;
}
