; SPDX-License-Identifier: MIT
;
; Where another processor begins: real mode, at the start of a page below 640 KiB (the startup interrupt's
; vector is the page's number; SDM vol. 3, 9.4.4). The few instructions up to protected mode are copied there;
; from then on it takes the way of the first processor (entry.asm), until it is in the upper half.

%include "asmoffsets.inc"

CODE32 equ 0x20                         ; selector of entry.asm's table

section .rodata
global ArchpTrampoline, ArchpTrampolineEnd
extern BootGdt, ArchpProcessorStart

bits 16
ArchpTrampoline:
    cli
    cld
    o32 lgdt [cs:.gdt - ArchpTrampoline]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword CODE32:ArchpProcessorStart
.gdt:
    dw CODE32 + 7                       ; the last one that is needed here
    dd BootGdt
ArchpTrampolineEnd:

extern ArchpProcessorMain, ArchpStartRoot, ArchpStartPrcb
section .text
bits 64

; Still on the boot tables. The stack is mapped only in the kernel's.
global ArchpProcessorEntry
ArchpProcessorEntry:
    mov rax, [rel ArchpStartRoot]
    mov cr3, rax
    mov rdi, [rel ArchpStartPrcb]
    mov rsp, [rdi + PRCB_IDLE_STACK_TOP]
    xor ebp, ebp
    call ArchpProcessorMain
    ud2
