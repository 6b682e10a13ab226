/* SPDX-License-Identifier: MIT */
/*
 * The command queue of src/smmuv3/cmdq.c for SPIN. A label in brackets names the step of the C code
 * that it stands at; tests/check-spin compares the two, and runs this.
 *
 * What holds, in every interleaving of every run of these sizes:
 *
 * - The SMMU reads no slot but one that is written wholly, and for this lap; and of one that it
 *   refused, what replaced it.
 * - A slot is written only when the SMMU's reading of what was in it is known to be over.
 * - One publisher at a time, who knows what the last one did. PROD never goes back, and never covers
 *   more than the queue.
 * - consumed <= CONS <= PROD <= published <= taken <= consumed + entries.
 * - Who has waited knows that the SMMU has read its batch.
 * - Every run ends (check-spin asks for cycles, and there is none), with every producer through and
 *   PROD and CONS at `taken`: no batch is forgotten.
 *
 * Memory is weak, in the manner of C11. Four kinds of fact matter (WRITTEN and so on); a set of them
 * is a clock. Each producer has one: what happened before, as far as it knows. A store with release
 * leaves the clock with the value, a load with acquire joins it to its own, a relaxed one does
 * neither; a read-modify-write keeps what others have left. A load of `ready` or `published` by who
 * does not know of the newest value may return the one before it. (A stale `consumed` or `taken` is
 * one that was loaded earlier: the interleavings have it.) Towards the SMMU a slot is in order when
 * its writer said plat_dma_wmb(), or later who knows of that; a register carries what its writer
 * knew at its own last one; what a register says of the SMMU is known behind plat_dma_rmb().
 *
 * -DNO_KIND_LABEL takes out the barrier of a kind (ACQUIRE, RELEASE, WMB, RMB) at a label: each of
 * them makes SPIN find an error. tests/test-smmuv3-cmdq-weak.c does the same to the C code.
 *
 * What test-smmuv3-cmdq-weak says, when the barrier is taken out of the C code:
 *
 *	acquire of seen			does not know that its CMD_SYNC was read
 *	acquire of room			a slot was written before it was read
 *	rmb of cons-order, release of move	the same
 *	wmb of write-order, publish-order	not a whole command
 *	release of ready, acquire of step	not a whole command
 *	acquire of enter, release of leave	two publishers at once
 *	release of enter, acquire of leave	a batch was forgotten
 *	wmb of replace-order		a refused command was not replaced
 *	rmb of repair-order		a refused command was not replaced
 *
 * Smaller than the truth: the sizes below; waiting is blocking until there is something to see, so
 * there are no time-outs; at most one command is refused. A put may be a part of a larger batch:
 * then nobody waits for it. What cannot be told apart by others is one step.
 */

#ifndef ENTRIES
#define ENTRIES 2
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef PUTS /* of each producer */
#define PUTS 2
#endif
#ifndef LARGEST /* commands in a put */
#define LARGEST 2
#endif

#define INDEX (2 * ENTRIES - 1) /* the bits of an index with its wrap bit */
#define AT(number) ((number) & (ENTRIES - 1))

/* Facts: that one about the newest value is known. */
#define WRITTEN(number) (1 << AT(number))		 /* the slot's words, in order for the SMMU */
#define READY(number) (1 << (ENTRIES + AT(number)))	 /* ready[] */
#define EATEN(number) (1 << (2 * ENTRIES + AT(number))) /* the SMMU's reading of the slot */
#define PUBLISHED (1 << (3 * ENTRIES))
#define ALL_EATEN (((1 << ENTRIES) - 1) << (2 * ENTRIES))
#define TOLD_BY_SMMU (((1 << ENTRIES) - 1) | PUBLISHED)

/* Clocks: what each producer knows, and knew at its last plat_dma_wmb(); what is with a value. */
#define KNOWN(producer) clock[producer]
#define FENCED(producer) clock[PRODUCERS + producer]
#define WITH_READY(number) clock[2 * PRODUCERS + AT(number)]
#define WITH_CONSUMED clock[2 * PRODUCERS + ENTRIES]
#define WITH_PUBLISHING clock[2 * PRODUCERS + ENTRIES + 1]
#define WITH_PROD clock[2 * PRODUCERS + ENTRIES + 2]
#define SMMU clock[2 * PRODUCERS + ENTRIES + 3]
#define CLOCKS (2 * PRODUCERS + ENTRIES + 4)
short clock[CLOCKS];

/* struct weir_smmuv3_cmdq, and what a load may return that does not know better. */
byte taken, published, was_published, consumed, ready[ENTRIES], was_ready[ENTRIES];
bit publishing;

/* The SMMU: registers, as numbers. */
byte prod, cons, slot[ENTRIES];
#ifdef REFUSES
bit may_refuse = 1;
#else
bit may_refuse;
#endif
bit is_error, is_repaired;

