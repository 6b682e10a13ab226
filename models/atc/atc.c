/* SPDX-License-Identifier: MIT */

/*
 * A PCIe function with an address translation cache: ATS, PRI, PASID.
 *
 * An access is a `use` from before its look into the cache until its data has arrived. An
 * invalidation that arrives meanwhile is answered after it; and what a use asked the SMMU for is
 * not cached if an invalidation arrived since it began. So no access goes by a translation whose
 * invalidation was answered before.
 *
 * Locking: `lock` covers everything; it is not held around calls of the SMMU, the memory or done().
 */

#include <weir/model/atc.h>

#include <weir/hw/smmuv3.h>

#include <pthread.h>
#include <stdlib.h>

#define ENTRIES 64u
#define PENDING 64u /* invalidations: as many as an SMMU has itags at a time */
#define GROUPS 32u  /* page request groups, of one page each */
/* A page that was made present may be gone again when it is asked for. */
#define TRIES 8u

struct entry {
	bool valid, has_substream;
	uint8_t size, ats;
	uint32_t substream;
	uint64_t addr, phys;
};

struct use {
	struct use *next, **link;
	uint64_t serial;
};

struct pending {
	unsigned int itag;
	uint64_t serial; /* uses up to this one come first */
};

struct group {
	struct weir_model_atc_job *job; /* NULL: free */
	unsigned int tries;
	bool answered;
	unsigned int code;
};

struct weir_model_atc {
	struct weir_model_atc_config config;
	struct weir_model_stepper stepper;
	pthread_mutex_t lock;
	struct entry entries[ENTRIES];
	unsigned int next_entry;
	struct use *uses;
	uint64_t serial;  /* of the last use */
	uint64_t dropped; /* the last use that an invalidation came after */
	struct pending pending[PENDING];
	unsigned int pendings;
	struct group groups[GROUPS];
	struct weir_model_atc_stats stats;
};

/* ---- The cache --------------------------------------------------------------------------- */

static bool permits(uint8_t ats, uint16_t flags)
{
	if (flags & WEIR_MODEL_TXN_WRITE)
		return ats & WEIR_MODEL_ATS_WRITE;
	if (flags & WEIR_MODEL_TXN_INSTRUCTION)
		return ats & WEIR_MODEL_ATS_EXECUTE;
	return ats & WEIR_MODEL_ATS_READ;
}

static uint64_t offset_mask(uint8_t size)
{
	return size < 64 ? ((uint64_t)1 << size) - 1 : ~(uint64_t)0;
}

/* Permissions are one privilege's (PCIe 10.2.3.2). */
static bool serves(const struct entry *entry, const struct weir_model_atc_job *job)
{
	bool substream = job->flags & WEIR_MODEL_TXN_SUBSTREAM;
	bool privileged = substream && (job->flags & WEIR_MODEL_TXN_PRIVILEGED);

	return entry->valid && entry->has_substream == substream &&
	       (!substream || entry->substream == job->substream) &&
	       privileged == !!(entry->ats & WEIR_MODEL_ATS_PRIVILEGED) &&
	       !((entry->addr ^ job->addr) & ~offset_mask(entry->size)) &&
	       permits(entry->ats, job->flags);
}

static bool find(struct weir_model_atc *atc, const struct weir_model_atc_job *job, uint64_t *phys)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		const struct entry *entry = &atc->entries[i];

		if (!serves(entry, job))
			continue;
		*phys = entry->phys | (job->addr & offset_mask(entry->size));
		atc->stats.hits++;
		return true;
	}
	return false;
}

static void keep(struct weir_model_atc *atc, const struct use *use,
		 const struct weir_model_atc_job *job,
		 const struct weir_model_translation *translation)
{
	pthread_mutex_lock(&atc->lock);
	if (use->serial > atc->dropped)
		atc->entries[atc->next_entry++ % ENTRIES] = (struct entry){
			.valid = true,
			.has_substream = job->flags & WEIR_MODEL_TXN_SUBSTREAM,
			.size = translation->size,
			.ats = translation->ats,
			.substream = job->substream,
			.addr = job->addr & ~offset_mask(translation->size),
			.phys = translation->addr,
		};
	pthread_mutex_unlock(&atc->lock);
}

/* ---- Invalidations ----------------------------------------------------------------------- */

static bool in_use(const struct weir_model_atc *atc, uint64_t serial)
{
	for (const struct use *use = atc->uses; use; use = use->next)
		if (use->serial <= serial)
			return true;
	return false;
}

