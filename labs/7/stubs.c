/* SPDX-License-Identifier: MIT */
/* What the starter of lab 7 has in place of the functions that are to be written. With all of them the kernel
   boots: nobody hears of anything. */

/* hole refuse: forbids every process whose image name ends in `hello`, and counts them */
static VOID RefuseProcess(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO CreateInfo)
{
    UNREFERENCED_PARAMETER(Process);
    if (CreateInfo == NULL || CreateInfo->ImageFileName == NULL) {
        return; /* a process ends, or has no name */
    }
    /* To be written: is it an unwanted one? */
    DbgPrint("refuse: process %lu comes; is it a %wZ?\n", HandleToULong(ProcessId), &Unwanted);
}

/* hole register: gives a routine a slot of its table */
static NTSTATUS PspRegister(PSP_NOTIFY_TABLE *Table, PVOID Routine, PSP_NOTIFY_KIND Kind)
{
    LAB_TODO("7.register");
    /* To be written: two that register at once; a routine that is there already; when may a call read what
       stands in the slot? */
    PSP_NOTIFY_SLOT *Slot = PspTakeSlot(Table);
    if (Slot == NULL) {
        return Table->Full;
    }
    Slot->Routine = Routine;
    Slot->Kind = Kind;
    Slot->State = PSP_SLOT_OPEN;
    return STATUS_SUCCESS;
}

/* hole enter: begins a call, unless the slot is closed or free */
static bool PspEnterSlot(PSP_NOTIFY_SLOT *Slot)
{
    LAB_TODO("7.enter");
    /* To be written. What stands here calls nobody. */
    return false;
}

/* hole tell: decides whether a process routine hears of a process, and listens to what it says */
static void PspInvokeProcessRoutine(PVOID Routine, PSP_NOTIFY_KIND Kind, PVOID Context)
{
    PSP_PROCESS_EVENT *Event = Context;
    PEPROCESS Process = Event->Process;
    LAB_TODO("7.tell");
    /* To be written: who hears of what, and what becomes of CreationStatus. What stands here tells everybody of
       everything, and does not listen. */
    if (Kind == PspProcessPlain) {
        ((PCREATE_PROCESS_NOTIFY_ROUTINE)Routine)(Process->InheritedFromUniqueProcessId,
                                                  Process->UniqueProcessId, Event->Info != NULL);
        return;
    }
    ((PCREATE_PROCESS_NOTIFY_ROUTINE_EX)Routine)(Process, Process->UniqueProcessId, Event->Info);
}

/* hole forget: takes the current thread's own calls of a slot out of the count of those to wait for */
static PSP_NOTIFY_INSIDE PspForgetOwnCalls(PSP_NOTIFY_SLOT *Slot)
{
    LAB_TODO("7.forget");
    /* To be written. What stands here says that the thread is inside of others' calls, so that it waits for
       nobody. */
    return (PSP_NOTIFY_INSIDE){.Own = 0, .Foreign = true};
}

/* hole remove: closes a routine's slot, and returns when no call of it is in progress any more */
static NTSTATUS PspRemove(PSP_NOTIFY_TABLE *Table, PVOID Routine, PSP_NOTIFY_KIND First, PSP_NOTIFY_KIND Last)
{
    KeLockExclusive(&Table->Lock);
    PSP_NOTIFY_SLOT *Slot = PspFindSlot(Table, Routine, First, Last);
    if (Slot == NULL) {
        KeUnlockExclusive(&Table->Lock);
        return STATUS_PROCEDURE_NOT_FOUND;
    }
    LAB_TODO("7.remove");
    /* To be written: what about calls that are in progress? What stands here leaves the slot to the last of
       them, and does not wait. */
    PSP_NOTIFY_INSIDE Inside = PspForgetOwnCalls(Slot);
    if (!PspCloseSlot(Slot, Inside.Own)) {
        PspFreeSlot(Table, Slot);
    }
    KeUnlockExclusive(&Table->Lock);
    return STATUS_SUCCESS;
}
