/* SPDX-License-Identifier: MIT */
/*
 * Memory calls. The kernel keeps the regions of an address space; what is Linux's own is the rules: which
 * errors, where things go (from the top down, below the stack and its gap), and the heap that brk moves.
 *
 * How much may be promised (vm.overcommit_memory 0): a single request for private writable memory larger than
 * the machine's memory is refused, unless MAP_NORESERVE; what can never be touched, PROT_NONE, is not
 * counted. A page that was promised and cannot be had ends the process by SIGKILL, or SIGBUS in a file.
 * Processes are root's, whom RLIMIT_MEMLOCK does not bind. There is no paging: what mlock pins is what it
 * brings in.
 */
#include "linux.h"

#define LOWEST_ADDRESS 0x10000UL
#define LIMIT_32BIT    0x80000000UL
#define SURELY_THERE   (1UL << 20) /* bytes that need no question */
#define POPULATE_STEP  (1UL << 20) /* bytes between two looks whether the process is to end */

/* What this module marks regions with. */
#define REGION_NOWRITE   0x10              /* a shared mapping of a file that is open for reading alone */
#define REGION_NORESERVE 0x20
#define REGION_LOCKED    PS_REGION_OWN_TAG /* children do not inherit locks */

static PEPROCESS self(void)
{
    return current_process()->object;
}

static ULONG protection_of(int prot)
{
    ULONG protection = 0;
    protection |= prot & PROT_READ ? PS_MEMORY_READ : 0;
    protection |=
        prot & PROT_WRITE ? PS_MEMORY_READ | PS_MEMORY_WRITE : 0; /* this machine has no write-only pages */
    protection |= prot & PROT_EXEC ? PS_MEMORY_READ | PS_MEMORY_EXECUTE : 0;
    return protection;
}

static bool is_user_range(u64 addr, u64 length)
{
    return length <= TASK_SIZE && addr <= TASK_SIZE - length;
}

/* [addr, addr + length) rounded up to pages wraps around. */
static bool wraps(u64 addr, u64 length)
{
    return page_up(length) < length || addr + page_up(length) < addr;
}

/* The region at addr; false in a hole. */
static bool region_at(u64 addr, PS_REGION_INFORMATION *region)
{
    return NT_SUCCESS(kernel.QueryRegion(self(), addr, region)) && region->Mapped;
}

