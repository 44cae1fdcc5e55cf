#pragma once
/* erasures.h - agentlocator contacts erase; argv[0] is "erase". Returns: the exit status. */

int erase_run(int argc, char **argv);
