/* SPDX-License-Identifier: MIT */
/* What /proc and /sys say of the machine. */
#include "proc.h"

#include <cpuid.h>

/* ---- What the kernel tells ---- */

SYSTEM_PROCESS_INFORMATION *proc_snapshot(void)
{
    ULONG size = 16384, needed = 0;

    for (int i = 0; i < 8; i++) { /* more processes may have come meanwhile */
        void *buffer = zalloc(size);
        if (buffer == NULL) {
            return NULL;
        }
        NTSTATUS status = ZwQuerySystemInformation(SystemProcessInformation, buffer, size, &needed);
        if (NT_SUCCESS(status)) {
            return buffer;
        }
        release(buffer);
        if (status != STATUS_INFO_LENGTH_MISMATCH) {
            return NULL;
        }
        size = (needed > size ? needed : size) * 2;
    }
    return NULL;
}

const SYSTEM_PROCESS_INFORMATION *snapshot_find(const SYSTEM_PROCESS_INFORMATION *first, s32 pid)
{
    for (const SYSTEM_PROCESS_INFORMATION *at = first; at != NULL;) {
        if (HandleToLong(at->UniqueProcessId) == pid) {
            return at;
        }
        at = at->NextEntryOffset != 0 ? (const void *)((const char *)at + at->NextEntryOffset) : NULL;
    }
    return NULL;
}

static u64 seconds(void)
{
    return monotonic_ns() / 1000000000UL;
}

/* What processor cpu has spent idle (its idle thread's time), 100 ns. */
static u64 idle_time(const SYSTEM_PROCESS_INFORMATION *idle, ULONG cpu)
{
    for (ULONG i = 0; idle != NULL && i < idle->NumberOfThreads; i++) {
        if (idle->Threads[i].Processor == cpu) {
            return idle->Threads[i].KernelTime.QuadPart;
        }
    }
    return 0;
}

struct machine_times {
    ULONG processors;
    u64 now, idle, user, system; /* 100 ns; idle of all processors together */
    u64 switches;
    u32 running, threads, processes;
};

static void add_process(struct machine_times *times, const SYSTEM_PROCESS_INFORMATION *at)
{
    times->processes++;
    times->threads += at->NumberOfThreads;
    times->user += at->UserTime.QuadPart;
    times->system += at->KernelTime.QuadPart;
    for (ULONG i = 0; i < at->NumberOfThreads; i++) {
        times->switches += at->Threads[i].ContextSwitches;
        times->running += at->Threads[i].ThreadState >= 1 && at->Threads[i].ThreadState <= 3; /* ready to running */
    }
}

static void machine_times(struct machine_times *times, const SYSTEM_PROCESS_INFORMATION *first)
{
    const SYSTEM_PROCESS_INFORMATION *idle = snapshot_find(first, 0);

    *times = (struct machine_times){.processors = KeQueryActiveProcessorCount(NULL), .now = KeQueryInterruptTime()};
    for (ULONG cpu = 0; cpu < times->processors; cpu++) {
        times->idle += idle_time(idle, cpu);
    }
    for (const SYSTEM_PROCESS_INFORMATION *at = first; at != NULL;) {
        if (at != idle) {
            add_process(times, at);
        }
        at = at->NextEntryOffset != 0 ? (const void *)((const char *)at + at->NextEntryOffset) : NULL;
    }
}

/* ---- Load ---- */

#define LOAD_STEP 50000000UL /* five seconds in 100 ns */
#define LOAD_ONE  2048

/*
 * Averages of how many processors were busy, over 1, 5 and 15 minutes: brought up to date when somebody asks,
 * in steps of five seconds with what was used since the last time.
 */
static struct {
    struct mutex lock;
    u64 time, busy; /* (lock) of the last step */
    u64 average[3]; /* (lock) in LOAD_ONE */
} load;

/* Answers them in average. */
static void update_load(const struct machine_times *times, u64 average[3])
{
    static const u64 decay[3] = {1884, 2014, 2037}; /* exp(-5 s / 1, 5, 15 min) */
    u64 busy = times->now * times->processors > times->idle ? times->now * times->processors - times->idle : 0;

    mutex_lock(&load.lock);
    u64 elapsed = times->now - load.time;
    u64 steps = min(elapsed / LOAD_STEP, 2000);
    if (steps != 0) {
        u64 used = busy > load.busy ? (busy - load.busy) * LOAD_ONE / elapsed : 0;
        for (int i = 0; i < 3; i++) {
            for (u64 step = 0; step < steps; step++) {
                load.average[i] = (load.average[i] * decay[i] + used * (LOAD_ONE - decay[i])) / LOAD_ONE;
            }
        }
        load.time = times->now;
        load.busy = busy;
    }
    memcpy(average, load.average, sizeof(load.average));
    mutex_unlock(&load.lock);
}

