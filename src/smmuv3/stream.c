/* SPDX-License-Identifier: MIT */
/*
 * Streams: what each is to do, and how its stream table entry comes to say so (5.2). domain.h has
 * what there is.
 *
 * A stream that nobody claimed is blocked, and each access recorded: V = 0 (C_BAD_STE). Config =
 * abort would block it without a word (7.3.7); guests alone get that (nested.c).
 *
 * Entries change by weir_smmuv3_entry_change(). Among blocked, bypass and domains of stage 1 on a
 * stream without PASIDs that is one 64-bit store of word 0, and one CMD_SYNC.
 *
 * Device TLBs come and go in the order that ats.c has.
 */

#include "smmuv3/domain.h"

/* ---- The entry ------------------------------------------------------------------------------- */

struct ste_writer {
	struct weir_smmuv3_entry_writer writer;
	struct weir_smmuv3 *smmu;
	uint64_t *ste;
	uint32_t id;
};

static void write_ste(struct weir_smmuv3_entry_writer *writer, unsigned int word, uint64_t value)
{
	struct ste_writer *w = WEIR_CONTAINER_OF(writer, struct ste_writer, writer);

	/* What it leads to, and what of the entry was written before, come first. */
	plat_dma_wmb();
	weir_smmuv3_store(w->smmu, &w->ste[word], value);
}

/*
 * Drops what was found through the entry as well (4.3.1). With Leaf = 0: a first-level descriptor
 * from before there was a table may be cached.
 */
static int sync_ste(struct weir_smmuv3_entry_writer *writer)
{
	struct ste_writer *w = WEIR_CONTAINER_OF(writer, struct ste_writer, writer);
	struct weir_smmuv3_cmd cmds[2];

	cmds[0].word[0] = WEIR_SMMU_CMD_CFGI_STE | WEIR_SMMU_FIELD(WEIR_SMMU_CMD_0_SID, w->id);
	cmds[0].word[1] = 0;
	return weir_smmuv3_issue(w->smmu, cmds, 1);
}

/*
 * Do old and wanted both use the words behind the first, and differ there? Not inlined, as others
 * here: its arrays would lie below all that a failed command has to say.
 */
static __attribute__((noinline)) bool differ_beyond_word0(const uint64_t *old,
							  const uint64_t *wanted)
{
	uint64_t used_old[WEIR_SMMU_STE_WORDS], used[WEIR_SMMU_STE_WORDS], differs = 0;
	unsigned int i;

	weir_smmuv3_ste_used(old, used_old);
	weir_smmuv3_ste_used(wanted, used);
	for (i = 1; i < WEIR_SMMU_STE_WORDS; i++)
		differs |= (old[i] ^ wanted[i]) & used_old[i] & used[i];
	return differs || weir_smmuv3_ste_apart(old, wanted);
}

/*
 * The change was not confirmed: the SMMU may have seen the new entry, or blocks. What it sees next
 * is the old one, if that differs in word 0 alone; other mixtures of the two are not for anybody to
 * see, and the stream is blocked until it is changed again.
 */
static void change_back(struct ste_writer *w, uint64_t *wanted, uint64_t old, bool is_simple)
{
	if (!is_simple) {
		memset(wanted, 0, WEIR_SMMU_STE_SIZE);
		(void)weir_smmuv3_entry_change(&w->writer, w->ste, wanted, NULL);
		return;
	}
	write_ste(&w->writer, 0, old);
	if (!sync_ste(&w->writer))
		w->writer.unsure = false;
}

/*
 * In effect on return. An error: as it was before, or blocked, as far as the SMMU can be told; but
 * where it was to be blocked it is, as far as the SMMU can be told. `wanted` is used up.
 */
static int change(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream, uint64_t *wanted)
{
	struct ste_writer w = { .writer = { .used = weir_smmuv3_ste_used,
					    .apart = weir_smmuv3_ste_apart,
					    .unsure = stream->unsure,
					    .write = write_ste,
					    .sync = sync_ste },
				.smmu = smmu,
				.ste = weir_smmuv3_strtab_find(smmu, stream->id),
				.id = stream->id };
	bool is_simple = !differ_beyond_word0(w.ste, wanted);
	uint64_t old = w.ste[0];
	int ret = weir_smmuv3_entry_change(&w.writer, w.ste, wanted, NULL);

	/* Who wanted it blocked does not get it opened again. */
	if (ret && wanted[0] & WEIR_SMMU_STE_0_V)
		change_back(&w, wanted, old, is_simple);
	stream->unsure = w.writer.unsure;
	return ret;
}

/* ---- What it is to say ----------------------------------------------------------------------- */

static uint64_t config(unsigned int value)
{
	return WEIR_SMMU_STE_0_V | WEIR_SMMU_FIELD(WEIR_SMMU_STE_0_CONFIG, value);
}

/* With a table what comes without a PASID uses CD 0, or bypasses. */
static void make_table(const struct weir_smmuv3_stream *stream, unsigned int dss, uint64_t *ste)
{
	ste[0] = config(WEIR_SMMU_STE_CONFIG_S1) | weir_smmuv3_cds_word0(&stream->cds);
	ste[1] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_S1DSS, dss);
}