/* `lock` is held; the place of the one taken is filled with the last. */
static bool take_answer(struct weir_model_atc *atc, bool stepping, unsigned int *itag)
{
	if (atc->config.manners == WEIR_MODEL_ATC_MUTE ||
	    (atc->config.manners == WEIR_MODEL_ATC_LAZY && !stepping))
		return false;
	for (unsigned int i = 0; i < atc->pendings; i++) {
		if (in_use(atc, atc->pending[i].serial))
			continue;
		*itag = atc->pending[i].itag;
		atc->pending[i] = atc->pending[--atc->pendings];
		atc->stats.answered++;
		return true;
	}
	return false;
}

static unsigned int answer(struct weir_model_atc *atc, bool stepping, unsigned int budget)
{
	unsigned int done = 0, itag;

	while (done < budget) {
		bool found;

		pthread_mutex_lock(&atc->lock);
		found = take_answer(atc, stepping, &itag);
		pthread_mutex_unlock(&atc->lock);
		if (!found)
			break;
		weir_model_smmuv3_invalidated(atc->config.smmu, itag, WEIR_MODEL_OK);
		done++;
	}
	return done;
}

unsigned int weir_model_atc_time_out(struct weir_model_atc *atc)
{
	struct pending pending[PENDING];
	unsigned int pendings;

	pthread_mutex_lock(&atc->lock);
	pendings = atc->pendings;
	for (unsigned int i = 0; i < pendings; i++)
		pending[i] = atc->pending[i];
	atc->pendings = 0;
	pthread_mutex_unlock(&atc->lock);
	for (unsigned int i = 0; i < pendings; i++)
		weir_model_smmuv3_invalidated(atc->config.smmu, pending[i].itag, WEIR_MODEL_ABORT);
	return pendings;
}

struct range {
	bool has_substream, global;
	uint32_t substream;
	uint64_t addr;
	uint8_t size;
};

/* Without a PASID, what was asked for with one is dropped as well (PCIe 10.3.8). */
static bool drops(const struct range *range, const struct entry *entry)
{
	uint8_t size = range->size > entry->size ? range->size : entry->size;

	if (range->has_substream &&
	    (!entry->has_substream || (!range->global && entry->substream != range->substream)))
		return false;
	return !((range->addr ^ entry->addr) & ~offset_mask(size));
}

/* False: refused. */
static bool drop(struct weir_model_atc *atc, const struct range *range, unsigned int itag)
{
	bool taken;

	pthread_mutex_lock(&atc->lock);
	atc->stats.invalidations++;
	taken = atc->config.manners != WEIR_MODEL_ATC_REFUSING && atc->pendings < PENDING;
	if (taken) {
		for (unsigned int i = 0; i < ENTRIES; i++)
			if (drops(range, &atc->entries[i]))
				atc->entries[i].valid = false;
		atc->dropped = atc->serial;
		atc->pending[atc->pendings++] = (struct pending){ itag, atc->serial };
	}
	pthread_mutex_unlock(&atc->lock);
	return taken;
}

static void invalidate(void *opaque, uint32_t stream, bool has_substream, uint32_t substream,
		       bool global, uint64_t addr, unsigned int size, unsigned int itag)
{
	struct weir_model_atc *atc = opaque;
	struct range range = { has_substream, global, substream, addr, (uint8_t)size };

	if (stream != atc->config.stream || !drop(atc, &range, itag)) {
		weir_model_smmuv3_invalidated(atc->config.smmu, itag, WEIR_MODEL_BLOCKED);
		return;
	}
	answer(atc, false, PENDING);
	weir_model_kick(&atc->stepper);
}

/* ---- Accesses ---------------------------------------------------------------------------- */

static void begin_use(struct weir_model_atc *atc, struct use *use)
{
	use->serial = ++atc->serial;
	use->next = atc->uses;
	use->link = &atc->uses;
	if (use->next)
		use->next->link = &use->next;
	atc->uses = use;
}

/* A step() that came meanwhile may have had to leave an answer. */
static void end_use(struct weir_model_atc *atc, struct use *use)
{
	bool lazy;

	pthread_mutex_lock(&atc->lock);
	*use->link = use->next;
	if (use->next)
		use->next->link = use->link;
	lazy = atc->config.manners == WEIR_MODEL_ATC_LAZY && atc->pendings;
	pthread_mutex_unlock(&atc->lock);
	answer(atc, false, PENDING);
	if (lazy)
		weir_model_kick(&atc->stepper);
}

