/* SPDX-License-Identifier: MIT */
/* The command line: a table of commands and a table of options. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "boot.h"
#include "build_info.h"
#include "command.h"
#include "help.h"
#include "init.h"

struct command {
	const char *name;
	int (*run)(const struct options *options);
	bool takes_role;
};

static const struct command commands[] = {
	{"apply", command_apply, true},
	{"plan", command_plan, true},
	{"validate", command_validate, true},
	{"check", command_check, false},
	{"facts", command_facts, false},
	{"status", command_status, false},
	{"render", command_render, false},
};

static int usage(const char *what, const char *object)
{
	(void)fprintf(stderr, "promenade: %s%s; see 'promenade --help'\n", what, object);
	return err_exit_status(E_USAGE);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Place of an option's value, or NULL for a word that is no option with a value. */
static const char **value_place(struct options *options, const char *word)
{
	const struct {
		const char *word;
		const char **place;
	} places[] = {
		{"--root", &options->root},
		{"--facts", &options->facts},
		{"--out", &options->out},
		{"--ca", &options->ca},
		{"--cluster", &options->cluster},
		{"--key", &options->key},
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strcmp(places[i].word, word) == 0)
			return places[i].place;
	return NULL;
}

/* argv behind the command into options. 0 or the exit status of a usage error. */
static int parse_options(int argc, char **argv, bool takes_role, struct options *options)
{
	for (int i = 0; i < argc; i++) {
		const char **place = value_place(options, argv[i]);

		if (place) {
			if (i + 1 == argc)
				return usage("no value behind ", argv[i]);
			*place = argv[++i];
		} else if (strcmp(argv[i], "--json") == 0) {
			options->json = true;
		} else if (strcmp(argv[i], "--renew") == 0) {
			options->renew = true;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			return usage("unknown option ", argv[i]);
		} else if (!takes_role || options->role) {
			return usage("one word too many: ", argv[i]);
		} else {
			options->role = argv[i];
		}
	}
	if (takes_role && !options->role)
		return usage("no ROLE given (a file, '-' or a URL)", "");
	return 0;
}

static bool is_init(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	return strcmp(slash ? slash + 1 : argv0, "init") == 0;
}

int main(int argc, char **argv)
{
	struct options options = {.root = "/"};
	const struct command *command;
	int status;

	if (argc >= 1 &&
		(is_init(argv[0]) || (argc >= 2 && strcmp(argv[1], "init") == 0))) {
		if (getpid() == 1)
			init_main(boot_worker);
		return usage("'init' runs only as PID 1 of an initramfs", "");
	}
	if (argc < 2)
		return usage("no command given", "");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return fputs(HELP_TEXT, stdout) < 0 || fflush(stdout) != 0 ? 1 : 0;
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("promenade %s\n", BUILD_VERSION);
		return fflush(stdout) != 0 ? 1 : 0;
	}
	command = find_command(argv[1]);
	if (!command)
		return usage("unknown command ", argv[1]);
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0)
			return fputs(HELP_TEXT, stdout) < 0 || fflush(stdout) != 0 ? 1
										   : 0;
	status = parse_options(argc - 2, argv + 2, command->takes_role, &options);
	return status ? status : command->run(&options);
}
