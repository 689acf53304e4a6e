/* SPDX-License-Identifier: MIT */
/* What the starter of lab 2 has in place of the functions that are to be written. With all of them the kernel
   boots. */

/* hole frame: makes the first frame of a new thread's stack: what its first switch will find there */
void ArchInitializeThread(PKTHREAD Thread)
{
    LAB_TODO("2.frame");
    /* To be written. What stands here comes to the first function by a jump: the stack is not as after a call. */
    PKSWITCH_FRAME Switch = (PKSWITCH_FRAME)ArchUserFrame(Thread) - 1;
    *Switch = (KSWITCH_FRAME){.Rflags = RFLAGS_ONE | RFLAGS_IF, .Rip = (uint64_t)ArchHandlers.ThreadStartup};
    Thread->Arch.KernelRsp = (uint64_t)Switch;
}

/* hole yield: gives way to others of the same or higher priority that are ready here */
void KeYieldExecution(void)
{
    LAB_TODO("2.yield");
    /* To be written. What stands here keeps the processor. */
}

/* hole terminate: ends the current system thread, wherever it is in its calls, with a status */
NTSTATUS PsTerminateSystemThread(NTSTATUS ExitStatus)
{
    LAB_TODO("2.terminate");
    /* To be written. What stands here lets it go on. */
    return STATUS_INVALID_PARAMETER;
}

/* hole queue-reaper: puts a thread that is about to make its last switch into the reaper's list, and wakes the reaper */
static void PspQueueReaper(PETHREAD Thread)
{
    LAB_TODO("2.queue-reaper");
    /* To be written. What stands here forgets the thread, its stack and its object. */
}

/* hole reap: frees what a thread that has ended could not free itself */
static bool PspReapThread(void)
{
    volatile ULONG *Round;
    PETHREAD Thread = PspNextToReap(&Round);
    if (Thread == NULL) {
        return false;
    }
    LAB_TODO("2.reap");
    /* To be written. What stands here crosses it off the list, and that is all. */
    __atomic_sub_fetch(Round, 1, __ATOMIC_RELEASE);
    return true;
}

/* hole fpu: begins a use of the vector registers by the kernel: the thread's own are saved, and switches know of it */
bool ArchBeginFpuUse(void *Block)
{
    void *State = StateIn(Block);
    LAB_TODO("2.fpu");
    InitializeState(State); /* XSAVE leaves the header's reserved part alone */
    /* To be written. What stands here saves what is in the registers, whosever that is; when another thread runs meanwhile,
       nobody saves ours. */
    Save(State);
    return false;
}
