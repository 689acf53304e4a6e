/* SPDX-License-Identifier: MIT */
/* What the starter of lab 8 has in place of the functions that are to be written. Programs run on it as long
   as they ask for nothing that is wrong. */

/* hole dispatch: calls the service of the number that a program gave, and hands its status back */
void SvcDispatch(PKTRAP_FRAME Frame)
{
    ULONG64 Number = Frame->ErrorCode;

    if (Number >= NT_SERVICE_COUNT) {
        LAB_TODO("8.dispatch");
        /* To be written: there is no such service. What stands here calls another one instead. */
        Number = NumberNtNull;
    }
    ArchCurrentThread()->PreviousMode = UserMode;
    Frame->Rax = (ULONG64)(LONG64)SvcCallService(Frame, Number);
    ArchCurrentThread()->PreviousMode = KernelMode;
}

/* hole stack-arguments: fetches the arguments beyond the sixth from the program's stack */
static NOINLINE NTSTATUS SvcCallLongService(PKTRAP_FRAME Frame, ULONG64 Number)
{
    ULONG64 Extra[SVC_STACK_ARGUMENTS] = {0};
    LAB_TODO("8.stack-arguments");
    /* To be written: as many as the service has; and what when they cannot be read? What stands here goes on
       with zeros. */
    for (ULONG i = 0; i < SVC_STACK_ARGUMENTS; i++) {
        if (!NT_SUCCESS(ArchCopyFromUser(&Extra[i], (const ULONG64 *)Frame->Rsp + 1 + i, sizeof(ULONG64)))) {
            Extra[i] = 0;
        }
    }
    SVC_SERVICE *Service = (SVC_SERVICE *)SvcServices[Number].Routine;
    return Service(Frame->Rdi, Frame->Rsi, Frame->Rdx, Frame->R10, Frame->R8, Frame->R9, Extra[0], Extra[1],
                   Extra[2], Extra[3], Extra[4]);
}

/* hole range: raises unless a range is aligned and wholly the user's */
static void ExpCheckUserRange(ULONG64 Address, SIZE_T Length, ULONG Alignment)
{
    KI_ASSERT(ArchCurrentThread()->ExceptionList != NULL, "a probe of %p outside of any _SEH2_TRY",
              (PVOID)Address);
    LAB_TODO("8.range");
    /* To be written. What stands here looks at the first byte alone. */
    if (Address >= MM_USER_END) {
        ExRaiseAccessViolation();
    }
}

/* hole string: copies a caller's string into the pool, once and checked */
NTSTATUS ExCaptureUnicodeString(PUNICODE_STRING String, PCUNICODE_STRING Source, SIZE_T MaximumBytes,
                                KPROCESSOR_MODE Mode)
{
    UNICODE_STRING Given;

    RtlZeroMemory(String, sizeof(*String));
    if (Source == NULL) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = ExCopyIn(&Given, Source, sizeof(Given), Mode);
    if (!NT_SUCCESS(Status) || Given.Length == 0) {
        return Status;
    }
    LAB_TODO("8.string");
    /* To be written: which lengths are refused, and what becomes of the memory when the text cannot be read?
       What stands here cuts long strings, takes half a character for none, and frees nothing. */
    USHORT Length = (USHORT)(Given.Length < MaximumBytes ? Given.Length : MaximumBytes) & ~1;
    PWCH Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Length + sizeof(WCHAR), EXP_STRING_TAG);
    if (Buffer == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Status = ExCopyIn(Buffer, Given.Buffer, Length, Mode);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Buffer[Length / sizeof(WCHAR)] = 0;
    *String = (UNICODE_STRING){Length, Length + sizeof(WCHAR), Buffer};
    return STATUS_SUCCESS;
}

/* hole attributes: copies a caller's OBJECT_ATTRIBUTES, and refuses what may not be in it */
static NTSTATUS ExpCaptureAttributes(POBJECT_ATTRIBUTES Captured, const OBJECT_ATTRIBUTES *Source, ULONG Valid,
                                     KPROCESSOR_MODE Mode)
{
    RtlZeroMemory(Captured, sizeof(*Captured));
    if (Source == NULL) {
        return STATUS_SUCCESS;
    }
    NTSTATUS Status = ExCopyIn(Captured, Source, sizeof(*Captured), Mode);
    LAB_TODO("8.attributes");
    /* To be written: which are refused? What stands here drops what is not valid. */
    Captured->Attributes &= Valid;
    return Status;
}

/* hole query: a whole service: the state of an object, to the caller's memory */
NTSTATUS SvcQueryState(HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type, const SVC_STATE_QUERY *Query,
                       void (*Fill)(PVOID Data, PVOID Object), ULONG Size)
{
    LAB_TODO("8.query");
    return STATUS_NOT_IMPLEMENTED;
}
