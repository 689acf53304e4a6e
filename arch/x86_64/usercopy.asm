; SPDX-License-Identifier: MIT
;
; Copies to and from user memory. Every instruction that may touch a user page has an entry in the exception
; table: when the page fault cannot be resolved, execution goes on at the fix-up, which closes the window and
; reports the violation. The window (SMAP) is open from just before the first access to just after the last,
; and then as it was: a structured-exception block that holds it open may call these routines. So the flags
; are kept on the stack meanwhile.

%include "arch/x86_64/frame.inc"

extern ArchpMxcsrReserved

FXSAVE_SIZE                   equ 512
FXSAVE_MXCSR                  equ 24
FXSAVE_SOFTWARE               equ 464
XSAVE_HEADER_SIZE             equ 64
USER_END                      equ 0x00007ffffffff000
STATUS_ACCESS_VIOLATION       equ 0xc0000005
STATUS_DATATYPE_MISALIGNMENT  equ 0x80000002
STATUS_BUFFER_OVERFLOW        equ 0x80000005
STATUS_INVALID_PARAMETER      equ 0xc000000d

section .text

%macro OPEN_WINDOW 0
    pushfq
    OPEN_USER_ACCESS
%endmacro

%macro CLOSE_WINDOW 0
    popfq
%endmacro

ArchpCopyFault:
    CLOSE_WINDOW
ArchpAccessViolation:
    mov eax, STATUS_ACCESS_VIOLATION
    ret

ArchpMisaligned:
    mov eax, STATUS_DATATYPE_MISALIGNMENT
    ret

; The range is not the user's: only right when it is empty.
ArchpRefuseRange:
    test rdx, rdx
    jnz ArchpAccessViolation
    xor eax, eax
    ret

; Goes on when [%1, %1 + RDX) is a user range. Clobbers RAX.
%macro CHECK_RANGE 1
    mov rax, USER_END
    sub rax, rdx
    jb ArchpRefuseRange
    cmp rax, %1
    jb ArchpRefuseRange
%endmacro

; What is done RDX / 8 times with words (%1) and for the rest with bytes (%2); then the routine's end.
%macro WORDS_AND_BYTES 2
    mov rcx, rdx
    shr rcx, 3
    OPEN_WINDOW
%%words:
    rep %1
    mov ecx, edx
    and ecx, 7
%%bytes:
    rep %2
    CLOSE_WINDOW
    xor eax, eax
    ret
    FIXUP %%words, ArchpCopyFault
    FIXUP %%bytes, ArchpCopyFault
%endmacro

; NTSTATUS ArchCopyToUser(void *UserDestination, const void *Source, SIZE_T Size)
global ArchCopyToUser
align 16
ArchCopyToUser:
    CHECK_RANGE rdi
    jmp ArchpCopy

; NTSTATUS ArchCopyFromUser(void *Destination, const void *UserSource, SIZE_T Size)
global ArchCopyFromUser
align 16
ArchCopyFromUser:
    CHECK_RANGE rsi
ArchpCopy:
    WORDS_AND_BYTES movsq, movsb

; NTSTATUS ArchZeroUser(void *UserDestination, SIZE_T Size)
global ArchZeroUser
align 16
ArchZeroUser:
    mov rdx, rsi
    CHECK_RANGE rdi
    xor eax, eax
    WORDS_AND_BYTES stosq, stosb

; NTSTATUS ArchCopyStringFromUser(char *Destination, const char *UserSource, SIZE_T Size, SIZE_T *Length)
; R8: bytes until the end of user space; what lies behind it counts as a page that is not there.
global ArchCopyStringFromUser
align 16
ArchCopyStringFromUser:
    mov r8, USER_END
    sub r8, rsi
    jbe ArchpAccessViolation
    xor r9d, r9d
    OPEN_WINDOW
.next:
    cmp r9, rdx
    je .overflow
    cmp r9, r8
    je ArchpCopyFault
.load:
    mov al, [rsi + r9]
    mov [rdi + r9], al
    inc r9
    test al, al
    jnz .next
    CLOSE_WINDOW
    dec r9
    mov [rcx], r9
    xor eax, eax
    ret
