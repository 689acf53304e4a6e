/* SPDX-License-Identifier: MIT */
/*
 * Handlers' frames on the program's stack, as the psABI's unwinders expect them, and the alternate stack.
 *
 *      higher   the FPU's state, as XSAVE writes it (FXSAVE's part alone without XSAVE), 64-byte aligned;
 *               struct fpx_sw_bytes inside says how long it is, a second magic number stands behind it
 *               struct rt_sigframe: siginfo, ucontext
 *      lower    the return address, to the restorer: as if a call had just pushed it
 *
 * The FPU's registers go straight from the processor to the program's stack, and back: nothing is kept here.
 */
#include "linux.h"

#define RED_ZONE           128             /* below the stack pointer, a program's own */
#define RFLAGS_FOR_HANDLER (~(u64)0x10500) /* direction, trap and resume flags clear */

/* ---- The alternate stack ---- */

/* sp lies on the alternate stack. */
static bool lies_on_altstack(const struct task *task, u64 sp)
{
    return sp - task->altstack.ss_sp - 1 < task->altstack.ss_size;
}

/* It is in use; one that is disarmed while a handler uses it never is. */
bool is_on_altstack(const struct task *task, u64 sp)
{
    return !(task->altstack.ss_flags & SS_AUTODISARM) && lies_on_altstack(task, sp);
}

long set_altstack(struct task *task, const stack_t *stack, u64 sp)
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

/* ---- Building ---- */

/* What this processor's image of the FPU's state is: constant from the start on. */
static u32 fpu_room;                 /* that it takes, with the magic number behind it */
static struct fpx_sw_bytes fpu_note; /* which stands inside; zeros: an FXSAVE image has none */
static u64 uc_flags;                 /* of each frame */

void frames_init(void)
{
    SIZE_T size;
    ULONG64 features;

    kernel.QueryFpuState(&size, &features);
    fpu_room = size;
    uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    if (size > FXSAVE_SIZE) {
        uc_flags |= UC_FP_XSTATE;
        fpu_room = size + sizeof(u32);
        fpu_note = (struct fpx_sw_bytes){FP_XSTATE_MAGIC1, fpu_room, features, size, {0}};
    }
}

/* Puts the FPU state below *sp and moves *sp there. */
static long save_fpu(u64 *sp)
{
    ULONG before;

    *sp = (*sp - fpu_room) & ~63UL;
    if (!NT_SUCCESS(kernel.SaveFpuStateToUser((PVOID)*sp, &fpu_note))) {
        return -EFAULT;
    }
    return fpu_note.magic1 == 0 ||
                   NT_SUCCESS(kernel.ExchangeUser32((PULONG)(*sp + fpu_note.xstate_size), FP_XSTATE_MAGIC2, &before))
               ? 0
               : -EFAULT;
}

/* All but oldmask. */
static void fill_context(struct sigcontext *to, const KTRAP_FRAME *from, u64 fpstate, u64 address)
{
    bool fault = from->Vector < 32;

    to->r8 = from->R8, to->r9 = from->R9, to->r10 = from->R10, to->r11 = from->R11, to->r12 = from->R12;
    to->r13 = from->R13, to->r14 = from->R14, to->r15 = from->R15, to->di = from->Rdi, to->si = from->Rsi;
    to->bp = from->Rbp, to->bx = from->Rbx, to->dx = from->Rdx, to->ax = from->Rax, to->cx = from->Rcx;
    to->sp = from->Rsp, to->ip = from->Rip, to->flags = from->Rflags;
    to->cs = from->Cs, to->gs = 0, to->fs = 0, to->ss = from->Ss;
    to->err = fault ? from->ErrorCode : 0;
    to->trapno = fault ? from->Vector : 0;
    to->cr2 = address;
    to->fpstate = fpstate;
    __builtin_memset(to->reserved1, 0, sizeof(to->reserved1));
}

/* The rest, and how much of it the program gets: nothing of the kernel's stack shows. Information is for
   handlers that want it (sigaction(2)). */
static size_t fill_frame(struct rt_sigframe *frame, const struct task *task, const struct sigaction *action,
                         const siginfo_t *info, sigset_t mask)
{
    frame->pretcode = action->sa_restorer;
    frame->uc.uc_flags = uc_flags;
    frame->uc.uc_link = 0;
    frame->uc.uc_stack = task->altstack;
    frame->uc.uc_sigmask = frame->uc.uc_mcontext.oldmask = mask;
    if (!(action->sa_flags & SA_SIGINFO)) {
        return offsetof(struct rt_sigframe, info);
    }
    frame->info = *info;
    RtlZeroMemory(frame->info_rest, sizeof(frame->info_rest));
    return sizeof(*frame);
}

static bool is_fault(const siginfo_t *info)
{
    return info->si_code > 0 && info->si_code < SI_KERNEL;
}

/* Where the FPU state's end goes: *enters when that is the top of the alternate stack. */
static u64 stack_for(const struct task *task, const struct sigaction *action, u64 sp, bool *enters)
{
    *enters = (action->sa_flags & SA_ONSTACK) && task->altstack.ss_size != 0 && !is_on_altstack(task, sp);
    return *enters ? task->altstack.ss_sp + task->altstack.ss_size : sp;
}