/* Calls visit, with its context, for each region of [addr, end) until it fails. -ENOMEM at a hole. */
static long for_each_region(u64 addr, u64 end, long (*visit)(const PS_REGION_INFORMATION *region, void *context),
                            void *context)
{
    PS_REGION_INFORMATION region;

    for (; addr < end; addr = region.End) {
        if (!region_at(addr, &region)) {
            return -ENOMEM;
        }
        long error = visit != NULL ? visit(&region, context) : 0;
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

/* ---- Limits ---- */

/* Memory that counts for RLIMIT_DATA. */
static bool region_is_data(const PS_REGION_INFORMATION *region)
{
    return (region->Protection & PS_MEMORY_WRITE) && !region->Shared && !region->GrowDown;
}

static u64 data_bytes(void)
{
    PS_REGION_INFORMATION region;
    u64 bytes = 0;

    for (u64 addr = 0; addr < TASK_SIZE && NT_SUCCESS(kernel.QueryRegion(self(), addr, &region)); addr = region.End) {
        bytes += region.Mapped && region_is_data(&region) ? region.End - region.Start : 0;
    }
    return bytes;
}

static bool exceeds(u64 used, u64 more, u64 limit)
{
    return used > limit || more > limit - used;
}

static u64 total_memory(void)
{
    PS_MEMORY_STATISTICS memory;
    kernel.QueryMemory(NULL, &memory);
    return memory.TotalBytes;
}

/* What the process's limits, and the machine, say to so many bytes more; data: they count as such. */
static long may_map(u64 bytes, bool data, bool reserve)
{
    const struct rlimit *limits = current_process()->rlimits; /* a word each: as old as any answer */
    PS_MEMORY_STATISTICS memory;

    if (limits[RLIMIT_AS].rlim_cur != RLIM_INFINITY) {
        kernel.QueryMemory(self(), &memory);
        if (exceeds(memory.RegionBytes, bytes, limits[RLIMIT_AS].rlim_cur)) {
            return -ENOMEM;
        }
    }
    if (data && limits[RLIMIT_DATA].rlim_cur != RLIM_INFINITY &&
        exceeds(data_bytes(), bytes, limits[RLIMIT_DATA].rlim_cur)) {
        return -ENOMEM;
    }
    return data && reserve && bytes > SURELY_THERE && bytes > total_memory() ? -ENOMEM : 0;
}

void mm_set_stack_limit(PEPROCESS object, u64 limit)
{
    kernel.SetGrowLimit(object, min(limit, STACK_ROOM_MOST));
}

/* ---- brk ---- */

static long move_brk(struct mm *mm, u64 brk)
{
    u64 old_end = page_up(mm->brk);
    u64 new_end = page_up(brk);
    ULONG_PTR base = old_end;

    if (brk < mm->start_brk || brk > mm->mmap_limit) {
        return -EINVAL;
    }
    if (new_end < old_end) {
        return error_of(kernel.UnmapRegion(self(), new_end, old_end - new_end));
    }
    if (new_end == old_end) {
        return 0;
    }
    long error = may_map(new_end - old_end, true, true);
    if (error < 0) {
        return error;
    }
    error = error_of(kernel.MapRegion(self(), &base, new_end - old_end,
                                      PS_MAP_FIXED | PS_MAP_NOREPLACE | PS_MAP_ATTRIBUTES(mm->lock_future),
                                      PS_MEMORY_READ | PS_MEMORY_WRITE, NULL, 0, 0, NULL));
    if (error == 0 && mm->populate_future) {
        kernel.PopulateRegion(self(), old_end, new_end - old_end, 0);
    }
    return error;
}

/* Never fails: answers where the end is now. */
long sys_brk(u64 brk)
{
    struct mm *mm = current_process()->mm;

    mutex_lock(&mm->lock);
    if (move_brk(mm, brk) == 0) {
        mm->brk = brk;
    }
    brk = mm->brk;
    mutex_unlock(&mm->lock);
    return brk;
}

/* ---- mmap ---- */

/* What is to be mapped. section: referenced, NULL for private anonymous memory. */
struct mapping {
    u64 addr, length, offset;
    int prot, flags;
    ULONG attributes;
    PMM_SECTION_HANDLE section;
    struct inode *inode; /* a permanent one's, for /proc: the region's tag */
};

static long map_at(const struct mapping *m, ULONG_PTR *base, ULONG map_flags)
{
    u64 limit = current_process()->mm->mmap_limit;

    map_flags |= (m->flags & MAP_TYPE) != MAP_PRIVATE ? PS_MAP_SHARED : 0;
    map_flags |= m->flags & MAP_GROWSDOWN ? PS_MAP_GROWDOWN : 0;
    map_flags |= PS_MAP_ATTRIBUTES(m->attributes);
    limit = m->flags & MAP_32BIT ? min(limit, LIMIT_32BIT) : limit;
    return error_of(kernel.MapRegion(self(), base, m->length, map_flags, protection_of(m->prot), m->section, m->offset,
                                     limit, m->inode));
}

static long place_mapping(const struct mapping *m)
{
    ULONG_PTR base = m->addr;
    long error;

    if (m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        error = map_at(m, &base, PS_MAP_FIXED | (m->flags & MAP_FIXED_NOREPLACE ? PS_MAP_NOREPLACE : 0));
        return error < 0 ? error : (long)base;
    }
    base = page_down(m->addr);
    if (base >= LOWEST_ADDRESS && (!(m->flags & MAP_32BIT) || base + m->length <= LIMIT_32BIT) &&
        map_at(m, &base, PS_MAP_FIXED | PS_MAP_NOREPLACE) == 0) {
        return base;
    }
    base = 0;
    error = map_at(m, &base, PS_MAP_TOPDOWN);
    return error == -EEXIST ? -ENOMEM : error < 0 ? error : (long)base;
}

/* Shared anonymous memory: a section of its own. */
static long anonymous_section(struct mapping *m)
{
    int type = m->flags & MAP_TYPE;

    m->offset = 0;
    if (type == MAP_PRIVATE) {
        return 0;
    }
    if (type != MAP_SHARED || (m->flags & MAP_GROWSDOWN)) {
        return -EINVAL;
    }
    return error_of(kernel.CreateSection(m->length, &m->section));
}

/* What MAP_SHARED_VALIDATE does not refuse: the flags of its time, and sizes of huge pages. */
#define KNOWN_FLAGS                                                                                          \
    (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE |      \
     MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | 0x7c000000)

static long check_file(const struct mapping *m, const struct file *file)
{
    int type = m->flags & MAP_TYPE;

    if (S_ISREG(file->inode->mode) && m->offset > (u64)MAXLONG64 - m->length) {
        return -EOVERFLOW;
    }
    if (type == MAP_SHARED_VALIDATE && (m->flags & ~KNOWN_FLAGS)) {
        return -EOPNOTSUPP;
    }
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE) {
        return -EINVAL;
    }
    if (!file_readable(file) || (type != MAP_PRIVATE && (m->prot & PROT_WRITE) && !file_writable(file))) {
        return -EACCES;
    }
    return 0;
}

/* A mapping is made through which the file may be written, now or after mprotect; false: it is sealed against
   that. */
static bool inode_may_be_written(struct inode *inode)
{
    write_lock(&inode->lock);
    bool may = !(inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
    inode->mapped_writable |= may;
    write_unlock(&inode->lock);
    return may;
}

static long file_section(struct mapping *m, struct file *file)
{
    long error = check_file(m, file);
    if (error < 0) {
        return error;
    }
    if (file->ops != NULL && file->ops->anonymous) {
        m->flags = (m->flags & MAP_TYPE) == MAP_PRIVATE ? m->flags : (m->flags & ~MAP_TYPE) | MAP_SHARED;
        return anonymous_section(m);
    }
    if (!inode_can_be_mapped(file->inode)) {
        return -ENODEV;
    }
    if (m->flags & MAP_GROWSDOWN) {
        return -EINVAL;
    }
    if ((m->flags & MAP_TYPE) != MAP_PRIVATE && file_writable(file) && !inode_may_be_written(file->inode)) {
        return -EPERM;
    }
    m->section = inode_section(file->inode);
    if (m->section == NULL) {
        return -ENOMEM;
    }
    kernel.ReferenceSection(m->section);
    m->inode = file->inode;
    m->attributes |= (m->flags & MAP_TYPE) != MAP_PRIVATE && !file_writable(file) ? REGION_NOWRITE : 0;
    return 0;
}

/* What does not depend on what is mapped. There are no huge pages to give. */
static long check_mapping(struct mapping *m)
{
    bool fixed = m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);

    if (m->flags & MAP_HUGETLB) {
        return m->flags & MAP_ANONYMOUS ? -ENOMEM : -EINVAL;
    }
    if (m->length == 0) {
        return -EINVAL;
    }
    m->length = page_up(m->length);
    if (m->length == 0 || m->length > TASK_SIZE || (fixed && m->addr > TASK_SIZE - m->length)) {
        return -ENOMEM;
    }
    if (fixed && m->addr % PAGE_SIZE != 0) {
        return -EINVAL;
    }
    if (fixed && m->addr < LOWEST_ADDRESS) {
        return -EPERM;
    }
    m->attributes = m->flags & MAP_NORESERVE ? REGION_NORESERVE : 0;
    m->attributes |= m->flags & MAP_LOCKED ? REGION_LOCKED : current_process()->mm->lock_future;
    bool data = (m->flags & MAP_TYPE) == MAP_PRIVATE && (m->prot & PROT_WRITE) && !(m->flags & MAP_GROWSDOWN);
    return may_map(m->length, data, !(m->flags & MAP_NORESERVE));
}

static long map_file(struct mapping *m, int fd)
{
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long result = check_mapping(m);
    if (result == 0) {
        result = file_section(m, file);
    }
    if (result == 0) {
        result = place_mapping(m);
    }
    file_put(file);
    return result;
}

static long map_anonymous(struct mapping *m)
{
    long result = check_mapping(m);
    if (result == 0) {
        result = anonymous_section(m);
    }
    return result == 0 ? place_mapping(m) : result;
}

/* Brings in what can be had, up to the first page that cannot. */
static NTSTATUS populate(u64 addr, u64 length, ULONG access)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (u64 at = 0; at < length && NT_SUCCESS(status) && !is_dying(); at += POPULATE_STEP) {
        status = kernel.PopulateRegion(self(), addr + at, min(POPULATE_STEP, length - at), access);
    }
    return status;
}