bit gerror_lock;
byte publishers, begun, through;

/* Something new: nobody knows of it. */
inline renew(fact)
{
	i = 0;
	do
	:: i < CLOCKS -> clock[i] = clock[i] & ~(fact); i++
	:: else -> break
	od;
	i = 0
}

inline know(fact)
{
	KNOWN(me) = KNOWN(me) | (fact)
}

/* The register's index as a number, as in C. */
#define NUMBER_OF(seen, index) ((seen) + (((index) - (seen)) & INDEX))

#define CAN_BE_STALE(fact) (!(KNOWN(me) & (fact)))

inline load_published(value)
{
	if
	:: value = published; know(PUBLISHED)
	:: CAN_BE_STALE(PUBLISHED) -> value = was_published
	fi
}

#define FOLLOWS(next, at) ((next) > (at) && (next) <= (at) + ENTRIES)

/* next_ready() */
inline load_ready(at, next)
{
	/* [step] */
	next = at;
	if
	:: FOLLOWS(ready[AT(at)], at) ->
		next = ready[AT(at)];
		know(READY(at));
#ifndef NO_ACQUIRE_STEP
		know(WITH_READY(at))
#endif
	:: CAN_BE_STALE(READY(at)) && FOLLOWS(was_ready[AT(at)], at) -> next = was_ready[AT(at)]
	:: (CAN_BE_STALE(READY(at)) && !FOLLOWS(was_ready[AT(at)], at)) || !FOLLOWS(ready[AT(at)], at)
	fi
}

inline dma_wmb()
{
	know(pending);
	pending = 0;
	FENCED(me) = KNOWN(me)
}

/* ---- Consumption ----------------------------------------------------------------------------- */

/* weir_smmuv3_cmdq_repair(), by whoever looks for errors. The SMMU stands still. */
inline repair()
{
	/* [repair-seen] */
	seen = consumed;
	atomic {
		/* [repair-cons] */
		at = NUMBER_OF(seen, cons & INDEX);
		assert(at == cons);
		/* [repair-order] */
#ifndef NO_RMB_REPAIR_ORDER
		know(SMMU & TOLD_BY_SMMU);
#endif
		/* [repair-slot] */
		assert(slot[AT(at)] == at && KNOWN(me) & WRITTEN(at));
		/* [repair-there] */
		load_published(next);
		assert(at < next);
		/* [replace] */
		renew(WRITTEN(at));
		pending = pending | WRITTEN(at);
		/* [replace-order] */
#ifndef NO_WMB_REPLACE_ORDER
		dma_wmb();
#endif
		/* The acknowledgement is a write to a register, like PROD. */
		SMMU = SMMU | (FENCED(me) & TOLD_BY_SMMU);
		is_error = 0;
		gerror_lock = 0;
		seen = 0;
		at = 0;
		next = 0
	}
}

/* Look until `target` is consumed. */
inline wait_for(target)
{
	do
	/* [seen] */
	:: atomic {
		consumed >= target || cons > consumed ->
		seen = consumed;
#ifndef NO_ACQUIRE_SEEN
		know(WITH_CONSUMED);
#endif
		if
		:: seen >= target -> seen = 0; break
		:: else
		fi
	   };
		atomic {
			/* [cons] */
			now = NUMBER_OF(seen, cons & INDEX);
			/* [cons-order] */
#ifndef NO_RMB_CONS_ORDER
			i = 0;
			do
			:: i < ENTRIES && slot[i] < cons -> know(EATEN(i)); i++
			:: i < ENTRIES && slot[i] >= cons -> i++
			:: else -> break
			od;
			i = 0;
#endif
			/* [cover] */
			assert(now <= published)
		};
		/* [move] */
		atomic {
			assert(now <= cons);
			if
			:: consumed < now ->
				consumed = now;
#ifndef NO_RELEASE_MOVE
				WITH_CONSUMED = WITH_CONSUMED | KNOWN(me)
#endif
			:: else
			fi;
			seen = 0;
			if
			:: now >= target -> now = 0; break
			:: else -> now = 0
			fi
		}
	:: atomic { is_error && !gerror_lock -> gerror_lock = 1 };
		repair()
	od
}

/* ---- Production ------------------------------------------------------------------------------ */

inline take(n)
{
	do
	/* [taken] */
	:: first = taken;
		do
		/* [room] */
		:: atomic {
			consumed <= first + n && first + n - consumed <= ENTRIES ->
#ifndef NO_ACQUIRE_ROOM
			know(WITH_CONSUMED);
#endif
			skip
		   };
			/* [take] Producers are alike: by name they come in order of their first put. */
			atomic {
				has_begun || begun == me ->
				if
				:: taken == first ->
					taken = first + n;
					begun = begun + 1 - has_begun;
					has_begun = 1;
					goto mine
				:: else -> first = taken
				fi
			}
		:: atomic {
			consumed <= first + n && first + n - consumed > ENTRIES ->
			target = first + n - ENTRIES;
			first = 0
		   };
			wait_for(target);
			break
		/* As unsigned numbers, that is more than the queue holds: take another look. */
		:: consumed > first + n -> break
		od
	od;
mine:	skip
}

