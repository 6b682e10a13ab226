/* SPDX-License-Identifier: MIT */
/*
 * Text out, and the end of the machine. The console is the PL011 (DDI 0183) that the device tree
 * names, polled; until it is found, and where there is none, it is Arm's semihosting, which an
 * emulator or a debugger serves. Without a server its HLT is an undefined instruction, which
 * virt_exception() skips.
 *
 * `uart` is written at bring-up, and when it is lost. bare_machine_write() has no lock: its callers
 * are serialised, and a panic must not wait for one.
 */

#include <weir/sys.h>

#include "virt.h"

/* DDI 0183, 3.2 "Summary of registers". */
#define UART_DR 0x00
#define UART_FR 0x18
#define UART_FR_BUSY (1u << 3)
#define UART_FR_TXFF (1u << 5)
#define UART_LCR_H 0x2c
#define UART_LCR_H_8_FIFO (7u << 4)
#define UART_CR 0x30
#define UART_CR_UARTEN (1u << 0)
#define UART_CR_TXE (1u << 8)
#define UART_IMSC 0x38

/* "Semihosting for AArch32 and AArch64", "Semihosting operations". */
#define SYS_WRITE0 0x04
#define SYS_EXIT 0x18
#define ADP_STOPPED_APPLICATION_EXIT 0x20026

static volatile char *uart;

static long semihost(long operation, const void *argument)
{
	register long x0 __asm__("x0") = operation;
	register const void *x1 __asm__("x1") = argument;

	__asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
	return x0;
}

/* SYS_WRITE0 takes a string; one call for many characters, since each stops the machine. */
static void semihost_write(const char *text, size_t size)
{
	char part[129];
	size_t n;

	while (size) {
		for (n = 0; n < sizeof(part) - 1 && size; text++, size--)
			if (*text)
				part[n++] = *text;
		part[n] = 0;
		semihost(SYS_WRITE0, part);
	}
}

/* Wait until `flags` are clear. false: they never are; no character takes so many reads. */
static bool uart_wait(uint32_t flags)
{
	for (unsigned int i = 0; i < 20000000; i++) {
		if (!(plat_mmio_read32(uart + UART_FR) & flags))
			return true;
		plat_relax(NULL);
	}
	return false;
}

void bare_machine_write(const char *text, size_t size)
{
	for (; uart && size && uart_wait(UART_FR_TXFF); text++, size--)
		plat_mmio_write32(uart + UART_DR, (unsigned char)*text);
	if (size) {
		virt_console_lose(); /* if there was one: what answers there is no PL011 */
		semihost_write(text, size);
	}
}

/* ---- Finding it ------------------------------------------------------------------------------ */

#define PATH_MAX_LEN 128

/* A path up to its options ("/pl011@9000000:115200n8"). 0: it is too long, or is no string. */
static size_t copy_path(const struct weir_fdt_prop *prop, char *path)
{
	uint32_t n;

	for (n = 0; n < prop->size && n < PATH_MAX_LEN; n++) {
		path[n] = (char)prop->data[n];
		if (!path[n] || path[n] == ':') {
			path[n] = 0;
			return n;
		}
	}
	return 0;
}

/* The node that stdout-path names, by its path or by an alias (Devicetree Specification, 3.6). */
static bool find_stdout(struct weir_fdt_node *node)
{
	struct weir_fdt_prop prop;
	char path[PATH_MAX_LEN];

	if (!weir_fdt_by_path(&virt.fdt, "/chosen", node) ||
	    !weir_fdt_prop(&virt.fdt, node, "stdout-path", &prop) || !copy_path(&prop, path))
		return false;
	if (path[0] == '/')
		return weir_fdt_by_path(&virt.fdt, path, node);
	return weir_fdt_by_path(&virt.fdt, "/aliases", node) &&
	       weir_fdt_prop(&virt.fdt, node, path, &prop) && copy_path(&prop, path) &&
	       weir_fdt_by_path(&virt.fdt, path, node);
}

/* The rate stays as firmware set it. Nobody takes its interrupts. */
static void uart_start(void)
{
	uint32_t control = plat_mmio_read32(uart + UART_CR);

	plat_mmio_write32(uart + UART_IMSC, 0);
	if (!(control & UART_CR_UARTEN))
		plat_mmio_write32(uart + UART_LCR_H, UART_LCR_H_8_FIFO);
	if (~control & (UART_CR_UARTEN | UART_CR_TXE))
		plat_mmio_write32(uart + UART_CR, control | UART_CR_UARTEN | UART_CR_TXE);
}

void virt_console_lose(void)
{
	uart = NULL;
}

void virt_console_init(void)
{
	struct weir_fdt_node node;
	struct weir_fdt_prop compatible;
	uint64_t base, size;

	if (!find_stdout(&node) || !weir_fdt_prop(&virt.fdt, &node, "compatible", &compatible) ||
	    weir_fdt_string_index(&compatible, "arm,pl011") < 0)
		return;
	if (weir_fdt_reg(&virt.fdt, &node, 0, &base, &size) || size < UART_IMSC + 4 ||
	    !WEIR_IS_ALIGNED(base, 4))
		virt_bad_tree("the console's reg is missing or wrong");
	uart = plat_mmio_map(NULL, base, size);
	if (!uart)
		bare_panic("the console's registers at 0x%lx cannot be mapped", base);
	uart_start();
}

/* ---- The end --------------------------------------------------------------------------------- */

void bare_machine_exit(int status)
{
	const uint64_t block[] = { ADP_STOPPED_APPLICATION_EXIT, (uint64_t)(int64_t)status };

	plat_irq_save();
	if (uart)
		(void)uart_wait(UART_FR_BUSY);
	semihost(SYS_EXIT, block);
	virt_psci_off();
	for (;;)
		__asm__ volatile("wfi");
}
