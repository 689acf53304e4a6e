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
    if (base >= LOWEST_ADDRESS && base + m->length <= TASK_SIZE &&
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
    m->offset = 0;
    if ((m->flags & MAP_TYPE) == MAP_PRIVATE) {
        return 0;
    }
    return error_of(kernel.CreateSection(m->length, &m->section));
}

static long file_section(struct mapping *m, struct file *file)
{
    if (!file_readable(file)) {
        return -EACCES;
    }
    if ((m->flags & MAP_TYPE) != MAP_PRIVATE && (m->prot & PROT_WRITE) && !file_writable(file)) {
        return -EACCES;
    }
    if (file->ops != NULL && file->ops->anonymous) {
        return anonymous_section(m);
    }
    if (file->inode->archive == NULL) {
        return -ENODEV;
    }
    if (file->inode->size == 0) {
        return anonymous_section(m); /* every touch should be SIGBUS; nobody maps an empty file to use it */
    }
    m->section = inode_section(file->inode);
    if (m->section == NULL) {
        return -ENOMEM;
    }
    kernel.ReferenceSection(m->section);
    m->inode = file->inode;
    return 0;
}

static long find_section(struct mapping *m, int fd)
{
    if (m->flags & MAP_ANONYMOUS) {
        return anonymous_section(m);
    }
    struct file *file = fd_get_io(fd);
    if (file == NULL) {
        return -EBADF;
    }
    long error = file_section(m, file);
    file_put(file);
    return error;
}

static long check_mapping(struct mapping *m)
{
    int type = m->flags & MAP_TYPE;

    if (m->offset % PAGE_SIZE != 0 || m->length == 0) {
        return -EINVAL;
    }
    m->length = page_up(m->length);
    if (m->length == 0 || m->length > TASK_SIZE) {
        return -ENOMEM;
    }
    if (m->offset + m->length < m->offset) {
        return -EOVERFLOW;
    }
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE) {
        return -EINVAL;
    }
    if (!(m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
        return 0;
    }
    if (m->addr > TASK_SIZE - m->length) {
        return -ENOMEM;
    }
    return m->addr % PAGE_SIZE != 0 ? -EINVAL : m->addr < LOWEST_ADDRESS ? -EPERM : 0;
}

long sys_mmap(u64 addr, u64 length, int prot, int flags, int fd, u64 offset)
{
    struct mapping m = {.addr = addr, .length = length, .offset = offset, .prot = prot, .flags = flags};

    long result = check_mapping(&m);
    if (result == 0) {
        result = find_section(&m, fd);
    }
    if (result == 0) {
        result = place_mapping(&m);
    }
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
    if (addr % PAGE_SIZE != 0 || (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN))) {
        return -EINVAL;
    }
    if (length == 0) {
        return 0;
    }
    length = page_up(length);
    if (length == 0 || !is_user_range(addr, length)) {
        return -ENOMEM;
    }
    if ((prot & PROT_WRITE) && for_each_region(addr, addr + length, refuse_shared_file) == -EACCES) {
        return -EACCES;
    }
    return error_of(kernel.ProtectRegion(current_process()->object, addr, length, protection_of(prot)));
}

static long advise(u64 addr, u64 length, int advice)
{
    PEPROCESS process = current_process()->object;

    switch (advice) {
    case MADV_DONTNEED:
    case MADV_FREE:
        return error_of(kernel.DiscardRegion(process, addr, length));
    case MADV_DONTFORK:
    case MADV_DOFORK:
        return error_of(kernel.SetRegionInherit(process, addr, length, advice == MADV_DOFORK));
    default:
        return (advice >= MADV_NORMAL && advice <= MADV_WILLNEED) ||
                       (advice > MADV_DOFORK && advice <= MADV_COLLAPSE)
                   ? 0
                   : -EINVAL;
    }
}

long sys_madvise(u64 addr, u64 length, int advice)
{
    u64 size = page_up(length);
    if (addr % PAGE_SIZE != 0 || size < length || !is_user_range(addr, size)) {
        return -EINVAL;
    }
    if (size == 0) {
        return advise(addr, 0, MADV_NORMAL);
    }
    long error = advise(addr, size, advice);
    return error < 0 ? error : for_each_region(addr, addr + size, NULL);
}

long sys_msync(u64 addr, u64 length, int flags)
{
    u64 size = page_up(length);
    if (addr % PAGE_SIZE != 0 || (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC)) {
        return -EINVAL;
    }
    return size < length || !is_user_range(addr, size) ? -ENOMEM : for_each_region(addr, addr + size, NULL);
}