static void make_paging(const struct weir_smmuv3_stream *stream, struct weir_smmuv3_domain *d,
			uint64_t *ste)
{
	if (d->stage2) {
		ste[0] = config(WEIR_SMMU_STE_CONFIG_S2);
		weir_smmuv3_domain_stage2(d, d->tag, ste);
	} else if (stream->cds.memory.virt) {
		make_table(stream, WEIR_SMMU_STE_S1DSS_SSID0, ste);
	} else {
		ste[0] = config(WEIR_SMMU_STE_CONFIG_S1) |
			 ((uint64_t)d->cd.phys & WEIR_SMMU_STE_0_S1CONTEXTPTR);
	}
}

static void make(const struct weir_smmuv3 *smmu, const struct weir_smmuv3_stream *stream,
		 struct weir_domain *domain, uint64_t *ste)
{
	memset(ste, 0, WEIR_SMMU_STE_SIZE);
	ste[1] = smmu->strtab.word1;
	if (weir_smmuv3_wants_ats(smmu, stream, domain))
		ste[1] |= WEIR_SMMU_FIELD(WEIR_SMMU_STE_1_EATS, WEIR_SMMU_STE_EATS_FULL);
	if (domain->type == WEIR_DOMAIN_NESTED)
		weir_smmuv3_nested_make(domain, ste);
	else if (domain->type == WEIR_DOMAIN_PAGING)
		make_paging(stream, weir_smmuv3_domain_of(domain), ste);
	else if (domain->type == WEIR_DOMAIN_IDENTITY && weir_smmuv3_has_pasids(stream))
		make_table(stream, WEIR_SMMU_STE_S1DSS_BYPASS, ste);
	else if (domain->type == WEIR_DOMAIN_IDENTITY)
		ste[0] = config(WEIR_SMMU_STE_CONFIG_BYPASS);
}

/* The domain whose CD 0 the stream uses in `domain`. */
static struct weir_smmuv3_domain *user_of_cd0(const struct weir_smmuv3_stream *stream,
					      struct weir_domain *domain)
{
	if (!stream->cds.memory.virt || domain->type != WEIR_DOMAIN_PAGING ||
	    weir_smmuv3_domain_of(domain)->stage2)
		return NULL;
	return weir_smmuv3_domain_of(domain);
}

int weir_smmuv3_stream_set_cd0(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream,
			       struct weir_smmuv3_domain *d)
{
	return weir_smmuv3_cd_set(smmu, stream, 0, d, &stream->cd0_unsure);
}

static __attribute__((noinline)) int
update_ste(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream, struct weir_domain *domain)
{
	uint64_t ste[WEIR_SMMU_STE_WORDS];

	make(smmu, stream, domain, ste);
	return change(smmu, stream, ste);
}

int weir_smmuv3_stream_update(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream,
			      struct weir_domain *domain)
{
	struct weir_smmuv3_domain *user = user_of_cd0(stream, domain);
	int ret = 0;

	if (user)
		ret = weir_smmuv3_stream_set_cd0(smmu, stream, user);
	if (ret)
		return ret;
	ret = update_ste(smmu, stream, domain);
	/*
	 * Nothing of another domain is left to substream 0. Where that is not confirmed the command
	 * is still before those that end the domain.
	 */
	if (ret && user)
		(void)weir_smmuv3_stream_set_cd0(smmu, stream, user_of_cd0(stream, stream->domain));
	else if (!user && stream->cds.memory.virt)
		(void)weir_smmuv3_stream_set_cd0(smmu, stream, NULL);
	return ret;
}

/* ---- Which there are ------------------------------------------------------------------------- */

static struct weir_smmuv3_stream **find_link(struct weir_smmuv3 *smmu, uint32_t id)
{
	struct weir_smmuv3_stream **link = &smmu->streams[(id ^ id >> 8) % WEIR_SMMUV3_BUCKETS];

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

struct weir_smmuv3_stream *weir_smmuv3_stream_find(struct weir_smmuv3 *smmu, uint32_t id)
{
	return *find_link(smmu, id);
}

/* Blocked, as it was. Not inlined: for the stack. */
static __attribute__((noinline)) int stream_new(struct weir_smmuv3 *smmu, uint32_t id,
						struct weir_smmuv3_stream **stream)
{
	struct weir_smmuv3_stream **link = find_link(smmu, id);
	int ret = weir_smmuv3_strtab_grow(smmu, id);

