/* SPDX-License-Identifier: MIT */
/*
 * Signals: who may get which, what becomes of them, and the frames of handlers.
 *
 * A signal that is sent is noted in a task or in the process, its task's waits are broken, and the kernel is
 * asked to call linux_return_to_user on that task before it goes back to user mode: there, on the task
 * itself, the signal is taken and acted upon. Faults are acted upon at once. All signal state is guarded by
 * tasklist_lock.
 */
#include "linux.h"

#define UNBLOCKABLE        (sigmask(SIGKILL) | sigmask(SIGSTOP))
#define IGNORED_BY_DEFAULT (sigmask(SIGCHLD) | sigmask(SIGCONT) | sigmask(SIGURG) | sigmask(SIGWINCH))
/* Each program leads a session of its own, so that nobody could continue it: Linux ignores these for such. */
#define TERMINAL_STOPS (sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))
#define STOPPING       (sigmask(SIGSTOP) | TERMINAL_STOPS)

#define RED_ZONE           128             /* below the stack pointer, a program's own */
#define FPU_IMAGE_LIMIT    4096UL          /* more than any state that this kernel keeps */
#define RFLAGS_FOR_HANDLER (~(u64)0x10500) /* direction, trap and resume flags clear */

/* ---- Sending ---- */

static bool is_ignored(const struct process *process, int sig)
{
    u64 handler = process->sighand->action[sig - 1].sa_handler;
    return handler == SIG_IGN || (handler == SIG_DFL && (sigmask(sig) & IGNORED_BY_DEFAULT));
}

static void wake(struct task *task)
{
    kernel.RequestReturnToUser(task->thread, TRUE);
}

/* It would do nothing: it need not be kept, unless it is blocked. */
static bool is_dropped(const struct process *process, int sig)
{
    return is_ignored(process, sig) ||
           ((sigmask(sig) & TERMINAL_STOPS) && process->sighand->action[sig - 1].sa_handler == SIG_DFL);
}

/* What waits of these signals is forgotten. */
static void discard(struct process *process, sigset_t signals)
{
    process->pending.set &= ~signals;
    for (PLIST_ENTRY at = process->tasks.Flink; at != &process->tasks; at = at->Flink) {
        CONTAINING_RECORD(at, struct task, links)->pending.set &= ~signals;
    }
}

/* A task that does not block the signal; NULL when all do. */
static struct task *receiver(struct process *process, int sig)
{
    for (PLIST_ENTRY at = process->tasks.Flink; at != &process->tasks; at = at->Flink) {
        struct task *task = CONTAINING_RECORD(at, struct task, links);
        if (!(task->blocked & sigmask(sig))) {
            return task;
        }
    }
    return NULL;
}

void send_signal_locked(struct process *process, struct task *task, const siginfo_t *info)
{
    int sig = info->si_signo;
    struct task *target = task != NULL ? task : receiver(process, sig);

    if (sig == SIGKILL) {
        process_exit_signal(process, sig);
        return;
    }
    if (sig == SIGCONT || (sigmask(sig) & STOPPING)) { /* one takes back the other */
        discard(process, sig == SIGCONT ? STOPPING : sigmask(SIGCONT));
    }
    bool blocked = target == NULL || (target->blocked & sigmask(sig));
    if (is_dropped(process, sig) && !blocked) {
        return;
    }
    struct sigpending *pending = task != NULL ? &task->pending : &process->pending;
    if (!(pending->set & sigmask(sig))) {
        pending->set |= sigmask(sig);
        pending->info[sig - 1] = *info;
    }
    if (!blocked) {
        wake(target);
    }
}

/* Which processes kill's first argument means. */
static bool is_meant(const struct process *process, s32 pid)
{
    const struct process *self = current_process();
    if (pid > 0) {
        return process->pid == pid;
    }
    if (pid == -1) {
        return process != self;
    }
    return process->pgid == (pid == 0 ? self->pgid : -pid);
}

static bool is_signal(int sig)
{
    return sig >= 0 && sig <= _NSIG;
}

/* To a process, or to one of its tasks; signal 0 only asks whether it is there. */
static long send_checked(struct process *process, struct task *task, int sig, int code)
{
    siginfo_t info = {.si_signo = sig, .si_code = code, .si_pid = current_process()->pid};

    if (!is_signal(sig)) {
        return -EINVAL;
    }
    if (sig != 0) {
        send_signal_locked(process, task, &info);
    }
    return 0;
}

