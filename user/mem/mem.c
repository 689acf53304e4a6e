/* SPDX-License-Identifier: MIT */
/* Shows how much memory there is and what the kernel itself uses of it. */
#include "libnt.h"

static VOID PrintPages(PCSTR Name, ULONG64 Pages)
{
    Print("%-16s %10I64u KiB  %8I64u pages\n", Name, Pages * (PAGE_SIZE / 1024), Pages);
}

int main(int argc, char **argv)
{
    SYSTEM_MEMORY_USAGE Usage;
    STATUS_TEXT Text;
    NTSTATUS Status = NtQuerySystemInformation(SystemMemoryUsageInformation, &Usage, sizeof(Usage), NULL);
    if (!NT_SUCCESS(Status)) {
        PrintError("mem: %s\n", StatusText(Status, Text));
        return 1;
    }
    PrintPages("total", Usage.TotalPages);
    PrintPages("free", Usage.FreePages);
    PrintPages("page tables", Usage.PageTablePages);
    PrintPages("pool", Usage.PoolPages);
    Print("%-16s %10I64u KiB  %8I64u blocks\n", "pool, in use", Usage.PoolBytes / 1024, Usage.PoolBlocks);
    Print("%-16s %10I64u\n", "kernel stacks", Usage.KernelStacks);
    return 0;
}
