; SPDX-License-Identifier: MIT
;
; memcpy and memset, in the place of the C ones (kernel/rtl/memory.c), which are weak. Short lengths take a
; few words that may overlap, long ones the string instructions, whose start-up time is lost in them.

LONG_LENGTH equ 128

section .text

; void *memcpy(void *Destination, const void *Source, size_t Length). Destination may overlap the source from
; below.
global memcpy
align 16
memcpy:
    mov rax, rdi
    cmp rdx, 16
    jbe .short
    cmp rdx, LONG_LENGTH
    jae .long
.chunk:                                 ; 16 bytes a turn while more than 16 are left; the last 16 overlap
    mov rcx, [rsi]
    mov r8, [rsi + 8]
    mov [rdi], rcx
    mov [rdi + 8], r8
    add rsi, 16
    add rdi, 16
    sub rdx, 16
    cmp rdx, 16
    ja .chunk
.short:
    cmp edx, 8
    jb .below8
    mov rcx, [rsi]
    mov r8, [rsi + rdx - 8]
    mov [rdi], rcx
    mov [rdi + rdx - 8], r8
    ret
.below8:
    cmp edx, 4
    jb .below4
    mov ecx, [rsi]
    mov r8d, [rsi + rdx - 4]
    mov [rdi], ecx
    mov [rdi + rdx - 4], r8d
    ret
.below4:
    test edx, edx
    jz .done
    movzx ecx, byte [rsi]
    movzx r8d, byte [rsi + rdx - 1]
    cmp edx, 3
    jb .ends
    movzx r9d, byte [rsi + 1]
    mov [rdi + 1], r9b
.ends:
    mov [rdi], cl
    mov [rdi + rdx - 1], r8b
.done:
    ret
.long:
    mov r8, [rsi + rdx - 8]             ; the end, before it can be overwritten
    lea r9, [rdi + rdx - 8]
    mov rcx, rdx
    shr rcx, 3
    rep movsq
    mov [r9], r8
    ret

; void *memset(void *Destination, int Value, size_t Length)
global memset
align 16
memset:
    mov r9, rdi
    movzx eax, sil
    mov r8, 0x0101010101010101
    imul rax, r8
    cmp rdx, 8
    jb .bytes
    mov [rdi + rdx - 8], rax            ; the end, whatever the length
    mov rcx, rdx
    shr rcx, 3
    cmp rdx, LONG_LENGTH
    jae .long
.word:
    mov [rdi], rax
    add rdi, 8
    dec ecx
    jnz .word
    mov rax, r9
    ret
.long:
    rep stosq
    mov rax, r9
    ret
.bytes:
    test edx, edx
    jz .done
.byte:
    mov [rdi], al
    inc rdi
    dec edx
    jnz .byte
.done:
    mov rax, r9
    ret
