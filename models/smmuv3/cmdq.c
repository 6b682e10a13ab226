/* SPDX-License-Identifier: MIT */

/*
 * The command queues (chapter 4, 7.1, 3.5.6), consumed by step() alone: one command of each queue
 * in turn, executed under `lock`. An error stops its queue with CONS at the command, until software
 * acknowledges it. CMD_SYNC is executed here, all others in commands.c.
 *
 * A queue is looked at when something was done to it, which sets its bit of `ready`; the bank's
 * own, and those whose command waits, in each step().
 */

#include "smmuv3/internal.h"

/* ---- CMD_SYNC --------------------------------------------------------------------------- */

static void end_sync(struct smmu_cmdq *queue)
{
	if (queue->sync.epoch)
		weir_model_smmu_sync_end(queue->bank->smmu, &queue->sync);
	queue->sync_dropped = false;
}

/* 4.1.5, 4.7.3: CS == 3 is reserved; MSI_NS is a Realm queue's. */
static bool sync_legal(const struct smmu_bank *bank, const uint64_t *cmd)
{
	const uint64_t known = WEIR_SMMU_CMD_0_OPCODE | WEIR_SMMU_CMD_SYNC_0_CS |
			       WEIR_SMMU_CMD_SYNC_0_MSH | WEIR_SMMU_CMD_SYNC_0_MSIATTR |
			       WEIR_SMMU_CMD_SYNC_0_MSIDATA;

	if (WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_SYNC_0_CS, cmd[0]) > WEIR_SMMU_CMD_SYNC_CS_SEV)
		return false;
	return !bank->smmu->features.reject_reserved ||
	       (!(cmd[0] & ~known) && cmd[1] == smmu_sync_address(bank, cmd));
}

/*
 * 4.7.3: everything that began before is over, its accesses and its events visible, and every ATC
 * has answered that its queue asked. One that failed begins again when it is fetched again.
 */
static enum smmu_outcome sync(struct smmu_cmdq *queue, const uint64_t *cmd)
{
	struct smmu_bank *bank = queue->bank;
	enum smmu_outcome outcome;

	if (!sync_legal(bank, cmd))
		return SMMU_ILLEGAL;
	if (!queue->sync.epoch) {
		weir_model_smmu_catch_up(queue);
		weir_model_smmu_sync_begin(bank->smmu, &queue->sync);
	}
	if (!weir_model_smmu_sync_landed(bank->smmu, &queue->sync))
		return SMMU_WAITING;
	outcome = weir_model_smmu_ats_sync(queue);
	if (outcome != SMMU_WAITING)
		end_sync(queue);
	if (outcome == SMMU_CONSUMED)
		smmu_count_locked(&bank->syncs);
	return outcome;
}

/* ---- A queue ---------------------------------------------------------------------------- */

static bool is_sync(const uint64_t *cmd)
{
	return WEIR_SMMU_FIELD_GET(WEIR_SMMU_CMD_0_OPCODE, cmd[0]) == WEIR_SMMU_CMD_SYNC;
}

static unsigned int log2size_of(const struct smmu_cmdq *queue)
{
	return smmu_queue_log2size(smmu_reg64(&queue->base), queue->bank->smmu->features.cmdqs);
}

/* 7.1, 3.5.6.3: the reason before the error, CONS on the command. */
static void stop(struct smmu_cmdq *queue, uint32_t reason)
{
	uint32_t cons = smmu_reg(&queue->cons);

	if (smmu_is_enhanced(queue)) {
		cons &= (uint32_t)~WEIR_SMMU_ECMDQ_CONS_ERR_REASON;
		cons |= (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_ECMDQ_CONS_ERR_REASON, reason);
		smmu_reg_set(&queue->cons, cons ^ (uint32_t)WEIR_SMMU_ECMDQ_CONS_ERR);
		weir_model_smmu_global_error(queue->bank, WEIR_SMMU_GERROR_CMDQP_ERR);
		return;
	}
	cons &= (uint32_t)WEIR_SMMU_Q_INDEX;
	smmu_reg_set(&queue->cons,
		     cons | (uint32_t)WEIR_SMMU_FIELD(WEIR_SMMU_CMDQ_CONS_ERR, reason));
	weir_model_smmu_global_error(queue->bank, WEIR_SMMU_GERROR_CMDQ_ERR);
}

/* True: the queue was full, as far as anybody can have seen. */
static bool advance(struct smmu_cmdq *queue, unsigned int log2size)
{
	uint32_t cons = smmu_reg(&queue->cons), prod = smmu_reg(&queue->prod);
	uint32_t mask = (uint32_t)smmu_low_bits(log2size + 1);

	smmu_reg_set(&queue->cons, (cons & (uint32_t)~WEIR_SMMU_Q_INDEX) | ((cons + 1) & mask));
	smmu_count_locked(&queue->bank->commands);
	return smmu_queue_fill(prod, cons, log2size) == (uint32_t)1 << log2size;
}