inline write_slots(n)
{
	d_step {
		/* [write] */
		at = first;
		do
		:: at < first + n ->
			assert(at < cons + ENTRIES && KNOWN(me) & EATEN(at));
			slot[AT(at)] = at;
			renew(WRITTEN(at) | EATEN(at));
			pending = pending | WRITTEN(at);
			at++
		:: else -> break
		od;
		at = 0;
		/* [write-order] */
#ifndef NO_WMB_WRITE_ORDER
		dma_wmb();
#endif
		/* [ready] */
		was_ready[AT(first)] = ready[AT(first)];
		ready[AT(first)] = first + n;
		renew(READY(first));
		know(READY(first));
		WITH_READY(first) = 0;
#ifndef NO_RELEASE_READY
		WITH_READY(first) = KNOWN(me)
#endif
	}
}

inline publish()
{
	do
	:: atomic {
		/* [enter] */
#ifndef NO_ACQUIRE_ENTER
		know(WITH_PUBLISHING);
#endif
#ifndef NO_RELEASE_ENTER
		WITH_PUBLISHING = WITH_PUBLISHING | KNOWN(me);
#endif
		if
		:: publishing -> break
		:: else
		fi;
		publishing = 1;
		publishers++;
		assert(publishers == 1 && prod == published);
		/* [from] */
		load_published(from);
		at = from
	   };
		do
		:: atomic {
			load_ready(at, next);
			if
			:: next == at -> next = 0; break
			:: else -> at = next; next = 0
			fi
		   }
		od;
		if
		:: at != from ->
			d_step {
				/* [advance] */
				was_published = published;
				published = at;
				/* Who does not know of the last one does not come behind its PROD. */
				assert(KNOWN(me) & PUBLISHED);
				renew(PUBLISHED);
				know(PUBLISHED);
				assert(published <= taken && published > was_published);
				/* [publish-order] */
#ifndef NO_WMB_PUBLISH_ORDER
				dma_wmb()
#endif
			};
			/* [prod] */
			d_step {
				assert(at > prod && at - cons <= ENTRIES);
				prod = at;
				WITH_PROD = FENCED(me) & TOLD_BY_SMMU
			}
		:: else
		fi;
		d_step {
			from = 0;
			at = 0;
			publishers--;
			/* [leave] */
#ifndef NO_ACQUIRE_LEAVE
			know(WITH_PUBLISHING);
#endif
#ifndef NO_RELEASE_LEAVE
			WITH_PUBLISHING = WITH_PUBLISHING | KNOWN(me);
#endif
			publishing = 0
		};
		atomic {
			/* [again] */
			load_published(at);
			load_ready(at, next);
			if
			:: next == at -> at = 0; next = 0; break
			:: else -> at = 0; next = 0
			fi
		}
	od
}

proctype producer(byte me)
{
	byte left = PUTS, n, first, target, from, at, next, seen, now, i;
	short pending;
	bit has_begun;

	do
	:: left ->
		left--;
		n = 1;
		do
		:: n < LARGEST -> n++
		:: break
		od;
		take(n);
		write_slots(n);
		target = first + n;
		publish();
		if
		:: left
		:: wait_for(target);
			atomic {
				assert(cons >= target);
				i = first;
				do
				/* What others have written there since is their affair. */
				:: i < target -> assert(slot[AT(i)] != i || KNOWN(me) & EATEN(i)); i++
				:: else -> break
				od;
				i = 0
			}
		fi;
		atomic { target = 0; first = 0; n = 0 }
	:: else -> break
	od;
	atomic {
		through++;
		assert(through < PRODUCERS || (prod == taken && cons == taken && !publishing))
	}
}

proctype smmu()
{
end:	do
	:: atomic {
		((prod ^ cons) & INDEX) && !is_error ->
		assert(((prod - cons) & INDEX) <= ENTRIES);
		SMMU = SMMU | WITH_PROD;
		assert(slot[AT(cons)] == cons && SMMU & WRITTEN(cons));
	   };
		if
		:: atomic { may_refuse -> may_refuse = 0; is_error = 1 }
		:: cons++
		fi
	od
}

init {
	byte i;

	atomic {
		do
		:: i < CLOCKS -> clock[i] = ALL_EATEN | PUBLISHED; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < ENTRIES -> slot[i] = 255; i++
		:: else -> break
		od;
		i = 0;
		run smmu();
		do
		:: i < PRODUCERS -> run producer(i); i++
		:: else -> break
		od
	}
}
