/*
 * cli/doctor_local.c - what this machine alone can tell
 */
#include "cli/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "cli/admin.h"
#include "config.h"
#include "db.h"
#include "services/crm_schema.h"
#include "services/jobs.h"
#include "services/snapshot.h"
#include "utils/clock.h"
#include "utils/file.h"
#include "utils/process.h"
#include "utils/when.h"

enum {
    ROOM_WARNING_MIB = 1024, /* on a disk, below it a warning */
    ROOM_WRONG_MIB = 128,
    BACKUP_OLD_DAYS = 2,
    TOOL_MS = 3000,
    TOOL_BYTES = 16 * KIB,
};

static void check_config(struct doctor *doctor, struct finding *finding)
{
    char lines[FINDING_MAX / 2];

    if (doctor->n_problems == 0) {
        find(finding, VERDICT_FINE, "every setting is in order");
        return;
    }
    (void)snprintf(lines, sizeof(lines), "%s", doctor->problems);
    for (char *c = lines; *c; c++) /* all in one line */
        if (*c == '\n')
            *c = c[1] ? ';' : '\0';
    find(finding, doctor->n_errors ? VERDICT_WRONG : VERDICT_WARNING, "%u settings are not in order: %s", doctor->n_problems, lines);
    mend(finding, "agentlocator config --check%s%s", doctor->env_file ? " --env-file " : "", doctor->env_file ?: "");
}

/* --- units */

/* What a program of systemd's says. Returns: whether it could be asked. */
static bool ask_tool(const char *const *argv, char ret_text[TOOL_BYTES])
{
    static const char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
    struct process process = { .argv = argv, .environment = environment, .in = "", .out_max = TOOL_BYTES - 1, .deadline_ms = TOOL_MS };
    scoped(free) char *out = NULL;
    size_t n = 0;

    if (access(argv[0], X_OK) < 0 || process_run(&process, &out, &n) < 0)
        return false;
    memcpy(ret_text, out, n);
    ret_text[n] = '\0';
    return true;
}

static void check_units(struct doctor *doctor, struct finding *finding)
{
    static const char *const units[] = { "agentlocator-http.socket", "agentlocator-https.socket", "agentlocator-admin.socket" };
    char text[TOOL_BYTES], listening[256] = "";
    size_t n = 0;

    if (access("/run/systemd/system", F_OK) < 0) {
        find(finding, VERDICT_LEFT_OUT, "systemd does not run here");
        return;
    }
    for (size_t i = 0; i < ELEMENTSOF(units); i++) {
        const char *const argv[] = { "/usr/bin/systemctl", "show", "-p", "LoadState,ActiveState,UnitFileState", units[i], NULL };
        if (!ask_tool(argv, text)) {
            find(finding, VERDICT_WARNING, "systemctl does not answer");
            return;
        }
        if (strstr(text, "ActiveState=failed")) {
            find(finding, VERDICT_WRONG, "%s has failed", units[i]);
            mend(finding, "systemctl reset-failed %s && systemctl restart %s; journalctl -u %s says why", units[i], units[i], units[i]);
            return;
        }
        if (strstr(text, "ActiveState=active"))
            n += (size_t)snprintf(listening + n, sizeof(listening) - n, "%s%s%s", n ? ", " : "", units[i],
                                  strstr(text, "UnitFileState=enabled") ? "" : " (not enabled: it is gone after a restart)");
    }
    if (!strstr(listening, "http")) {
        find(finding, VERDICT_WRONG, "no socket of the daemon listens");
        mend(finding, "systemctl enable --now agentlocator-http.socket agentlocator-admin.socket");
        return;
    }
    find(finding, strstr(listening, "not enabled") ? VERDICT_WARNING : VERDICT_FINE, "listening: %s", listening);
    if (finding->verdict == VERDICT_WARNING)
        mend(finding, "systemctl enable agentlocator-http.socket agentlocator-admin.socket");
}

