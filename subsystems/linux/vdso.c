/* SPDX-License-Identifier: MIT */
/*
 * The vDSO's two pages, which all programs share: its data (vdso/vdso.h), and behind it the object that the
 * build has made of vdso/vdso.c. Programs may unmap or move them as they like.
 */
#include "linux.h"
#include "vdso/vdso.h"

#define SECONDS_1601_TO_1970 11644473600UL

extern const u8 vdso_image[], vdso_image_end[];

static PMM_SECTION_HANDLE data_section, image_section;

long vdso_start(void)
{
    PS_TIME_BASE base;
    SIZE_T done;

    kernel.QueryTimeBase(&base);
    struct vdso_data data = {
        .scale = base.Scale,
        .start_cycles = base.StartCycles,
        .units_per_cycle = base.TimePerCycle,
        .realtime = base.SystemTimeBias - SECONDS_1601_TO_1970 * 10000000,
    };
    long error = error_of(kernel.CreateSection(PAGE_SIZE, &data_section));
    if (error == 0) {
        error = error_of(kernel.WriteSection(data_section, 0, &data, sizeof(data), &done));
    }
    if (error == 0) {
        error = error_of(kernel.CreateDataSection(vdso_image, vdso_image_end - vdso_image, &image_section));
    }
    return error;
}

void vdso_stop(void)
{
    if (data_section != NULL) {
        kernel.DereferenceSection(data_section);
    }
    if (image_section != NULL) {
        kernel.DereferenceSection(image_section);
    }
}

u64 vdso_map(PEPROCESS process, u64 end)
{
    ULONG_PTR image = end - page_up(vdso_image_end - vdso_image), data = image - PAGE_SIZE;
    ULONG flags = PS_MAP_FIXED | PS_MAP_NOREPLACE;

    if (!NT_SUCCESS(kernel.MapRegion(process, &data, PAGE_SIZE, flags | PS_MAP_SHARED, PS_MEMORY_READ, data_section, 0, 0,
                                     NULL))) {
        return 0;
    }
    if (!NT_SUCCESS(kernel.MapRegion(process, &image, end - image, flags, PS_MEMORY_READ | PS_MEMORY_EXECUTE,
                                     image_section, 0, 0, NULL))) {
        kernel.UnmapRegion(process, data, PAGE_SIZE);
        return 0;
    }
    return image;
}
