/* SPDX-License-Identifier: MIT */
/*
 * The order in which the machine comes up, and what of it is in the device tree: banks of RAM and
 * what of them is taken, CPUs, the command line.
 *
 *   tree, RAM, final page tables; the console (before it: semihosting); the page allocator;
 *   PSCI, CPUs, command line; GIC, ITS (which needs pages), timer; bare_start(), which starts the
 *   other CPUs one after the other
 *
 * All of it is written by the boot CPU before another one runs.
 */

#include <weir/sys.h>

#include "virt.h"

#define PAGE 4096ull
#define MAX_BANKS 32
/* MPIDR_EL1: Aff3, Aff2, Aff1, Aff0. */
#define MPIDR_AFFINITY 0xff00ffffffull
#define START_TIMEOUT_NS 10000000000ull

struct virt virt = { .arguments = "" };

/* Sorted, apart from each other, whole pages. */
static struct bank {
	uint64_t base, end;
} banks[MAX_BANKS];
static unsigned int nr_banks;

/* What start.S knows of these structures. */
_Static_assert(offsetof(struct virt_cpu, index) == 0, "plat_cpu()");
_Static_assert(offsetof(struct virt_cpu, exception_stack) == 16, "CPU_EXCEPTION_STACK");
_Static_assert(offsetof(struct virt_cpu, start_stack) == 24, "CPU_START_STACK");

/* ---- What a program asks ------------------------------------------------------------------- */

const void *bare_device_tree(size_t *size)
{
	*size = virt.fdt_size;
	return virt.fdt.blob;
}

const char *bare_arguments(void)
{
	return virt.arguments;
}

void bare_describe(char *buf, size_t size)
{
	unsigned int cpus = bare_cpus();

	weir_snprintf(buf, size, "aarch64 at EL%d, %u CPU%s, %llu MiB", virt.el2 ? 2 : 1, cpus,
		      cpus == 1 ? "" : "s", (unsigned long long)(bare_memory_size() >> 20));
}

/* ---- What is wrong ------------------------------------------------------------------------- */

void virt_log(enum weir_level level, const char *format, ...)
{
	char line[200];
	va_list args;

	va_start(args, format);
	weir_vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	plat_log(bare_plat(), level, line);
}

_Noreturn void virt_bad_tree(const char *what)
{
	char line[200];

	if (!what) {
		weir_fdt_explain(&virt.fdt, line, sizeof(line));
		what = line;
	}
	bare_panic("device tree: %s", what);
}

/* The index-th `reg` of a node; false: no more of them. */
static bool read_reg(const struct weir_fdt_node *node, uint32_t index, uint64_t *base,
		     uint64_t *size)
{
	int ret = weir_fdt_reg(&virt.fdt, node, index, base, size);

	if (ret == -WEIR_EINVAL)
		virt_bad_tree(NULL);
	return !ret;
}

static bool has_string(const struct weir_fdt_node *node, const char *property, const char *value)
{
	struct weir_fdt_prop prop;

	return weir_fdt_prop(&virt.fdt, node, property, &prop) &&
	       weir_fdt_string_index(&prop, value) >= 0;
}

/* ---- RAM ------------------------------------------------------------------------------------- */

bool virt_ram_bank(unsigned int index, weir_phys_t *base, uint64_t *size)
{
	if (index >= nr_banks)
		return false;
	*base = banks[index].base;
	*size = banks[index].end - banks[index].base;
	return true;
}

static void remove_bank(unsigned int index)
{
	nr_banks--;
	memmove(&banks[index], &banks[index + 1], (nr_banks - index) * sizeof(banks[0]));
}

static void insert_bank(unsigned int index, uint64_t base, uint64_t end)
{
	if (nr_banks == MAX_BANKS)
		virt_bad_tree("RAM in more than 32 pieces");
	memmove(&banks[index + 1], &banks[index], (nr_banks - index) * sizeof(banks[0]));
	banks[index] = (struct bank){ base, end };
	nr_banks++;
}

/* Add [base, end), one with those that it touches. */
static void add_bank(uint64_t base, uint64_t end)
{
	unsigned int i = 0;

	while (i < nr_banks && banks[i].end < base)
		i++;
	while (i < nr_banks && banks[i].base <= end) {
		if (banks[i].base < base)
			base = banks[i].base;
		if (banks[i].end > end)
			end = banks[i].end;
		remove_bank(i);
	}
	insert_bank(i, base, end);
}