/* All memory is in memory: there is no paging. */
long sys_mincore(u64 addr, u64 length, u8 __user *vector)
{
    u64 size = page_up(length);
    if (addr % PAGE_SIZE != 0) {
        return -EINVAL;
    }
    if (size < length || !is_user_range(addr, size) || for_each_region(addr, addr + size, NULL) < 0) {
        return -ENOMEM;
    }
    u8 present = 1;
    for (u64 page = 0; page < size / PAGE_SIZE; page++) {
        if (copy_to_user(vector + page, &present, 1) < 0) {
            return -EFAULT;
        }
    }
    return 0;
}

long sys_mlock(u64 addr, u64 length)
{
    u64 start = page_down(addr);
    u64 end = page_up(addr + length);
    return end < start || end > TASK_SIZE ? -ENOMEM : for_each_region(start, end, NULL);
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

/* Copies what private pages hold. Page by page through the kernel: the contract cannot move pages yet. */
static long copy_pages(u64 to, u64 from, u64 size)
{
    PEPROCESS process = current_process()->object;
    void *page = zalloc(PAGE_SIZE);
    NTSTATUS status = page != NULL ? STATUS_SUCCESS : STATUS_NO_MEMORY;

    for (u64 at = 0; NT_SUCCESS(status) && !is_dying() && at < size; at += PAGE_SIZE) {
        status = kernel.ReadMemory(process, from + at, page, PAGE_SIZE);
        if (NT_SUCCESS(status)) {
            status = kernel.WriteMemory(process, to + at, page, PAGE_SIZE, TRUE);
        }
    }
    release(page);
    return error_of(status);
}

/* To another place: wanted with MREMAP_FIXED, else anywhere. */
static long move_region(const PS_REGION_INFORMATION *region, u64 old, u64 old_size, u64 new_size, u32 flags,
                        u64 wanted)
{
    ULONG_PTR base = flags & MREMAP_FIXED ? wanted : 0;
    PEPROCESS process = current_process()->object;

    long error = map_like(region, old - region->Start, &base, new_size,
                          flags & MREMAP_FIXED ? PS_MAP_FIXED : PS_MAP_TOPDOWN);
    if (error < 0) {
        return error;
    }
    if (!region->Shared && (region->Protection & PS_MEMORY_READ)) {
        error = copy_pages(base, old, min(old_size, new_size));
    }
    if (error < 0) {
        kernel.UnmapRegion(process, base, new_size);
        return error;
    }
    kernel.UnmapRegion(process, old, old_size);
    return base;
}

static long check_remap(u64 old, u64 *old_size, u64 *new_size, u32 flags, u64 wanted)
{
    if ((flags & ~(u32)(MREMAP_MAYMOVE | MREMAP_FIXED)) || old % PAGE_SIZE != 0 || *new_size == 0 ||
        ((flags & MREMAP_FIXED) && (!(flags & MREMAP_MAYMOVE) || wanted % PAGE_SIZE != 0))) {
        return -EINVAL;
    }
    *old_size = page_up(*old_size);
    *new_size = page_up(*new_size);
    if (*old_size == 0 || *new_size == 0 || !is_user_range(old, *old_size) || *new_size > TASK_SIZE) {
        return -EINVAL;
    }
    if ((flags & MREMAP_FIXED) && (!is_user_range(wanted, *new_size) || wanted < LOWEST_ADDRESS ||
                                   (wanted < old + *old_size && old < wanted + *new_size))) {
        return -EINVAL;
    }
    return 0;
}

long sys_mremap(u64 old, u64 old_size, u64 new_size, u32 flags, u64 wanted)
{
    PS_REGION_INFORMATION region;
    PEPROCESS process = current_process()->object;

    long error = check_remap(old, &old_size, &new_size, flags, wanted);
    if (error < 0) {
        return error;
    }
    if (!NT_SUCCESS(kernel.QueryRegion(process, old, &region)) || !region.Mapped ||
        region.End < old + old_size) {
        return -EFAULT;
    }
    if (!(flags & MREMAP_FIXED) && new_size <= old_size) {
        return new_size < old_size &&
                       !NT_SUCCESS(kernel.UnmapRegion(process, old + new_size, old_size - new_size))
                   ? -ENOMEM
                   : (long)old;
    }
    ULONG_PTR end = old + old_size;
    if (!(flags & MREMAP_FIXED) && is_user_range(old, new_size) &&
        map_like(&region, end - region.Start, &end, new_size - old_size, PS_MAP_FIXED | PS_MAP_NOREPLACE) ==
            0) {
        return old;
    }
    return flags & MREMAP_MAYMOVE ? move_region(&region, old, old_size, new_size, flags, wanted) : -ENOMEM;
}