static void check_daemon(struct doctor *doctor, struct finding *finding)
{
    scoped(free) char *body = NULL;
    int r = admin_ask(doctor->config, "GET", "/health", &body);

    if (r == 200) {
        find(finding, VERDICT_FINE, "the daemon answers at %s%s", doctor->config->admin_socket,
             strstr(body, "\"draining\":true") ? ", and takes no new calls" : "");
        return;
    }
    if (r > 0)
        find(finding, VERDICT_WRONG, "the daemon answers at %s with %d", doctor->config->admin_socket, r);
    else
        find(finding, VERDICT_WRONG, "no daemon answers at %s: %s", doctor->config->admin_socket, strerror(-r));
    mend(finding, r == -EACCES ? "run this as root, or as a member of the socket's group"
                               : "systemctl start agentlocator.service; journalctl -u agentlocator -e says why it does not run");
}

/* --- the store */

static struct db_options store_options(const struct doctor *doctor)
{
    return (struct db_options){ .path = config_database_path(doctor->config), .read_only = true, .any_version = true,
                                .migrations = crm_migrations, .n_migrations = crm_n_migrations };
}

static void check_store(struct doctor *doctor, struct finding *finding)
{
    struct db_options options = store_options(doctor);
    scoped(db_close) struct db *db = NULL;
    struct statvfs disk = { 0 };
    struct db_stats stats;
    int r = db_open(&options, &db);

    if (r == -ENOENT) {
        find(finding, VERDICT_WARNING, "there is no store at %s yet", options.path);
        mend(finding, "start the daemon once; or check DATABASE_URL");
        return;
    }
    if (r < 0) {
        find(finding, VERDICT_WRONG, "the store %s cannot be opened: %s", options.path, db_explain(r));
        mend(finding, r == -EUCLEAN ? "agentlocator restore FILE --force" : "see what is said of it; agentlocator-restore(1)");
        return;
    }
    db_stats(db, &stats);
    (void)statvfs(options.path, &disk);
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    find(finding, stats.used_bytes > room ? VERDICT_WARNING : VERDICT_FINE, "%s can be read: %.1f MiB of a map of %.0f MiB, %.0f MiB free on its disk",
         options.path, (double)stats.used_bytes / MIB, (double)stats.map_bytes / MIB, (double)room / MIB);
    if (finding->verdict == VERDICT_WARNING)
        mend(finding, "make room: it could not double, nor be copied beside itself");
}

static void check_owed(struct doctor *doctor, struct finding *finding)
{
    struct db_options options = store_options(doctor);
    scoped(db_close) struct db *db = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct jobs_counts counts;

    if (db_open(&options, &db) < 0 || db_read_begin(db, &txn) < 0 || jobs_count(txn, &counts) < 0) {
        find(finding, VERDICT_LEFT_OUT, "the store cannot be read");
        return;
    }
    find(finding, counts.n_over ? VERDICT_WARNING : VERDICT_FINE, "%" PRIu64 " owed and waiting, %" PRIu64 " given up", counts.n_waiting,
         counts.n_over);
    if (counts.n_over)
        mend(finding, "agentlocator messages --failed says why; agentlocator messages --again ID sends one again");
}

/* --- folders and disks */

/* The daemon is to write there: it is the owner of the store, or who asks. */
static bool is_writable(const char *path, char *problem, size_t size)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        (void)snprintf(problem, size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISDIR(st.st_mode))
        (void)snprintf(problem, size, "%s is no folder", path);
    else if ((st.st_mode & S_IRWXU) != S_IRWXU)
        (void)snprintf(problem, size, "%s: its owner may not write there", path);
    else if (geteuid() && access(path, R_OK | W_OK | X_OK) < 0)
        (void)snprintf(problem, size, "%s: %s", path, strerror(errno));
    else
        return true;
    return false;
}

static void check_folders(struct doctor *doctor, struct finding *finding)
{
    const char *folders[] = { doctor->config->state_dir, doctor->config->cache_dir };
    struct stat state = { 0 }, cache = { 0 };
    char problem[256];

    for (size_t i = 0; i < ELEMENTSOF(folders); i++)
        if (!is_writable(folders[i], problem, sizeof(problem))) {
            find(finding, VERDICT_WRONG, "%s", problem);
            mend(finding, "install -d -m 0700 -o agentlocator -g agentlocator %s", folders[i]);
            return;
        }
    (void)stat(folders[0], &state);
    (void)stat(folders[1], &cache);
    if (state.st_uid != cache.st_uid) {
        find(finding, VERDICT_WRONG, "%s and %s belong to two users, and the daemon is one", folders[0], folders[1]);
        mend(finding, "chown -R agentlocator: %s %s", folders[0], folders[1]);
        return;
    }
    find(finding, VERDICT_FINE, "%s and %s can be written to by their owner", folders[0], folders[1]);
}