/* Take [base, end) out of what add_bank() put in. */
static void cut_banks(uint64_t base, uint64_t end)
{
	for (unsigned int i = 0; i < nr_banks; i++) {
		struct bank bank = banks[i];

		if (bank.end <= base || bank.base >= end)
			continue;
		remove_bank(i);
		if (bank.end > end)
			insert_bank(i, end, bank.end);
		if (bank.base < base)
			insert_bank(i, bank.base, base);
		else
			i--; /* what is here now was not looked at; an end of it is cut off */
	}
}

static void find_bank(uint64_t base, uint64_t size)
{
	uint64_t limit = virt_ram_limit();
	uint64_t end = base + size;

	if (end > limit) {
		virt_log(WEIR_LOG_WARN, "RAM from %#llx on is out of reach: not used",
			 (unsigned long long)(base > limit ? base : limit));
		if (base >= limit)
			return;
		end = limit;
	}
	base = WEIR_ALIGN_UP(base, PAGE);
	end = WEIR_ALIGN_DOWN(end, PAGE);
	if (base < end)
		add_bank(base, end);
}

typedef void range_fn(uint64_t base, uint64_t size);

/* Call fn for the static regions in /reserved-memory that are to be mapped, or for those not to. */
static void for_each_reserved(bool is_mapped, range_fn *fn)
{
	struct weir_fdt_node parent, node;
	uint64_t base, size;

	if (!weir_fdt_by_path(&virt.fdt, "/reserved-memory", &parent))
		return;
	node = parent;
	while (weir_fdt_next(&virt.fdt, &node) && node.depth > parent.depth) {
		if (node.depth != parent.depth + 1 || !weir_fdt_is_enabled(&virt.fdt, &node) ||
		    weir_fdt_has(&virt.fdt, &node, "no-map") == is_mapped)
			continue;
		for (uint32_t i = 0; read_reg(&node, i, &base, &size); i++)
			fn(base, size);
	}
}

static void cut_reserved(uint64_t base, uint64_t size)
{
	uint64_t end = base + size, limit = virt_ram_limit();

	if (size)
		cut_banks(WEIR_ALIGN_DOWN(base, PAGE),
			  end < limit ? WEIR_ALIGN_UP(end, PAGE) : limit);
}

static bool is_in_ram(uint64_t base, uint64_t size)
{
	for (unsigned int i = 0; i < nr_banks; i++) {
		if (base >= banks[i].base && base < banks[i].end && size <= banks[i].end - base)
			return true;
	}
	return false;
}

static uint64_t image_size(void)
{
	return (uintptr_t)virt_image_end - (uintptr_t)virt_image_start;
}

static void find_banks(void)
{
	struct weir_fdt_node node;
	uint64_t base, size;

	weir_fdt_root(&virt.fdt, &node);
	while (weir_fdt_next(&virt.fdt, &node)) {
		if (!has_string(&node, "device_type", "memory") ||
		    !weir_fdt_is_enabled(&virt.fdt, &node))
			continue;
		for (uint32_t i = 0; read_reg(&node, i, &base, &size); i++)
			find_bank(base, size);
	}
	for_each_reserved(false, cut_reserved);
	if (!is_in_ram((uintptr_t)virt_image_start, image_size()) ||
	    !is_in_ram((uintptr_t)virt.fdt.blob, virt.fdt_size))
		virt_bad_tree("the image or the tree itself is not in what it says is RAM");
}

static void reserve(uint64_t base, uint64_t size)
{
	if (size > UINT64_MAX - base)
		virt_bad_tree("a reserved region goes beyond the last address");
	if (size && bare_memory_reserve(base, size))
		virt_bad_tree("too many reserved regions");
}

/* /chosen: linux,initrd-start and -end, of one cell or two. Nothing here uses it. */
static void reserve_initrd(const struct weir_fdt_node *chosen)
{
	struct weir_fdt_prop start, end;
	uint64_t from, to;

	if (!weir_fdt_prop(&virt.fdt, chosen, "linux,initrd-start", &start) ||
	    !weir_fdt_prop(&virt.fdt, chosen, "linux,initrd-end", &end))
		return;
	from = weir_fdt_cells(&start, 0, start.size == 4 ? 1 : 2);
	to = weir_fdt_cells(&end, 0, end.size == 4 ? 1 : 2);
	if (from < to)
		reserve(from, to - from);
}

