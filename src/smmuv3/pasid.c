/* SPDX-License-Identifier: MIT */
/*
 * PASIDs: substreams of a stream with domains of their own (5.3, 5.4). Each has a place in the
 * stream's table of context descriptors; what is there changes as entry.h says, and CMD_CFGI_CD
 * makes it effective.
 *
 * While a PASID is attached the stream itself is in a domain of stage 1, or bypasses (S1DSS).
 * Blocking the stream blocks all.
 */

#include "smmuv3/domain.h"

#define LINEAR_BITS 10u

bool weir_smmuv3_has_pasids(const struct weir_smmuv3_stream *stream)
{
	const struct weir_smmuv3_pasid *pasid = stream->pasids;

	while (pasid && !pasid->domain)
		pasid = pasid->next;
	return pasid;
}

/* How many the stream can have, log2; 0: none. */
static unsigned int pasid_bits(const struct weir_smmuv3 *smmu,
			       const struct weir_smmuv3_stream *stream)
{
	unsigned int bits = stream->caps.pasid_bits;

	if (bits > smmu->features.ssid_bits)
		bits = smmu->features.ssid_bits;
	if (bits > LINEAR_BITS && !smmu->features.two_level_cds)
		bits = LINEAR_BITS;
	return bits;
}

static struct weir_smmuv3_pasid *pasid_find(struct weir_smmuv3_stream *stream, uint32_t pasid)
{
	struct weir_smmuv3_pasid *p = stream->pasids;

	while (p && p->pasid != pasid)
		p = p->next;
	return p;
}

static int pasid_get(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream, uint32_t pasid,
		     struct weir_smmuv3_pasid **found)
{
	struct weir_smmuv3_pasid *p = pasid_find(stream, pasid);

	if (!p) {
		p = weir_alloc(smmu->iommu.weir, sizeof(*p), 0);
		if (!p)
			return -WEIR_ENOMEM;
		p->pasid = pasid;
		p->next = stream->pasids;
		stream->pasids = p;
	}
	*found = p;
	return 0;
}

/* Of one that is not attached, unless its CD may still be used. */
static void pasid_put(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream,
		      struct weir_smmuv3_pasid *pasid)
{
	struct weir_smmuv3_pasid **link = &stream->pasids;

	if (pasid->domain || pasid->unsure)
		return;
	while (*link != pasid)
		link = &(*link)->next;
	*link = pasid->next;
	weir_free(smmu->iommu.weir, pasid);
}

void weir_smmuv3_pasids_free(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream)
{
	struct weir_smmuv3_pasid *pasid;

	while ((pasid = stream->pasids)) {
		stream->pasids = pasid->next;
		weir_free(smmu->iommu.weir, pasid);
	}
}

static int check(const struct weir_smmuv3 *smmu, const struct weir_smmuv3_stream *stream,
		 struct weir_domain *domain, uint32_t pasid)
{
	unsigned int bits = pasid_bits(smmu, stream);

	if (!bits)
		return -WEIR_EOPNOTSUPP;
	if (!pasid || pasid >> bits || domain->type != WEIR_DOMAIN_PAGING ||
	    weir_smmuv3_domain_of(domain)->stage2)
		return -WEIR_EINVAL;
	if (stream->domain->type == WEIR_DOMAIN_IDENTITY)
		return 0;
	if (stream->domain->type != WEIR_DOMAIN_PAGING ||
	    weir_smmuv3_domain_of(stream->domain)->stage2)
		return -WEIR_EBUSY;
	return 0;
}

static int make_room(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream, uint32_t pasid)
{
	int ret = 0;

	if (!stream->cds.memory.virt)
		ret = weir_smmuv3_cds_init(smmu, &stream->cds, pasid_bits(smmu, stream));
	return ret ? ret : weir_smmuv3_cds_grow(smmu, &stream->cds, pasid);
}