static void show_loadavg(struct text *text, const struct subject *subject)
{
    struct machine_times times;
    SYSTEM_PROCESS_INFORMATION *first = proc_snapshot();
    u64 average[3];

    machine_times(&times, first);
    update_load(&times, average);
    for (int i = 0; i < 3; i++) {
        print(text, "%lu.%02lu ", average[i] / LOAD_ONE, average[i] % LOAD_ONE * 100 / LOAD_ONE);
    }
    print(text, "%u/%u %d\n", times.running, times.threads, current_process() != NULL ? current_process()->pid : 0);
    release(first);
}

/* ---- Time and processors ---- */

static void show_uptime(struct text *text, const struct subject *subject)
{
    struct machine_times times;
    SYSTEM_PROCESS_INFORMATION *first = proc_snapshot();
    u64 ns = monotonic_ns();

    machine_times(&times, first);
    print(text, "%lu.%02lu %lu.%02lu\n", ns / 1000000000UL, ns / 10000000UL % 100, TICKS(times.idle) / 100,
          TICKS(times.idle) % 100);
    release(first);
}

/* Programs' time is not told apart by processor: what a processor was not idle stands as the system's. */
static void show_stat(struct text *text, const struct subject *subject)
{
    struct machine_times times;
    SYSTEM_PROCESS_INFORMATION *first = proc_snapshot();
    const SYSTEM_PROCESS_INFORMATION *idle = snapshot_find(first, 0);
    LARGE_INTEGER now;

    machine_times(&times, first);
    KeQuerySystemTime(&now);
    print(text, "cpu  %lu 0 %lu %lu 0 0 0 0 0 0\n", TICKS(times.user), TICKS(times.system), TICKS(times.idle));
    for (ULONG cpu = 0; cpu < times.processors; cpu++) {
        u64 unused = idle_time(idle, cpu);
        print(text, "cpu%u 0 0 %lu %lu 0 0 0 0 0 0\n", cpu, TICKS(times.now > unused ? times.now - unused : 0), TICKS(unused));
    }
    print(text, "ctxt %lu\nbtime %lu\n", times.switches, now.QuadPart / 10000000UL - 11644473600UL - seconds());
    print(text, "processes %u\nprocs_running %u\nprocs_blocked 0\n", times.processes, times.running);
    release(first);
}

static void put_registers(char *to, const u32 *values, int count)
{
    for (int i = 0; i < 4 * count; i++) {
        to[i] = values[i / 4] >> 8 * (i % 4) & 0xff;
    }
}

static void show_cpuinfo(struct text *text, const struct subject *subject)
{
    ULONG count = KeQueryActiveProcessorCount(NULL);
    LARGE_INTEGER frequency;
    char vendor[13] = {0}, model[49] = {0};
    u32 levels = 0, id[4];

    KeQueryPerformanceCounter(&frequency);
    __cpuid(0, levels, id[0], id[2], id[1]);
    put_registers(vendor, id, 3);
    for (u32 leaf = 0; leaf < 3; leaf++) {
        __cpuid(0x80000002 + leaf, id[0], id[1], id[2], id[3]);
        put_registers(model + 16 * leaf, id, 4);
    }
    __cpuid(1, id[0], id[1], id[2], id[3]);
    u32 family = id[0] >> 8 & 0xf, extended = id[0] >> 20 & 0xff;
    for (ULONG cpu = 0; cpu < count; cpu++) {
        print(text, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", cpu,
              vendor, family == 15 ? family + extended : family, (id[0] >> 4 & 0xf) | (id[0] >> 12 & 0xf0), model,
              id[0] & 0xf);
        print(text, "cpu MHz\t\t: %lu.%03lu\nphysical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n",
              frequency.QuadPart / 1000000UL, frequency.QuadPart / 1000UL % 1000, count, cpu, count);
        print(text, "fpu\t\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n\n", levels);
    }
}

/* ---- Memory ---- */