long sys_kill(s32 pid, int sig)
{
    long error = -ESRCH;

    if (pid == (s32)0x80000000) {
        return -ESRCH;
    }
    mutex_lock(&tasklist_lock);
    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        struct process *process = CONTAINING_RECORD(at, struct process, links);
        if (is_meant(process, pid)) {
            error = send_checked(process, NULL, sig, SI_USER);
        }
    }
    mutex_unlock(&tasklist_lock);
    return error;
}

static struct task *find_task(s32 pid, s32 tid)
{
    for (PLIST_ENTRY p = processes.Flink; p != &processes; p = p->Flink) {
        struct process *process = CONTAINING_RECORD(p, struct process, links);
        for (PLIST_ENTRY t = process->tasks.Flink; t != &process->tasks; t = t->Flink) {
            struct task *task = CONTAINING_RECORD(t, struct task, links);
            if (task->tid == tid && (pid == -1 || process->pid == pid)) {
                return task;
            }
        }
    }
    return NULL;
}

/* pid -1: whatever process the task is in. */
static long kill_task(s32 pid, s32 tid, int sig)
{
    if (tid <= 0) {
        return -EINVAL;
    }
    mutex_lock(&tasklist_lock);
    struct task *task = find_task(pid, tid);
    long error = task != NULL ? send_checked(task->process, task, sig, SI_TKILL) : -ESRCH;
    mutex_unlock(&tasklist_lock);
    return error;
}

long sys_tgkill(s32 pid, s32 tid, int sig)
{
    return pid <= 0 ? -EINVAL : kill_task(pid, tid, sig);
}

long sys_tkill(s32 tid, int sig)
{
    return kill_task(-1, tid, sig);
}

/* The keys that mean signals, to the group in the terminal's foreground. */
void signal_group(s32 pgid, int sig)
{
    siginfo_t info = {.si_signo = sig, .si_code = SI_KERNEL};

    mutex_lock(&tasklist_lock);
    for (PLIST_ENTRY at = processes.Flink; at != &processes; at = at->Flink) {
        struct process *process = CONTAINING_RECORD(at, struct process, links);
        if (process->pgid == pgid) {
            send_signal_locked(process, NULL, &info);
        }
    }
    mutex_unlock(&tasklist_lock);
}

void signal_self(int sig)
{
    struct task *task = current_task();
    siginfo_t info = {.si_signo = sig, .si_code = SI_USER, .si_pid = task->process->pid};

    mutex_lock(&tasklist_lock);
    send_signal_locked(task->process, task, &info);
    mutex_unlock(&tasklist_lock);
}

/* ---- Handlers' frames ---- */

/* A fault of the current task: its handler runs next, or it dies. */
static void force_signal(int sig, int code, u64 address, KTRAP_FRAME *frame);

/* sp lies on the alternate stack. */
static bool lies_on_altstack(const struct task *task, u64 sp)
{
    return sp - task->altstack.ss_sp - 1 < task->altstack.ss_size;
}

/* It is in use; one that is disarmed while a handler uses it never is. */
static bool is_on_altstack(const struct task *task, u64 sp)
{
    return !(task->altstack.ss_flags & SS_AUTODISARM) && lies_on_altstack(task, sp);
}

/*
 * Puts the FPU state below *sp and moves *sp there. The image is as XSAVE wrote it, the software's bytes in
 * it saying so, and a second magic number behind it: programs that look into it (few do) find the documented
 * layout. Without XSAVE the image has FXSAVE's 512 bytes. Answers its size.
 */
static long save_fpu(struct task *task, u64 *sp)
{
    SIZE_T size = FPU_IMAGE_LIMIT;
    u32 magic2 = FP_XSTATE_MAGIC2;
    u8 *image = zalloc(FPU_IMAGE_LIMIT + sizeof(magic2));

    if (image == NULL || !NT_SUCCESS(kernel.GetFpuState(task->thread, image, &size))) {
        release(image);
        return -ENOMEM;
    }
    struct fpx_sw_bytes software = {
        .magic1 = FP_XSTATE_MAGIC1, .extended_size = size + sizeof(magic2), .xstate_size = size};
    if (size > FXSAVE_SIZE) {
        memcpy(&software.xfeatures, image + FXSAVE_SIZE, sizeof(software.xfeatures));
        memcpy(image + FPX_SW_OFFSET, &software, sizeof(software));
        memcpy(image + size, &magic2, sizeof(magic2));
    }
    *sp = (*sp - (size + sizeof(magic2))) & ~63UL;
    long error = copy_to_user((void __user *)*sp, image, size + sizeof(magic2));
    release(image);
    return error < 0 ? error : (long)size;
}

