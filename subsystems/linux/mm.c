/* SPDX-License-Identifier: MIT */
/*
 * Memory calls. The kernel keeps the regions of an address space; what is Linux's own is the rules: which
 * errors, where things go (from the top down, below the stack and its gap), and the heap that brk moves.
 */
#include "linux.h"

#define LOWEST_ADDRESS 0x10000UL

static ULONG protection_of(int prot)
{
    ULONG protection = 0;
    protection |= prot & PROT_READ ? PS_MEMORY_READ : 0;
    protection |=
        prot & PROT_WRITE ? PS_MEMORY_READ | PS_MEMORY_WRITE : 0; /* this machine has no write-only pages */
    protection |= prot & PROT_EXEC ? PS_MEMORY_READ | PS_MEMORY_EXECUTE : 0;
    return protection;
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
        return error_of(kernel.UnmapRegion(current_process()->object, new_end, old_end - new_end));
    }
    if (new_end == old_end) {
        return 0;
    }
    return error_of(kernel.MapRegion(current_process()->object, &base, new_end - old_end,
                                     PS_MAP_FIXED | PS_MAP_NOREPLACE, PS_MEMORY_READ | PS_MEMORY_WRITE, NULL,
                                     0, 0, NULL));
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
    PMM_SECTION_HANDLE section;
    struct inode *inode; /* a permanent one's, for /proc: the region's tag */
};