long sys_mmap(u64 addr, u64 length, int prot, int flags, int fd, u64 offset)
{
    struct mapping m = {.addr = addr, .length = length, .offset = offset, .prot = prot, .flags = flags};

    if (offset % PAGE_SIZE != 0) {
        return -EINVAL;
    }
    long result = flags & MAP_ANONYMOUS ? map_anonymous(&m) : map_file(&m, fd);
    if (m.section != NULL) {
        kernel.DereferenceSection(m.section); /* the region has its own reference */
    }
    bool wanted = (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE || (flags & MAP_LOCKED) ||
                  current_process()->mm->populate_future;
    if (result >= 0 && wanted) {
        populate(result, m.length, 0);
    }
    return result;
}

/* ---- munmap, mprotect ---- */

long sys_munmap(u64 addr, u64 length)
{
    if (addr % PAGE_SIZE != 0 || length == 0 || page_up(length) == 0 ||
        !is_user_range(addr, page_up(length))) {
        return -EINVAL;
    }
    return error_of(kernel.UnmapRegion(self(), addr, page_up(length)));
}

struct protection {
    u64 start, end;
    ULONG protection;
};

/* One region's part. A shared mapping is not to be made writable when its file could not be written. */
static long protect_region(const PS_REGION_INFORMATION *region, void *context)
{
    const struct protection *p = context;
    u64 start = region->Start > p->start ? region->Start : p->start;
    u64 bytes = min(region->End, p->end) - start;

    if ((p->protection & PS_MEMORY_WRITE) && !(region->Protection & PS_MEMORY_WRITE)) {
        if (region->Attributes & REGION_NOWRITE) {
            return -EACCES;
        }
        bool data = !region->Shared && !region->GrowDown;
        if (data && may_map(0, true, false) < 0) {
            return -ENOMEM;
        }
        if (data && !(region->Attributes & REGION_NORESERVE) && bytes > total_memory()) {
            return -ENOMEM;
        }
    }
    NTSTATUS status = kernel.ProtectRegion(self(), start, bytes, p->protection);
    return status == STATUS_ACCESS_DENIED ? -EACCES : error_of(status);
}

/* With PROT_GROWSDOWN the range begins where its region does, which must be one that grows. */
static long grow_down(u64 *start, u64 end)
{
    PS_REGION_INFORMATION region;

    if (!NT_SUCCESS(kernel.QueryRegion(self(), *start, &region)) ||
        (!region.Mapped && (region.End >= end || !region_at(region.End, &region)))) {
        return -ENOMEM;
    }
    *start = region.Start;
    return region.GrowDown ? 0 : -EINVAL;
}

long sys_mprotect(u64 addr, u64 length, int prot)
{
    int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);

    if (addr % PAGE_SIZE != 0 || grows == (PROT_GROWSDOWN | PROT_GROWSUP)) {
        return -EINVAL;
    }
    if (length == 0) {
        return 0;
    }
    length = page_up(length);
    if (length == 0 || addr + length < addr) {
        return -ENOMEM;
    }
    if ((prot & ~grows) & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) {
        return -EINVAL;
    }
    struct protection p = {addr, addr + length, protection_of(prot)};
    if (!is_user_range(addr, length)) {
        return -ENOMEM;
    }
    long error = grows & PROT_GROWSDOWN ? grow_down(&p.start, p.end) : 0;
    if (error == 0 && (grows & PROT_GROWSUP)) {
        PS_REGION_INFORMATION region;
        error = region_at(addr, &region) ? -EINVAL : -ENOMEM; /* nothing grows upwards */
    }
    if (error == 0) {
        error = for_each_region(p.start, p.end, protect_region, &p);
    }
    return error;
}

