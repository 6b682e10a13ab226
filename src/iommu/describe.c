/* SPDX-License-Identifier: MIT */

/* One line on a fault: who, where, what, why, and who last held the address. */

#include "iommu/history.h"
#include "iommu/iommu.h"

struct text {
	char *buf;
	size_t size, used;
};

static void add(struct text *text, const char *format, ...) WEIR_PRINTF(2, 3);
static void add(struct text *text, const char *format, ...)
{
	va_list args;
	int length;

	if (text->used >= text->size)
		return;
	va_start(args, format);
	length = weir_vsnprintf(text->buf + text->used, text->size - text->used, format, args);
	va_end(args);
	text->used += length > 0 ? (size_t)length : 0;
}

static const char *reason_text(enum weir_fault_reason reason)
{
	switch (reason) {
	case WEIR_FAULT_TRANSLATION:
		return "nothing is mapped there";
	case WEIR_FAULT_PERMISSION:
		return "what is mapped there does not allow it";
	case WEIR_FAULT_ACCESS_FLAG:
		return "the page's access flag is clear";
	case WEIR_FAULT_ADDRESS_SIZE:
		return "beyond the addresses of its domain";
	case WEIR_FAULT_BAD_STREAM:
		return "its stream is unknown or blocked";
	case WEIR_FAULT_BAD_CONFIG:
		return "the IOMMU refused its configuration";
	case WEIR_FAULT_EXTERNAL:
		return "the IOMMU could not fetch a table";
	case WEIR_FAULT_OTHER:
		break;
	}
	return "for another reason";
}

static const char *outcome_text(enum weir_fault_outcome outcome)
{
	switch (outcome) {
	case WEIR_FAULT_STALLED:
		return "waits";
	case WEIR_FAULT_ANNOUNCED:
		return "announced";
	case WEIR_FAULT_BLOCKED:
		break;
	}
	return "blocked";
}

static const char *access_text(const struct weir_fault *fault)
{
	if (fault->any_direction)
		return fault->has_address ? "access to" : "access";
	if (fault->write)
		return fault->has_address ? "write to" : "write";
	if (fault->instruction)
		return fault->has_address ? "instruction fetch from" : "instruction fetch";
	return fault->has_address ? "read of" : "read";
}

static void add_site(struct text *text, const struct weir_site *site)
{
	const char *file = site->file, *p;

	for (p = site->file; *p; p++) {
		if (*p == '/')
			file = p + 1;
	}
	add(text, "%s:%u %s", file, site->line, site->func);
}

static void add_age(struct text *text, uint64_t ns)
{
	static const char *const unit[] = { "us", "ms", "s" };
	unsigned int i = 0;
	uint64_t tenths;

	if (ns < 1000) {
		add(text, "%u ns ago", (unsigned int)ns);
		return;
	}
	for (tenths = ns / 100; tenths >= 10000 && i < 2; i++)
		tenths /= 1000;
	add(text, "%llu.%u %s ago", (unsigned long long)(tenths / 10), (unsigned int)(tenths % 10),
	    unit[i]);
}

static const char *allowed(const struct weir_history *held)
{
	if (held->device_reads && held->device_writes)
		return "to read and write";
	return held->device_writes ? "to write" : "to read only";
}

static void add_holder(struct text *text, struct weir *weir, const struct weir_history *held,
		       const char *where)
{
	const char *name = held->dev ? held->dev->name : "a device that is gone";
	uint64_t now = plat_time_ns(weir->plat);

	add(text,
	    held->unmapped_at ? "; last held%s by %s, mapped at " : "; held%s by %s, mapped at ",
	    where, name);
	add_site(text, held->mapped_at);
	if (!held->unmapped_at) {
		add(text, " for it %s", allowed(held));
		return;
	}
	add(text, ", unmapped ");
	add_age(text, now > held->unmapped_ns ? now - held->unmapped_ns : 0);
	add(text, " at ");
	add_site(text, held->unmapped_at);
}

/* The device's own domain first; else somebody else's, which is what a stray pointer often is. */
static void add_history(struct text *text, const struct weir_fault *fault)
{
	struct weir *weir = fault->iommu->weir;
	struct weir_domain *own = fault->dev ? weir_group_paging(fault->dev->group) : NULL;
	struct weir_history held;
	bool forgot = false;
	int ret = -WEIR_ENOENT;

	if (!weir->history || !fault->has_address)
		return;
	if (own)
		ret = weir_history_search(weir, own, NULL, fault->address, &held, &forgot);
	if (!ret) {
		add_holder(text, weir, &held, "");
		return;
	}
	add(text, forgot ? "; no mapping of it is remembered" : "; never mapped for it");
	if (!weir_history_search(weir, NULL, own, fault->address, &held, &forgot))
		add_holder(text, weir, &held, " in another domain");
}

/* What an expert asks next: in brackets behind the event's name, each where it is known. */
static void add_details(struct text *text, const struct weir_fault *fault)
{
	if (fault->stage2)
		add(text, ", stage 2");
	if (fault->has_ipa)
		add(text, ", %sIPA 0x%llx", fault->ipa_nonsecure ? "Non-secure " : "",
		    (unsigned long long)fault->ipa);
	if (fault->of == WEIR_FAULT_OF_TABLE)
		add(text, ", for its tables");
	if (fault->of == WEIR_FAULT_OF_CONTEXT)
		add(text, ", for its context");
	if (fault->has_fetch)
		add(text, ", at 0x%llx%s", (unsigned long long)fault->fetch,
		    fault->fetch_gpc ? ", GPC" : "");
	if (fault->outcome == WEIR_FAULT_STALLED)
		add(text, ", tag %u", (unsigned int)fault->stall_tag);
	if (fault->cause)
		add(text, ", cause 0x%x", (unsigned int)fault->cause);
}

void weir_fault_describe(const struct weir_fault *fault, char *buf, size_t size)
{
	struct text text = { .buf = buf, .size = size };

	if (!size)
		return;
	*buf = '\0';
	if (fault->dev)
		add(&text, "%s: ", fault->dev->name);
	else
		add(&text, "%s: stream 0x%x (nobody's): ", fault->iommu->name, fault->id);
	add(&text, "%s%s", fault->privileged ? "privileged " : "", access_text(fault));
	if (fault->has_address)
		add(&text, " 0x%llx", (unsigned long long)fault->address);
	if (fault->has_pasid)
		add(&text, " with PASID %u", (unsigned int)fault->pasid);
	add(&text, " %s: %s", outcome_text(fault->outcome),
	    fault->words ? fault->words : reason_text(fault->reason));
	if (fault->name) {
		add(&text, " (%s", fault->name);
		add_details(&text, fault);
		add(&text, ")");
	}
	add_history(&text, fault);
}
