/* SPDX-License-Identifier: MIT */
/* Memory descriptor lists: their size, and parts of them. */
#include <ntddk.h>

/* Bytes of an MDL for a buffer. Any IRQL. (WDK page of the name) */
SIZE_T MmSizeOfMdl(PVOID Base, SIZE_T Length)
{
    return sizeof(MDL) + ADDRESS_AND_SIZE_TO_SPAN_PAGES(Base, Length) * sizeof(PFN_NUMBER);
}

/* Makes TargetMdl, which is large enough, describe a part of what SourceMdl describes and has locked: Length
   bytes at VirtualAddress, 0: all from there. The part is mapped for itself, and neither unlocked nor used
   once the source has been. <= DISPATCH_LEVEL. (WDK page of the name) */
VOID IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length)
{
    ULONG_PTR Start = (ULONG_PTR)VirtualAddress - (ULONG_PTR)MmGetMdlVirtualAddress(SourceMdl);
    ULONG_PTR FirstPage = ((ULONG_PTR)VirtualAddress - (ULONG_PTR)SourceMdl->StartVa) >> PAGE_SHIFT;
    ULONG Bytes = Length != 0 ? Length : SourceMdl->ByteCount - (ULONG)Start;

    MmInitializeMdl(TargetMdl, VirtualAddress, Bytes);
    TargetMdl->Process = SourceMdl->Process;
    TargetMdl->MdlFlags = (CSHORT)(MDL_PARTIAL | (SourceMdl->MdlFlags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_WRITE_OPERATION)));
    if (SourceMdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL) {
        TargetMdl->MappedSystemVa = Add2Ptr(SourceMdl->MappedSystemVa, Start);
    }
    RtlCopyMemory(MmGetMdlPfnArray(TargetMdl), MmGetMdlPfnArray(SourceMdl) + FirstPage,
                  ADDRESS_AND_SIZE_TO_SPAN_PAGES(VirtualAddress, Bytes) * sizeof(PFN_NUMBER));
}
