/* SPDX-License-Identifier: MIT */
/* What the starter of lab 9 has in place of the functions that are to be written. The module loads, and
   programs start and end. */

/* hole errno: turns a status of the kernel's into what a program is told */
static LONG64 MiniError(NTSTATUS Status)
{
    LAB_TODO("9.errno");
    /* To be written. What stands here knows one error. */
    return Status == STATUS_SUCCESS ? 0 : -EIO;
}

/* hole write: puts a program's bytes out to the console */
static LONG64 MiniWrite(ULONG64 Fd, ULONG64 Buffer, ULONG64 Size)
{
    UCHAR Piece[PIECE];
    SIZE_T Count = Size < PIECE ? Size : PIECE;
    LAB_TODO("9.write");
    /* To be written. What stands here writes one piece, to wherever. */
    NTSTATUS Status = Kernel.CopyFromUser(Piece, (const VOID *)Buffer, Count);
    if (NT_SUCCESS(Status)) {
        Status = Kernel.ConsoleWrite(1, Piece, Count);
    }
    return Status == STATUS_SUCCESS ? (LONG64)Count : MiniError(Status);
}

/* hole sleep: sleeps for a time, and can be ended meanwhile */
static LONG64 MiniSleep(ULONG64 Address)
{
    LARGE_INTEGER Interval;
    LONG64 Error = MiniReadTime(Address, &Interval);
    LAB_TODO("9.sleep");
    return Error;
}

/* hole futex-wait: sleeps until somebody wakes, if a word of the program's is as expected */
static LONG64 MiniWait(ULONG64 Address, ULONG Expected, PLARGE_INTEGER Timeout)
{
    LAB_TODO("9.futex-wait");
    /* To be written, between MiniLock and MiniUnlock. What stands here says that somebody has woken it, which a
       program must be ready for. */
    MiniLock();
    MiniUnlock();
    return 0;
}

/* hole futex-wake: wakes some of those who wait at an address */
static LONG64 MiniWake(ULONG64 Address, ULONG Count)
{
    LAB_TODO("9.futex-wake");
    return 0;
}

/* hole clone: makes a thread that goes on where the caller does */
static LONG64 MiniClone(const KTRAP_FRAME *Frame)
{
    LAB_TODO("9.clone");
    return -ENOSYS;
}

/* hole thread-exit: does what the end of a thread owes to those who join it, and to the pool */
static VOID MiniThreadExit(PETHREAD Thread, PVOID Context)
{
    LAB_TODO("9.thread-exit");
    /* To be written. What stands here tells nobody. */
    ExFreePoolWithTag(Context, TAG);
}

/* hole exit-group: ends the process with all of its threads */
static LONG64 MiniExitGroup(ULONG64 Code)
{
    LAB_TODO("9.exit-group");
    /* To be written. What stands here ends the caller alone. */
    return MiniError(Kernel.TerminateThread(PsGetCurrentThread(), (NTSTATUS)(Code & 0xff)));
}

/* hole tables: says whether a module's two tables are such as this kernel knows */
static NTSTATUS PspCheckTables(const PS_SUBSYSTEM_PROVIDER *Table, const PS_SUBSYSTEM_ROUTINES *Routines)
{
    LAB_TODO("9.tables");
    /* To be written: what is wrong with them? What stands here refuses without a reason. */
    return Table->Version == PS_SUBSYSTEM_VERSION && Table->Size == sizeof(*Table) && Routines->Version == PS_SUBSYSTEM_VERSION &&
                   Routines->Size == sizeof(*Routines) && Table->Name[0] != 0 && strlen(Table->Name) < 16 && Table->DispatchSystemCall != NULL
               ? STATUS_SUCCESS
               : STATUS_NOT_SUPPORTED;
}

/* hole remove: takes a provider off the list, so that it gets no new process */
static NTSTATUS PspRemoveProvider(PPS_PROVIDER Provider, BOOLEAN Wait)
{
    if (!PspIsRegistered(Provider)) {
        return STATUS_INVALID_HANDLE;
    }
    LAB_TODO("9.remove");
    /* To be written: who waits closes it at once, whoever uses it. What stands here never does while anybody
       uses it. */
    if (Provider->Users != 0) {
        return STATUS_DEVICE_BUSY;
    }
    PspCloseProvider(Provider);
    RemoveEntryList(&Provider->Links);
    return STATUS_SUCCESS;
}
