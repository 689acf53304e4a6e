; SPDX-License-Identifier: MIT
;
; S-lists: the list's header is 16 bytes that change in one step (CMPXCHG16B). Its first word holds the depth in 16
; bits, and a sequence number that every change increments; the second the first entry's address.
;
; The sequence makes the pop right: it reads the header, then the first entry's link, and puts the link in the header
; only when nothing at all has happened meanwhile, not even that the same entry was taken off and put back. And as the
; entry may be gone by the time its link is read, even its memory, a fault there is no error: the pop starts anew. Only
; when the header is unchanged does the list itself hold an address where nothing is: then the fault is let happen.

%include "arch/x86_64/frame.inc"

ONE_CHANGE equ 0x10000                  ; the sequence, in the first word

global ArchPushSList, ArchPopSList, ArchFlushSList, ArchSListRestarts

section .bss
alignb 4
ArchSListRestarts: resd 1

section .text

; RDI: the header. Reads it to RDX:RAX; the first word comes first, so that it is the older one.
%macro READ_HEADER 0
    mov rax, [rdi]
    mov rdx, [rdi + 8]
%endmacro

; PSLIST_ENTRY ArchPushSList(PSLIST_HEADER Header, PSLIST_ENTRY First, PSLIST_ENTRY Last, ULONG Count)
align 16
ArchPushSList:
    push rbx
    mov r8, rdx
    mov r9d, ecx
    mov rcx, rsi
    READ_HEADER
.again:
    mov [r8], rdx
    lea rbx, [rax + ONE_CHANGE]
    add bx, r9w                         ; the depth wraps without touching the sequence
    lock cmpxchg16b [rdi]
    jne .again
    mov rax, rdx
    pop rbx
    ret

; PSLIST_ENTRY ArchPopSList(PSLIST_HEADER Header)
align 16
ArchPopSList:
    push rbx
.start:
    READ_HEADER
.again:
    test rdx, rdx
    jz .done
.link:
    mov rcx, [rdx]
    lea rbx, [rax + ONE_CHANGE]
    dec bx
    lock cmpxchg16b [rdi]
    jne .again
.done:
    mov rax, rdx
    pop rbx
    ret
.gone:
    lock inc dword [rel ArchSListRestarts]
    cmp rax, [rdi]
    jne .start
    mov rcx, [rdx]                      ; faults, and this time it is an error
    jmp .start
    FIXUP_ANYWHERE .link, .gone

; PSLIST_ENTRY ArchFlushSList(PSLIST_HEADER Header)
align 16
ArchFlushSList:
    push rbx
    xor ecx, ecx
    READ_HEADER
.again:
    test rdx, rdx
    jz .done
    lea rbx, [rax + ONE_CHANGE]
    xor bx, bx
    lock cmpxchg16b [rdi]
    jne .again
.done:
    mov rax, rdx
    pop rbx
    ret
