/* SPDX-License-Identifier: MIT */
/* See fakemachine.h. */

#define _GNU_SOURCE
#include "fakemachine.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef FAKEMACHINE_TSAN
#include <sanitizer/tsan_interface.h>

/* A machine ends often; it does not wait a second each time for races to come. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "atexit_sleep_ms=0";
}
#endif
#ifdef FAKEMACHINE_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_SIZE                                                                                 \
	((size_t)256 << 10) /* of a thread; sanitizers and stdio need more than weir does */
#define GUARD_SIZE ((size_t)4096)
#define ABOVE_SIZE ((size_t)4096) /* above a stack: its struct fiber */
#define CONSOLE_SIZE 65536u
#define SECONDS 90u

/* What a struct bare_context points to. */
struct fiber {
	ucontext_t context;
	void (*entry)(void);
	void *stack; /* lowest byte */
	size_t stack_size;
	void *sanitizer; /* TSan's fiber; ASan's fake stack while it does not run */
};

static struct fake_cpu {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool kicked;	   /* under lock */
	uint64_t deadline; /* its own */
	struct fiber idle;
	bool is_up; /* atomic */
} fake_cpus[BARE_MAX_CPUS];

static struct {
	unsigned char *ram;
	uint64_t ram_end;
	int (*program)(void);
	unsigned int stacks; /* atomic */
} fake;

/* Shared with the process that looks at it afterwards. */
static struct console {
	size_t size; /* atomic */
	char text[CONSOLE_SIZE];
} * console;

static __thread unsigned int this_cpu;
static __thread bool irqs_off;

unsigned int fakemachine_dead_cpu, fakemachine_stuck_cpu;
bool fakemachine_no_stacks, fakemachine_backtrace_panics;

/* ---- Time, interrupts ---- */