static void count(struct weir_model_atc *atc, uint64_t *counter)
{
	pthread_mutex_lock(&atc->lock);
	++*counter;
	pthread_mutex_unlock(&atc->lock);
}

static enum weir_model_result transfer(struct weir_model_atc *atc,
				       const struct weir_model_atc_job *job, uint64_t phys)
{
	bool write = job->flags & WEIR_MODEL_TXN_WRITE;
	struct weir_model_txn txn = {
		.addr = phys,
		.stream = atc->config.stream,
		.len = job->len,
		.flags =
			(uint16_t)(WEIR_MODEL_TXN_TRANSLATED | (job->flags & WEIR_MODEL_TXN_WRITE)),
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct weir_model_translation translation = { 0 };
	enum weir_model_result result;

	result = weir_model_smmuv3_translate(atc->config.smmu, &txn, &translation);
	if (result != WEIR_MODEL_OK) {
		count(atc, &atc->stats.forbidden);
		return WEIR_MODEL_BLOCKED;
	}
	result =
		atc->config.memory(atc->config.opaque, translation.addr, job->buf, job->len, write);
	weir_model_smmuv3_complete(atc->config.smmu, &translation);
	return result;
}

/* OK; STALLED: the page is not there, or not for this; BLOCKED: no ATS for this device. */
static enum weir_model_result ask(struct weir_model_atc *atc, const struct use *use,
				  const struct weir_model_atc_job *job, uint64_t *phys)
{
	struct weir_model_txn txn = {
		.addr = job->addr,
		.stream = atc->config.stream,
		.substream = job->substream,
		.len = job->len,
		.flags = job->flags | WEIR_MODEL_TXN_ATS_REQUEST,
		.attributes = WEIR_MODEL_ATTR_PCIE,
	};
	struct weir_model_translation translation = { 0 };

	count(atc, &atc->stats.requests);
	if (weir_model_smmuv3_translate(atc->config.smmu, &txn, &translation) != WEIR_MODEL_OK) {
		count(atc, &atc->stats.refused);
		return WEIR_MODEL_BLOCKED;
	}
	if (!permits(translation.ats, job->flags))
		return WEIR_MODEL_STALLED;
	keep(atc, use, job, &translation);
	*phys = translation.addr | (job->addr & offset_mask(translation.size));
	return WEIR_MODEL_OK;
}

static enum weir_model_result attempt(struct weir_model_atc *atc,
				      const struct weir_model_atc_job *job)
{
	enum weir_model_result result = WEIR_MODEL_OK;
	struct use use;
	uint64_t phys;
	bool hit;

	pthread_mutex_lock(&atc->lock);
	begin_use(atc, &use);
	hit = find(atc, job, &phys);
	pthread_mutex_unlock(&atc->lock);
	if (!hit)
		result = ask(atc, &use, job, &phys);
	if (result == WEIR_MODEL_OK)
		result = transfer(atc, job, phys);
	end_use(atc, &use);
	return result;
}

/* ---- Page requests ----------------------------------------------------------------------- */

static int take_group(struct weir_model_atc *atc, struct weir_model_atc_job *job,
		      unsigned int tries)
{
	int found = -1;

	pthread_mutex_lock(&atc->lock);
	for (unsigned int i = 0; i < GROUPS && found < 0 && tries < TRIES && atc->config.pri; i++) {
		if (atc->groups[i].job)
			continue;
		atc->groups[i] = (struct group){ .job = job, .tries = tries + 1 };
		atc->stats.page_requests++;
		found = (int)i;
	}
	pthread_mutex_unlock(&atc->lock);
	return found;
}

/* The job is step()'s when this returns STALLED: nothing of it is touched any more. */
static enum weir_model_result try_or_wait(struct weir_model_atc *atc,
					  struct weir_model_atc_job *job, unsigned int tries)
{
	enum weir_model_result result = attempt(atc, job);
	bool substream = job->flags & WEIR_MODEL_TXN_SUBSTREAM;
	struct weir_model_smmuv3_page_request request = {
		.addr = job->addr & ~offset_mask(12),
		.stream = atc->config.stream,
		.substream = job->substream,
		.has_substream = substream,
		.read = true,
		.write = job->flags & WEIR_MODEL_TXN_WRITE,
		.execute = substream && (job->flags & WEIR_MODEL_TXN_INSTRUCTION),
		.privileged = substream && (job->flags & WEIR_MODEL_TXN_PRIVILEGED),
		.last = true,
	};
	int group;

	if (result != WEIR_MODEL_STALLED)
		return job->result = result;
	job->result = WEIR_MODEL_STALLED;
	group = take_group(atc, job, tries);
	if (group < 0)
		return job->result = WEIR_MODEL_BLOCKED;
	request.group = (uint16_t)group;
	weir_model_smmuv3_page_request(atc->config.smmu, &request);
	return WEIR_MODEL_STALLED;
}

enum weir_model_result weir_model_atc_start(struct weir_model_atc *atc,
					    struct weir_model_atc_job *job)
{
	return try_or_wait(atc, job, 0);
}

enum weir_model_result weir_model_atc_access(struct weir_model_atc *atc, uint16_t flags,
					     uint32_t substream, uint64_t addr, void *buf,
					     uint32_t len)
{
	struct weir_model_atc_job job = {
		.addr = addr,
		.buf = buf,
		.len = len,
		.substream = substream,
		.flags = flags,
	};
	enum weir_model_result result = attempt(atc, &job);

	return result == WEIR_MODEL_STALLED ? WEIR_MODEL_BLOCKED : result;
}

/* With or without its PASID, as the device was told to expect (PRG Response PASID Required). */
static bool expected(const struct group *group, bool has_substream, uint32_t substream)
{
	return group->job && !group->answered &&
	       (!has_substream || ((group->job->flags & WEIR_MODEL_TXN_SUBSTREAM) &&
				   group->job->substream == substream));
}

static void page_response(void *opaque, uint32_t stream, bool has_substream, uint32_t substream,
			  uint16_t group, unsigned int code)
{
	struct weir_model_atc *atc = opaque;

	pthread_mutex_lock(&atc->lock);
	if (stream == atc->config.stream && group < GROUPS &&
	    expected(&atc->groups[group], has_substream, substream)) {
		atc->groups[group].answered = true;
		atc->groups[group].code = code;
		atc->stats.responses++;
	} else {
		atc->stats.unexpected++;
	}
	pthread_mutex_unlock(&atc->lock);
	weir_model_kick(&atc->stepper);
}

const struct weir_model_smmuv3_client_ops weir_model_atc_client_ops = {
	.invalidate = invalidate,
	.page_response = page_response,
};

static bool take_answered(struct weir_model_atc *atc, struct group *group)
{
	bool found = false;

	pthread_mutex_lock(&atc->lock);
	for (unsigned int i = 0; i < GROUPS && !found; i++) {
		found = atc->groups[i].job && atc->groups[i].answered;
		if (!found)
			continue;
		*group = atc->groups[i];
		atc->groups[i].job = NULL;
	}
	pthread_mutex_unlock(&atc->lock);
	return found;
}

static unsigned int step(struct weir_model_stepper *stepper, unsigned int budget)
{
	struct weir_model_atc *atc = WEIR_CONTAINER_OF(stepper, struct weir_model_atc, stepper);
	unsigned int done = answer(atc, true, budget);
	struct group group;

	for (; done < budget && take_answered(atc, &group); done++) {
		struct weir_model_atc_job *job = group.job;

		if (group.code == WEIR_SMMU_CMD_PRI_RESP_SUCCESS)
			try_or_wait(atc, job, group.tries);
		else
			job->result = WEIR_MODEL_BLOCKED;
		if (job->result != WEIR_MODEL_STALLED && job->done)
			job->done(job);
	}
	return done;
}

/* ---- Creation ---------------------------------------------------------------------------- */

int weir_model_atc_create(const struct weir_model_atc_config *config, struct weir_model_atc **atc)
{
	struct weir_model_atc *new = calloc(1, sizeof(*new));

	if (!new || pthread_mutex_init(&new->lock, NULL)) {
		free(new);
		return -WEIR_ENOMEM;
	}
	new->config = *config;
	new->stepper.name = "atc";
	new->stepper.step = step;
	*atc = new;
	return 0;
}

void weir_model_atc_destroy(struct weir_model_atc *atc)
{
	if (!atc)
		return;
	pthread_mutex_destroy(&atc->lock);
	free(atc);
}

struct weir_model_stepper *weir_model_atc_stepper(struct weir_model_atc *atc)
{
	return &atc->stepper;
}

void weir_model_atc_get_stats(struct weir_model_atc *atc, struct weir_model_atc_stats *stats)
{
	pthread_mutex_lock(&atc->lock);
	*stats = atc->stats;
	pthread_mutex_unlock(&atc->lock);
}