.overflow:
    CLOSE_WINDOW
    mov eax, STATUS_BUFFER_OVERFLOW
    ret
    FIXUP .load, ArchpCopyFault

; One access to the user word at RDI. %1: the routine. %2: the register of its last parameter, which points to
; where the word goes. %3: the access; EAX holds the second parameter before it and the old word after it.
%macro USER_WORD 3
global %1
align 16
%1:
    mov r8, USER_END - 4
    cmp rdi, r8
    ja ArchpAccessViolation
    test edi, 3
    jnz ArchpMisaligned
    mov r8, %2
    mov eax, esi
    OPEN_WINDOW
%%access:
    %3
    CLOSE_WINDOW
    mov [r8], eax
    xor eax, eax
    ret
    FIXUP %%access, ArchpCopyFault
%endmacro

; NTSTATUS ArchReadUser32(const volatile ULONG *UserAddress, ULONG *Value)
USER_WORD ArchReadUser32, rsi, {mov eax, [rdi]}

; NTSTATUS ArchCompareExchangeUser32(volatile ULONG *UserAddress, ULONG Expected, ULONG New, ULONG *Previous)
USER_WORD ArchCompareExchangeUser32, rcx, {lock cmpxchg [rdi], edx}

; NTSTATUS ArchExchangeUser32(volatile ULONG *UserAddress, ULONG New, ULONG *Previous)
USER_WORD ArchExchangeUser32, rdx, {xchg [rdi], eax}

; NTSTATUS ArchExchangeAddUser32(volatile ULONG *UserAddress, ULONG Addend, ULONG *Previous)
USER_WORD ArchExchangeAddUser32, rdx, {lock xadd [rdi], eax}

; NTSTATUS ArchpXsaveToUser(void *UserImage, const void *Software, SIZE_T Size): what XSAVE keeps, to the user's memory. XSAVE
; leaves software's part alone, and most of the header, where XRSTOR wants zeros.
global ArchpXsaveToUser
align 16
ArchpXsaveToUser:
    CHECK_RANGE rdi
    mov rdx, rdi
    add rdi, FXSAVE_SOFTWARE
    mov ecx, (FXSAVE_SIZE - FXSAVE_SOFTWARE) / 8
    xor eax, eax
    OPEN_WINDOW
.software:
    rep movsq
    mov ecx, XSAVE_HEADER_SIZE / 8
.header:
    rep stosq
    mov rdi, rdx
    mov eax, -1
    mov edx, eax
.image:
    xsave64 [rdi]
    CLOSE_WINDOW
    xor eax, eax
    ret
    FIXUP .software, ArchpCopyFault
    FIXUP .header, ArchpCopyFault
    FIXUP .image, ArchpCopyFault

; NTSTATUS ArchpXrstorFromUser(void *UserImage, const void *Software, SIZE_T Size): back from there. The processor refuses a
; bad header, and bad bits in MXCSR, which QEMU does not: so they are looked at.
global ArchpXrstorFromUser
align 16
ArchpXrstorFromUser:
    CHECK_RANGE rdi
    mov rdx, rdi
    add rdi, FXSAVE_SOFTWARE
    mov ecx, (FXSAVE_SIZE - FXSAVE_SOFTWARE) / 8
    OPEN_WINDOW
.software:
    repe cmpsq
    jne .foreign
.mxcsr:
    mov eax, [rdx + FXSAVE_MXCSR]
    test eax, [rel ArchpMxcsrReserved]
    jnz ArchpCopyFault
    mov rdi, rdx
    mov eax, -1
    mov edx, eax
.image:
    xrstor64 [rdi]
    CLOSE_WINDOW
    xor eax, eax
    ret
.foreign:
    CLOSE_WINDOW
    mov eax, STATUS_INVALID_PARAMETER
    ret
    FIXUP .software, ArchpCopyFault
    FIXUP .mxcsr, ArchpCopyFault
    FIXUP .image, ArchpCopyFault

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
