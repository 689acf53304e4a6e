; SPDX-License-Identifier: MIT
;
; memcpy and memset, in the place of the C ones (kernel/rtl/memory.c), which are weak. Whole words by a string
; instruction; what is left over at the end is one more word, which overlaps the last.

section .text

; void *memcpy(void *Destination, const void *Source, size_t Length). Destination may overlap the source from
; below.
global memcpy
align 16
memcpy:
    mov rax, rdi
    mov rcx, rdx
    cmp rdx, 8
    jb .bytes
    mov r8, [rsi + rdx - 8]             ; the end, before it can be overwritten
    lea r9, [rdi + rdx - 8]
    shr rcx, 3
    rep movsq
    mov [r9], r8
    ret
.bytes:
    rep movsb
    ret

; void *memset(void *Destination, int Value, size_t Length)
global memset
align 16
memset:
    mov r9, rdi
    mov rcx, rdx
    movzx eax, sil
    cmp rdx, 8
    jb .bytes
    mov r8, 0x0101010101010101
    imul rax, r8
    mov [rdi + rdx - 8], rax            ; the end, whatever the length
    shr rcx, 3
    rep stosq
    mov rax, r9
    ret
.bytes:
    rep stosb
    mov rax, r9
    ret
