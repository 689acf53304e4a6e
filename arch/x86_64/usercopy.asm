; SPDX-License-Identifier: MIT
;
; Copies to and from user memory. Every instruction that may touch a user page has an entry in the exception
; table: when the page fault cannot be resolved, execution goes on at the fix-up, which closes the window and
; reports the violation. The window (SMAP) is open from just before the first access to just after the last.

%include "arch/x86_64/frame.inc"

USER_END                      equ 0x00007ffffffff000
STATUS_ACCESS_VIOLATION       equ 0xc0000005
STATUS_DATATYPE_MISALIGNMENT  equ 0x80000002
STATUS_BUFFER_OVERFLOW        equ 0x80000005
SMALL                         equ 64    ; above it, REP MOVS is worth its start-up time

section .text

ArchpCopyFault:
    CLOSE_USER_ACCESS
ArchpAccessViolation:
    mov eax, STATUS_ACCESS_VIOLATION
    ret

ArchpMisaligned:
    mov eax, STATUS_DATATYPE_MISALIGNMENT
    ret

; Refuses unless [%1, %1 + %2) is a user range or %2 is 0. Clobbers RAX and RCX.
%macro CHECK_RANGE 2
    mov rax, %1
    add rax, %2
    jc %%refused
    mov rcx, USER_END
    cmp rax, rcx
    jbe %%accepted
%%refused:
    mov rax, %2
    test rax, rax
    jnz ArchpAccessViolation
    ret                                 ; nothing to do: STATUS_SUCCESS
%%accepted:
%endmacro

; RDI destination, RSI source, RDX size.
%macro COPY 0
    OPEN_USER_ACCESS
    cmp rdx, SMALL
    ja %%large
    sub rdx, 8
    jb %%tail
%%words:
%%load8:
    mov rax, [rsi]
%%store8:
    mov [rdi], rax
    add rsi, 8
    add rdi, 8
    sub rdx, 8
    jae %%words
%%tail:
    add edx, 8
    jz %%done
%%bytes:
%%load1:
    mov al, [rsi]
%%store1:
    mov [rdi], al
    inc rsi
    inc rdi
    dec edx
    jnz %%bytes
%%done:
    CLOSE_USER_ACCESS
    xor eax, eax
    ret
%%large:
    mov rcx, rdx
    shr rcx, 3
%%moves:
    rep movsq
    and edx, 7
    sub rdx, 8
    jmp %%tail
    FIXUP %%load8, ArchpCopyFault
    FIXUP %%store8, ArchpCopyFault
    FIXUP %%load1, ArchpCopyFault
    FIXUP %%store1, ArchpCopyFault
    FIXUP %%moves, ArchpCopyFault
%endmacro

; NTSTATUS ArchCopyFromUser(void *Destination, const void *UserSource, SIZE_T Size)
global ArchCopyFromUser
align 16
ArchCopyFromUser:
    CHECK_RANGE rsi, rdx
    COPY

; NTSTATUS ArchCopyToUser(void *UserDestination, const void *Source, SIZE_T Size)
global ArchCopyToUser
align 16
ArchCopyToUser:
    CHECK_RANGE rdi, rdx
    COPY

; NTSTATUS ArchZeroUser(void *UserDestination, SIZE_T Size)
global ArchZeroUser
align 16
ArchZeroUser:
    CHECK_RANGE rdi, rsi
    xor eax, eax
    mov rcx, rsi
    shr rcx, 3
    OPEN_USER_ACCESS
.words:
    rep stosq
    mov ecx, esi
    and ecx, 7
.bytes:
    rep stosb
    CLOSE_USER_ACCESS
    ret
    FIXUP .words, ArchpCopyFault
    FIXUP .bytes, ArchpCopyFault

; NTSTATUS ArchCopyStringFromUser(char *Destination, const char *UserSource, SIZE_T Size, SIZE_T *Length)
; R8: bytes until the end of user space; what lies behind it counts as a page that is not there.
global ArchCopyStringFromUser
align 16
ArchCopyStringFromUser:
    mov r8, USER_END
    sub r8, rsi
    jbe ArchpAccessViolation
    xor r9d, r9d
    OPEN_USER_ACCESS
.next:
    cmp r9, rdx
    je .overflow
    cmp r9, r8
    je ArchpCopyFault
.load:
    mov al, [rsi + r9]
    mov [rdi + r9], al
    test al, al
    jz .done
    inc r9
    jmp .next
.done:
    CLOSE_USER_ACCESS
    mov [rcx], r9
    xor eax, eax
    ret
.overflow:
    CLOSE_USER_ACCESS
    mov eax, STATUS_BUFFER_OVERFLOW
    ret
    FIXUP .load, ArchpCopyFault

; NTSTATUS ArchReadUser32(const volatile ULONG *UserAddress, ULONG *Value)
global ArchReadUser32
align 16
ArchReadUser32:
    mov rdx, rsi
    CHECK_RANGE rdi, 4
    test edi, 3
    jnz ArchpMisaligned
    OPEN_USER_ACCESS
.load:
    mov eax, [rdi]
    CLOSE_USER_ACCESS
    mov [rdx], eax
    xor eax, eax
    ret
    FIXUP .load, ArchpCopyFault

; NTSTATUS ArchCompareExchangeUser32(volatile ULONG *UserAddress, ULONG Expected, ULONG New, ULONG *Previous)
global ArchCompareExchangeUser32
align 16
ArchCompareExchangeUser32:
    mov r8, rcx
    CHECK_RANGE rdi, 4
    test edi, 3
    jnz ArchpMisaligned
    mov eax, esi
    OPEN_USER_ACCESS
.exchange:
    lock cmpxchg [rdi], edx
    CLOSE_USER_ACCESS
    mov [r8], eax
    xor eax, eax
    ret
    FIXUP .exchange, ArchpCopyFault

; NTSTATUS ArchExchangeUser32(volatile ULONG *UserAddress, ULONG New, ULONG *Previous)
global ArchExchangeUser32
align 16
ArchExchangeUser32:
    CHECK_RANGE rdi, 4
    test edi, 3
    jnz ArchpMisaligned
    OPEN_USER_ACCESS
.exchange:
    xchg [rdi], esi
    CLOSE_USER_ACCESS
    mov [rdx], esi
    xor eax, eax
    ret
    FIXUP .exchange, ArchpCopyFault

; NTSTATUS ArchExchangeAddUser32(volatile ULONG *UserAddress, ULONG Addend, ULONG *Previous)
global ArchExchangeAddUser32
align 16
ArchExchangeAddUser32:
    CHECK_RANGE rdi, 4
    test edi, 3
    jnz ArchpMisaligned
    OPEN_USER_ACCESS
.exchange:
    lock xadd [rdi], esi
    CLOSE_USER_ACCESS
    mov [rdx], esi
    xor eax, eax
    ret
    FIXUP .exchange, ArchpCopyFault

; bool ArchOpenUserAccess(void): returns whether the window was open. Without SMAP it is never open and never
; closed.
global ArchOpenUserAccess
ArchOpenUserAccess:
    pushfq
    pop rax
    shr eax, 18                         ; RFLAGS.AC
    and eax, 1
    OPEN_USER_ACCESS
    ret

; void ArchCloseUserAccess(bool WasOpen)
global ArchCloseUserAccess
ArchCloseUserAccess:
    test dil, dil
    jnz .stays
    CLOSE_USER_ACCESS
.stays:
    ret