uint64_t plat_time_ns(void *plat)
{
	struct timespec now;

	(void)plat;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool fakemachine_irqs_off(void)
{
	return irqs_off;
}

unsigned int plat_cpu(void)
{
	return this_cpu;
}

/* As the hardware does: interrupts are off in the handler. */
static void take_timer(void)
{
	struct fake_cpu *cpu = &fake_cpus[this_cpu];

	if (cpu->deadline == UINT64_MAX || plat_time_ns(NULL) < cpu->deadline)
		return;
	cpu->deadline = UINT64_MAX;
	bare_timer_interrupt();
	check(irqs_off);
}

static void let_in(void)
{
	irqs_off = true;
	take_timer();
	irqs_off = false;
}

uintptr_t plat_irq_save(void)
{
	uintptr_t before = irqs_off;

	irqs_off = true;
	return before;
}

void plat_irq_restore(uintptr_t flags)
{
	check(irqs_off);
	if (!flags)
		let_in();
}

void bare_machine_irq_enable(void)
{
	check(irqs_off);
	let_in();
}

/* Whoever is waited for may have no processor; to yield alone does not always give it one. */
void plat_relax(void *plat)
{
	static const struct timespec moment = { .tv_nsec = 50000 };
	static __thread unsigned int rounds;

	(void)plat;
	if (!irqs_off)
		let_in();
	if (++rounds % 1024 == 0)
		nanosleep(&moment, NULL);
	else if (rounds % 64 == 0)
		sched_yield();
}

void plat_spin_lock(struct weir_spinlock *lock)
{
	check(irqs_off);
	while (__atomic_exchange_n(&lock->opaque[0], 1, __ATOMIC_ACQUIRE))
		plat_relax(NULL);
}

void plat_spin_unlock(struct weir_spinlock *lock)
{
	check(irqs_off);
	__atomic_store_n(&lock->opaque[0], 0, __ATOMIC_RELEASE);
}

void bare_machine_set_timer(uint64_t deadline_ns)
{
	check(irqs_off);
	fake_cpus[this_cpu].deadline = deadline_ns;
}

void bare_machine_kick(unsigned int index)
{
	struct fake_cpu *cpu = &fake_cpus[index];

	check(irqs_off && index != this_cpu);
	pthread_mutex_lock(&cpu->lock);
	cpu->kicked = true;
	pthread_cond_signal(&cpu->cond);
	pthread_mutex_unlock(&cpu->lock);
}

void bare_machine_idle(void)
{
	struct fake_cpu *cpu = &fake_cpus[this_cpu];
	struct timespec until = { .tv_sec = (time_t)(cpu->deadline / 1000000000u),
				  .tv_nsec = (long)(cpu->deadline % 1000000000u) };

	check(irqs_off);
	pthread_mutex_lock(&cpu->lock);
	while (!cpu->kicked && plat_time_ns(NULL) < cpu->deadline) {
		if (cpu->deadline == UINT64_MAX)
			pthread_cond_wait(&cpu->cond, &cpu->lock);
		else
			pthread_cond_timedwait(&cpu->cond, &cpu->lock, &until);
	}
	cpu->kicked = false;
	pthread_mutex_unlock(&cpu->lock);
	take_timer();
}

/* ---- Threads ---- */

void *bare_machine_stack_alloc(void)
{
	size_t size = GUARD_SIZE + STACK_SIZE + ABOVE_SIZE;
	char *low;

	if (fakemachine_no_stacks)
		return NULL;
	low = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(low != MAP_FAILED);
	check(!mprotect(low, GUARD_SIZE, PROT_NONE));
	__atomic_fetch_add(&fake.stacks, 1, __ATOMIC_RELAXED);
	return low + GUARD_SIZE + STACK_SIZE;
}

void bare_machine_stack_free(void *top)
{
#ifdef FAKEMACHINE_TSAN
	__tsan_destroy_fiber(((struct fiber *)top)->sanitizer);
#endif
	munmap((char *)top - STACK_SIZE - GUARD_SIZE, GUARD_SIZE + STACK_SIZE + ABOVE_SIZE);
	__atomic_fetch_sub(&fake.stacks, 1, __ATOMIC_RELAXED);
}

unsigned int fakemachine_stacks(void)
{
	return __atomic_load_n(&fake.stacks, __ATOMIC_RELAXED);
}

/* A thread's, or the idle thread's, which nobody made. */
static struct fiber *fiber_of(const struct bare_context *context)
{
	return context->words[0] ? (struct fiber *)context->words[0] : &fake_cpus[this_cpu].idle;
}

static void fiber_main(unsigned int high, unsigned int low)
{
	struct fiber *fiber = (struct fiber *)((uintptr_t)high << 32 | low);

#ifdef FAKEMACHINE_ASAN
	__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
	fiber->entry();
	abort();
}

void bare_machine_context_init(struct bare_context *context, void *stack_top, void (*entry)(void))
{
	/* The thread's own data may lie between the top of the stack and where it begins. */
	char *top = (char *)WEIR_ALIGN_UP((uintptr_t)stack_top, WEIR_PAGE_SIZE);
	struct fiber *fiber = (struct fiber *)(void *)top;

	check((uintptr_t)stack_top % 16 == 0);
	context->words[0] = (uintptr_t)fiber;
	fiber->entry = entry;
	fiber->stack = top - STACK_SIZE;
	fiber->stack_size = (size_t)((char *)stack_top - (char *)fiber->stack);
#ifdef FAKEMACHINE_TSAN
	fiber->sanitizer = __tsan_create_fiber(0);
#endif
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = fiber->stack;
	fiber->context.uc_stack.ss_size = fiber->stack_size;
	makecontext(&fiber->context, (void (*)(void))fiber_main, 2,
		    (unsigned int)((uintptr_t)fiber >> 32), (unsigned int)(uintptr_t)fiber);
}

void bare_machine_switch(struct bare_context *from, const struct bare_context *to)
{
	struct fiber *old = fiber_of(from), *next = fiber_of(to);

	check(irqs_off && old != next);
#ifdef FAKEMACHINE_TSAN
	__tsan_switch_to_fiber(next->sanitizer, 0);
#endif
#ifdef FAKEMACHINE_ASAN
	__sanitizer_start_switch_fiber(&old->sanitizer, next->stack, next->stack_size);
#endif
	swapcontext(&old->context, &next->context);
#ifdef FAKEMACHINE_ASAN
	__sanitizer_finish_switch_fiber(old->sanitizer, NULL, NULL);
#endif
	check(irqs_off);
}

/* ---- CPUs, console ---- */

static void cpu_init(unsigned int index)
{
	struct fake_cpu *cpu = &fake_cpus[index];
	pthread_attr_t attr;

	this_cpu = index;
	irqs_off = true;
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &cpu->idle.stack, &cpu->idle.stack_size);
	pthread_attr_destroy(&attr);
#ifdef FAKEMACHINE_TSAN
	cpu->idle.sanitizer = __tsan_get_current_fiber();
#endif
}