/* ---- madvise ---- */

struct advice {
    u64 start, end;
    int advice;
};

static long mark(const struct advice *a, ULONG mask, ULONG value)
{
    return error_of(kernel.SetRegionAttributes(self(), a->start, a->end - a->start, mask, value));
}

static bool is_private_anonymous(const PS_REGION_INFORMATION *region)
{
    return !region->Shared && !region->HasSection;
}

/* There is one size of pages: a range that holds no large one is done, any other cannot be. */
static long collapse(const struct advice *a)
{
    const u64 large = 2UL << 20;
    return ((a->start + large - 1) & ~(large - 1)) < (a->end & ~(large - 1)) ? -EINVAL : 0;
}

static long populate_for(const struct advice *a)
{
    NTSTATUS status = populate(a->start, a->end - a->start,
                               a->advice == MADV_POPULATE_WRITE ? PS_MEMORY_WRITE : PS_MEMORY_READ);
    return status == STATUS_ACCESS_VIOLATION ? -EINVAL : status == STATUS_IN_PAGE_ERROR ? -EFAULT : error_of(status);
}

/* One region's part of the range. 0 also for what is only advice. */
static long advise(const PS_REGION_INFORMATION *region, void *context)
{
    const struct advice *whole = context;
    struct advice a = {region->Start > whole->start ? region->Start : whole->start, min(region->End, whole->end),
                       whole->advice};
    bool locked = region->Attributes & REGION_LOCKED;

    switch (a.advice) {
    case MADV_FREE:
        if (!is_private_anonymous(region)) {
            return -EINVAL;
        }
        __attribute__((fallthrough));
    case MADV_DONTNEED:
        if (locked) {
            return -EINVAL;
        }
        __attribute__((fallthrough));
    case MADV_DONTNEED_LOCKED:
        return error_of(kernel.DiscardRegion(self(), a.start, a.end - a.start));
    case MADV_REMOVE: /* no file here can be punched */
        return locked || !region->HasSection ? -EINVAL
               : !region->Shared || !(region->Protection & PS_MEMORY_WRITE) ? -EACCES
                                                                            : -EOPNOTSUPP;
    case MADV_COLD:
    case MADV_PAGEOUT:
        return locked ? -EINVAL : 0;
    case MADV_DONTFORK:
        return mark(&a, PS_REGION_NOINHERIT, PS_REGION_NOINHERIT);
    case MADV_DOFORK:
        return mark(&a, PS_REGION_NOINHERIT, 0);
    case MADV_WIPEONFORK:
        return is_private_anonymous(region) ? mark(&a, PS_REGION_WIPE, PS_REGION_WIPE) : -EINVAL;
    case MADV_KEEPONFORK:
        return mark(&a, PS_REGION_WIPE, 0);
    case MADV_COLLAPSE:
        return collapse(&a);
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
        return populate_for(&a);
    default:
        return 0;
    }
}

