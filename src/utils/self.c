/*
 * self.c - what this process costs
 *
 * /proc/self/stat: the fields are counted from behind the last ')', since a name may hold anything; proc(5).
 */
#include "utils/self.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "utils/file.h"
#include "utils/scoped.h"

enum { STAT_MAX = 4096 };

SCOPED_PTR(DIR, closedir)

/* fields: those from state, the third of proc(5), on. */
static void read_stat(struct self_usage *usage)
{
    scoped(free) char *text = NULL;
    uint64_t user = 0, system = 0, threads = 0, began = 0, virtual = 0, resident = 0;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    struct timespec real, boot;
    size_t n;

    if (file_read("/proc/self/stat", 0, STAT_MAX, &text, &n) < 0)
        return;
    const char *fields = strrchr(text, ')');
    if (!fields || sscanf(fields + 1,
                          " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %*d %*d %*d %*d %" SCNu64
                          " %*d %" SCNu64 " %" SCNu64 " %" SCNu64, &user, &system, &threads, &began, &virtual, &resident) != 6)
        return;
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    usage->cpu_s = (double)(user + system) / ticks;
    usage->started_s = (double)(real.tv_sec - boot.tv_sec) + (double)began / ticks;
    usage->n_threads = threads;
    usage->virtual_bytes = virtual;
    usage->resident_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* But the one it is read by. */
static uint64_t count_fds(void)
{
    scoped(closedir) DIR *folder = opendir("/proc/self/fd");
    uint64_t n = 0;

    for (struct dirent *entry; folder && (entry = readdir(folder));)
        n += entry->d_name[0] != '.';
    return n ? n - 1 : 0;
}

void self_usage(struct self_usage *ret_usage)
{
    struct self_usage usage = { .n_fds = count_fds() };
    struct rlimit limit;

    read_stat(&usage);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        usage.n_fds_max = limit.rlim_cur;
    *ret_usage = usage;
}
