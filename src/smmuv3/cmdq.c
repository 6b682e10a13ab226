/* SPDX-License-Identifier: MIT */
/*
 * The command queue (3.5, 7.1): many producers, no lock, any context.
 *
 * Commands are numbered from 0 in 64 bits. Number n lies in slot n modulo entries; the low bits of
 * the numbers are the indexes that the registers hold, with their wrap bit. Always
 *
 *	consumed <= CMDQ_CONS <= CMDQ_PROD = published <= taken <= consumed + entries
 *
 * A producer with a batch of n commands, the last one of its last batch a CMD_SYNC:
 *
 * 1. take:     compare-exchange taken -> taken + n, if that leaves taken - consumed <= entries.
 * 2. write:    fill the slots, plat_dma_wmb(), then ready[first slot] = number behind the batch.
 * 3. publish:  if nobody does: starting at `published`, step over the batches that are ready, and
 *              write CMDQ_PROD once. Otherwise leave it to the one who does.
 * 4. wait:     read CMDQ_CONS until it has passed the last batch.
 *
 * Interrupts are off from 1 to 3, so that nothing but the machine itself (a hypervisor) can keep a
 * batch that was taken from getting ready; batches behind it wait for that. Nobody waits anywhere
 * for the one who publishes.
 *
 * Why it is right:
 *
 * - PROD never covers a slot that is not written: `ready` is stored with release behind the writes
 *   and read with acquire by the publisher, who writes PROD. For the SMMU the producer's
 *   plat_dma_wmb() orders the slot before `ready`, the publisher's orders what it saw before PROD.
 * - A stale `ready` cannot be mistaken: entries of earlier laps are <= the number at which the slot
 *   is looked at, since batches do not overlap; and the slot is not taken again before that number
 *   was consumed.
 * - No batch is forgotten. The publisher lets go by an exchange of `publishing` with acquire and
 *   release, and looks again afterwards. A producer that found it busy did so by an exchange too,
 *   behind its store to `ready`; being in one order, that exchange came before the publisher's,
 *   which therefore sees the batch when it looks again.
 * - PROD never goes back: only the publisher writes it, and publishers exclude each other.
 * - A slot is not overwritten before the SMMU has read it: it is written by who took it, after an
 *   acquire of `consumed`, which pairs with the release of who read CMDQ_CONS and moved it.
 * - consumed is never ahead of CMDQ_CONS: `seen` is loaded (acquire) before the register is read,
 *   and the register counts modulo 2 * entries; if it ran on by more than that in between, the
 *   result is only too small. It is moved forward alone, by compare-exchange.
 *
 * Hostile or dead hardware: a CONS beyond what was published is ignored; each wait ends after a
 * second without progress, later ones much sooner until something moves again. CMDQ_CONS.ERR is
 * only looked at while GERROR.CMDQ_ERR is active (6.3.28); waiters look for it, because the one
 * that waits may be what keeps the interrupt away.
 *
 * The labels in brackets are steps of tests/spin/cmdq.pml, where SPIN shows all this, and that no
 * barrier can be spared.
 *
 * Cost of an uncontended batch: 4 atomic read-modify-writes, 3 barriers, 1 register write, 1
 * register read for each look.
 */

#include "base/lock.h"
#include "smmuv3/regs.h"

#define STUCK_TIMEOUT_NS 1000000ull
#define LOOKS_PER_ERROR_CHECK 16u

struct waiter {
	uint64_t since;	   /* of the last progress; 0: not looked yet */
	uint64_t consumed; /* then */
	unsigned int looks;
};

int weir_smmuv3_cmdq_init(struct weir_smmuv3 *smmu)
{
	struct weir *weir = smmu->iommu.weir;
	struct weir_smmuv3_cmdq *q = &smmu->cmdq;
	int ret;

	q->entries = weir_smmuv3_queue_entries(weir->options.command_queue_entries, 1024,
					       smmu->features.cmdq_shift);
	ret = weir_smmuv3_memory_alloc(smmu, &q->memory, q->entries * WEIR_SMMU_CMD_SIZE);
	if (ret)
		return ret;
	q->slots = q->memory.virt;
	q->ready = weir_alloc(weir, q->entries * sizeof(*q->ready), 0);
	return q->ready ? 0 : -WEIR_ENOMEM;
}