static bool is_advice(int advice)
{
    return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) || advice == MADV_FREE || advice == MADV_REMOVE ||
           (advice >= MADV_DONTFORK && advice <= MADV_COLLAPSE);
}

/* Holes are passed over, and told of at the end; any other error ends the work. */
long sys_madvise(u64 addr, u64 length, int advice)
{
    if (!is_advice(advice) || addr % PAGE_SIZE != 0 || wraps(addr, length)) {
        return -EINVAL;
    }
    struct advice a = {addr, addr + page_up(length), advice};
    PS_REGION_INFORMATION region;
    long result = 0;

    for (u64 at = a.start; at < a.end; at = region.End) {
        bool known = at < TASK_SIZE && NT_SUCCESS(kernel.QueryRegion(self(), at, &region));
        if (!known) {
            return -ENOMEM;
        }
        if (!region.Mapped) {
            result = -ENOMEM;
            continue;
        }
        long error = advise(&region, &a);
        if (error < 0) {
            return error;
        }
    }
    return result;
}

/* ---- msync, mincore ---- */

static long invalidate(const PS_REGION_INFORMATION *region, void *context)
{
    return region->Attributes & REGION_LOCKED ? -EBUSY : 0;
}

/* A shared mapping's bytes are the file's: there is nothing to write back. */
long sys_msync(u64 addr, u64 length, int flags)
{
    if (addr % PAGE_SIZE != 0 || (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC)) {
        return -EINVAL;
    }
    return wraps(addr, length) ? -ENOMEM
                               : for_each_region(addr, addr + page_up(length), flags & MS_INVALIDATE ? invalidate : NULL,
                                                 NULL);
}