static void fill_context(struct sigcontext *to, const KTRAP_FRAME *from, u64 fpstate, u64 address)
{
    *to = (struct sigcontext){
        .r8 = from->R8,
        .r9 = from->R9,
        .r10 = from->R10,
        .r11 = from->R11,
        .r12 = from->R12,
        .r13 = from->R13,
        .r14 = from->R14,
        .r15 = from->R15,
        .di = from->Rdi,
        .si = from->Rsi,
        .bp = from->Rbp,
        .bx = from->Rbx,
        .dx = from->Rdx,
        .ax = from->Rax,
        .cx = from->Rcx,
        .sp = from->Rsp,
        .ip = from->Rip,
        .flags = from->Rflags,
        .cs = from->Cs,
        .ss = from->Ss,
        .err = from->Vector < 32 ? from->ErrorCode : 0,
        .trapno = from->Vector < 32 ? from->Vector : 0,
        .cr2 = address,
        .fpstate = fpstate,
    };
}

/* Lays a frame on the program's stack, or on the alternate one, and makes it run the handler. */
static long build_frame(struct task *task, const struct sigaction *action, const siginfo_t *info,
                        sigset_t mask, KTRAP_FRAME *regs)
{
    struct rt_sigframe frame = {.pretcode = action->sa_restorer, .info = *info};
    u64 fpstate = regs->Rsp - RED_ZONE;
    bool enters =
        (action->sa_flags & SA_ONSTACK) && task->altstack.ss_size != 0 && !is_on_altstack(task, fpstate);

    if (enters) {
        fpstate = task->altstack.ss_sp + task->altstack.ss_size;
    }
    long fpu_size = action->sa_flags & SA_RESTORER ? save_fpu(task, &fpstate) : -EFAULT;
    u64 sp = ((fpstate - sizeof(frame)) & ~15UL) - 8; /* as if a call had just pushed its return address */
    if (fpu_size < 0 || ((enters || is_on_altstack(task, regs->Rsp)) && !lies_on_altstack(task, sp))) {
        return -EFAULT; /* the second: the alternate stack is full */
    }
    frame.uc.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (fpu_size > FXSAVE_SIZE ? UC_FP_XSTATE : 0);
    frame.uc.uc_stack = task->altstack;
    frame.uc.uc_sigmask = mask;
    fill_context(&frame.uc.uc_mcontext, regs, fpstate,
                 info->si_code > 0 && info->si_code < SI_KERNEL ? info->si_addr : 0);
    frame.uc.uc_mcontext.oldmask = mask;
    if (copy_to_user((void __user *)sp, &frame, sizeof(frame)) < 0) {
        return -EFAULT;
    }
    if (task->altstack.ss_flags & SS_AUTODISARM) {
        task->altstack = (stack_t){.ss_flags = SS_DISABLE};
    }
    regs->Rdi = info->si_signo;
    regs->Rsi = sp + offsetof(struct rt_sigframe, info);
    regs->Rdx = sp + offsetof(struct rt_sigframe, uc);
    regs->Rax = 0;
    regs->Rsp = sp;
    regs->Rip = action->sa_handler; /* the kernel sees to it that it is no address of its own */
    regs->Rflags &= RFLAGS_FOR_HANDLER;
    return 0;
}

/* Runs a handler for a signal that has been taken. A frame that finds no room is a fault of its own. */
static void deliver(struct task *task, const struct sigaction *action, const siginfo_t *info,
                    KTRAP_FRAME *regs)
{
    int sig = info->si_signo;
    sigset_t mask = task->restore_mask ? task->saved_mask : task->blocked;

    if (build_frame(task, action, info, mask, regs) < 0) {
        if (sig == SIGSEGV) {
            process_exit_signal(task->process, SIGSEGV);
        } else {
            force_signal(SIGSEGV, SI_KERNEL, 0, regs);
        }
        return;
    }
    task->restore_mask = false;
    mutex_lock(&tasklist_lock);
    task->blocked |= action->sa_mask | (action->sa_flags & SA_NODEFER ? 0 : sigmask(sig));
    task->blocked &= ~UNBLOCKABLE;
    if (action->sa_flags & SA_RESETHAND) {
        task->process->sighand->action[sig - 1].sa_handler = SIG_DFL;
    }
    mutex_unlock(&tasklist_lock);
}