static void *secondary(void *arg)
{
	struct fake_cpu *cpu = arg;

	cpu_init((unsigned int)(cpu - fake_cpus));
	__atomic_store_n(&cpu->is_up, true, __ATOMIC_RELEASE);
	bare_cpu_enter();
}

int bare_machine_start_cpu(unsigned int index)
{
	struct fake_cpu *cpu = &fake_cpus[index];

	if (index == fakemachine_dead_cpu)
		return -WEIR_EIO;
	check(!pthread_create(&cpu->thread, NULL, secondary, cpu));
	while (!__atomic_load_n(&cpu->is_up, __ATOMIC_ACQUIRE))
		plat_relax(NULL);
	return 0;
}

void bare_machine_write(const char *text, size_t size)
{
	size_t i, at;

	check(irqs_off);
	/* Byte after byte, as a UART does. Atomic, for a panic may write beside another CPU. */
	for (i = 0; i < size; i++) {
		at = __atomic_fetch_add(&console->size, 1, __ATOMIC_RELAXED);
		check(at + 1 < CONSOLE_SIZE);
		console->text[at] = text[i];
		plat_relax(NULL);
	}
	while (fakemachine_stuck_cpu && fakemachine_stuck_cpu == this_cpu)
		pause();
}

void bare_machine_backtrace(void)
{
	static const char text[] = "(back trace)\n";

	bare_machine_write(text, sizeof(text) - 1);
	if (fakemachine_backtrace_panics)
		bare_panic("a panic in a panic");
}

_Noreturn void bare_machine_exit(int status)
{
	fflush(NULL);
#ifdef FAKEMACHINE_TSAN
	exit(status); /* which is where it adds what it found */
#else
	_exit(status); /* no look for leaks from a stack that is not the process's own */
#endif
}

int bare_main(void)
{
	check(!irqs_off);
	return fake.program();
}

/* ---- Memory ---- */

void fakemachine_ram(uint64_t end)
{
	void *ram = mmap(NULL, end, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(ram != MAP_FAILED);
	fake.ram = ram;
	fake.ram_end = end;
}

void *plat_phys_to_virt(void *plat, weir_phys_t phys)
{
	(void)plat;
	check(phys < fake.ram_end);
	return fake.ram + phys;
}

weir_phys_t plat_virt_to_phys(void *plat, const void *virt)
{
	(void)plat;
	return (weir_phys_t)((const unsigned char *)virt - fake.ram);
}

/* ---- A machine ---- */

static void fake_init(void)
{
	pthread_condattr_t attr;
	unsigned int i;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	for (i = 0; i < BARE_MAX_CPUS; i++) {
		pthread_mutex_init(&fake_cpus[i].lock, NULL);
		pthread_cond_init(&fake_cpus[i].cond, &attr);
		fake_cpus[i].deadline = UINT64_MAX;
	}
	pthread_condattr_destroy(&attr);
}

int fakemachine_run(unsigned int cpus, int (*program)(void))
{
	int status;
	pid_t child;

	if (!console)
		console = mmap(NULL, sizeof(*console), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(console != MAP_FAILED);
	memset(console, 0, sizeof(*console));
	fflush(NULL);
	child = fork();
	check(child >= 0);
	if (!child) {
		alarm(SECONDS);
		fake.program = program;
		fake_init();
		cpu_init(0);
		bare_start(cpus);
	}
	check(waitpid(child, &status, 0) == child);
	if (WIFSIGNALED(status))
		fprintf(stderr, "the machine died of signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *fakemachine_console(void)
{
	return console->text;
}