void weir_smmuv3_cmdq_fini(struct weir_smmuv3 *smmu)
{
	weir_free(smmu->iommu.weir, smmu->cmdq.ready);
	weir_smmuv3_memory_free(smmu, &smmu->cmdq.memory);
}

/* ---- Consumption ----------------------------------------------------------------------------- */

/* The register's index as a number, given one that was true before the register was read. */
static inline uint64_t number_of(const struct weir_smmuv3_cmdq *q, uint64_t seen, uint32_t index)
{
	return seen + ((index - seen) & (2 * q->entries - 1));
}

static bool has_consumed(struct weir_smmuv3 *smmu, uint64_t target)
{
	struct weir_smmuv3_cmdq *q = &smmu->cmdq;
	/* [seen] Acquire: before the register is read, and pairs with the release below. */
	uint64_t seen = __atomic_load_n(&q->consumed, __ATOMIC_ACQUIRE), now;

	if (seen >= target)
		return true;
	/* [cons] */
	now = number_of(q, seen, weir_smmuv3_read(smmu, WEIR_SMMU_CMDQ_CONS));
	/* [cons-order] What the SMMU did before it moved CONS, before what the caller does. */
	plat_dma_rmb();
	/* [cover] */
	if (now == seen || now > __atomic_load_n(&q->published, __ATOMIC_RELAXED))
		return false;
	/* [move] */
	while (seen < now && !__atomic_compare_exchange_n(&q->consumed, &seen, now, false,
							  __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	if (WEIR_UNLIKELY(__atomic_load_n(&q->is_stuck, __ATOMIC_RELAXED)))
		__atomic_store_n(&q->is_stuck, 0, __ATOMIC_RELAXED);
	return now >= target;
}

static int time_out(struct weir_smmuv3 *smmu)
{
	/* Relaxed: it decides who writes the line, nothing else. */
	if (!__atomic_exchange_n(&smmu->cmdq.is_stuck, 1, __ATOMIC_RELAXED))
		weir_log(smmu->iommu.weir, WEIR_LOG_ERR,
			 "%s: the command queue does not move: PROD 0x%x, CONS 0x%x, GERROR 0x%x",
			 smmu->iommu.name, weir_smmuv3_read(smmu, WEIR_SMMU_CMDQ_PROD),
			 weir_smmuv3_read(smmu, WEIR_SMMU_CMDQ_CONS),
			 weir_smmuv3_read(smmu, WEIR_SMMU_GERROR));
	return -WEIR_ETIMEDOUT;
}

/* Between two looks. An error: it is not worth looking again. */
static int keep_waiting(struct weir_smmuv3 *smmu, struct waiter *waiter)
{
	struct weir_smmuv3_cmdq *q = &smmu->cmdq;
	uint64_t consumed = __atomic_load_n(&q->consumed, __ATOMIC_RELAXED), now, limit;

	plat_relax(smmu->iommu.weir->plat);
	if (++waiter->looks % LOOKS_PER_ERROR_CHECK == 0)
		weir_smmuv3_check_errors(smmu);
	if (__atomic_load_n(&q->is_broken, __ATOMIC_RELAXED))
		return -WEIR_EIO;
	now = plat_time_ns(smmu->iommu.weir->plat);
	if (!waiter->since || consumed != waiter->consumed) {
		waiter->since = now;
		waiter->consumed = consumed;
		return 0;
	}
	limit = WEIR_SMMUV3_TIMEOUT_NS;
	if (__atomic_load_n(&q->is_stuck, __ATOMIC_RELAXED))
		limit = STUCK_TIMEOUT_NS;
	return now - waiter->since < limit ? 0 : time_out(smmu);
}

static int wait_for(struct weir_smmuv3 *smmu, uint64_t target)
{
	struct waiter waiter = { 0 };
	int ret = 0;

	while (!ret && !has_consumed(smmu, target))
		ret = keep_waiting(smmu, &waiter);
	return ret;
}

/* ---- Production ------------------------------------------------------------------------------ */

/* Take n slots. On success interrupts are off; *flags is what turns them on again. */
static inline __attribute__((always_inline)) int take(struct weir_smmuv3 *smmu, unsigned int n,
						      uint64_t *first, uintptr_t *flags)
{
	struct weir_smmuv3_cmdq *q = &smmu->cmdq;
	struct waiter waiter = { 0 };
	int ret = 0;

	if (WEIR_UNLIKELY(__atomic_load_n(&q->is_broken, __ATOMIC_RELAXED)))
		return -WEIR_EIO;
	while (!ret) {
		uint64_t taken;

		*flags = plat_irq_save();
		/* [taken] Relaxed: the number alone. A stale one fails the compare-exchange. */
		taken = __atomic_load_n(&q->taken, __ATOMIC_RELAXED);
		/* [room] Acquire: the slots are written after the SMMU read what was in them. */
		while (taken + n - __atomic_load_n(&q->consumed, __ATOMIC_ACQUIRE) <= q->entries) {
			/* [take] */
			if (!__atomic_compare_exchange_n(&q->taken, &taken, taken + n, false,
							 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
				continue;
			*first = taken;
			return 0;
		}
		plat_irq_restore(*flags);
		/* Full: until one more is consumed than is known now. */
		if (!has_consumed(smmu, taken + n - q->entries))
			ret = keep_waiting(smmu, &waiter);
	}
	return ret;
}

static void write_slots(struct weir_smmuv3 *smmu, uint64_t first,
			const struct weir_smmuv3_cmd *cmds, unsigned int n)
{
	struct weir_smmuv3_cmdq *q = &smmu->cmdq;
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint64_t *slot = &q->slots[((first + i) & (q->entries - 1)) * WEIR_SMMU_CMD_WORDS];

		/* [write] Relaxed: the slot is this CPU's until `ready` says so. */
		__atomic_store_n(&slot[0], cmds[i].word[0], __ATOMIC_RELAXED);
		__atomic_store_n(&slot[1], cmds[i].word[1], __ATOMIC_RELAXED);
		weir_smmuv3_clean(smmu, slot, WEIR_SMMU_CMD_SIZE);
	}
	/* [write-order] Commands, and what they are about (tables), before PROD (3.21.2). */
	plat_dma_wmb();
	/* [ready] Release: pairs with the acquire in next_ready(). */
	__atomic_store_n(&q->ready[first & (q->entries - 1)], first + n, __ATOMIC_RELEASE);
}

/* The number behind the batch that starts at `at`, or `at` if it is not ready. */
static inline uint64_t next_ready(struct weir_smmuv3_cmdq *q, uint64_t at)
{
	/* [step] Acquire: pairs with the release in write_slots(). */
	uint64_t next = __atomic_load_n(&q->ready[at & (q->entries - 1)], __ATOMIC_ACQUIRE);

	return next - at - 1 < q->entries ? next : at;
}

static void publish(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_cmdq *q = &smmu->cmdq;
	uint64_t at, next;

	do {
		/* [enter] Acquire and release, here and at [leave]: see the top. */
		if (__atomic_exchange_n(&q->publishing, 1, __ATOMIC_ACQ_REL))
			return;
		/* [from] Relaxed: ordered by the exchanges; readers only want a number. */
		at = __atomic_load_n(&q->published, __ATOMIC_RELAXED);
		for (next = next_ready(q, at); next != at; next = next_ready(q, at))
			at = next;
		if (at != __atomic_load_n(&q->published, __ATOMIC_RELAXED)) {
			/* [advance] */
			__atomic_store_n(&q->published, at, __ATOMIC_RELAXED);
			/* [publish-order] What was seen to be ready, and its slots, before PROD. */
			plat_dma_wmb();
			/* [prod] */
			weir_smmuv3_write(smmu, WEIR_SMMU_CMDQ_PROD,
					  (uint32_t)(at & (2 * q->entries - 1)));
		}
		/* [leave] */
		__atomic_exchange_n(&q->publishing, 0, __ATOMIC_ACQ_REL);
		/* [again] */
		at = __atomic_load_n(&q->published, __ATOMIC_RELAXED);
	} while (next_ready(q, at) != at);
}

void weir_smmuv3_cmdq_publish(struct weir_smmuv3 *smmu)
{
	publish(smmu);
}

/* One batch that fits the queue; *end is the number behind it. */
static inline __attribute__((always_inline)) int
put(struct weir_smmuv3 *smmu, const struct weir_smmuv3_cmd *cmds, unsigned int n, uint64_t *end)
{
	uintptr_t flags;
	uint64_t first;
	int ret = take(smmu, n, &first, &flags);

	if (ret)
		return ret;
	write_slots(smmu, first, cmds, n);
	publish(smmu);
	plat_irq_restore(flags);
	*end = first + n;
	return 0;
}

/* In one part, but on a queue that is smaller; *end is the number behind the last. */
static inline __attribute__((always_inline)) int
put_all(struct weir_smmuv3 *smmu, const struct weir_smmuv3_cmd *cmds, unsigned int n, uint64_t *end)
{
	unsigned int room = smmu->cmdq.entries > n ? n : (unsigned int)smmu->cmdq.entries;
	unsigned int done, part;
	int ret;

	for (done = 0; done < n; done += part) {
		part = n - done < room ? n - done : room;
		ret = put(smmu, &cmds[done], part, end);
		if (ret)
			return ret;
	}
	weir_stat_add(smmu->iommu.weir, WEIR_STAT_COMMANDS, n);
	return 0;
}

/* Nothing is cached, nothing passes, and all is invalidated before anything does. */
static inline bool is_off(const struct weir_smmuv3 *smmu)
{
	return WEIR_UNLIKELY(__atomic_load_n(&smmu->cmdq.is_off, __ATOMIC_RELAXED));
}

int weir_smmuv3_send(struct weir_smmuv3 *smmu, const struct weir_smmuv3_cmd *cmds, unsigned int n)
{
	uint64_t end;

	return is_off(smmu) ? 0 : put_all(smmu, cmds, n, &end);
}

int weir_smmuv3_issue(struct weir_smmuv3 *smmu, struct weir_smmuv3_cmd *cmds, unsigned int n)
{
	uint32_t starts;
	uint64_t end = 0;
	int ret;

	if (is_off(smmu))
		return 0;
	/* Relaxed: before [ready], whose release the next start acquires with [step]'s. */
	starts = __atomic_load_n(&smmu->cmdq.starts, __ATOMIC_RELAXED);

	cmds[n].word[0] = WEIR_SMMU_CMD_SYNC |
			  WEIR_SMMU_FIELD(WEIR_SMMU_CMD_SYNC_0_CS, WEIR_SMMU_CMD_SYNC_CS_NONE);
	cmds[n].word[1] = 0;
	ret = put_all(smmu, cmds, n + 1, &end);
	if (ret)
		return ret;
	weir_stat_add(smmu->iommu.weir, WEIR_STAT_SYNCS, 1);
	ret = wait_for(smmu, end);
	/*
	 * Relaxed: behind the acquire of `consumed`, or CONS and [cons-order]. A start counts
	 * itself before it moves them past what it forgot (recover.c).
	 */
	if (WEIR_UNLIKELY(__atomic_load_n(&smmu->cmdq.starts, __ATOMIC_RELAXED) != starts))
		return -WEIR_EIO;
	return ret;
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static const char *error_name(uint32_t error)
{
	switch (error) {
	case WEIR_SMMU_CERROR_ILL:
		return "CERROR_ILL";
	case WEIR_SMMU_CERROR_ABT:
		return "CERROR_ABT";
	case WEIR_SMMU_CERROR_ATC_INV_SYNC:
		return "CERROR_ATC_INV_SYNC";
	default:
		return "unknown error";
	}
}

/* A legal command that does at least what the refused one was to do: nothing must stay cached. */
static uint64_t stand_in(uint64_t refused)
{
	uint64_t opcode = WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_OPCODE, refused);

	if (opcode >= WEIR_SMMU_CMD_CFGI_STE && opcode <= WEIR_SMMU_CMD_CFGI_VMS_PIDM)
		return WEIR_SMMU_CMD_CFGI_STE_RANGE;
	if (opcode >= WEIR_SMMU_CMD_TLBI_NH_ALL && opcode < WEIR_SMMU_CMD_TLBI_NSNH_ALL)
		return WEIR_SMMU_CMD_TLBI_NSNH_ALL;
	return WEIR_SMMU_CMD_SYNC;
}

static void replace(struct weir_smmuv3 *smmu, uint64_t *slot, uint64_t word0)
{
	bool is_cfgi_all = word0 == WEIR_SMMU_CMD_CFGI_STE_RANGE;

	/* [replace] */
	__atomic_store_n(&slot[0], word0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot[1], is_cfgi_all ? WEIR_SMMU_CMD_CFGI_RANGE_ALL : 0,
			 __ATOMIC_RELAXED);
	weir_smmuv3_clean(smmu, slot, WEIR_SMMU_CMD_SIZE);
	/* [replace-order] Before the acknowledgement: then the SMMU fetches it again (7.1). */
	plat_dma_wmb();
}

/*
 * Even the stand-in was refused, or cannot be fetched: no invalidation can be trusted. Then no
 * access may pass at all: without SMMUEN every one is aborted, since GBPA.ABORT is set. The error
 * stays active, the SMMU consumes no more.
 */
static void give_up(struct weir_smmuv3 *smmu)
{
	smmu->cr0 &= (uint32_t)~WEIR_SMMU_CR0_SMMUEN;
	weir_smmuv3_write(smmu, WEIR_SMMU_CR0, smmu->cr0);
}

void weir_smmuv3_cmdq_repair(struct weir_smmuv3 *smmu)
{
	struct weir_smmuv3_cmdq *q = &smmu->cmdq;
	/* [repair-seen] Relaxed: CONS stands still. An older one leads to the same slot. */
	uint64_t seen = __atomic_load_n(&q->consumed, __ATOMIC_RELAXED);
	/* [repair-cons] */
	uint32_t cons = weir_smmuv3_read(smmu, WEIR_SMMU_CMDQ_CONS);
	uint64_t at = number_of(q, seen, cons & (uint32_t)WEIR_SMMU_Q_INDEX);
	uint64_t *slot = &q->slots[(at & (q->entries - 1)) * WEIR_SMMU_CMD_WORDS], word0, word1;
	bool again = q->error_at == at + 1, is_there;

	/* [repair-order] The slot and `published` were stored before the SMMU could learn of it. */
	plat_dma_rmb();
	/* [repair-slot] What this driver wrote there: the SMMU cannot write there. */
	word0 = __atomic_load_n(&slot[0], __ATOMIC_RELAXED);
	word1 = __atomic_load_n(&slot[1], __ATOMIC_RELAXED);
	/* [repair-there] */
	is_there = at < __atomic_load_n(&q->published, __ATOMIC_RELAXED);

	q->error_at = at + 1;
	q->refused.slot = (unsigned int)(at & (q->entries - 1));
	q->refused.error = (uint32_t)WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMDQ_CONS_ERR, cons);
	q->refused.cmd.word[0] = word0;
	q->refused.cmd.word[1] = word1;
	/* Before the acknowledgement, so that who waits for the CMD_SYNC sees it then. */
	if (q->refused.error == WEIR_SMMU_CERROR_ATC_INV_SYNC)
		__atomic_fetch_add(&q->atc_failures, 1, __ATOMIC_RELAXED);
	if (!again && is_there)
		replace(smmu, slot, stand_in(word0));
	else if (!__atomic_exchange_n(&q->is_broken, 1, __ATOMIC_RELAXED))
		give_up(smmu);
}

/* After weir_smmuv3_cmdq_repair(), which needs its stack for itself. Under gerror_lock. */
void weir_smmuv3_cmdq_report(struct weir_smmuv3 *smmu)
{
	const struct weir_smmuv3_refused *refused = &smmu->cmdq.refused;

	if (weir_limit_pass(&smmu->limit))
		weir_log(smmu->iommu.weir, WEIR_LOG_ERR,
			 "%s: the SMMU refused a command: %s, slot %u, command 0x%016llx 0x%016llx",
			 smmu->iommu.name, error_name(refused->error), refused->slot,
			 (unsigned long long)refused->cmd.word[0],
			 (unsigned long long)refused->cmd.word[1]);
	/* Not again for each try to start it anew. */
	if (__atomic_load_n(&smmu->cmdq.is_broken, __ATOMIC_RELAXED) &&
	    __atomic_load_n(&smmu->own.is_live, __ATOMIC_RELAXED))
		weir_log(smmu->iommu.weir, WEIR_LOG_ERR,
			 "%s: its command queue cannot be repaired: "
			 "every device behind it is blocked now",
			 smmu->iommu.name);
}