static bool fetch(struct smmu_cmdq *queue, unsigned int log2size, uint64_t *cmd)
{
	struct smmu_memory *memory = &queue->bank->smmu->memory;
	uint64_t bytes = (uint64_t)WEIR_SMMU_CMD_SIZE << log2size;
	uint64_t addr = smmu_queue_base(smmu_reg64(&queue->base), bytes > 32 ? bytes : 32);

	addr += (smmu_reg(&queue->cons) & smmu_low_bits(log2size)) * WEIR_SMMU_CMD_SIZE;
	return smmu_load64(memory, addr, &cmd[0]) == WEIR_MODEL_OK &&
	       smmu_load64(memory, addr + 8, &cmd[1]) == WEIR_MODEL_OK;
}

/* 4.1.2; 3.5.6.2, 3.5.6.3: neither CMDQEN nor CMDQ_ERR is of concern to an enhanced queue. */
static bool enabled(const struct smmu_cmdq *queue)
{
	const struct smmu_bank *bank = queue->bank;
	uint32_t prod, cons;

	if (!smmu_is_enhanced(queue))
		return (smmu_reg(&bank->cr0) & WEIR_SMMU_CR0_CMDQEN) &&
		       !weir_model_smmu_error_active(bank, WEIR_SMMU_GERROR_CMDQ_ERR);
	prod = smmu_reg(&queue->prod);
	cons = smmu_reg(&queue->cons);
	return (prod & WEIR_SMMU_ECMDQ_PROD_EN) && (cons & WEIR_SMMU_ECMDQ_CONS_ENACK) &&
	       !(prod & WEIR_SMMU_ECMDQ_PROD_ERRACK) == !(cons & WEIR_SMMU_ECMDQ_CONS_ERR);
}

/* Nothing is consumed while the indexes are inconsistent (3.5.1). */
static bool processable(const struct smmu_cmdq *queue, unsigned int log2size)
{
	uint32_t fill = smmu_queue_fill(smmu_reg(&queue->prod), smmu_reg(&queue->cons), log2size);

	return fill && fill <= (uint32_t)1 << log2size && enabled(queue);
}

static enum smmu_outcome execute(struct smmu_cmdq *queue, const uint64_t *cmd)
{
	if (is_sync(cmd))
		return sync(queue, cmd);
	end_sync(queue);
	return weir_model_smmu_execute(queue, cmd);
}

/* What became of a queue. */
struct progress {
	uint64_t cmd[WEIR_SMMU_CMD_WORDS];
	bool consumed; /* a command: this one */
	bool waits;    /* its command does, for what kicks */
	bool roomy;    /* it was full, and is no more */
};

/* `lock` is held. */
static void consume(struct smmu_cmdq *queue, struct progress *progress)
{
	unsigned int log2size = log2size_of(queue);

	/* A CMD_SYNC waits for what came before it; one that was withdrawn does not count. */
	if (queue->sync_dropped)
		end_sync(queue);
	if (!processable(queue, log2size)) {
		end_sync(queue);
		return;
	}
	if (!fetch(queue, log2size, progress->cmd)) {
		stop(queue, WEIR_SMMU_CERROR_ABT);
		return;
	}
	switch (execute(queue, progress->cmd)) {
	case SMMU_CONSUMED:
		progress->roomy = advance(queue, log2size);
		progress->consumed = true;
		break;
	case SMMU_ILLEGAL:
		stop(queue, WEIR_SMMU_CERROR_ILL);
		break;
	case SMMU_ATC_ERROR:
		stop(queue, WEIR_SMMU_CERROR_ATC_INV_SYNC);
		break;
	case SMMU_WAITING:
		progress->waits = true;
		break;
	}
}

/* ---- All queues ------------------------------------------------------------------------- */

static uint64_t bit_of(uint32_t number)
{
	return WEIR_BIT(number % 64);
}

static struct smmu_cmdq *queue_of(struct smmu_bank *bank, uint32_t number)
{
	return number ? &bank->ecmdqs.queues[number - 1] : &bank->cmdq;
}

/*
 * The next from `turn` on that is ready. The word of `turn` comes first, without what is before it,
 * and last. The bit is cleared before the queue is looked at, as it is set after something was
 * done.
 */
static struct smmu_cmdq *next_queue(struct smmu_bank *bank, uint32_t *number)
{
	struct smmu_ecmdqs *all = &bank->ecmdqs;
	uint32_t words = (all->count + 63) / 64, first = all->turn / 64;