long sys_mincore(u64 addr, u64 length, u8 __user *vector)
{
    u64 pages = page_up(length) / PAGE_SIZE;
    u8 present[256];

    if (addr % PAGE_SIZE != 0) {
        return -EINVAL;
    }
    if (!is_user_range(addr, length)) {
        return -ENOMEM;
    }
    if (!access_ok(vector, pages)) {
        return -EFAULT;
    }
    for (u64 page = 0; page < pages && !is_dying(); page += sizeof(present)) {
        u64 now = min(sizeof(present), pages - page);
        if (!NT_SUCCESS(kernel.QueryPages(self(), addr + page * PAGE_SIZE, now, present))) {
            return -ENOMEM;
        }
        if (copy_to_user(vector + page, present, now) < 0) {
            return -EFAULT;
        }
    }
    return 0;
}

/* ---- mlock and kin ---- */

static long set_locked(u64 addr, u64 length, bool locked, u64 *start, u64 *end)
{
    *start = page_down(addr);
    *end = *start + page_up(length + addr % PAGE_SIZE);
    if (*end < *start) {
        return -EINVAL;
    }
    if (*start == *end) {
        return 0;
    }
    if (!is_user_range(*start, *end - *start)) {
        return -ENOMEM;
    }
    return error_of(kernel.SetRegionAttributes(self(), *start, *end - *start, REGION_LOCKED, locked ? REGION_LOCKED : 0));
}

long sys_mlock2(u64 addr, u64 length, u32 flags)
{
    u64 start, end;

    if (flags & ~(u32)MLOCK_ONFAULT) {
        return -EINVAL;
    }
    long error = set_locked(addr, length, true, &start, &end);
    if (error < 0 || (flags & MLOCK_ONFAULT)) {
        return error;
    }
    NTSTATUS status = populate(start, end - start, 0);
    return status == STATUS_NO_MEMORY ? -EAGAIN : NT_SUCCESS(status) ? 0 : -ENOMEM;
}

long sys_mlock(u64 addr, u64 length)
{
    return sys_mlock2(addr, length, 0);
}

long sys_munlock(u64 addr, u64 length)
{
    u64 start, end;
    return set_locked(addr, length, false, &start, &end);
}

/* All that is mapped now. What cannot be brought in (PROT_NONE, behind a file's end) is passed over. */
static void lock_current(bool locked, bool bring_in)
{
    PS_REGION_INFORMATION region;

    for (u64 addr = 0; addr < TASK_SIZE && NT_SUCCESS(kernel.QueryRegion(self(), addr, &region)) && !is_dying();
         addr = region.End) {
        if (region.Mapped) {
            kernel.SetRegionAttributes(self(), region.Start, region.End - region.Start, REGION_LOCKED,
                                       locked ? REGION_LOCKED : 0);
            if (bring_in) {
                populate(region.Start, region.End - region.Start, 0);
            }
        }
    }
}