static void init_memory(void)
{
	struct weir_fdt_node chosen;
	uint64_t base, size;

	for (unsigned int i = 0; i < nr_banks; i++) {
		if (bare_memory_add(banks[i].base, banks[i].end - banks[i].base))
			virt_bad_tree("RAM in too many pieces");
	}
	reserve((uintptr_t)virt_image_start, image_size());
	reserve((uintptr_t)virt.fdt.blob, virt.fdt_size);
	for (uint32_t i = 0;; i++) {
		int ret = weir_fdt_reservation(&virt.fdt, i, &base, &size);

		if (ret == -WEIR_EINVAL)
			virt_bad_tree(NULL);
		if (ret)
			break;
		reserve(base, size);
	}
	for_each_reserved(true, reserve);
	if (weir_fdt_by_path(&virt.fdt, "/chosen", &chosen))
		reserve_initrd(&chosen);
	if (bare_memory_ready())
		bare_panic("the machine has too little RAM: give it 64 MiB or more");
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

/* The affinity of a node below /cpus: a `reg` of one cell or two (there is no size). */
static uint64_t read_mpidr(const struct weir_fdt_node *cpus, const struct weir_fdt_node *node)
{
	struct weir_fdt_prop reg;
	uint32_t cells = 2;

	if (weir_fdt_u32(&virt.fdt, cpus, "#address-cells", &cells) == -WEIR_EINVAL)
		virt_bad_tree(NULL);
	if (!weir_fdt_prop(&virt.fdt, node, "reg", &reg) || cells < 1 || cells > 2 ||
	    reg.size != 4 * cells) {
		weir_fdt_fail(&virt.fdt, node, "reg", "is not the number of a CPU");
		virt_bad_tree(NULL);
	}
	return weir_fdt_cells(&reg, 0, cells) & MPIDR_AFFINITY;
}

static void add_cpu(const struct weir_fdt_node *node, uint64_t mpidr)
{
	struct virt_cpu *cpu = &virt.cpus[virt.nr_cpus];

	for (unsigned int i = 0; i < virt.nr_cpus; i++) {
		if (virt.cpus[i].mpidr == mpidr) {
			weir_fdt_fail(&virt.fdt, node, "reg", "is that of another CPU, too");
			virt_bad_tree(NULL);
		}
	}
	if (!has_string(node, "enable-method", "psci")) {
		virt_log(WEIR_LOG_WARN, "CPU %#llx is not enabled by PSCI: left out",
			 (unsigned long long)mpidr);
		return;
	}
	cpu->index = virt.nr_cpus++;
	cpu->mpidr = mpidr;
}

static void find_cpus(void)
{
	struct weir_fdt_node cpus, node;
	bool has_self = false;
	bool has_psci = virt_psci_init();
	unsigned int left_out = 0;

	virt.cpus[0].mpidr = VIRT_READ(mpidr_el1) & MPIDR_AFFINITY;
	virt.nr_cpus = 1;
	if (!weir_fdt_by_path(&virt.fdt, "/cpus", &cpus))
		virt_bad_tree("it has no /cpus");
	node = cpus;
	while (weir_fdt_next(&virt.fdt, &node) && node.depth > cpus.depth) {
		uint64_t mpidr;

		if (node.depth != cpus.depth + 1 || !has_string(&node, "device_type", "cpu") ||
		    !weir_fdt_is_enabled(&virt.fdt, &node))
			continue;
		mpidr = read_mpidr(&cpus, &node);
		if (mpidr == virt.cpus[0].mpidr && !has_self)
			has_self = true;
		else if (!has_psci || virt.nr_cpus == BARE_MAX_CPUS)
			left_out++;
		else
			add_cpu(&node, mpidr);
	}
	if (!has_self)
		virt_bad_tree("no node in /cpus is of the CPU that booted");
	if (left_out)
		virt_log(WEIR_LOG_WARN, "%u CPUs left out: %s", left_out,
			 has_psci ? "there is room for no more" :
				    "there is no PSCI to start them with");
}

/* DEN 0022, 5.2.2: what an error number is about. */
static const char *psci_words(int error)
{
	static const char *const words[] = {
		[1] = "the firmware cannot start CPUs", [2] = "its number is not a CPU's",
		[3] = "the firmware denies it",		[4] = "it is on already",
		[5] = "it is being started already",	[6] = "the firmware failed",
		[9] = "the image's address is refused",
	};
	unsigned int index = error < 0 ? 0u - (unsigned int)error : 0;

	return index < WEIR_ARRAY_SIZE(words) && words[index] ? words[index] : "unknown error";
}

/* false: it does not come, and will not run even if it comes later. */
static bool await_cpu(struct virt_cpu *cpu)
{
	uint64_t deadline = plat_time_ns(bare_plat()) + START_TIMEOUT_NS;
	uint32_t state = VIRT_CPU_OFF;

	/* Acquire: pairs with the release in virt_secondary_main(). */
	while (__atomic_load_n(&cpu->state, __ATOMIC_ACQUIRE) == VIRT_CPU_OFF) {
		if (plat_time_ns(bare_plat()) < deadline) {
			plat_relax(bare_plat());
			continue;
		}
		return !__atomic_compare_exchange_n(&cpu->state, &state, VIRT_CPU_GIVEN_UP, false,
						    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	}
	return true;
}

/* Its stacks, or none of them. */
static int alloc_stacks(struct virt_cpu *cpu)
{
	cpu->exception_stack = bare_machine_stack_alloc();
	if (!cpu->exception_stack)
		return -WEIR_ENOMEM;
	cpu->start_stack = bare_machine_stack_alloc();
	if (cpu->start_stack)
		return 0;
	bare_machine_stack_free(cpu->exception_stack);
	return -WEIR_ENOMEM;
}

static void free_stacks(struct virt_cpu *cpu)
{
	bare_machine_stack_free(cpu->exception_stack);
	bare_machine_stack_free(cpu->start_stack);
}

int bare_machine_start_cpu(unsigned int index)
{
	struct virt_cpu *cpu = &virt.cpus[index];
	int ret = alloc_stacks(cpu);

	if (ret) {
		virt_log(WEIR_LOG_ERR, "CPU %u: no memory for its stacks", index);
		return ret;
	}
	/* All of the machine is written before the firmware lets the CPU look at it. */
	__asm__ volatile("dsb ish" : : : "memory");
	ret = virt_psci_cpu_on(cpu->mpidr, (uintptr_t)virt_secondary_start, (uintptr_t)cpu);
	if (ret) {
		virt_log(WEIR_LOG_ERR, "CPU %u does not start: %s (PSCI %d)", index,
			 psci_words(ret), ret);
		free_stacks(cpu);
		return -WEIR_EIO;
	}
	if (!await_cpu(cpu)) { /* its stacks stay: it may be about to use them */
		virt_log(WEIR_LOG_ERR, "CPU %u was started and does not come up", index);
		return -WEIR_ETIMEDOUT;
	}
	return 0;
}

_Noreturn void virt_secondary_main(void)
{
	struct virt_cpu *cpu = virt_cpu();
	uint32_t state = VIRT_CPU_OFF;

	virt_gic_cpu_init();
	virt_its_cpu_init();
	virt_time_cpu_init();
	/* Release: pairs with await_cpu(); this CPU's interrupts can be used. */
	if (__atomic_compare_exchange_n(&cpu->state, &state, VIRT_CPU_UP, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		bare_cpu_enter();
	for (;;)
		__asm__ volatile("wfi"); /* given up: nothing is to be done here, ever */
}

/* ---- Threads --------------------------------------------------------------------------------- */

/* The words are in the order of bare_machine_switch(): x19 to x30, sp. */
void bare_machine_context_init(struct bare_context *context, void *stack_top, void (*entry)(void))
{
	*context = (struct bare_context){ 0 };
	context->words[0] = (uintptr_t)entry;
	context->words[11] = (uintptr_t)virt_thread_begin;
	context->words[12] = WEIR_ALIGN_DOWN((uintptr_t)stack_top, 16);
}

/* ---- Bring-up -------------------------------------------------------------------------------- */

static void read_arguments(void)
{
	struct weir_fdt_node chosen;
	struct weir_fdt_prop prop;

	if (!weir_fdt_by_path(&virt.fdt, "/chosen", &chosen) ||
	    !weir_fdt_prop(&virt.fdt, &chosen, "bootargs", &prop) || !prop.size)
		return;
	if (prop.data[prop.size - 1])
		virt_bad_tree("/chosen: bootargs: has no end");
	virt.arguments = (const char *)prop.data;
}

_Noreturn void virt_main(const void *fdt)
{
	VIRT_WRITE(tpidr_el0, &virt.cpus[0]);
	virt.el2 = VIRT_READ(CurrentEL) == 2 << 2;
	virt.cpus[0].exception_stack = virt_boot_exception_top;
	virt.cpus[0].state = VIRT_CPU_UP;

	virt.fdt_size = weir_fdt_size(fdt); /* start.S saw the header, and that it is not large */
	if (weir_fdt_open(fdt, virt.fdt_size, &virt.fdt))
		virt_bad_tree(NULL);
	find_banks();
	virt_vm_init();
	virt_console_init();
	init_memory();
	find_cpus();
	read_arguments();
	virt_time_init();
	virt_gic_init();
	virt_gic_cpu_init();
	virt_its_init();
	virt_its_cpu_init();
	virt_time_cpu_init();
	bare_start(virt.nr_cpus);
}