	if (ret)
		return ret;
	*link = weir_alloc(smmu->iommu.weir, sizeof(**link), 0);
	if (!*link)
		return -WEIR_ENOMEM;
	(*link)->id = id;
	(*link)->domain = &smmu->blocked;
	*stream = *link;
	return 0;
}

int weir_smmuv3_stream_add(struct weir_iommu *iommu, uint32_t id,
			   const struct weir_stream_caps *caps)
{
	struct weir_smmuv3 *smmu = weir_smmuv3_of(iommu);
	struct weir_smmuv3_stream *stream;
	int ret = weir_smmuv3_check_id(iommu, id);

	if (ret)
		return ret;
	stream = weir_smmuv3_stream_find(smmu, id);
	ret = stream ? 0 : stream_new(smmu, id, &stream);
	if (!ret)
		stream->caps = *caps;
	return ret;
}

static void stream_free(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream **link)
{
	struct weir_smmuv3_stream *stream = *link;

	*link = stream->next;
	weir_smmuv3_pasids_free(smmu, stream);
	weir_smmuv3_cds_fini(smmu, &stream->cds);
	weir_free(smmu->iommu.weir, stream);
}

void weir_smmuv3_stream_remove(struct weir_iommu *iommu, uint32_t id)
{
	struct weir_smmuv3 *smmu = weir_smmuv3_of(iommu);
	struct weir_smmuv3_stream **link = find_link(smmu, id), *stream = *link;

	/* One that could not be blocked for sure keeps what the SMMU may still read. */
	if (stream && stream->domain == &smmu->blocked && !stream->unsure)
		stream_free(smmu, link);
}

void weir_smmuv3_streams_fini(struct weir_smmuv3 *smmu)
{
	unsigned int i;

	for (i = 0; i < WEIR_SMMUV3_BUCKETS; i++) {
		while (smmu->streams[i])
			stream_free(smmu, &smmu->streams[i]);
	}
}

/* ---- Attaching ------------------------------------------------------------------------------- */

/* Can a stream with PASIDs be in it? */
static bool holds_pasids(struct weir_domain *domain)
{
	if (domain->type == WEIR_DOMAIN_PAGING)
		return !weir_smmuv3_domain_of(domain)->stage2;
	return domain->type != WEIR_DOMAIN_NESTED;
}

/* The stream's device TLB in the plan of the domain, and out of it. */
static __attribute__((noinline)) int
add_slot(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream, struct weir_domain *domain)
{
	if (!weir_smmuv3_wants_ats(smmu, stream, domain))
		return 0;
	return weir_smmuv3_plan_add(smmu, weir_smmuv3_domain_of(domain),
				    weir_smmuv3_atc_slot(stream, 0));
}

static void remove_slot(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream,
			struct weir_domain *domain)
{
	if (domain->type == WEIR_DOMAIN_PAGING)
		weir_smmuv3_plan_remove(smmu, weir_smmuv3_domain_of(domain),
					weir_smmuv3_atc_slot(stream, 0));
}

/*
 * The entry is right for `domain`, and so is the device afterwards. false: it does without, which
 * the entry should say. Not inlined: for the stack.
 */
static __attribute__((noinline)) bool
arrive(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream, struct weir_domain *domain)
{
	struct weir_domain *old = stream->domain;
	bool ok = true;

	stream->domain = domain;
	if (weir_smmuv3_wants_ats(smmu, stream, domain))
		ok = weir_smmuv3_ats_go(smmu, stream);
	if (!ok)
		remove_slot(smmu, stream, domain);
	if (old != domain)
		remove_slot(smmu, stream, old);
	return ok;
}

static int move_stream(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream,
		       struct weir_domain *domain)
{
	int ret = stream->domain == domain ? 0 : add_slot(smmu, stream, domain);

	if (ret)
		return ret;
	if (!weir_smmuv3_wants_ats(smmu, stream, domain))
		weir_smmuv3_ats_stop(smmu, stream);
	ret = weir_smmuv3_stream_update(smmu, stream, domain);
	if (!ret || domain->type == WEIR_DOMAIN_BLOCKED) {
		/* Where this fails the entry allows more than anybody does. */
		if (!arrive(smmu, stream, domain))
			(void)weir_smmuv3_stream_update(smmu, stream, domain);
	} else if (stream->domain != domain) {
		remove_slot(smmu, stream, domain);
	}
	return ret;
}

int weir_smmuv3_attach(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain)
{
	struct weir_smmuv3 *smmu = weir_smmuv3_of(iommu);
	struct weir_smmuv3_stream *stream;
	int ret = weir_smmuv3_check_id(iommu, id);

	if (ret)
		return ret;
	if (iommu->weir->mode == WEIR_MODE_OFF)
		return -WEIR_ENODEV;
	/* All is blocked, whatever the entries say (weir_smmuv3_fail()). */
	if (domain->type != WEIR_DOMAIN_BLOCKED &&
	    __atomic_load_n(&smmu->cmdq.is_broken, __ATOMIC_RELAXED))
		return -WEIR_EIO;
	stream = weir_smmuv3_stream_find(smmu, id);
	/* What firmware left in it may not be (takeover.c). */
	if (!stream && domain->type == WEIR_DOMAIN_BLOCKED &&
	    weir_smmuv3_strtab_is_blocked(smmu, id))
		return 0;
	ret = stream ? 0 : stream_new(smmu, id, &stream);
	if (ret)
		return ret;
	if (weir_smmuv3_has_pasids(stream) && !holds_pasids(domain))
		return -WEIR_EBUSY;
	return move_stream(smmu, stream, domain);
}