static void show_meminfo(struct text *text, const struct subject *subject)
{
    PS_MEMORY_STATISTICS memory;
    SYSTEM_MEMORY_USAGE usage = {0};

    kernel.QueryMemory(NULL, &memory);
    ZwQuerySystemInformation(SystemMemoryUsageInformation, &usage, sizeof(usage), NULL);
    print(text, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n", memory.TotalBytes / 1024,
          memory.FreeBytes / 1024, memory.FreeBytes / 1024);
    print(text, "Buffers:        %8lu kB\nCached:         %8lu kB\nSwapCached:     %8lu kB\n", 0UL, 0UL, 0UL);
    print(text, "SwapTotal:      %8lu kB\nSwapFree:       %8lu kB\nShmem:          %8lu kB\n", 0UL, 0UL, 0UL);
    print(text, "Slab:           %8lu kB\nSReclaimable:   %8lu kB\nSUnreclaim:     %8lu kB\n", usage.PoolPages * 4, 0UL,
          usage.PoolPages * 4);
    print(text, "KernelStack:    %8lu kB\nPageTables:     %8lu kB\n", usage.KernelStacks * 4, usage.PageTablePages * 4);
}

static void show_vmstat(struct text *text, const struct subject *subject)
{
    SYSTEM_MEMORY_USAGE usage = {0};
    ZwQuerySystemInformation(SystemMemoryUsageInformation, &usage, sizeof(usage), NULL);
    print(text, "nr_free_pages %lu\nnr_page_table_pages %lu\n", usage.FreePages, usage.PageTablePages);
}

/* ---- Names and lists ---- */

static void show_version(struct text *text, const struct subject *subject)
{
    struct utsname names;
    machine_names(&names);
    print(text, "Linux version %s (primer) %s\n", names.release, names.version);
}

void show_mounts(struct text *text, const struct subject *subject)
{
    print(text, "tmpfs / tmpfs rw,relatime 0 0\nproc /proc proc rw,relatime 0 0\nsysfs /sys sysfs ro,relatime 0 0\n");
}

