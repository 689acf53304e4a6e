/* SPDX-License-Identifier: MIT */
/* What the starter of lab 6 has in place of the functions that are to be written. With all of them the kernel
   boots: threads of the system come and go as before. */

/* hole look-up: gives what a table's entry holds, with a reference for the caller */
BOOLEAN ObpReferenceEntry(PHANDLE_ENTRY Entry, POBJECT_TYPE Type, OBP_FOUND *Found)
{
    LAB_TODO("6.look-up");
    /* To be written: what the entry holds, with a reference, if it is of the type and not on its way out. What
       stands here finds nobody. */
    return FALSE;
}

/* hole close: takes back all that a handle was */
void ObpDropHandle(PVOID Object)
{
    POBJECT_TYPE Type = ObpType(Object);
    LAB_TODO("6.close");
    InterlockedDecrement(&ObpHeader(Object)->HandleCount);
    InterlockedDecrement(&Type->Handles);
    /* To be written: the type's Close routine, the name that the last handle takes along (ObpRetireName), the
       reference. What stands here keeps every object for ever. */
}

/* hole leave: takes a thread out of its process; the last one runs the end */
void PspLeaveProcess(PETHREAD Thread, BOOLEAN OnItself)
{
    PEPROCESS Process = PsThreadProcess(Thread);
    KAPC_STATE Never;
    LAB_TODO("6.leave");
    KeLockExclusive(&Process->Lock);
    /* Given, for all threads but the last: it stands in the System process's space from here on. */
    if (OnItself && !Process->SystemProcess) {
        KeAttachSpace(&PsInitialSystemProcess->Pcb, &KiKernelSpace, &Never);
    }
    RemoveEntryList(&Thread->ThreadListEntry);
    Process->ActiveThreads--;
    Process->Pcb.CycleTime += KeThreadCycles(&Thread->Tcb, &Process->Pcb.UserCycles);
    KeUnlockExclusive(&Process->Lock);
    /* To be written: who is the last, and what falls to him? What stands here is a process that never ends. */
}

/* hole end: the end of a process, once, by whoever made the state *Ending* */
static void PspEndProcess(PEPROCESS Process, NTSTATUS LastStatus, BOOLEAN OnItself)
{
    LAB_TODO("6.end");
    /* To be written: whom the end waits for; when and with which status it ends; who is told while the memory is
       still there; what is closed; the state at last, and the reference that the process has to itself. */
    PspDropAddressSpace(Process, OnItself);
    PspReturnProcessContext(Process); /* who learns of the end there finds the memory free */
}

/* hole terminate: ends all threads of a process from outside */
NTSTATUS PspTerminateProcess(PEPROCESS Process, NTSTATUS ExitStatus)
{
    LAB_TODO("6.terminate");
    /* Given: one that never had a thread. */
    if (Process->State == PsProcessCreated) {
        PspEndProcess(Process, ExitStatus, FALSE);
        KeSignalObject(&Process->Pcb.Header, IO_NO_INCREMENT);
        return STATUS_SUCCESS;
    }
    /* To be written: who may not be ended; who was first; all the threads. What stands here ends the caller's
       thread, if it is one of them. */
    if (Process == PspHomeProcess()) {
        PsTerminateThread(PspCurrentThread(), ExitStatus);
    }
    return STATUS_SUCCESS;
}

/* hole terminate-thread: ends one thread from outside, whatever it is doing */
NTSTATUS PsTerminateThread(PETHREAD Thread, NTSTATUS ExitStatus)
{
    LAB_TODO("6.terminate-thread");
    if (Thread->Tcb.SystemThread) {
        return STATUS_SUCCESS;
    }
    /* To be written: of two that end it one is the first; and what if it has not started, or waits? What stands
       here ends it when it comes by the way out of the kernel. */
    Thread->Terminating = TRUE;
    Thread->TerminateStatus = ExitStatus;
    __atomic_or_fetch(&Thread->Tcb.UserWork, KUSER_WORK_TERMINATE, __ATOMIC_SEQ_CST);
    return STATUS_SUCCESS;
}
