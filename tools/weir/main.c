/* SPDX-License-Identifier: MIT */

/* The weir command: finds the subcommand, and tells people what there is. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static int run_command(int argc, char **argv);
static int image_command(int argc, char **argv);
static int help_command(int argc, char **argv);
static void image_help(void);
static void overview(void);

struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
	void (*help)(void);
	const char *summary;
};

static const struct command commands[] = {
	{ "run", run_command, options_help,
	  "a driver reads a whole disk image through an SMMUv3, in a process" },
	{ "image", image_command, image_help,
	  "make the disk image that 'weir run' reads, and say where it is" },
	{ "vectors", vectors_command, vectors_help,
	  "replay recorded vectors through the SMMUv3 model" },
	{ "help", help_command, overview, "this list; 'weir help run': the options of 'weir run'" },
};

void complain(const char *format, ...)
{
	va_list args;

	fputs("weir: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void overview(void)
{
	size_t i;

	puts("Usage: weir COMMAND [OPTION]...\n"
	     "\n"
	     "weir is the DMA and IOMMU stack of a kernel, as a library. This command runs it\n"
	     "on models of the hardware, in an ordinary process.\n");
	for (i = 0; i < WEIR_ARRAY_SIZE(commands); i++)
		printf("  weir %-7s %s\n", commands[i].name, commands[i].summary);
	puts("\n"
	     "  weir --version\n"
	     "\n"
	     "Exit status: 0 all is well, 1 it is not, 2 wrong usage or input. See weir(1).");
}

static void image_help(void)
{
	puts("Usage: weir image\n"
	     "\n"
	     "Make the disk image that 'weir run' reads when none is named, if it is not\n"
	     "there, and print its path. It is an ext4 file system of weir's source tree, in\n"
	     "the user's cache.\n"
	     "\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "Exit status: 0 it is there, 2 it could not be made. See weir(1).");
}

static const struct command *find(const char *name)
{
	size_t i;

	for (i = 0; i < WEIR_ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* Whether the names have all but one or two letters in common, in order. */
static bool similar(const char *given, const char *name)
{
	size_t common = 0, longer = strlen(given) > strlen(name) ? strlen(given) : strlen(name);
	const char *at = given;

	for (; *name; name++) {
		const char *found = strchr(at, *name);

		if (found) {
			common++;
			at = found + 1;
		}
	}
	return common >= 2 && common + 2 >= longer;
}

static int unknown(const char *name)
{
	size_t i;

	for (i = 0; i < WEIR_ARRAY_SIZE(commands); i++) {
		if (similar(name, commands[i].name)) {
			complain("unknown command '%s': did you mean 'weir %s'?", name,
				 commands[i].name);
			return EXIT_USAGE;
		}
	}
	complain("unknown command '%s': 'weir help' lists them", name);
	return EXIT_USAGE;
}

static int help_command(int argc, char **argv)
{
	const struct command *command;

	if (argc > 2) {
		complain("help takes one command at most: 'weir help' lists them");
		return EXIT_USAGE;
	}
	command = find(argc == 2 ? argv[1] : "help");
	if (!command)
		return unknown(argv[1]);
	command->help();
	return EXIT_WELL;
}

static int run_command(int argc, char **argv)
{
	struct run_options options;
	int ret = options_parse(argc, argv, &options);

	if (ret)
		return ret < 0 ? EXIT_WELL : ret;
	return run(&options);
}

static bool wants_help(const char *option)
{
	return !strcmp(option, "--help") || !strcmp(option, "-h");
}

static int image_command(int argc, char **argv)
{
	char *path;

	if (argc > 1 && wants_help(argv[1])) {
		image_help();
		return EXIT_WELL;
	}
	if (argc > 1) {
		complain("%s '%s': 'weir image' takes none but --help",
			 argv[1][0] == '-' ? "unknown option" : "unexpected", argv[1]);
		return EXIT_USAGE;
	}
	path = image_default();
	if (!path)
		return EXIT_USAGE;
	puts(path);
	free(path);
	return EXIT_WELL;
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		complain("no command given: try 'weir run', or 'weir help'");
		return EXIT_USAGE;
	}
	if (wants_help(argv[1]))
		return help_command(1, argv);
	if (!strcmp(argv[1], "--version")) {
		puts("weir " WEIR_VERSION);
		return EXIT_WELL;
	}
	command = find(argv[1]);
	return command ? command->fn(argc - 1, argv + 1) : unknown(argv[1]);
}

int main(int argc, char **argv)
{
	int status = dispatch(argc, argv);

	/* A report that did not arrive is no success. */
	if ((fflush(stdout) || ferror(stdout)) && status == EXIT_WELL) {
		complain("could not write to standard output");
		return EXIT_NOT_WELL;
	}
	return status;
}