/* Reads an image of size bytes, or only FXSAVE's part when nothing says that more is there. */
static long read_fpu(u8 *image, u64 fpstate, size_t size)
{
    struct fpx_sw_bytes software;
    u32 magic2;

    if (copy_from_user(image, (void __user *)fpstate, FXSAVE_SIZE) < 0) {
        return -EFAULT;
    }
    memcpy(&software, image + FPX_SW_OFFSET, sizeof(software));
    if (size == FXSAVE_SIZE) {
        return 0;
    }
    if (software.magic1 == FP_XSTATE_MAGIC1 && software.xstate_size == size) {
        if (copy_from_user(image + FXSAVE_SIZE, (void __user *)(fpstate + FXSAVE_SIZE), size - FXSAVE_SIZE) <
                0 ||
            copy_from_user(&magic2, (void __user *)(fpstate + size), sizeof(magic2)) < 0) {
            return -EFAULT;
        }
        if (magic2 == FP_XSTATE_MAGIC2) {
            return 0;
        }
    }
    memset(image + FXSAVE_SIZE, 0, size - FXSAVE_SIZE);
    image[FXSAVE_SIZE] = XFEATURES_FXSAVE;
    return 0;
}

/* As it is when a program starts. */
static void initial_fpu(u8 *image)
{
    const u16 control = 0x37f;
    const u32 mxcsr = 0x1f80;
    memcpy(image, &control, sizeof(control));
    memcpy(image + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

long restore_fpu(struct task *task, u64 fpstate)
{
    SIZE_T size = 0;
    long error = -ENOMEM;
    u8 *image = zalloc(FPU_IMAGE_LIMIT);

    kernel.GetFpuState(task->thread, NULL, &size);
    if (image != NULL && fpstate == 0) {
        initial_fpu(image);
        error = 0;
    } else if (image != NULL) {
        error = read_fpu(image, fpstate, size);
    }
    if (error == 0) {
        error = error_of(kernel.SetFpuState(task->thread, image, size));
    }
    release(image);
    return error;
}

static void restore_context(KTRAP_FRAME *to, const struct sigcontext *from)
{
    to->R8 = from->r8, to->R9 = from->r9, to->R10 = from->r10, to->R11 = from->r11, to->R12 = from->r12;
    to->R13 = from->r13, to->R14 = from->r14, to->R15 = from->r15, to->Rdi = from->di, to->Rsi = from->si;
    to->Rbp = from->bp, to->Rbx = from->bx, to->Rdx = from->dx, to->Rax = from->ax, to->Rcx = from->cx;
    to->Rsp = from->sp, to->Rip = from->ip, to->Rflags = from->flags;
}

static void set_blocked(struct task *task, sigset_t set)
{
    mutex_lock(&tasklist_lock);
    task->blocked = set & ~UNBLOCKABLE;
    mutex_unlock(&tasklist_lock);
    if (signal_pending(task)) {
        kernel.RequestReturnToUser(task->thread, FALSE);
    }
}

static long set_altstack(struct task *task, const stack_t *stack, u64 sp)
{
    u32 mode = stack->ss_flags & ~SS_AUTODISARM;

    if (is_on_altstack(task, sp)) {
        return -EPERM;
    }
    if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK) {
        return -EINVAL;
    }
    if (mode != SS_DISABLE && stack->ss_size < MINSIGSTKSZ) {
        return -ENOMEM;
    }
    task->altstack = (stack_t){.ss_flags = stack->ss_flags};
    if (mode != SS_DISABLE) {
        task->altstack.ss_sp = stack->ss_sp;
        task->altstack.ss_size = stack->ss_size;
    }
    return 0;
}

/* The handler has returned to its restorer, which calls this: the return address is off the stack, the
   rest is there. */
long sys_rt_sigreturn(void)
{
    struct task *task = current_task();
    struct ucontext uc;
    KTRAP_FRAME regs;

    kernel.GetRegisters(task->thread, &regs);
    u64 frame = regs.Rsp - sizeof(u64);
    if (copy_from_user(&uc, (void __user *)(frame + offsetof(struct rt_sigframe, uc)), sizeof(uc)) < 0 ||
        restore_fpu(task, uc.uc_mcontext.fpstate) < 0) {
        regs.Rax = 0;
        force_signal(SIGSEGV, SI_KERNEL, 0, &regs);
    } else {
        restore_context(&regs, &uc.uc_mcontext);
        set_blocked(task, uc.uc_sigmask);
        set_altstack(task, &uc.uc_stack, regs.Rsp); /* what cannot be set stays as it is */
    }
    kernel.SetRegisters(task->thread, &regs);
    return regs.Rax;
}

/* ---- Taking signals, on the way to user mode ---- */

static int lowest_signal(sigset_t set)
{
    /* Faults of the program itself come before what others sent. */
    const sigset_t faults =
        sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGTRAP) | sigmask(SIGFPE);
    return __builtin_ctzl(set & faults ? set & faults : set) + 1;
}