static void check_disk(struct doctor *doctor, struct finding *finding)
{
    struct statvfs disk;

    if (statvfs(doctor->config->state_dir, &disk) < 0) {
        find(finding, VERDICT_LEFT_OUT, "%s: %s", doctor->config->state_dir, strerror(errno));
        return;
    }
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize / MIB;
    double files = disk.f_files ? 100.0 * (double)disk.f_favail / (double)disk.f_files : 100;
    find(finding, room < ROOM_WRONG_MIB ? VERDICT_WRONG : room < ROOM_WARNING_MIB || files < 5 ? VERDICT_WARNING : VERDICT_FINE,
         "%" PRIu64 " MiB and %.0f%% of the files are free at %s", room, files, doctor->config->state_dir);
    if (finding->verdict != VERDICT_FINE)
        mend(finding, "make room; du -xh --max-depth=2 %s says what takes it", doctor->config->state_dir);
}

/* --- time */

static void check_zone(struct doctor *doctor, struct finding *finding)
{
    const char *zone = doctor->config->timezone;
    char now[WHEN_MAX];

    if (zone && when_zone(zone) < 0) {
        find(finding, VERDICT_WRONG, "there is no time zone %s", zone);
        mend(finding, "apt install tzdata; or set TIMEZONE to one of `timedatectl list-timezones`");
        return;
    }
    (void)when_set_zone(zone);
    when_print(clock_real_ms(), now);
    tzset();
    find(finding, !zone && timezone == 0 && !daylight ? VERDICT_WARNING : VERDICT_FINE, "it is %s in the office%s", now,
         zone ? "" : " (the zone of the system)");
    if (finding->verdict == VERDICT_WARNING)
        mend(finding, "set TIMEZONE, e.g. Asia/Jerusalem: dates that callers name are of it");
}

static void check_ntp(struct doctor *doctor, struct finding *finding)
{
    static const char *const argv[] = { "/usr/bin/timedatectl", "show", "-p", "NTPSynchronized", NULL };
    char text[TOOL_BYTES];

    if (access("/run/systemd/system", F_OK) < 0 || !ask_tool(argv, text)) {
        find(finding, VERDICT_LEFT_OUT, "timedatectl does not answer");
        return;
    }
    if (strstr(text, "=yes")) {
        find(finding, VERDICT_FINE, "the clock is kept by NTP");
        return;
    }
    find(finding, VERDICT_WARNING, "the clock is not kept by NTP");
    mend(finding, "timedatectl set-ntp true");
}

/* --- backups */

static int is_backup(const struct dirent *entry)
{
    return snapshot_is_named_by_date(entry->d_name);
}

static void check_backups(struct doctor *doctor, struct finding *finding)
{
    const char *folder = doctor->config->backup_dir;
    struct dirent **entries = NULL;
    scoped(free) char *path = NULL;
    struct stat st = { 0 };
    int n = scandir(folder, &entries, is_backup, alphasort);

    if (n > 0 && asprintf(&path, "%s/%s", folder, entries[n - 1]->d_name) >= 0)
        (void)stat(path, &st);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    int64_t days = ((int64_t)time(NULL) - (int64_t)st.st_mtime) / 86400;
    if (n <= 0)
        find(finding, VERDICT_WARNING, "there is no backup in %s", folder);
    else
        find(finding, days > BACKUP_OLD_DAYS ? VERDICT_WARNING : VERDICT_FINE, "%d in %s, the youngest %" PRId64 " days old", n, folder, days);
    if (finding->verdict == VERDICT_WARNING)
        mend(finding, "agentlocator backup %s --keep 14, each night; BACKUP_DIR says where to look", folder);
}

const struct check doctor_local[] = {
    { "settings", "Settings", false, check_config },
    { "units", "Units of systemd", false, check_units },
    { "daemon", "The daemon, at its admin socket", false, check_daemon },
    { "folders", "State and cache", false, check_folders },
    { "disk", "Disk space", false, check_disk },
    { "store", "The store", false, check_store },
    { "owed", "What is owed", false, check_owed },
    { "backups", "Backups", false, check_backups },
    { "zone", "Time zone", false, check_zone },
    { "ntp", "Clock of this machine", false, check_ntp },
    { 0 },
};