static void show_filesystems(struct text *text, const struct subject *subject)
{
    print(text, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tpipefs\n");
}

static void show_partitions(struct text *text, const struct subject *subject)
{
    print(text, "major minor  #blocks  name\n\n");
}

static void show_devices(struct text *text, const struct subject *subject)
{
    print(text, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n\nBlock devices:\n");
}

static void show_swaps(struct text *text, const struct subject *subject)
{
    print(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

static void show_interrupts(struct text *text, const struct subject *subject)
{
    print(text, "     ");
    for (ULONG cpu = 0; cpu < KeQueryActiveProcessorCount(NULL); cpu++) {
        print(text, "      CPU%-8u", cpu);
    }
    print(text, "\n");
}

/* There is no network: its tables have headings alone. */
static void show_net_dev(struct text *text, const struct subject *subject)
{
    print(text, "Inter-|   Receive                                                |  Transmit\n"
                " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
                "carrier compressed\n");
}

static void show_net_tcp(struct text *text, const struct subject *subject)
{
    print(text, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
}

static void show_net_udp(struct text *text, const struct subject *subject)
{
    print(text, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer "
                "drops\n");
}

static void show_net_unix(struct text *text, const struct subject *subject)
{
    print(text, "Num       RefCount Protocol Flags    Type St Inode Path\n");
}

static void show_net_route(struct text *text, const struct subject *subject)
{
    print(text, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
}

static void show_net_arp(struct text *text, const struct subject *subject)
{
    print(text, "IP address       HW type     Flags       HW address            Mask     Device\n");
}

/* ---- /proc/sys ---- */

static void show_hostname(struct text *text, const struct subject *subject)
{
    struct utsname names;
    machine_names(&names);
    print(text, "%s\n", names.nodename);
}

static void show_domainname(struct text *text, const struct subject *subject)
{
    struct utsname names;
    machine_names(&names);
    print(text, "%s\n", names.domainname);
}

static long write_name(bool domain, const char *word, size_t length)
{
    if (length >= sizeof(((struct utsname *)0)->nodename)) {
        return -EINVAL;
    }
    machine_set_name(domain, word, length);
    return 0;
}

static long write_hostname(const struct subject *subject, char *word, size_t length)
{
    return write_name(false, word, length);
}

static long write_domainname(const struct subject *subject, char *word, size_t length)
{
    return write_name(true, word, length);
}

static void show_osrelease(struct text *text, const struct subject *subject)
{
    struct utsname names;
    machine_names(&names);
    print(text, "%s\n", names.release);
}

static void show_ostype(struct text *text, const struct subject *subject)
{
    print(text, "Linux\n");
}

static void show_osversion(struct text *text, const struct subject *subject)
{
    struct utsname names;
    machine_names(&names);
    print(text, "%s\n", names.version);
}

/* Ids of processes and threads are the kernel's handles, and below this. */
static void show_pid_max(struct text *text, const struct subject *subject)
{
    print(text, "4194304\n");
}

static void show_cap_last_cap(struct text *text, const struct subject *subject)
{
    print(text, "%d\n", CAP_LAST_CAP);
}

static void show_ngroups_max(struct text *text, const struct subject *subject)
{
    print(text, "%d\n", NGROUPS_MAX);
}

static void show_entropy(struct text *text, const struct subject *subject)
{
    print(text, "256\n");
}

static void print_uuid(struct text *text, const u8 bytes[16])
{
    for (int i = 0; i < 16; i++) {
        print(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
    }
    print(text, "\n");
}

static void make_uuid(u8 bytes[16])
{
    kernel.RandomBytes(bytes, 16);
    bytes[6] = (bytes[6] & 0x0f) | 0x40; /* version 4: random */
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
}

static void show_uuid(struct text *text, const struct subject *subject)
{
    u8 bytes[16];
    make_uuid(bytes);
    print_uuid(text, bytes);
}

static struct {
    struct mutex lock;
    bool made;
    u8 bytes[16]; /* (lock) */
} boot_id;

static void show_boot_id(struct text *text, const struct subject *subject)
{
    mutex_lock(&boot_id.lock);
    if (!boot_id.made) {
        make_uuid(boot_id.bytes);
        boot_id.made = true;
    }
    mutex_unlock(&boot_id.lock);
    print_uuid(text, boot_id.bytes);
}

static void show_overcommit(struct text *text, const struct subject *subject)
{
    print(text, "0\n");
}

static void show_max_map_count(struct text *text, const struct subject *subject)
{
    print(text, "65530\n");
}

static void show_file_max(struct text *text, const struct subject *subject)
{
    print(text, "9223372036854775807\n"); /* as memory has room for */
}

static void show_nr_open(struct text *text, const struct subject *subject)
{
    print(text, "%d\n", NR_OPEN);
}

/* ---- /sys ---- */

static void show_processors(struct text *text, const struct subject *subject)
{
    ULONG count = KeQueryActiveProcessorCount(NULL);
    print(text, count > 1 ? "0-%u\n" : "0\n", count - 1);
}

#define TEXT(path, routine)            {.name = path, .mode = S_IFREG | 0444, .show = routine}
#define WRITABLE(path, routine, other) {.name = path, .mode = S_IFREG | 0644, .show = routine, .write = other}

const struct proc_entry machine_entries[] = {
    TEXT("meminfo", show_meminfo),
    TEXT("uptime", show_uptime),
    TEXT("loadavg", show_loadavg),
    TEXT("version", show_version),
    TEXT("cpuinfo", show_cpuinfo),
    TEXT("stat", show_stat),
    TEXT("filesystems", show_filesystems),
    TEXT("partitions", show_partitions),
    TEXT("devices", show_devices),
    TEXT("swaps", show_swaps),
    TEXT("vmstat", show_vmstat),
    TEXT("interrupts", show_interrupts),
    TEXT("net/dev", show_net_dev),
    TEXT("net/tcp", show_net_tcp),
    TEXT("net/tcp6", show_net_tcp),
    TEXT("net/udp", show_net_udp),
    TEXT("net/udp6", show_net_udp),
    TEXT("net/raw", show_net_udp),
    TEXT("net/unix", show_net_unix),
    TEXT("net/route", show_net_route),
    TEXT("net/arp", show_net_arp),
    WRITABLE("sys/kernel/hostname", show_hostname, write_hostname),
    WRITABLE("sys/kernel/domainname", show_domainname, write_domainname),
    TEXT("sys/kernel/osrelease", show_osrelease),
    TEXT("sys/kernel/ostype", show_ostype),
    TEXT("sys/kernel/version", show_osversion),
    TEXT("sys/kernel/pid_max", show_pid_max),
    TEXT("sys/kernel/cap_last_cap", show_cap_last_cap),
    TEXT("sys/kernel/ngroups_max", show_ngroups_max),
    TEXT("sys/kernel/random/boot_id", show_boot_id),
    TEXT("sys/kernel/random/uuid", show_uuid),
    TEXT("sys/kernel/random/entropy_avail", show_entropy),
    TEXT("sys/kernel/random/poolsize", show_entropy),
    TEXT("sys/vm/overcommit_memory", show_overcommit),
    TEXT("sys/vm/max_map_count", show_max_map_count),
    TEXT("sys/fs/file-max", show_file_max),
    TEXT("sys/fs/nr_open", show_nr_open),
};
const size_t machine_entry_count = ARRAYSIZE(machine_entries);

const struct proc_entry sys_entries[] = {
    TEXT("devices/system/cpu/possible", show_processors),
    TEXT("devices/system/cpu/present", show_processors),
    TEXT("devices/system/cpu/online", show_processors),
};
const size_t sys_entry_count = ARRAYSIZE(sys_entries);