/* The next signal that is due, taken; false: none. */
static bool take_signal(struct task *task, siginfo_t *info, struct sigaction *action)
{
    struct sigpending *const places[] = {&task->pending, &task->process->pending};
    bool found = false;

    mutex_lock(&tasklist_lock);
    for (int i = 0; i < 2 && !found; i++) {
        sigset_t due = places[i]->set & ~task->blocked;
        if (due != 0) {
            int sig = lowest_signal(due);
            places[i]->set &= ~sigmask(sig);
            *info = places[i]->info[sig - 1];
            *action = task->process->sighand->action[sig - 1];
            found = true;
        }
    }
    mutex_unlock(&tasklist_lock);
    return found;
}

/* The default action. Stopping needs somebody who continues the process: that comes with children. */
static void act_by_default(struct task *task, int sig)
{
    if (sig == SIGSTOP) {
        DbgPrint("linux: stopping process %d is not implemented\n", task->process->pid);
    } else if (!(sigmask(sig) & (IGNORED_BY_DEFAULT | TERMINAL_STOPS))) {
        process_exit_signal(task->process, sig);
    }
}

static bool wants_restart(const KTRAP_FRAME *frame)
{
    return frame->Vector == KTRAP_SYSTEM_CALL && (u32)frame->ErrorCode != NR_rt_sigreturn &&
           frame->Rax == (u64)-ERESTARTSYS;
}

/* A call that a signal has broken off starts again: the SYSCALL instruction has two bytes. */
static void restart_call(KTRAP_FRAME *frame)
{
    frame->Rax = frame->ErrorCode;
    frame->Rip -= 2;
}

static void finish_call(KTRAP_FRAME *frame, const struct sigaction *action)
{
    if (!wants_restart(frame)) {
        return;
    }
    if (action->sa_flags & SA_RESTART) {
        restart_call(frame);
    } else {
        frame->Rax = -EINTR;
    }
}

void linux_return_to_user(KTRAP_FRAME *frame)
{
    struct task *task = current_task();
    struct sigaction action;
    siginfo_t info;

    while (take_signal(task, &info, &action)) {
        if (action.sa_handler == SIG_IGN) {
            continue;
        }
        trace_signal(task, &info);
        if (action.sa_handler == SIG_DFL) {
            act_by_default(task, info.si_signo);
            continue;
        }
        finish_call(frame, &action);
        deliver(task, &action, &info, frame);
    }
    if (wants_restart(frame)) {
        restart_call(frame);
    }
    if (task->restore_mask) {
        task->restore_mask = false;
        set_blocked(task, task->saved_mask);
    }
}

/* ---- Faults ---- */

static void force_signal(int sig, int code, u64 address, KTRAP_FRAME *frame)
{
    struct task *task = current_task();
    siginfo_t info = {.si_signo = sig, .si_code = code, .si_addr = address};

    mutex_lock(&tasklist_lock);
    struct sigaction action = task->process->sighand->action[sig - 1];
    bool blocked = (task->blocked & sigmask(sig)) != 0;
    mutex_unlock(&tasklist_lock);
    trace_signal(task, &info);
    if (blocked || action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
        DbgPrint("linux: process %d (%s): signal %d at %p, address %p\n", task->process->pid,
                 task->process->comm, sig, (PVOID)frame->Rip, (PVOID)address);
        process_exit_signal(task->process, sig);
        return;
    }
    deliver(task, &action, &info, frame);
}

