; SPDX-License-Identifier: MIT
;
; Changes of stack: from thread to thread, to a processor's own stack and back, and out of a saved context.

%include "arch/x86_64/frame.inc"

extern ArchpFeatures

MSR_FS_BASE        equ 0xc0000100
MSR_KERNEL_GS_BASE equ 0xc0000102

section .text

; ArchSwapContext (machine.h), from thread RDI to thread RSI
;
; What lies on the stack of a thread that does not run is a KSWITCH_FRAME (thread.c): the frame pointer, and RFLAGS for IF
; and the thread's user-access flag (AC). All other registers belong to whoever comes here, who has told the compiler so.
;
; Custody: Old belongs to this processor until SwapBusy is cleared; then another one may be running it
; already, on the very stack that RSP still points to. So from there to the load of RSP nothing touches the
; stack, and interrupts are off (an NMI has a stack of its own), but for the wait, which stands on the DPC
; stack. New belongs to us from the moment its SwapBusy has been seen clear: only one processor has taken it
; from a ready queue. The caller has made New the current thread.
global ArchpSwapContext
align 16
ArchpSwapContext:
    push rbp
    pushfq
    cli
    mov [rdi + KTHREAD_KERNEL_RSP], rsp
    mov rcx, [rdi + KTHREAD_FPU_STATE]
    test rcx, rcx
    jnz .save_fpu
.saved:
    mov byte [rdi + KTHREAD_SWAP_BUSY], 0   ; release: stores stay in order (SDM vol. 3, 9.2.2)
.wait:
    cmp byte [rsi + KTHREAD_SWAP_BUSY], 0
    jne .pause
    mov byte [rsi + KTHREAD_SWAP_BUSY], 1
    mov rsp, [rsi + KTHREAD_KERNEL_RSP]
    mov rax, [rsi + KTHREAD_STACK_TOP]
    mov [gs:PRCB_RSP0], rax
    mov r8, [rsi + KTHREAD_FPU_STATE]
    test r8, r8
    jnz .load_user
.loaded:
    popfq
    pop rbp
    ret

; Interrupts must be taken meanwhile: the processor that is saving New may itself be held in a handler until
; we answer an inter-processor call. The DPC stack is free: nobody switches inside a DPC.
.pause:
    mov rsp, [gs:PRCB_DPC_STACK_TOP]
    sti
    nop                                 ; the shadow of STI ends here, not in PAUSE
    pause
    cli
    jmp .wait

.save_fpu:
    cmp byte [rel ArchpFeatures + FEATURES_XSAVE], 0
    je .fxsave
    mov eax, -1                         ; all that XCR0 selects
    mov edx, -1
    xsave64 [rcx]
    jmp .saved
.fxsave:
    fxsave64 [rcx]
    jmp .saved

; The bases are written always: user mode changes them behind our back when it loads a selector.
.load_user:
    mov ecx, MSR_FS_BASE
    mov eax, [rsi + KTHREAD_FS_BASE]
    mov edx, [rsi + KTHREAD_FS_BASE + 4]
    wrmsr
    mov ecx, MSR_KERNEL_GS_BASE
    mov eax, [rsi + KTHREAD_GS_BASE]
    mov edx, [rsi + KTHREAD_GS_BASE + 4]
    wrmsr
    cmp byte [rel ArchpFeatures + FEATURES_XSAVE], 0
    je .fxrstor
    mov eax, -1
    mov edx, -1
    xrstor64 [r8]
    jmp .loaded
.fxrstor:
    fxrstor64 [r8]
    jmp .loaded

; void ArchCallOnStack(void *StackTop, void (*Routine)(void *), void *Context)
global ArchCallOnStack
align 16
ArchCallOnStack:
    push rbp
    mov rbp, rsp
    mov rsp, rdi
    mov rdi, rdx
    call rsi
    leave
    ret

; int ArchSaveContext(ULONG64 Context[8])
global ArchSaveContext
align 16
ArchSaveContext:
    mov rax, [rsp]
    lea rdx, [rsp + 8]                  ; the caller's, as after the return
    mov [rdi], rbx
    mov [rdi + 8], rbp
    mov [rdi + 16], r12
    mov [rdi + 24], r13
    mov [rdi + 32], r14
    mov [rdi + 40], r15
    mov [rdi + 48], rdx
    mov [rdi + 56], rax
    xor eax, eax
    ret

; void ArchRestoreContext(const ULONG64 Context[8], int Value)
global ArchRestoreContext
align 16
ArchRestoreContext:
    mov eax, esi
    mov rbx, [rdi]
    mov rbp, [rdi + 8]
    mov r12, [rdi + 16]
    mov r13, [rdi + 24]
    mov r14, [rdi + 32]
    mov r15, [rdi + 40]
    mov rsp, [rdi + 48]
    jmp [rdi + 56]
