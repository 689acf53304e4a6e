; SPDX-License-Identifier: MIT
;
; Entries from the IDT: 256 stubs, then three ways in.
;
;   exceptions          on the thread's stack; GS by the saved CS
;   interrupts          the same
;   #DB NMI #MC #DF     on stacks of their own (IST): they can arrive anywhere, also in the few instructions
;                       where CS is the kernel's and GS still (or already) the user's. The sign of the GS base
;                       tells: the kernel's is in the upper half, and user mode cannot set one there
;                       (CR4.FSGSBASE is off).
;
; Each builds a KTRAP_FRAME (ktrap.h) and below it a frame-pointer link that makes the interrupted place a
; step of back-traces. 22 words of frame and 2 of link keep the stack aligned for C.

%include "arch/x86_64/frame.inc"

extern ArchpHandleTrap, ArchpHandleInterrupt, ArchpHandleParanoid

MSR_GS_BASE equ 0xc0000101

section .text

; RSP at a complete frame: calls %1(frame) with the link below.
%macro CALL_WITH_FRAME 1
    mov rdi, rsp
    push qword [rdi + FRAME_RIP]
    push rbp
    mov rbp, rsp
    call %1
    lea rsp, [rbp + 16]
%endmacro

; What the processor leaves unsaid: which way is up, no user access, whose GS.
%macro ENTER_FROM_IDT 0
    cld
    CLOSE_USER_ACCESS
    PUSH_REGISTERS
    test byte [rsp + FRAME_CS], 3
    jz %%kernel
    swapgs
    xor ebp, ebp                        ; back-traces end at user mode
%%kernel:
%endmacro

align 16
ArchpTrapEntry:
    ENTER_FROM_IDT
.framed:
    CALL_WITH_FRAME ArchpHandleTrap
    jmp ArchpTrapExit

align 16
ArchpInterruptEntry:
    ENTER_FROM_IDT
    CALL_WITH_FRAME ArchpHandleInterrupt
    ; falls into the exit

; RSP at the frame, interrupts off, the last tests before user mode made.
global ArchpTrapExit
ArchpTrapExit:
    test byte [rsp + FRAME_CS], 3
    jz .kernel
    swapgs
.kernel:
    POP_REGISTERS
    add rsp, 16                         ; vector, error code
    iretq

; #DB: from user mode it is an exception as any other, which may wait and swap threads: it moves to the
; thread's stack.
align 16
ArchpDebugEntry:
    cld
    CLOSE_USER_ACCESS
    PUSH_REGISTERS
    test byte [rsp + FRAME_CS], 3
    jz ArchpParanoidEntry.framed
    swapgs
    mov rsi, rsp
    mov rdi, [gs:PRCB_RSP0]
    sub rdi, FRAME_SIZE
    mov rdx, rdi
    mov ecx, FRAME_SIZE / 8
    rep movsq
    mov rsp, rdx
    xor ebp, ebp
    jmp ArchpTrapEntry.framed

; Nothing here may fault, lock or execute IRET before the end.
align 16
ArchpParanoidEntry:
    cld
    CLOSE_USER_ACCESS
    PUSH_REGISTERS
.framed:
    mov ecx, MSR_GS_BASE
    rdmsr
    xor ebx, ebx
    test edx, edx
    js .kernel_gs
    swapgs
    inc ebx
.kernel_gs:
    CALL_WITH_FRAME ArchpHandleParanoid
    test ebx, ebx
    jz .kernel_exit
    swapgs
.kernel_exit:
    POP_REGISTERS
    add rsp, 16
    iretq

; ---- Stubs: each leaves error code and vector, and jumps to its entry ----

; Exceptions for which the processor pushes an error code (APM vol. 2, 8.2): 8, 10-14, 17, 21, 29, 30.
ERROR_CODES equ 0x60227d00

%macro STUB 1
section .rodata
    dq ArchpStub%1
section .text
ArchpStub%1:
  %if %1 >= 32 || !(ERROR_CODES >> (%1 & 31) & 1)
    push 0
  %endif
    push %1
  %if %1 == 1
    jmp ArchpDebugEntry
  %elif %1 == 2 || %1 == 8 || %1 == 18
    jmp ArchpParanoidEntry
  %elif %1 < 32
    jmp ArchpTrapEntry
  %else
    jmp ArchpInterruptEntry
  %endif
%endmacro

section .rodata
global ArchpTrapStub
align 8
ArchpTrapStub:
%assign Vector 0
%rep 256
    STUB Vector
  %assign Vector Vector + 1
%endrep