static int set(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream,
	       struct weir_smmuv3_pasid *pasid, struct weir_smmuv3_domain *d)
{
	return weir_smmuv3_cd_set(smmu, stream, pasid->pasid, d, &pasid->unsure);
}

/* The device TLB, in the plan of the PASID's domain from before until after it is attached. */
static int add_slot(struct weir_smmuv3 *smmu, const struct weir_smmuv3_stream *stream,
		    struct weir_smmuv3_pasid *pasid, struct weir_smmuv3_domain *d)
{
	uint64_t slot = weir_smmuv3_atc_slot(stream, pasid->pasid);
	int ret;

	if (!weir_smmuv3_has_atc(smmu, stream))
		return 0;
	ret = weir_smmuv3_plan_add(smmu, d, slot);
	if (!ret)
		pasid->slot = slot;
	return ret;
}

static void remove_slot(struct weir_smmuv3 *smmu, struct weir_smmuv3_pasid *pasid,
			struct weir_smmuv3_domain *d)
{
	if (pasid->slot)
		weir_smmuv3_plan_remove(smmu, d, pasid->slot);
	pasid->slot = 0;
}

/* The SMMU is told, then the device: what it holds of the PASID goes. */
static int cut(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream,
	       struct weir_smmuv3_pasid *pasid)
{
	struct weir_smmuv3_domain *d = pasid->domain;
	int ret = set(smmu, stream, pasid, NULL);

	pasid->domain = NULL;
	if (pasid->slot && stream->ats_is_on) {
		int atc = weir_smmuv3_atc_drop(smmu, stream, pasid->pasid);

		ret = ret ? ret : atc;
	}
	remove_slot(smmu, pasid, d);
	return ret;
}

/* The first PASID leads the stream's entry to the table. */
static int attach(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream,
		  struct weir_smmuv3_pasid *pasid, struct weir_smmuv3_domain *d)
{
	bool is_first = !weir_smmuv3_has_pasids(stream);
	int ret = add_slot(smmu, stream, pasid, d);

	if (ret)
		return ret;
	ret = set(smmu, stream, pasid, d);
	if (ret) {
		remove_slot(smmu, pasid, d);
		return ret;
	}
	pasid->domain = d;
	if (is_first)
		ret = weir_smmuv3_stream_update(smmu, stream, stream->domain);
	if (ret)
		(void)cut(smmu, stream, pasid);
	return ret;
}

static int detach(struct weir_smmuv3 *smmu, struct weir_smmuv3_stream *stream, uint32_t pasid)
{
	struct weir_smmuv3_pasid *p = pasid_find(stream, pasid);
	int ret;

	if (!p || !p->domain)
		return -WEIR_EINVAL;
	ret = cut(smmu, stream, p);
	if (!ret && !weir_smmuv3_has_pasids(stream))
		ret = weir_smmuv3_stream_update(smmu, stream, stream->domain);
	pasid_put(smmu, stream, p);
	return ret;
}

int weir_smmuv3_attach_pasid(struct weir_iommu *iommu, uint32_t id, struct weir_domain *domain,
			     uint32_t pasid)
{
	struct weir_smmuv3 *smmu = weir_smmuv3_of(iommu);
	struct weir_smmuv3_stream *stream = weir_smmuv3_stream_find(smmu, id);
	struct weir_smmuv3_pasid *p;
	int ret;

	if (!stream)
		return -WEIR_EINVAL;
	if (!domain)
		return detach(smmu, stream, pasid);
	ret = check(smmu, stream, domain, pasid);
	if (!ret)
		ret = make_room(smmu, stream, pasid);
	if (!ret)
		ret = pasid_get(smmu, stream, pasid, &p);
	if (ret)
		return ret;
	if (p->domain)
		return -WEIR_EBUSY;
	ret = attach(smmu, stream, p, weir_smmuv3_domain_of(domain));
	if (ret)
		pasid_put(smmu, stream, p);
	return ret;
}