/* An access that the memory does not allow: is there nothing, or something else? */
static int segv_code(u64 address)
{
    PS_REGION_INFORMATION region;
    bool mapped =
        NT_SUCCESS(kernel.QueryRegion(current_process()->object, address, &region)) && region.Mapped;
    return mapped ? SEGV_ACCERR : SEGV_MAPERR;
}

static void memory_fault(const EXCEPTION_RECORD *record, KTRAP_FRAME *frame)
{
    u64 address = record->NumberParameters >= 2 ? record->ExceptionInformation[1] : ~0UL;

    if (record->ExceptionCode == STATUS_IN_PAGE_ERROR) {
        force_signal(SIGBUS, BUS_ADRERR, address, frame);
    } else if (frame->Vector == X86_TRAP_NP || frame->Vector == X86_TRAP_SS) {
        force_signal(SIGBUS, SI_KERNEL, 0, frame);
    } else if (frame->Vector != X86_TRAP_PF) {
        force_signal(SIGSEGV, SI_KERNEL, 0, frame); /* a protection fault: the processor tells no address */
    } else {
        force_signal(SIGSEGV, segv_code(address), address, frame);
    }
}

/* Exceptions that mean one signal each. code 0: SI_KERNEL without an address. */
static const struct fault {
    NTSTATUS exception;
    int sig, code;
} faults[] = {
    {STATUS_ILLEGAL_INSTRUCTION, SIGILL, ILL_ILLOPN},
    {STATUS_PRIVILEGED_INSTRUCTION, SIGSEGV, 0},
    {STATUS_INTEGER_DIVIDE_BY_ZERO, SIGFPE, FPE_INTDIV},
    {STATUS_INTEGER_OVERFLOW, SIGSEGV, 0}, /* INTO's vector; 64-bit code has no such instruction */
    {STATUS_FLOAT_DIVIDE_BY_ZERO, SIGFPE, FPE_FLTDIV},
    {STATUS_FLOAT_OVERFLOW, SIGFPE, FPE_FLTOVF},
    {STATUS_FLOAT_UNDERFLOW, SIGFPE, FPE_FLTUND},
    {STATUS_FLOAT_DENORMAL_OPERAND, SIGFPE, FPE_FLTUND},
    {STATUS_FLOAT_INEXACT_RESULT, SIGFPE, FPE_FLTRES},
    {STATUS_FLOAT_INVALID_OPERATION, SIGFPE, FPE_FLTINV},
    {STATUS_FLOAT_STACK_CHECK, SIGFPE, FPE_FLTINV},
    {STATUS_BREAKPOINT, SIGTRAP, 0},
    {STATUS_SINGLE_STEP, SIGTRAP, TRAP_TRACE},
    {STATUS_DATATYPE_MISALIGNMENT, SIGBUS, BUS_ADRALN},
    {STATUS_ARRAY_BOUNDS_EXCEEDED, SIGSEGV, 0},
    {STATUS_NO_MEMORY, SIGKILL, 0}, /* a page that was promised cannot be had */
};

BOOLEAN linux_exception(PEXCEPTION_RECORD record, KTRAP_FRAME *frame)
{
    switch (record->ExceptionCode) {
    case STATUS_ACCESS_VIOLATION:
    case STATUS_GUARD_PAGE_VIOLATION:
    case STATUS_STACK_OVERFLOW:
    case STATUS_IN_PAGE_ERROR:
        memory_fault(record, frame);
        return TRUE;
    }
    for (size_t i = 0; i < ARRAYSIZE(faults); i++) {
        if (faults[i].exception == record->ExceptionCode) {
            force_signal(faults[i].sig, faults[i].code != 0 ? faults[i].code : SI_KERNEL,
                         faults[i].code != 0 ? frame->Rip : 0, frame);
            return TRUE;
        }
    }
    return FALSE;
}

/* ---- Dispositions and masks ---- */