	for (uint32_t i = 0; i <= words; i++) {
		uint32_t at = (first + i) % words;
		uint64_t ready = __atomic_load_n(&all->ready[at], __ATOMIC_SEQ_CST);

		if (!i)
			ready &= ~smmu_low_bits(all->turn % 64);
		if (!ready)
			continue;
		*number = at * 64 + (uint32_t)__builtin_ctzll(ready);
		__atomic_and_fetch(&all->ready[at], ~bit_of(*number), __ATOMIC_SEQ_CST);
		all->turn = (*number + 1) % all->count;
		return queue_of(bank, *number);
	}
	return NULL;
}

static void set_ready(struct smmu_bank *bank, uint32_t at, uint64_t bits)
{
	if (bits)
		__atomic_or_fetch(&bank->ecmdqs.ready[at], bits, __ATOMIC_SEQ_CST);
}

/* The bank's own, and those that wait. */
static void look_again(struct smmu_bank *bank)
{
	struct smmu_ecmdqs *all = &bank->ecmdqs;

	set_ready(bank, 0, bit_of(0));
	for (uint32_t i = 0; i < (all->count + 63) / 64; i++) {
		set_ready(bank, i, all->waits[i]);
		all->waits[i] = 0;
	}
}

/* ---- step() ----------------------------------------------------------------------------- */

/* What was done under locks is told without. */
static void follow_up(struct smmu_bank *bank)
{
	weir_model_smmu_send_resumes(bank->smmu);
	weir_model_smmu_send_ats(bank->smmu);
	weir_model_smmu_send_irqs(bank);
}

/* True: a command was consumed. */
static bool serve(struct smmu_cmdq *queue, uint32_t number)
{
	struct smmu_bank *bank = queue->bank;
	const struct weir_model_host *host = &bank->smmu->memory.host;
	struct progress progress = { 0 };

	pthread_mutex_lock(&bank->smmu->lock);
	bank->served = queue;
	consume(queue, &progress);
	pthread_mutex_unlock(&bank->smmu->lock);
	if (progress.consumed) {
		set_ready(bank, number / 64, bit_of(number));
		weir_model_smmu_pmcg_count(bank->smmu, NULL, WEIR_SMMU_PMCG_CYCLE);
	}
	if (progress.waits)
		bank->ecmdqs.waits[number / 64] |= bit_of(number);
	/* 4.1.2, 3.5.6.1 */
	if (progress.roomy && bank->smmu->features.sev && host->ops->wake)
		host->ops->wake(host->opaque);
	/* 3.18, 3.18.1: after its consumption can be seen, and before that of the next one. */
	if (progress.consumed && is_sync(progress.cmd))
		weir_model_smmu_signal_sync(bank, progress.cmd);
	follow_up(bank);
	return progress.consumed;
}

/*
 * A guest that rings without end for queues that have nothing to do gets no more of this thread
 * than one look at each: the next step() goes on.
 */
static unsigned int serve_all(struct smmu_bank *bank, unsigned int budget)
{
	uint64_t looks = (uint64_t)budget + bank->ecmdqs.count;
	unsigned int done = 0;
	struct smmu_cmdq *queue;
	uint32_t number;

	look_again(bank);
	while (done < budget) {
		queue = next_queue(bank, &number);
		if (!queue)
			break;
		done += serve(queue, number);
		if (looks--)
			continue;
		weir_model_kick(&bank->smmu->stepper);
		break;
	}
	return done;
}

/*
 * Half of it each, in turn first, and all of what the other leaves: neither Security state keeps
 * the other's commands waiting (3.10.2.1, 4.7.3).
 */
static unsigned int serve_both(struct weir_model_smmuv3 *smmu, unsigned int budget)
{
	struct smmu_bank *first = smmu->secure_first ? &smmu->s : &smmu->ns;
	struct smmu_bank *second = smmu->secure_first ? &smmu->ns : &smmu->s;
	unsigned int done = serve_all(first, (budget + 1) / 2);

	smmu->secure_first = !smmu->secure_first;
	done += serve_all(second, budget - done);
	if (done < budget)
		done += serve_all(first, budget - done);
	return done;
}

static void tidy_up(struct smmu_bank *bank)
{
	weir_model_smmu_retry_stall_events(bank);
	follow_up(bank);
}

unsigned int weir_model_smmu_step(struct weir_model_stepper *stepper, unsigned int budget)
{
	struct weir_model_smmuv3 *smmu =
		WEIR_CONTAINER_OF(stepper, struct weir_model_smmuv3, stepper);

	pthread_mutex_lock(&smmu->lock);
	weir_model_smmu_acknowledge(&smmu->s);
	weir_model_smmu_invalidate_all(smmu);
	weir_model_smmu_acknowledge(&smmu->ns);
	weir_model_smmu_run_atos(&smmu->s);
	weir_model_smmu_run_atos(&smmu->ns);
	pthread_mutex_unlock(&smmu->lock);
	tidy_up(&smmu->s);
	tidy_up(&smmu->ns);
	if (!smmu->features.secure)
		return serve_all(&smmu->ns, budget);
	return serve_both(smmu, budget);
}