static long map_at(const struct mapping *m, ULONG_PTR *base, ULONG map_flags)
{
    map_flags |= (m->flags & MAP_TYPE) != MAP_PRIVATE ? PS_MAP_SHARED : 0;
    map_flags |= m->flags & MAP_GROWSDOWN ? PS_MAP_GROWDOWN : 0;
    NTSTATUS status =
        kernel.MapRegion(current_process()->object, base, m->length, map_flags, protection_of(m->prot),
                         m->section, m->offset, current_process()->mm->mmap_limit, m->inode);
    return error_of(status);
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
    if (base >= LOWEST_ADDRESS && map_at(m, &base, PS_MAP_FIXED | PS_MAP_NOREPLACE) == 0) {
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

static long file_section(struct mapping *m, struct file *file)
{
    int type = m->flags & MAP_TYPE;

    if (S_ISREG(file->inode->mode) && m->offset > (u64)MAXLONG64 - m->length) {
        return -EOVERFLOW;
    }
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE) {
        return -EINVAL;
    }
    if (!file_readable(file) || (type != MAP_PRIVATE && (m->prot & PROT_WRITE) && !file_writable(file))) {
        return -EACCES;
    }
    if (file->ops != NULL && file->ops->anonymous) {
        return anonymous_section(m);
    }
    if (!inode_can_be_mapped(file->inode)) {
        return -ENODEV;
    }
    if (m->flags & MAP_GROWSDOWN) {
        return -EINVAL;
    }
    m->section = inode_section(file->inode);
    if (m->section == NULL) {
        return -ENOMEM;
    }
    kernel.ReferenceSection(m->section);
    m->inode = file->inode;
    return 0;
}

/* What does not depend on what is mapped. */
static long check_mapping(struct mapping *m)
{
    if (m->length == 0) {
        return -EINVAL;
    }
    m->length = page_up(m->length);
    if (m->length == 0 || m->length > TASK_SIZE) {
        return -ENOMEM;
    }
    if (!(m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
        return 0;
    }
    if (m->addr > TASK_SIZE - m->length) {
        return -ENOMEM;
    }
    return m->addr % PAGE_SIZE != 0 ? -EINVAL : m->addr < LOWEST_ADDRESS ? -EPERM : 0;
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
    return result;
}

/* ---- munmap, mprotect, madvise ---- */

static bool is_user_range(u64 addr, u64 length)
{
    return length <= TASK_SIZE && addr <= TASK_SIZE - length;
}

long sys_munmap(u64 addr, u64 length)
{
    if (addr % PAGE_SIZE != 0 || length == 0 || page_up(length) == 0 ||
        !is_user_range(addr, page_up(length))) {
        return -EINVAL;
    }
    return error_of(kernel.UnmapRegion(current_process()->object, addr, page_up(length)));
}

/* Calls visit for each region of [addr, end). -ENOMEM where there is none. */
static long for_each_region(u64 addr, u64 end, long (*visit)(const PS_REGION_INFORMATION *region))
{
    PS_REGION_INFORMATION region;

    for (; addr < end; addr = region.End) {
        if (!NT_SUCCESS(kernel.QueryRegion(current_process()->object, addr, &region)) || !region.Mapped ||
            region.End <= addr) {
            return -ENOMEM;
        }
        long error = visit != NULL ? visit(&region) : 0;
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

/* A file that cannot be written is not to be made writable through a shared mapping. Its regions carry the
   inode. */
static long refuse_shared_file(const PS_REGION_INFORMATION *region)
{
    return region->Shared && region->HasSection && region->Tag != NULL ? -EACCES : 0;
}

long sys_mprotect(u64 addr, u64 length, int prot)
{
    int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);

    if (addr % PAGE_SIZE != 0 || (grows & PROT_GROWSUP)) {
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
    if (!is_user_range(addr, length)) {
        return -ENOMEM;
    }
    if ((prot & PROT_WRITE) && for_each_region(addr, addr + length, refuse_shared_file) == -EACCES) {
        return -EACCES;
    }
    return error_of(kernel.ProtectRegion(current_process()->object, addr, length, protection_of(prot)));
}

/* 0 also for what is only advice. */
static long advise(u64 addr, u64 length, int advice)
{
    PEPROCESS process = current_process()->object;

    switch (advice) {
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
    case MADV_FREE:
        return error_of(kernel.DiscardRegion(process, addr, length));
    case MADV_DONTFORK:
    case MADV_DOFORK:
        return error_of(kernel.SetRegionInherit(process, addr, length, advice == MADV_DOFORK));
    default:
        return 0;
    }
}

static bool is_advice(int advice)
{
    return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) || advice == MADV_FREE ||
           (advice >= MADV_DONTFORK && advice <= MADV_COLLAPSE);
}

/* [addr, addr + length) rounded up to pages wraps around. */
static bool wraps(u64 addr, u64 length)
{
    return page_up(length) < length || addr + page_up(length) < addr;
}

long sys_madvise(u64 addr, u64 length, int advice)
{
    if (!is_advice(advice) || addr % PAGE_SIZE != 0 || wraps(addr, length)) {
        return -EINVAL;
    }
    length = page_up(length);
    if (length == 0) {
        return 0;
    }
    if (!is_user_range(addr, length)) {
        return -ENOMEM;
    }
    long error = advise(addr, length, advice);
    return error < 0 ? error : for_each_region(addr, addr + length, NULL);
}

long sys_msync(u64 addr, u64 length, int flags)
{
    if (addr % PAGE_SIZE != 0 || (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC)) {
        return -EINVAL;
    }
    return wraps(addr, length) ? -ENOMEM : for_each_region(addr, addr + page_up(length), NULL);
}

/* All memory is in memory: there is no paging. */
long sys_mincore(u64 addr, u64 length, u8 __user *vector)
{
    static const u8 present[64] = {[0 ... 63] = 1};
    u64 pages = page_up(length) / PAGE_SIZE;

    if (addr % PAGE_SIZE != 0) {
        return -EINVAL;
    }
    if (!is_user_range(addr, length)) {
        return -ENOMEM;
    }
    if (!access_ok(vector, pages)) {
        return -EFAULT;
    }
    if (for_each_region(addr, addr + page_up(length), NULL) < 0) {
        return -ENOMEM;
    }
    for (u64 page = 0; page < pages && !is_dying(); page += sizeof(present)) {
        if (copy_to_user(vector + page, present, min(sizeof(present), pages - page)) < 0) {
            return -EFAULT;
        }
    }
    return 0;
}

long sys_mlock(u64 addr, u64 length)
{
    u64 start = page_down(addr);
    u64 end = start + page_up(length + addr % PAGE_SIZE);
    return end < start ? -EINVAL : for_each_region(start, end, NULL);
}

long sys_munlock(u64 addr, u64 length)
{
    return sys_mlock(addr, length);
}

/* ---- mremap ---- */

/* Maps what the region would have at [addr, addr + size), offset bytes behind its own start; base as for
   MapRegion. */
static long map_like(const PS_REGION_INFORMATION *region, u64 distance, ULONG_PTR *base, u64 size,
                     ULONG map_flags)
{
    map_flags |= region->Shared ? PS_MAP_SHARED : 0;
    return error_of(kernel.MapRegion(current_process()->object, base, size, map_flags, region->Protection,
                                     region->Section, region->SectionOffset + distance,
                                     current_process()->mm->mmap_limit, region->Tag));
}

/* Copies what private pages hold. Page by page through the kernel: the contract cannot move pages yet. What
   lies behind the end of its file holds nothing. */
static long copy_pages(u64 to, u64 from, u64 size)
{
    PEPROCESS process = current_process()->object;
    void *page = zalloc(PAGE_SIZE);
    NTSTATUS status = page != NULL ? STATUS_SUCCESS : STATUS_NO_MEMORY;

    for (u64 at = 0; NT_SUCCESS(status) && !is_dying() && at < size; at += PAGE_SIZE) {
        status = kernel.ReadMemory(process, from + at, page, PAGE_SIZE);
        if (NT_SUCCESS(status)) {
            status = kernel.WriteMemory(process, to + at, page, PAGE_SIZE, TRUE);
        } else if (status == STATUS_IN_PAGE_ERROR) {
            status = STATUS_SUCCESS;
        }
    }
    release(page);
    return error_of(status);
}

/* The same for pages that may not be read, as long as this lasts. */
static long copy_region(const PS_REGION_INFORMATION *region, u64 to, u64 from, u64 old_size, u64 size)
{
    PEPROCESS process = current_process()->object;
    bool hidden = !(region->Protection & PS_MEMORY_READ);

    long error = hidden ? error_of(kernel.ProtectRegion(process, from, old_size, PS_MEMORY_READ)) : 0;
    if (error == 0) {
        error = copy_pages(to, from, size);
    }
    if (hidden && error < 0) {
        kernel.ProtectRegion(process, from, old_size, region->Protection);
    }
    return error;
}

/* To another place: wanted with MREMAP_FIXED, else anywhere. old_size 0: shared memory is to be at both. */
static long move_region(const PS_REGION_INFORMATION *region, u64 old, u64 old_size, u64 new_size, u32 flags,
                        u64 wanted)
{
    ULONG_PTR base = flags & MREMAP_FIXED ? wanted : 0;
    PEPROCESS process = current_process()->object;

    long error = map_like(region, old - region->Start, &base, new_size,
                          flags & MREMAP_FIXED ? PS_MAP_FIXED : PS_MAP_TOPDOWN);
    if (error == 0 && !region->Shared) {
        error = copy_region(region, base, old, old_size, min(old_size, new_size));
        if (error < 0) {
            kernel.UnmapRegion(process, base, new_size);
        }
    }
    if (error == 0 && old_size != 0) {
        error = error_of(kernel.UnmapRegion(process, old, old_size));
        if (error < 0) { /* no memory to split its region: it stays where it is */
            kernel.UnmapRegion(process, base, new_size);
        }
    }
    return error < 0 ? error : (long)base;
}

static long check_remap(u64 old, u64 *old_size, u64 *new_size, u32 flags, u64 wanted)
{
    *old_size = page_up(*old_size);
    *new_size = page_up(*new_size);
    if ((flags & ~(u32)(MREMAP_MAYMOVE | MREMAP_FIXED)) || old % PAGE_SIZE != 0 || *new_size == 0 ||
        *new_size > TASK_SIZE || !is_user_range(old, *old_size)) {
        return -EINVAL;
    }
    if (!(flags & MREMAP_FIXED)) {
        return 0;
    }
    bool overlaps = wanted < old + *old_size && old < wanted + *new_size;
    return !(flags & MREMAP_MAYMOVE) || wanted % PAGE_SIZE != 0 || wanted < LOWEST_ADDRESS ||
                   !is_user_range(wanted, *new_size) || overlaps
               ? -EINVAL
               : 0;
}

static long shrink_region(u64 old, u64 old_size, u64 new_size)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (new_size < old_size) {
        status = kernel.UnmapRegion(current_process()->object, old + new_size, old_size - new_size);
    }
    return NT_SUCCESS(status) ? (long)old : error_of(status);
}

long sys_mremap(u64 old, u64 old_size, u64 new_size, u32 flags, u64 wanted)
{
    PS_REGION_INFORMATION region;

    long error = check_remap(old, &old_size, &new_size, flags, wanted);
    if (error < 0) {
        return error;
    }
    if (!NT_SUCCESS(kernel.QueryRegion(current_process()->object, old, &region)) || !region.Mapped) {
        return -EFAULT;
    }
    if (!(flags & MREMAP_FIXED) && new_size <= old_size) {
        return shrink_region(old, old_size, new_size);
    }
    if (old_size == 0 && !region.Shared) {
        return -EINVAL;
    }
    if (region.End - old < old_size) {
        return -EFAULT;
    }
    ULONG_PTR end = old + old_size;
    if (!(flags & MREMAP_FIXED) && is_user_range(old, new_size) &&
        map_like(&region, end - region.Start, &end, new_size - old_size, PS_MAP_FIXED | PS_MAP_NOREPLACE) ==
            0) {
        return old;
    }
    return flags & MREMAP_MAYMOVE ? move_region(&region, old, old_size, new_size, flags, wanted) : -ENOMEM;
}
