; SPDX-License-Identifier: MIT
;
; SYSCALL: in, one indirect call through the thread, and out. The whole way is some 65 instructions.

%include "arch/x86_64/frame.inc"

extern ArchpReturnToUser, ArchHandlers, KdTraceClasses, KdTraceSystemCall

RFLAGS_TF equ 0x100
RFLAGS_RF equ 0x10000

section .text

; From user mode: RCX the return address, R11 the flags; interrupts off, TF, DF, AC and NT clear by the flag
; mask. There is no stack and no free register until GS is ours.
global ArchpSystemCallEntry
align 64
ArchpSystemCallEntry:
    swapgs
    mov [gs:PRCB_USER_RSP], rsp
    mov rsp, [gs:PRCB_RSP0]
    push USER_DATA
    push qword [gs:PRCB_USER_RSP]
    push r11
    push USER_CODE
    push rcx
    push rax                            ; error code: the call's number
    push SYSTEM_CALL_VECTOR
    PUSH_REGISTERS
    mov rbx, [gs:PRCB_CURRENT_THREAD]
    mov rdi, rsp
    xor ebp, ebp                        ; back-traces end here
    sti
    test byte [rel KdTraceClasses + TRACE_CALL_BIT / 8], 1 << (TRACE_CALL_BIT % 8)
    jnz ArchpSystemCallEntryTraced
    call [rbx + KTHREAD_SYSTEM_CALL]
    ; falls through: RSP at the user frame, RBX the current thread

; The way back. What a handler owes (PASSIVE_LEVEL, APCs as they were) is checked, then the last look for work
; is taken with interrupts off: what is set after it sends an interrupt, which arrives in user mode. Nearly always
; all of it is zero, which one test tells: level and pending soft interrupts are neighbours, and so are work and regions.
ArchpSystemCallExit:
    cli
    movzx eax, word [gs:PRCB_IRQL]
    or rax, [rbx + KTHREAD_USER_WORK]
    jnz .look
.tested:
    ; SYSRET takes RIP from RCX and RFLAGS from R11. It faults in kernel mode, on the user's stack, when RCX
    ; is not canonical (SDM vol. 2, SYSRET), and cannot restore TF and RF as IRET does.
    mov rcx, [rsp + FRAME_RIP]
    mov r11, [rsp + FRAME_RFLAGS]
    cmp rcx, [rsp + FRAME_RCX]
    jne .iret
    cmp r11, [rsp + FRAME_R11]
    jne .iret
    mov rax, rcx
    shr rax, 47
    jnz .iret
    test r11d, RFLAGS_TF | RFLAGS_RF
    jnz .iret
    POP_REGISTERS
    mov rcx, [rsp + FRAME_RIP - FRAME_VECTOR]       ; not what has just been popped: these two are never unsafe in a frame
    mov r11, [rsp + FRAME_RFLAGS - FRAME_VECTOR]
    mov rsp, [rsp + FRAME_RSP - FRAME_VECTOR]
    swapgs
    o64 sysret

.look:
    cmp byte [gs:PRCB_IRQL], 0
    jne .violation
    cmp dword [rbx + KTHREAD_APC_DISABLE], 0
    jne .violation
    mov rdi, rsp
    call [rel ArchHandlers + HANDLERS_RETURN_TO_USER]
    jmp .tested

; The frame was changed, or a thread enters user mode for the first time.
.iret:
    mov rdi, rsp
    call ArchpReturnToUser
    swapgs
    POP_REGISTERS
    add rsp, 16
    iretq

.violation:
    mov rdi, rsp
    call [rel ArchHandlers + HANDLERS_VIOLATION]
    ud2

ArchpSystemCallEntryTraced:
    call KdTraceSystemCall
    jmp ArchpSystemCallExit

global ArchEnterUserMode
ArchEnterUserMode:
    cli
    mov rbx, [gs:PRCB_CURRENT_THREAD]
    mov rsp, [rbx + KTHREAD_STACK_TOP]
    sub rsp, FRAME_SIZE
    xor ebp, ebp
    jmp ArchpSystemCallExit