long sys_rt_sigaction(int sig, const struct sigaction __user *act, struct sigaction __user *old, size_t size)
{
    struct process *process = current_process();
    struct sigaction new;

    if (size != sizeof(sigset_t)) {
        return -EINVAL;
    }
    if (act != NULL && copy_from_user(&new, act, sizeof(new)) < 0) {
        return -EFAULT;
    }
    if (sig < 1 || sig > _NSIG || (act != NULL && (sigmask(sig) & UNBLOCKABLE))) {
        return -EINVAL;
    }
    mutex_lock(&tasklist_lock);
    struct sigaction before = process->sighand->action[sig - 1];
    if (act != NULL) {
        new.sa_mask &= ~UNBLOCKABLE;
        new.sa_flags &= SA_KNOWN;
        process->sighand->action[sig - 1] = new;
        if (is_ignored(process, sig)) {
            discard(process, sigmask(sig));
        }
    }
    mutex_unlock(&tasklist_lock);
    return old != NULL ? copy_to_user(old, &before, sizeof(before)) : 0;
}

static long change_mask(struct task *task, int how, sigset_t set)
{
    switch (how) {
    case SIG_BLOCK:
        set_blocked(task, task->blocked | set);
        return 0;
    case SIG_UNBLOCK:
        set_blocked(task, task->blocked & ~set);
        return 0;
    case SIG_SETMASK:
        set_blocked(task, set);
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_rt_sigprocmask(int how, const sigset_t __user *set, sigset_t __user *old, size_t size)
{
    struct task *task = current_task();
    sigset_t before = task->blocked, new;

    if (size != sizeof(sigset_t)) {
        return -EINVAL;
    }
    if (set != NULL) {
        if (copy_from_user(&new, set, sizeof(new)) < 0) {
            return -EFAULT;
        }
        long error = change_mask(task, how, new);
        if (error < 0) {
            return error;
        }
    }
    return old != NULL ? copy_to_user(old, &before, sizeof(before)) : 0;
}

long sys_rt_sigpending(sigset_t __user *set, size_t size)
{
    struct task *task = current_task();
    sigset_t pending = (task->pending.set | task->process->pending.set) & task->blocked;

    return size > sizeof(sigset_t) ? -EINVAL : copy_to_user(set, &pending, size);
}

static long wait_for_signal(void)
{
    wait_until(FOREVER);
    return -EINTR;
}

long sys_pause(void)
{
    return wait_for_signal();
}

long use_mask(const sigset_t __user *mask, size_t size)
{
    struct task *task = current_task();
    sigset_t set;

    if (size != sizeof(set)) {
        return -EINVAL;
    }
    if (copy_from_user(&set, mask, sizeof(set)) < 0) {
        return -EFAULT;
    }
    task->saved_mask = task->blocked;
    task->restore_mask = true;
    set_blocked(task, set);
    kernel.RequestReturnToUser(task->thread, FALSE); /* the old mask comes back there */
    return 0;
}

long end_mask(long result)
{
    struct task *task = current_task();

    if (task->restore_mask && result != -EINTR) {
        task->restore_mask = false;
        set_blocked(task, task->saved_mask);
    }
    return result;
}

long sys_rt_sigsuspend(const sigset_t __user *set, size_t size)
{
    long error = use_mask(set, size);
    return error < 0 ? error : wait_for_signal();
}

long sys_sigaltstack(const stack_t __user *stack, stack_t __user *old)
{
    struct task *task = current_task();
    stack_t before = task->altstack, new;
    KTRAP_FRAME regs;

    kernel.GetRegisters(task->thread, &regs);
    before.ss_flags &= SS_AUTODISARM;
    before.ss_flags |= before.ss_size == 0 ? SS_DISABLE : is_on_altstack(task, regs.Rsp) ? SS_ONSTACK : 0;
    if (stack != NULL) {
        if (copy_from_user(&new, stack, sizeof(new)) < 0) {
            return -EFAULT;
        }
        long error = set_altstack(task, &new, regs.Rsp);
        if (error < 0) {
            return error;
        }
    }
    return old != NULL ? copy_to_user(old, &before, sizeof(before)) : 0;
}

/* A new program: handlers are gone with the old one's code, what was ignored stays so. */
void signals_exec(struct process *process, struct task *task)
{
    mutex_lock(&tasklist_lock);
    for (int i = 0; i < _NSIG; i++) {
        u64 handler = process->sighand->action[i].sa_handler;
        process->sighand->action[i] =
            (struct sigaction){.sa_handler = handler == SIG_IGN ? SIG_IGN : SIG_DFL};
    }
    mutex_unlock(&tasklist_lock);
    task->altstack = (stack_t){.ss_flags = SS_DISABLE};
}