long sys_mlockall(u32 flags)
{
    struct mm *mm = current_process()->mm;

    if (flags == 0 || (flags & ~(u32)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT) {
        return -EINVAL;
    }
    mutex_lock(&mm->lock);
    mm->lock_future = flags & MCL_FUTURE ? REGION_LOCKED : 0;
    mm->populate_future = (flags & MCL_FUTURE) && !(flags & MCL_ONFAULT);
    mutex_unlock(&mm->lock);
    if (flags & MCL_CURRENT) {
        lock_current(true, !(flags & MCL_ONFAULT));
    }
    return 0;
}

long sys_munlockall(void)
{
    struct mm *mm = current_process()->mm;

    mutex_lock(&mm->lock);
    mm->lock_future = 0;
    mm->populate_future = false;
    mutex_unlock(&mm->lock);
    lock_current(false, false);
    return 0;
}

/* ---- mremap ---- */

static long check_remap(u64 old, u64 *old_size, u64 *new_size, u32 flags, u64 wanted)
{
    *old_size = page_up(*old_size);
    *new_size = page_up(*new_size);
    if ((flags & ~(u32)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) || old % PAGE_SIZE != 0 || *new_size == 0 ||
        old + *new_size < old || !is_user_range(old, *old_size)) {
        return -EINVAL;
    }
    if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE)) {
        return -EINVAL;
    }
    if ((flags & MREMAP_DONTUNMAP) && *old_size != *new_size) {
        return -EINVAL;
    }
    if (!(flags & MREMAP_FIXED)) {
        return *new_size > TASK_SIZE ? -ENOMEM : 0;
    }
    bool overlaps = wanted < old + *old_size && old < wanted + *new_size;
    return wanted % PAGE_SIZE != 0 || !is_user_range(wanted, *new_size) || overlaps ? -EINVAL
           : wanted < LOWEST_ADDRESS                                               ? -EPERM
                                                                                   : 0;
}

static long shrink_region(u64 old, u64 old_size, u64 new_size)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (new_size < old_size) {
        status = kernel.UnmapRegion(self(), old + new_size, old_size - new_size);
    }
    return NT_SUCCESS(status) ? (long)old : error_of(status);
}

/* What the limits and the rules of what may be where allow. region: where old lies. */
static long may_remap(const PS_REGION_INFORMATION *region, u64 old, u64 old_size, u64 new_size, u32 flags)
{
    if (old_size == 0 && (!region->Shared || (flags & MREMAP_DONTUNMAP))) {
        return -EINVAL;
    }
    if (region->End - old < old_size) {
        return -EFAULT;
    }
    return may_map(new_size - min(old_size, new_size), region_is_data(region),
                   !(region->Attributes & REGION_NORESERVE));
}

long sys_mremap(u64 old, u64 old_size, u64 new_size, u32 flags, u64 wanted)
{
    PEPROCESS process = self();
    PS_REGION_INFORMATION region;
    ULONG_PTR base = old;

    long error = check_remap(old, &old_size, &new_size, flags, wanted);
    if (error < 0) {
        return error;
    }
    if (!region_at(old, &region)) {
        return -EFAULT;
    }
    if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && new_size <= old_size) {
        return shrink_region(old, old_size, new_size);
    }
    error = may_remap(&region, old, old_size, new_size, flags);
    if (error < 0) {
        return error;
    }
    if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && is_user_range(old, new_size) &&
        NT_SUCCESS(kernel.MoveRegion(process, old, old_size, &base, new_size, PS_MAP_FIXED, FALSE, 0))) {
        return old;
    }
    if (!(flags & MREMAP_MAYMOVE)) {
        return -ENOMEM;
    }
    base = wanted;
    error = error_of(kernel.MoveRegion(process, old, old_size, &base, new_size,
                                       flags & MREMAP_FIXED ? PS_MAP_FIXED : PS_MAP_TOPDOWN,
                                       (flags & MREMAP_DONTUNMAP) != 0, current_process()->mm->mmap_limit));
    return error < 0 ? error : (long)base;
}
