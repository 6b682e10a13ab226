/* SPDX-License-Identifier: MIT */
/*
 * PSCI (DEN 0022): other CPUs on, the machine off. The device tree says by which instruction the
 * firmware is called, and, before version 0.2, by which numbers.
 */

#include "virt.h"

/* DEN 0022, identifiers of functions; the 64-bit one where an argument is an address. */
#define PSCI_CPU_ON 0xc4000003u
#define PSCI_SYSTEM_OFF 0x84000008u

static struct {
	enum { CONDUIT_NONE, CONDUIT_HVC, CONDUIT_SMC } conduit;
	uint32_t cpu_on, system_off; /* 0: there is none */
} psci;

/* Version 1.0 of the calling convention (DEN 0028): x4 to x17 may come back changed. */
#define PSCI_CALL(instruction)                                                                     \
	__asm__ volatile(instruction " #0"                                                         \
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)                                  \
			 :                                                                         \
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",  \
			   "x15", "x16", "x17", "memory")

static int call(uint32_t function, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = arg1;
	register uint64_t x2 __asm__("x2") = arg2;
	register uint64_t x3 __asm__("x3") = arg3;

	if (psci.conduit == CONDUIT_HVC)
		PSCI_CALL("hvc");
	else
		PSCI_CALL("smc");
	return (int)(int32_t)x0;
}

static bool find_node(struct weir_fdt_node *node, bool *has_numbers)
{
	static const char *const versions[] = { "arm,psci-1.0", "arm,psci-0.2", "arm,psci" };

	for (unsigned int i = 0; i < WEIR_ARRAY_SIZE(versions); i++) {
		weir_fdt_root(&virt.fdt, node);
		while (weir_fdt_next_compatible(&virt.fdt, node, versions[i])) {
			*has_numbers = i == 2;
			if (weir_fdt_is_enabled(&virt.fdt, node))
				return true;
		}
	}
	return false;
}

static void read_method(const struct weir_fdt_node *node)
{
	struct weir_fdt_prop method = { 0 };

	weir_fdt_prop(&virt.fdt, node, "method", &method);
	if (weir_fdt_string_index(&method, "smc") == 0)
		psci.conduit = CONDUIT_SMC;
	else if (weir_fdt_string_index(&method, "hvc") != 0)
		virt_log(WEIR_LOG_WARN, "PSCI: its method is neither hvc nor smc: not used");
	else if (virt.el2) /* HVC at EL2 is taken to EL2: the image would call itself */
		virt_log(WEIR_LOG_WARN, "PSCI: its method is hvc, which cannot be used at EL2");
	else
		psci.conduit = CONDUIT_HVC;
}

bool virt_psci_init(void)
{
	struct weir_fdt_node node;
	bool has_numbers;

	if (!find_node(&node, &has_numbers))
		return false;
	read_method(&node);
	psci.cpu_on = PSCI_CPU_ON;
	psci.system_off = PSCI_SYSTEM_OFF;
	if (has_numbers) {
		psci.cpu_on = psci.system_off = 0;
		if (weir_fdt_u32(&virt.fdt, &node, "cpu_on", &psci.cpu_on) == -WEIR_EINVAL)
			virt_bad_tree(NULL);
	}
	return psci.conduit && psci.cpu_on;
}

int virt_psci_cpu_on(uint64_t mpidr, uint64_t entry, uint64_t argument)
{
	return call(psci.cpu_on, mpidr, entry, argument);
}

void virt_psci_off(void)
{
	if (psci.conduit && psci.system_off)
		call(psci.system_off, 0, 0, 0);
}
