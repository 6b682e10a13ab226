/* SPDX-License-Identifier: MIT */

/*
 * Limits on lines about faults. A device that faults without end must neither fill the log nor keep
 * others out of it; and that it did must not be lost: what was not told one by one is summed up,
 * for each stream, when its second is over.
 *
 * A stream has a place here from its first fault on, until a second went by without one. In a
 * second it gets so many lines, all together so many more; its first line it always gets. Streams
 * that find no place share one.
 *
 * Locking: `lock` (IRQ-safe) protects all; lines are written without it. Names are copied: a device
 * may be gone when its sum is told.
 */

#include "iommu/iommu.h"

#include "base/lock.h"

#define STREAMS 16u
#define LINES 10u     /* of a stream in a second */
#define ALL_LINES 40u /* of all, but for first ones */
#define WINDOW_NS 1000000000ull

struct storm {
	const struct weir_iommu *iommu; /* NULL: free */
	uint32_t id;
	uint64_t since; /* when its second began */
	unsigned int lines;
	uint64_t hidden;
	char name[48];
};

struct weir_storms {
	struct weir *weir;
	struct weir_timer timer;
	struct weir_spinlock lock;
	bool armed, ever_armed;
	uint64_t since; /* of `lines` */
	unsigned int lines;
	struct storm streams[STREAMS + 1]; /* the last one is shared */
};

static bool is_over(uint64_t since, uint64_t now)
{
	return now - since >= WINDOW_NS;
}

/* A second that is over and has nothing to tell leaves its place to another stream. */
static struct storm *find(struct weir_storms *storms, const struct weir_fault *fault, uint64_t now)
{
	struct storm *storm, *place = &storms->streams[STREAMS];
	unsigned int i;

	for (i = 0; i < STREAMS; i++) {
		storm = &storms->streams[i];
		if (storm->iommu == fault->iommu && storm->id == fault->id)
			return storm;
		if (!storm->iommu || (is_over(storm->since, now) && !storm->hidden))
			place = storm;
	}
	if (place == &storms->streams[STREAMS])
		return place;
	*place = (struct storm){ .iommu = fault->iommu, .id = fault->id, .since = now };
	return place;
}

static void set_name(struct weir_storms *storms, struct storm *storm,
		     const struct weir_fault *fault)
{
	if (storm == &storms->streams[STREAMS])
		weir_snprintf(storm->name, sizeof(storm->name), "other streams");
	else if (fault->dev)
		weir_snprintf(storm->name, sizeof(storm->name), "%s", fault->dev->name);
	else
		weir_snprintf(storm->name, sizeof(storm->name), "%s: stream 0x%x",
			      fault->iommu->name, (unsigned int)fault->id);
}

static bool pass_locked(struct weir_storms *storms, const struct weir_fault *fault, uint64_t now)
{
	struct storm *storm = find(storms, fault, now);

	if (is_over(storms->since, now)) {
		storms->since = now;
		storms->lines = 0;
	}
	/* What it hides from now on is told with what it hid before, if that was not yet. */
	if (is_over(storm->since, now)) {
		storm->since = now;
		storm->lines = 0;
	}
	if (!storm->lines || (storm->lines < LINES && storms->lines < ALL_LINES)) {
		storm->lines++;
		storms->lines++;
		return true;
	}
	if (!storm->hidden++)
		set_name(storms, storm, fault);
	return false;
}

bool weir_storms_pass(struct weir_storms *storms, const struct weir_fault *fault)
{
	uint64_t now = plat_time_ns(storms->weir->plat);
	uintptr_t flags = weir_lock_irq(&storms->lock);
	bool pass = pass_locked(storms, fault, now), arm = !pass && !storms->armed;

	storms->armed |= arm;
	storms->ever_armed |= arm;
	weir_unlock_irq(&storms->lock, flags);
	if (arm)
		plat_timer_arm(storms->weir->plat, &storms->timer, now + WINDOW_NS);
	return pass;
}

static void tell(struct weir_storms *storms, struct storm *storm)
{
	uintptr_t flags = weir_lock_irq(&storms->lock);
	struct storm told = *storm;

	storm->hidden = 0;
	weir_unlock_irq(&storms->lock, flags);
	if (told.hidden)
		weir_log(storms->weir, WEIR_LOG_ERR,
			 "%s: %llu more blocked accesses were not told one by one", told.name,
			 (unsigned long long)told.hidden);
}

/* A second after the first that was hidden: of each stream, all that was since. */
static void on_timer(struct weir_timer *timer)
{
	struct weir_storms *storms = WEIR_CONTAINER_OF(timer, struct weir_storms, timer);
	uintptr_t flags = weir_lock_irq(&storms->lock);
	unsigned int i;

	/* What is hidden from now on arms it again. */
	storms->armed = false;
	weir_unlock_irq(&storms->lock, flags);
	for (i = 0; i <= STREAMS; i++)
		tell(storms, &storms->streams[i]);
}

int weir_storms_init(struct weir *weir)
{
	struct weir_storms *storms = weir_alloc(weir, sizeof(*storms), 0);

	if (!storms)
		return -WEIR_ENOMEM;
	storms->weir = weir;
	storms->timer.fn = on_timer;
	weir->storms = storms;
	return 0;
}

void weir_storms_fini(struct weir *weir)
{
	struct weir_storms *storms = weir->storms;

	if (!storms)
		return;
	if (storms->ever_armed)
		(void)plat_timer_cancel(weir->plat, &storms->timer);
	on_timer(&storms->timer);
	weir->storms = NULL;
	weir_free(weir, storms);
}