long build_frame(struct task *task, const struct sigaction *action, const siginfo_t *info, sigset_t mask,
                 KTRAP_FRAME *regs)
{
    bool enters;
    u64 fpstate = stack_for(task, action, regs->Rsp - RED_ZONE, &enters);
    struct rt_sigframe frame;

    if (!(action->sa_flags & SA_RESTORER) || save_fpu(&fpstate) < 0) {
        return -EFAULT;
    }
    u64 sp = ((fpstate - sizeof(frame)) & ~15UL) - 8;
    if (task->altstack.ss_size != 0 && (enters || is_on_altstack(task, regs->Rsp)) && !lies_on_altstack(task, sp)) {
        return -EFAULT; /* the alternate stack is full */
    }
    fill_context(&frame.uc.uc_mcontext, regs, fpstate, is_fault(info) ? info->si_addr : 0);
    size_t size = fill_frame(&frame, task, action, info, mask);
    if (copy_to_user((void __user *)sp, &frame, size) < 0) {
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
    regs->Rcx = regs->Rip; /* nobody's at the start of a function: so the way there is SYSRET's, which changes them */
    regs->R11 = regs->Rflags;
    return 0;
}

/* ---- Returning from a handler ---- */

/* Where a whole image of XSAVE's can be: the magic number stands behind it. */
static bool ends_as_whole(u64 fpstate)
{
    ULONG magic2;

    return fpu_note.magic1 != 0 && fpstate % 64 == 0 &&
           NT_SUCCESS(kernel.ReadUser32((PULONG)(fpstate + fpu_note.xstate_size), &magic2)) &&
           magic2 == FP_XSTATE_MAGIC2;
}


/* FXSAVE's part from the program; the rest of the state as when a program starts. */
static NOINLINE long restore_part(u64 fpstate)
{
    u8 image[FXSAVE_SIZE];
    long error = copy_from_user(image, (void __user *)fpstate, sizeof(image));
    return error < 0 ? error : error_of(kernel.SetFpuState(image));
}

/* The program has changed what build_frame says of the image: that may be all but the essential. */
static NOINLINE long restore_changed(u64 fpstate)
{
    struct fpx_sw_bytes note;
    long error = copy_from_user(&note, (void __user *)(fpstate + FPX_SW_OFFSET), sizeof(note));

    if (error < 0 || note.magic1 != FP_XSTATE_MAGIC1 || note.xstate_size != fpu_note.xstate_size) {
        return error < 0 ? error : restore_part(fpstate);
    }
    return NT_SUCCESS(kernel.LoadFpuStateFromUser((PVOID)fpstate, &note)) ? 0 : -EFAULT;
}

static long restore_fpu(u64 fpstate)
{
    if (fpstate == 0) {
        return error_of(kernel.SetFpuState(NULL));
    }
    if (!ends_as_whole(fpstate)) {
        return restore_part(fpstate);
    }
    NTSTATUS status = kernel.LoadFpuStateFromUser((PVOID)fpstate, &fpu_note);
    if (NT_SUCCESS(status)) {
        return 0;
    }
    return status == STATUS_INVALID_PARAMETER ? restore_changed(fpstate) : -EFAULT;
}

static void restore_context(KTRAP_FRAME *to, const struct sigcontext *from)
{
    to->R8 = from->r8, to->R9 = from->r9, to->R10 = from->r10, to->R11 = from->r11, to->R12 = from->r12;
    to->R13 = from->r13, to->R14 = from->r14, to->R15 = from->r15, to->Rdi = from->di, to->Rsi = from->si;
    to->Rbp = from->bp, to->Rbx = from->bx, to->Rdx = from->dx, to->Rax = from->ax, to->Rcx = from->cx;
    to->Rsp = from->sp, to->Rip = from->ip, to->Rflags = from->flags;
}

static bool is_same_stack(const stack_t *a, const stack_t *b)
{
    return a->ss_sp == b->ss_sp && a->ss_size == b->ss_size && a->ss_flags == b->ss_flags;
}

/* The handler has returned to its restorer: the return address is off the stack, the rest is there. */
long restore_frame(struct task *task, KTRAP_FRAME *regs, sigset_t *mask)
{
    struct ucontext uc;
    const size_t from = offsetof(struct ucontext, uc_stack); /* nobody asks what stands before */

    if (copy_from_user((u8 *)&uc + from, (void __user *)(regs->Rsp + from), sizeof(uc) - from) < 0 ||
        restore_fpu(uc.uc_mcontext.fpstate) < 0) {
        return -EFAULT;
    }
    restore_context(regs, &uc.uc_mcontext);
    *mask = uc.uc_sigmask;
    if (!is_same_stack(&task->altstack, &uc.uc_stack)) {
        set_altstack(task, &uc.uc_stack, regs->Rsp); /* what cannot be set stays as it is */
    }
    return 0;
}
