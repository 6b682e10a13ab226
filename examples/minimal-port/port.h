/* SPDX-License-Identifier: MIT */
#ifndef PORT_H
#define PORT_H

/* What platform.c and the kernel around it are to each other. */

#include <weir/weir.h>

/* The kernel's: put a line on the console. */
void console_line(const char *line);

/* After weir_init(): what plat_weir() answers. */
void port_set_weir(struct weir *weir);
/* Run the timers and the work that are due: the idle loop's. true: there was something. */
bool port_run(void);
/* Pages handed out and not given back. */
unsigned int port_pages_in_use(void);

#endif
