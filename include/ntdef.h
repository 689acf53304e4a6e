/* SPDX-License-Identifier: MIT */
/*
 * The vocabulary that everybody shares: basic types, annotations, lists, strings' descriptors, interlocked
 * operations.
 *
 * Kernel, modules and native programs include it; it asks for nothing but the freestanding compiler's own
 * headers. Names and meanings are the ones that the Windows Driver Kit documents. Two things differ by
 * necessity from a compiler for Windows: `long` has 64 bits here (LONG and ULONG have 32, as documented), and
 * so the 64-bit types are all spelled `long`, which makes ULONG64, ULONG_PTR, SIZE_T, uint64_t and size_t one
 * and the same type.
 */
#pragma once

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- What the compiler calls otherwise ----------------------------------------------------------------- */

/* One calling convention exists; the names of the others are accepted and mean it. */
#define NTAPI
#define FASTCALL
#define CALLBACK
#define WINAPI
#define NTSYSAPI
#define NTSYSCALLAPI
#define NTKERNELAPI
#define NTHALAPI
#define DECLSPEC_IMPORT
#define DECLSPEC_EXPORT
#define __cdecl
#define __stdcall
#define __fastcall
#define __int64 long
#ifndef __clang__ /* Clang knows the keyword under -fms-extensions. */
#define __forceinline __inline__ __attribute__((__always_inline__))
#endif

/* As documented FORCEINLINE names no storage class: both `FORCEINLINE VOID F()` and `static FORCEINLINE VOID
   F()` work. */
#define FORCEINLINE           __inline__ __attribute__((__always_inline__))
#define DECLSPEC_NOINLINE     __attribute__((__noinline__))
#define NOINLINE              __attribute__((__noinline__))
#define DECLSPEC_NORETURN     __attribute__((__noreturn__))
#define NORETURN              __attribute__((__noreturn__))
#define DECLSPEC_ALIGN(Bytes) __attribute__((__aligned__(Bytes)))
#define DECLSPEC_CACHEALIGN   DECLSPEC_ALIGN(64)
#define DECLSPEC_SELECTANY    __attribute__((__weak__))
#define UNALIGNED
#define RESTRICTED_POINTER
#define CONST const
#define IN
#define OUT
#define OPTIONAL

#ifdef __cplusplus
#define EXTERN_C       extern "C"
#define EXTERN_C_START extern "C" {
#define EXTERN_C_END   }
#else
#define EXTERN_C extern
#define EXTERN_C_START
#define EXTERN_C_END
#endif

/* ---- Source annotations: read by people here, not by the compiler -------------------------------------- */

/* Clang lets a caller drop such a result with a cast to void; GCC does not, so it is not told. */
#ifdef __clang__
#define _Must_inspect_result_ __attribute__((__warn_unused_result__))
#else
#define _Must_inspect_result_
#endif
#define _Check_return_
#define _Check_return_opt_

#define _In_
#define _In_opt_
#define _In_z_
#define _In_opt_z_
#define _In_reads_(Size)
#define _In_reads_opt_(Size)
#define _In_reads_z_(Size)
#define _In_reads_bytes_(Size)
#define _In_reads_bytes_opt_(Size)
#define _In_reads_or_z_(Size)
#define _In_reads_to_ptr_(Pointer)
#define _In_range_(Low, High)
#define _Out_
#define _Out_opt_
#define _Out_writes_(Size)
#define _Out_writes_opt_(Size)
#define _Out_writes_z_(Size)
#define _Out_writes_opt_z_(Size)
#define _Out_writes_all_(Size)
#define _Out_writes_all_opt_(Size)
#define _Out_writes_to_(Size, Count)
#define _Out_writes_to_opt_(Size, Count)
#define _Out_writes_bytes_(Size)
#define _Out_writes_bytes_opt_(Size)
#define _Out_writes_bytes_all_(Size)
#define _Out_writes_bytes_to_(Size, Count)
#define _Out_writes_bytes_to_opt_(Size, Count)
#define _Out_range_(Low, High)
#define _Inout_
#define _Inout_opt_
#define _Inout_z_
#define _Inout_updates_(Size)
#define _Inout_updates_opt_(Size)
#define _Inout_updates_z_(Size)
#define _Inout_updates_all_(Size)
#define _Inout_updates_to_(Size, Count)
#define _Inout_updates_bytes_(Size)
#define _Inout_updates_bytes_opt_(Size)
#define _Inout_updates_bytes_all_(Size)
#define _Inout_updates_bytes_to_(Size, Count)
#define _Outptr_
#define _Outptr_opt_
#define _Outptr_result_maybenull_
#define _Outptr_opt_result_maybenull_
#define _Outptr_result_nullonfailure_
#define _Outptr_result_z_
#define _Outptr_result_buffer_(Size)
#define _Outptr_result_bytebuffer_(Size)
#define _Outref_
#define _COM_Outptr_
#define _Ret_maybenull_
#define _Ret_notnull_
#define _Ret_null_
#define _Ret_z_
#define _Ret_range_(Low, High)
#define _Ret_writes_(Size)
#define _Ret_writes_bytes_(Size)
#define _Ret_writes_bytes_maybenull_(Size)
#define _Result_nullonfailure_
#define _Result_zeroonfailure_
#define _Reserved_
#define _Const_
#define _Notnull_
#define _Maybenull_
#define _Maybe_null_
#define _Valid_
#define _Notvalid_
#define _Null_terminated_
#define _NullNull_terminated_
#define _Points_to_data_
#define _Literal_
#define _Notliteral_
#define _Printf_format_string_
#define _Deref_out_
#define _Deref_out_opt_
#define _Deref_in_range_(Low, High)
#define _Deref_out_range_(Low, High)
#define _Deref_ret_range_(Low, High)
#define _Field_size_(Size)
#define _Field_size_opt_(Size)
#define _Field_size_full_(Size)
#define _Field_size_part_(Size, Count)
#define _Field_size_bytes_(Size)
#define _Field_size_bytes_opt_(Size)
#define _Field_size_bytes_full_(Size)
#define _Field_size_bytes_part_(Size, Count)
#define _Field_size_bytes_part_opt_(Size, Count)
#define _Field_z_
#define _Field_range_(Low, High)
#define _Struct_size_bytes_(Size)
#define _Readable_bytes_(Size)
#define _Readable_elements_(Size)
#define _Writable_bytes_(Size)
#define _Writable_elements_(Size)
#define _Pre_
#define _Pre_notnull_
#define _Pre_maybenull_
#define _Pre_valid_
#define _Pre_satisfies_(Condition)
#define _Pre_writable_size_(Size)
#define _Pre_writable_byte_size_(Size)
#define _Pre_readable_size_(Size)
#define _Pre_readable_byte_size_(Size)
#define _Post_
#define _Post_notnull_
#define _Post_maybenull_
#define _Post_valid_
#define _Post_invalid_
#define _Post_ptr_invalid_
#define _Post_equal_to_(Expression)
#define _Post_satisfies_(Condition)
#define _Post_writable_size_(Size)
#define _Post_writable_byte_size_(Size)
#define _Post_readable_size_(Size)
#define _Post_readable_byte_size_(Size)
#define _Unchanged_(Expression)
#define _Prepost_
#define _Prepost_z_
#define _Strict_type_match_
#define _Interlocked_operand_
#define _Enum_is_bitflag_
#define _Use_decl_annotations_
#define _Function_class_(Name)
#define _Dispatch_type_(Code)
#define _Success_(Condition)
#define _Return_type_success_(Condition)
#define _On_failure_(Annotations)
#define _Always_(Annotations)
#define _When_(Condition, Annotations)
#define _At_(Target, Annotations)
#define _At_buffer_(Target, Iterator, Bound, Annotations)
#define _Group_(Annotations)
#define _Analysis_assume_(Expression) ((void)0)
#define _Analysis_assert_(Expression) ((void)0)
#define _Analysis_noreturn_
#define _Analysis_mode_(Mode)
#define _Raises_SEH_exception_
#define _Maybe_raises_SEH_exception_
#define _Ignore_(Annotation)

#define _IRQL_requires_(Irql)
#define _IRQL_requires_max_(Irql)
#define _IRQL_requires_min_(Irql)
#define _IRQL_requires_same_
#define _IRQL_raises_(Irql)
#define _IRQL_saves_
#define _IRQL_saves_global_(Kind, Parameter)
#define _IRQL_restores_
#define _IRQL_restores_global_(Kind, Parameter)
#define _IRQL_always_function_max_(Irql)
#define _IRQL_always_function_min_(Irql)
#define _IRQL_uses_cancel_
#define _IRQL_is_cancel_
#define _IRQL_limited_to_(Irql)
#define _Kernel_clear_do_init_(Value)
#define _Kernel_requires_resource_held_(Kind)
#define _Kernel_requires_resource_not_held_(Kind)
#define _Kernel_acquires_resource_(Kind)
#define _Kernel_releases_resource_(Kind)
#define _Kernel_float_saved_
#define _Kernel_float_restored_
#define _Kernel_float_used_
#define _Kernel_entry_

#define _Acquires_lock_(Lock)
#define _Acquires_nonreentrant_lock_(Lock)
#define _Acquires_exclusive_lock_(Lock)
#define _Acquires_shared_lock_(Lock)
#define _Releases_lock_(Lock)
#define _Releases_nonreentrant_lock_(Lock)
#define _Releases_exclusive_lock_(Lock)
#define _Releases_shared_lock_(Lock)
#define _Requires_lock_held_(Lock)
#define _Requires_lock_not_held_(Lock)
#define _Requires_no_locks_held_
#define _Requires_exclusive_lock_held_(Lock)
#define _Requires_shared_lock_held_(Lock)
#define _Has_lock_kind_(Kind)
#define _Has_lock_level_(Level)
#define _Create_lock_level_(Level)
#define _Lock_level_order_(First, Second)
#define _Guarded_by_(Lock)
#define _Write_guarded_by_(Lock)
#define _Interlocked_
#define _Post_same_lock_(First, Second)
#define _Requires_read_lock_held_(Lock)
#define _Curr_
#define _Frees_ptr_
#define _Frees_ptr_opt_

#define __drv_aliasesMem
#define __drv_allocatesMem(Kind)
#define __drv_freesMem(Kind)
#define __drv_preferredFunction(Name, Why)
#define __drv_reportError(Text)
#define __drv_strictType(Type, Mode)
#define __drv_strictTypeMatch(Mode)
#define __drv_maxIRQL(Irql)
#define __drv_minIRQL(Irql)
#define __drv_requiresIRQL(Irql)
#define __drv_sameIRQL
#define __drv_raisesIRQL(Irql)
#define __drv_restoresIRQL
#define __drv_savesIRQL
#define __drv_when(Condition, Annotations)
#define __drv_at(Target, Annotations)
#define __drv_in(Annotations)
#define __drv_out(Annotations)
#define __drv_functionClass(Name)
#define __drv_dispatchType(Code)
#define __drv_interlocked
#define __analysis_assume(Expression) ((void)0)

/* ---- Basic types --------------------------------------------------------------------------------------- */

#define VOID void
typedef void *PVOID, **PPVOID;
typedef void *PVOID64;
typedef const void *PCVOID;

typedef char CHAR, *PCHAR, *PCH, CCHAR, *PCCHAR;
typedef const char *PCCH;
typedef char *PSTR, *NPSTR, *PSZ;
typedef const char *PCSTR, *PCSZ;
typedef signed char SCHAR, *PSCHAR;
typedef unsigned char UCHAR, *PUCHAR;
typedef const UCHAR *PCUCHAR;
typedef short SHORT, *PSHORT, CSHORT, *PCSHORT;
typedef unsigned short USHORT, *PUSHORT;
typedef int LONG, *PLONG;
typedef unsigned int ULONG, *PULONG;
typedef const ULONG *PCULONG;
typedef int INT, *PINT;
typedef unsigned int UINT, *PUINT;

typedef int64_t LONGLONG, *PLONGLONG, LONG64, *PLONG64, INT64, *PINT64;
typedef uint64_t ULONGLONG, *PULONGLONG, ULONG64, *PULONG64, UINT64, *PUINT64, DWORD64, *PDWORD64, DWORDLONG,
    *PDWORDLONG;
typedef int8_t INT8, *PINT8;
typedef int16_t INT16, *PINT16;
typedef int32_t INT32, *PINT32, LONG32, *PLONG32;
typedef uint8_t UINT8, *PUINT8;
typedef uint16_t UINT16, *PUINT16;
typedef uint32_t UINT32, *PUINT32, ULONG32, *PULONG32, DWORD32, *PDWORD32;

typedef intptr_t LONG_PTR, *PLONG_PTR, INT_PTR, *PINT_PTR;
typedef uintptr_t ULONG_PTR, *PULONG_PTR, UINT_PTR, *PUINT_PTR, DWORD_PTR, *PDWORD_PTR;
typedef size_t SIZE_T, *PSIZE_T;
typedef ptrdiff_t SSIZE_T, *PSSIZE_T;

typedef UCHAR BOOLEAN, *PBOOLEAN;
#define FALSE 0
#define TRUE  1

/* 16 bits: kernel and modules are built with -fshort-wchar, so that L"..." is an array of these. */
#if __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#else
typedef uint16_t WCHAR;
#endif
typedef WCHAR *PWCHAR, *LPWCH, *PWCH, *PWSTR, *LPWSTR, *NWPSTR, *PZZWSTR;
typedef const WCHAR *PCWCH, *PCWCHAR, *PCWSTR, *LPCWSTR, *PCZZWSTR;
#define UNICODE_NULL ((WCHAR)0)
#define ANSI_NULL    ((CHAR)0)

typedef PVOID HANDLE, *PHANDLE;
typedef LONG NTSTATUS, *PNTSTATUS;
typedef LONG KPRIORITY, *PKPRIORITY;
typedef UCHAR KIRQL, *PKIRQL;
typedef ULONG_PTR KAFFINITY, *PKAFFINITY;
typedef ULONG ACCESS_MASK, *PACCESS_MASK;
typedef ULONG LOGICAL, *PLOGICAL;
typedef ULONG_PTR KSPIN_LOCK, *PKSPIN_LOCK;

typedef CCHAR KPROCESSOR_MODE;
typedef enum _MODE {
    KernelMode,
    UserMode,
    MaximumMode
} MODE;

#define MINCHAR      0x80
#define MAXCHAR      0x7f
#define MINSHORT     0x8000
#define MAXSHORT     0x7fff
#define MINLONG      ((LONG)0x80000000)
#define MAXLONG      0x7fffffff
#define MAXUCHAR     0xff
#define MAXUSHORT    0xffff
#define MAXULONG     0xffffffffU
#define MINLONGLONG  INT64_MIN
#define MAXLONGLONG  INT64_MAX
#define MAXLONG64    INT64_MAX
#define MAXULONGLONG UINT64_MAX
#define MAXULONG64   UINT64_MAX
#define MAXULONG_PTR UINTPTR_MAX
#define MAXLONG_PTR  INTPTR_MAX
#define MAXSIZE_T    SIZE_MAX
#define MAX_SIZE_T   SIZE_MAX

/* ---- Status values (the codes themselves are in ntstatus.h) -------------------------------------------- */

#define NT_SUCCESS(Status)     ((NTSTATUS)(Status) >= 0)
#define NT_INFORMATION(Status) ((((ULONG)(Status)) >> 30) == 1)
#define NT_WARNING(Status)     ((((ULONG)(Status)) >> 30) == 2)
#define NT_ERROR(Status)       ((((ULONG)(Status)) >> 30) == 3)

/* ---- Small tools --------------------------------------------------------------------------------------- */

#define C_ASSERT(Expression)                    _Static_assert(Expression, #Expression)
#define UNREFERENCED_PARAMETER(Name)            ((void)(Name))
#define DBG_UNREFERENCED_PARAMETER(Name)        ((void)(Name))
#define DBG_UNREFERENCED_LOCAL_VARIABLE(Name)   ((void)(Name))
#define FIELD_OFFSET(Type, Field)               ((LONG)offsetof(Type, Field))
#define UFIELD_OFFSET(Type, Field)              ((ULONG)offsetof(Type, Field))
#define RTL_FIELD_SIZE(Type, Field)             (sizeof(((Type *)0)->Field))
#define RTL_SIZEOF_THROUGH_FIELD(Type, Field)   (FIELD_OFFSET(Type, Field) + RTL_FIELD_SIZE(Type, Field))
#define CONTAINING_RECORD(Address, Type, Field) ((Type *)((ULONG_PTR)(Address)-offsetof(Type, Field)))
#define RTL_NUMBER_OF(Array)                    (sizeof(Array) / sizeof((Array)[0]))
#define ARRAYSIZE(Array)                        RTL_NUMBER_OF(Array)
#define RTL_BITS_OF(Type)                       (sizeof(Type) * 8)
#define Int32x32To64(First, Second)             ((LONGLONG)(LONG)(First) * (LONGLONG)(LONG)(Second))
#define UInt32x32To64(First, Second)            ((ULONGLONG)(ULONG)(First) * (ULONGLONG)(ULONG)(Second))

#define PtrToUlong(Pointer)     ((ULONG)(ULONG_PTR)(Pointer))
#define PtrToLong(Pointer)      ((LONG)(LONG_PTR)(Pointer))
#define UlongToPtr(Value)       ((PVOID)(ULONG_PTR)(ULONG)(Value))
#define LongToPtr(Value)        ((PVOID)(LONG_PTR)(LONG)(Value))
#define HandleToULong(Handle)   ((ULONG)(ULONG_PTR)(Handle))
#define HandleToUlong(Handle)   HandleToULong(Handle)
#define HandleToLong(Handle)    ((LONG)(LONG_PTR)(Handle))
#define ULongToHandle(Value)    ((HANDLE)(ULONG_PTR)(ULONG)(Value))
#define UlongToHandle(Value)    ULongToHandle(Value)
#define LongToHandle(Value)     ((HANDLE)(LONG_PTR)(LONG)(Value))
#define PtrToPtr64(Pointer)     ((PVOID)(Pointer))
#ifndef NOMINMAX
#ifndef min
#define min(First, Second) ((First) < (Second) ? (First) : (Second))
#endif
#ifndef max
#define max(First, Second) ((First) > (Second) ? (First) : (Second))
#endif
#endif
#define Add2Ptr(Pointer, Bytes) ((PVOID)((PUCHAR)(Pointer) + (Bytes)))

#ifndef PAGE_SIZE
#define PAGE_SIZE 0x1000
#endif
#ifndef PAGE_SHIFT
#define PAGE_SHIFT 12
#endif
#define ALIGN_DOWN_BY(Value, Bytes) ((ULONG_PTR)(Value) & ~((ULONG_PTR)(Bytes)-1))
#define ALIGN_UP_BY(Value, Bytes)   (((ULONG_PTR)(Value) + (Bytes)-1) & ~((ULONG_PTR)(Bytes)-1))
#define ALIGN_DOWN(Value, Type)     ALIGN_DOWN_BY(Value, sizeof(Type))
#define ALIGN_UP(Value, Type)       ALIGN_UP_BY(Value, sizeof(Type))
#define ROUND_TO_PAGES(Size)        ALIGN_UP_BY(Size, PAGE_SIZE)
#define PAGE_ALIGN(Address)         ((PVOID)ALIGN_DOWN_BY(Address, PAGE_SIZE))
#define BYTE_OFFSET(Address)        ((ULONG)((ULONG_PTR)(Address) & (PAGE_SIZE - 1)))
#define BYTES_TO_PAGES(Size)        (((Size) >> PAGE_SHIFT) + (((Size) & (PAGE_SIZE - 1)) != 0))
#define ADDRESS_AND_SIZE_TO_SPAN_PAGES(Address, Size)                                                        \
    ((ULONG)((((ULONG_PTR)(Address) & (PAGE_SIZE - 1)) + (Size) + (PAGE_SIZE - 1)) >> PAGE_SHIFT))

C_ASSERT(sizeof(LONG) == 4 && sizeof(LONGLONG) == 8 && sizeof(PVOID) == 8 && sizeof(WCHAR) == 2);

/* ---- Structures ---------------------------------------------------------------------------------------- */

typedef union _LARGE_INTEGER {
    struct {
        ULONG LowPart;
        LONG HighPart;
    };
    struct {
        ULONG LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union _ULARGE_INTEGER {
    struct {
        ULONG LowPart;
        ULONG HighPart;
    };
    struct {
        ULONG LowPart;
        ULONG HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

typedef LARGE_INTEGER PHYSICAL_ADDRESS, *PPHYSICAL_ADDRESS;

typedef struct _LUID {
    ULONG LowPart;
    LONG HighPart;
} LUID, *PLUID;

typedef struct _GUID {
    ULONG Data1;
    USHORT Data2;
    USHORT Data3;
    UCHAR Data4[8];
} GUID, *PGUID, *LPGUID;
typedef const GUID *LPCGUID;

typedef struct _LIST_ENTRY {
    struct _LIST_ENTRY *Flink;
    struct _LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY, *PRLIST_ENTRY;

typedef struct _SINGLE_LIST_ENTRY {
    struct _SINGLE_LIST_ENTRY *Next;
} SINGLE_LIST_ENTRY, *PSINGLE_LIST_ENTRY;

/* Lengths are bytes, never characters, and exclude a terminating NUL, which need not be there. */
typedef struct _UNICODE_STRING {
    USHORT Length;
    USHORT MaximumLength;
    PWCH Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;

typedef struct _STRING {
    USHORT Length;
    USHORT MaximumLength;
    PCHAR Buffer;
} STRING, *PSTRING, ANSI_STRING, *PANSI_STRING, OEM_STRING, *POEM_STRING, UTF8_STRING, *PUTF8_STRING;
typedef const STRING *PCSTRING, *PCANSI_STRING, *PCOEM_STRING, *PCUTF8_STRING;

#define UNICODE_STRING_MAX_BYTES ((USHORT)65534)
#define UNICODE_STRING_MAX_CHARS 32767
#define RTL_CONSTANT_STRING(Literal)                                                                         \
    {                                                                                                        \
        sizeof(Literal) - sizeof((Literal)[0]), sizeof(Literal), (Literal)                                   \
    }
#define DECLARE_CONST_UNICODE_STRING(Name, Literal)                                                          \
    const UNICODE_STRING Name = {sizeof(Literal) - sizeof((Literal)[0]), sizeof(Literal), (PWCH)(Literal)}
#define DECLARE_UNICODE_STRING_SIZE(Name, Characters)                                                        \
    WCHAR Name##_buffer[Characters];                                                                         \
    UNICODE_STRING Name = {0, (Characters) * sizeof(WCHAR), Name##_buffer}

typedef struct _OBJECT_ATTRIBUTES {
    ULONG Length;
    HANDLE RootDirectory;
    PUNICODE_STRING ObjectName;
    ULONG Attributes;
    PVOID SecurityDescriptor;
    PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;
typedef const OBJECT_ATTRIBUTES *PCOBJECT_ATTRIBUTES;

#define OBJ_INHERIT                       0x00000002L
#define OBJ_PERMANENT                     0x00000010L
#define OBJ_EXCLUSIVE                     0x00000020L
#define OBJ_CASE_INSENSITIVE              0x00000040L
#define OBJ_OPENIF                        0x00000080L
#define OBJ_OPENLINK                      0x00000100L
#define OBJ_KERNEL_HANDLE                 0x00000200L
#define OBJ_FORCE_ACCESS_CHECK            0x00000400L
#define OBJ_IGNORE_IMPERSONATED_DEVICEMAP 0x00000800L
#define OBJ_DONT_REPARSE                  0x00001000L
#define OBJ_VALID_ATTRIBUTES              0x00001FF2L

#define InitializeObjectAttributes(Attributes_, Name_, Flags_, Root_, Security_)                             \
    do {                                                                                                     \
        (Attributes_)->Length = sizeof(OBJECT_ATTRIBUTES);                                                   \
        (Attributes_)->RootDirectory = (Root_);                                                              \
        (Attributes_)->Attributes = (Flags_);                                                                \
        (Attributes_)->ObjectName = (Name_);                                                                 \
        (Attributes_)->SecurityDescriptor = (Security_);                                                     \
        (Attributes_)->SecurityQualityOfService = NULL;                                                      \
    } while (0)
#define RTL_CONSTANT_OBJECT_ATTRIBUTES(Name_, Flags_)                                                        \
    {                                                                                                        \
        sizeof(OBJECT_ATTRIBUTES), NULL, (PUNICODE_STRING)(Name_), (Flags_), NULL, NULL                      \
    }
#define RTL_INIT_OBJECT_ATTRIBUTES(Name_, Flags_) RTL_CONSTANT_OBJECT_ATTRIBUTES(Name_, Flags_)

typedef struct _CLIENT_ID {
    HANDLE UniqueProcess;
    HANDLE UniqueThread;
} CLIENT_ID, *PCLIENT_ID;

typedef struct _PROCESSOR_NUMBER {
    USHORT Group;
    UCHAR Number;
    UCHAR Reserved;
} PROCESSOR_NUMBER, *PPROCESSOR_NUMBER;

typedef struct _GROUP_AFFINITY {
    KAFFINITY Mask;
    USHORT Group;
    USHORT Reserved[3];
} GROUP_AFFINITY, *PGROUP_AFFINITY;

/* ---- Access rights common to all object types ---------------------------------------------------------- */

#define DELETE                   0x00010000U
#define READ_CONTROL             0x00020000U
#define WRITE_DAC                0x00040000U
#define WRITE_OWNER              0x00080000U
#define SYNCHRONIZE              0x00100000U
#define STANDARD_RIGHTS_REQUIRED 0x000F0000U
#define STANDARD_RIGHTS_READ     READ_CONTROL
#define STANDARD_RIGHTS_WRITE    READ_CONTROL
#define STANDARD_RIGHTS_EXECUTE  READ_CONTROL
#define STANDARD_RIGHTS_ALL      0x001F0000U
#define SPECIFIC_RIGHTS_ALL      0x0000FFFFU
#define MAXIMUM_ALLOWED          0x02000000U
#define GENERIC_ALL              0x10000000U
#define GENERIC_EXECUTE          0x20000000U
#define GENERIC_WRITE            0x40000000U
#define GENERIC_READ             0x80000000U

/* What the generic rights mean for a type of objects. */
typedef struct _GENERIC_MAPPING {
    ACCESS_MASK GenericRead;
    ACCESS_MASK GenericWrite;
    ACCESS_MASK GenericExecute;
    ACCESS_MASK GenericAll;
} GENERIC_MAPPING, *PGENERIC_MAPPING;

/* ---- Exceptions ---------------------------------------------------------------------------------------- */

#define EXCEPTION_MAXIMUM_PARAMETERS 15
#define EXCEPTION_NONCONTINUABLE     0x1

typedef struct _EXCEPTION_RECORD {
    NTSTATUS ExceptionCode;
    ULONG ExceptionFlags;
    struct _EXCEPTION_RECORD *ExceptionRecord;
    PVOID ExceptionAddress;
    ULONG NumberParameters;
    ULONG UnusedAlignment;
    ULONG_PTR ExceptionInformation[EXCEPTION_MAXIMUM_PARAMETERS];
} EXCEPTION_RECORD, *PEXCEPTION_RECORD;

typedef struct _EXCEPTION_POINTERS {
    PEXCEPTION_RECORD ExceptionRecord;
    struct _CONTEXT *ContextRecord;
} EXCEPTION_POINTERS, *PEXCEPTION_POINTERS;

C_ASSERT(sizeof(EXCEPTION_RECORD) == 152);

/* ---- The registers of a thread
   -------------------------------------------------------------------------- */

#define CONTEXT_AMD64          0x00100000
#define CONTEXT_CONTROL        (CONTEXT_AMD64 | 0x1) /* SegSs, Rsp, SegCs, Rip, EFlags */
#define CONTEXT_INTEGER        (CONTEXT_AMD64 | 0x2) /* the other general registers, Rbp included */
#define CONTEXT_SEGMENTS       (CONTEXT_AMD64 | 0x4) /* SegDs, SegEs, SegFs, SegGs */
#define CONTEXT_FLOATING_POINT (CONTEXT_AMD64 | 0x8) /* FltSave, MxCsr */
#define CONTEXT_FULL           (CONTEXT_CONTROL | CONTEXT_INTEGER | CONTEXT_FLOATING_POINT)
#define CONTEXT_ALL            (CONTEXT_FULL | CONTEXT_SEGMENTS | 0x10)

typedef struct __attribute__((aligned(16))) _M128A {
    ULONG64 Low;
    LONG64 High;
} M128A, *PM128A;

typedef struct __attribute__((aligned(16))) _XSAVE_FORMAT { /* what FXSAVE writes */
    USHORT ControlWord, StatusWord;
    UCHAR TagWord, Reserved1;
    USHORT ErrorOpcode;
    ULONG ErrorOffset;
    USHORT ErrorSelector, Reserved2;
    ULONG DataOffset;
    USHORT DataSelector, Reserved3;
    ULONG MxCsr, MxCsr_Mask;
    M128A FloatRegisters[8];
    M128A XmmRegisters[16];
    UCHAR Reserved4[96];
} XSAVE_FORMAT, *PXSAVE_FORMAT, XMM_SAVE_AREA32, *PXMM_SAVE_AREA32;

typedef struct __attribute__((aligned(16))) _CONTEXT {
    ULONG64 P1Home, P2Home, P3Home, P4Home, P5Home, P6Home;
    ULONG ContextFlags; /* which parts count */
    ULONG MxCsr;
    USHORT SegCs, SegDs, SegEs, SegFs, SegGs, SegSs;
    ULONG EFlags;
    ULONG64 Dr0, Dr1, Dr2, Dr3, Dr6, Dr7;
    ULONG64 Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15;
    ULONG64 Rip;
    XMM_SAVE_AREA32 FltSave;
    M128A VectorRegister[26];
    ULONG64 VectorControl;
    ULONG64 DebugControl, LastBranchToRip, LastBranchFromRip, LastExceptionToRip, LastExceptionFromRip;
} CONTEXT, *PCONTEXT;

C_ASSERT(sizeof(XMM_SAVE_AREA32) == 512 && sizeof(CONTEXT) == 1232 && FIELD_OFFSET(CONTEXT, Rip) == 0xf8 &&
         FIELD_OFFSET(CONTEXT, FltSave) == 0x100);

/* What a filter answers. */
#define EXCEPTION_EXECUTE_HANDLER    1
#define EXCEPTION_CONTINUE_SEARCH    0
#define EXCEPTION_CONTINUE_EXECUTION (-1)

/* ExceptionInformation[0] of an access violation. */
#define EXCEPTION_READ_FAULT    0
#define EXCEPTION_WRITE_FAULT   1
#define EXCEPTION_EXECUTE_FAULT 8

#define EXCEPTION_ACCESS_VIOLATION         ((NTSTATUS)0xC0000005)
#define EXCEPTION_DATATYPE_MISALIGNMENT    ((NTSTATUS)0x80000002)
#define EXCEPTION_BREAKPOINT               ((NTSTATUS)0x80000003)
#define EXCEPTION_SINGLE_STEP              ((NTSTATUS)0x80000004)
#define EXCEPTION_GUARD_PAGE               ((NTSTATUS)0x80000001)
#define EXCEPTION_ARRAY_BOUNDS_EXCEEDED    ((NTSTATUS)0xC000008C)
#define EXCEPTION_FLT_DENORMAL_OPERAND     ((NTSTATUS)0xC000008D)
#define EXCEPTION_FLT_DIVIDE_BY_ZERO       ((NTSTATUS)0xC000008E)
#define EXCEPTION_FLT_INEXACT_RESULT       ((NTSTATUS)0xC000008F)
#define EXCEPTION_FLT_INVALID_OPERATION    ((NTSTATUS)0xC0000090)
#define EXCEPTION_FLT_OVERFLOW             ((NTSTATUS)0xC0000091)
#define EXCEPTION_FLT_STACK_CHECK          ((NTSTATUS)0xC0000092)
#define EXCEPTION_FLT_UNDERFLOW            ((NTSTATUS)0xC0000093)
#define EXCEPTION_INT_DIVIDE_BY_ZERO       ((NTSTATUS)0xC0000094)
#define EXCEPTION_INT_OVERFLOW             ((NTSTATUS)0xC0000095)
#define EXCEPTION_PRIV_INSTRUCTION         ((NTSTATUS)0xC0000096)
#define EXCEPTION_ILLEGAL_INSTRUCTION      ((NTSTATUS)0xC000001D)
#define EXCEPTION_IN_PAGE_ERROR            ((NTSTATUS)0xC0000006)
#define EXCEPTION_NONCONTINUABLE_EXCEPTION ((NTSTATUS)0xC0000025)
#define EXCEPTION_INVALID_DISPOSITION      ((NTSTATUS)0xC0000026)
#define EXCEPTION_STACK_OVERFLOW           ((NTSTATUS)0xC00000FD)
#define EXCEPTION_INVALID_HANDLE           ((NTSTATUS)0xC0000008)

/* ---- Lists: circular, the head is an entry like the others; the caller synchronises -------------------- */

/* Makes the list empty. Any IRQL. */
static inline VOID InitializeListHead(_Out_ PLIST_ENTRY ListHead)
{
    ListHead->Flink = ListHead;
    ListHead->Blink = ListHead;
}

/* TRUE when the list holds no entry. Any IRQL. */
static inline BOOLEAN IsListEmpty(_In_ const LIST_ENTRY *ListHead)
{
    return ListHead->Flink == ListHead;
}

/* Puts the entry at the front. Any IRQL. */
static inline VOID InsertHeadList(_Inout_ PLIST_ENTRY ListHead, _Out_ PLIST_ENTRY Entry)
{
    PLIST_ENTRY First = ListHead->Flink;
    Entry->Flink = First;
    Entry->Blink = ListHead;
    First->Blink = Entry;
    ListHead->Flink = Entry;
}

/* Puts the entry at the end. Any IRQL. */
static inline VOID InsertTailList(_Inout_ PLIST_ENTRY ListHead, _Out_ PLIST_ENTRY Entry)
{
    PLIST_ENTRY Last = ListHead->Blink;
    Entry->Flink = ListHead;
    Entry->Blink = Last;
    Last->Flink = Entry;
    ListHead->Blink = Entry;
}

/* Takes the entry off its list; its own links keep their values. Returns TRUE when the list is empty now. Any
   IRQL. */
static inline BOOLEAN RemoveEntryList(_In_ PLIST_ENTRY Entry)
{
    PLIST_ENTRY Next = Entry->Flink;
    PLIST_ENTRY Previous = Entry->Blink;
    Previous->Flink = Next;
    Next->Blink = Previous;
    return Next == Previous;
}

/* Takes off and returns the first entry; the head itself when the list was empty. Any IRQL. */
static inline PLIST_ENTRY RemoveHeadList(_Inout_ PLIST_ENTRY ListHead)
{
    PLIST_ENTRY Entry = ListHead->Flink;
    RemoveEntryList(Entry);
    return Entry;
}

/* Takes off and returns the last entry; the head itself when the list was empty. Any IRQL. */
static inline PLIST_ENTRY RemoveTailList(_Inout_ PLIST_ENTRY ListHead)
{
    PLIST_ENTRY Entry = ListHead->Blink;
    RemoveEntryList(Entry);
    return Entry;
}

/* Appends a whole list, given by any of its entries and without a head of its own, to the list of ListHead.
   Any IRQL. */
static inline VOID AppendTailList(_Inout_ PLIST_ENTRY ListHead, _Inout_ PLIST_ENTRY ListToAppend)
{
    PLIST_ENTRY Last = ListHead->Blink;
    PLIST_ENTRY AppendedLast = ListToAppend->Blink;
    Last->Flink = ListToAppend;
    ListToAppend->Blink = Last;
    AppendedLast->Flink = ListHead;
    ListHead->Blink = AppendedLast;
}

/* Puts the entry at the front of a singly linked list. Any IRQL. */
static inline VOID PushEntryList(_Inout_ PSINGLE_LIST_ENTRY ListHead, _Inout_ PSINGLE_LIST_ENTRY Entry)
{
    Entry->Next = ListHead->Next;
    ListHead->Next = Entry;
}

/* Takes off and returns the first entry of a singly linked list; NULL when it was empty. Any IRQL. */
static inline PSINGLE_LIST_ENTRY PopEntryList(_Inout_ PSINGLE_LIST_ENTRY ListHead)
{
    PSINGLE_LIST_ENTRY First = ListHead->Next;
    if (First != NULL) {
        ListHead->Next = First->Next;
    }
    return First;
}

/* ---- Interlocked operations: atomic and full barriers, unless the name says otherwise; any IRQL -------- */

/*
 * What each returns, as documented: Increment, Decrement and Add the new value; Exchange, ExchangeAdd,
 * CompareExchange, And, Or and Xor the value before. On this processor every locked instruction is a full
 * barrier, so that the Acquire, Release and NoFence forms differ only in what the compiler may move across
 * them.
 */
#define NTP_INTERLOCKED(Type, Width, Order, Tail)                                                            \
    static inline Type InterlockedIncrement##Tail##Width(_Inout_ Type volatile *Addend)                      \
    {                                                                                                        \
        return __atomic_add_fetch(Addend, 1, Order);                                                         \
    }                                                                                                        \
    static inline Type InterlockedDecrement##Tail##Width(_Inout_ Type volatile *Addend)                      \
    {                                                                                                        \
        return __atomic_sub_fetch(Addend, 1, Order);                                                         \
    }                                                                                                        \
    static inline Type InterlockedAdd##Tail##Width(_Inout_ Type volatile *Addend, Type Value)                \
    {                                                                                                        \
        return __atomic_add_fetch(Addend, Value, Order);                                                     \
    }                                                                                                        \
    static inline Type InterlockedExchange##Tail##Width(_Inout_ Type volatile *Target, Type Value)           \
    {                                                                                                        \
        return __atomic_exchange_n(Target, Value, Order);                                                    \
    }                                                                                                        \
    static inline Type InterlockedExchangeAdd##Tail##Width(_Inout_ Type volatile *Addend, Type Value)        \
    {                                                                                                        \
        return __atomic_fetch_add(Addend, Value, Order);                                                     \
    }                                                                                                        \
    static inline Type InterlockedCompareExchange##Tail##Width(_Inout_ Type volatile *Target, Type Exchange, \
                                                               Type Comparand)                               \
    {                                                                                                        \
        __atomic_compare_exchange_n(Target, &Comparand, Exchange, 0, Order,                                  \
                                    Order == __ATOMIC_SEQ_CST   ? __ATOMIC_SEQ_CST                           \
                                    : Order == __ATOMIC_ACQUIRE ? __ATOMIC_ACQUIRE                           \
                                                                : __ATOMIC_RELAXED);                         \
        return Comparand;                                                                                    \
    }                                                                                                        \
    static inline Type InterlockedAnd##Tail##Width(_Inout_ Type volatile *Target, Type Value)                \
    {                                                                                                        \
        return __atomic_fetch_and(Target, Value, Order);                                                     \
    }                                                                                                        \
    static inline Type InterlockedOr##Tail##Width(_Inout_ Type volatile *Target, Type Value)                 \
    {                                                                                                        \
        return __atomic_fetch_or(Target, Value, Order);                                                      \
    }                                                                                                        \
    static inline Type InterlockedXor##Tail##Width(_Inout_ Type volatile *Target, Type Value)                \
    {                                                                                                        \
        return __atomic_fetch_xor(Target, Value, Order);                                                     \
    }

#define NTP_INTERLOCKED_ORDERS(Type, Width)                                                                  \
    NTP_INTERLOCKED(Type, Width, __ATOMIC_SEQ_CST, )                                                         \
    NTP_INTERLOCKED(Type, Width, __ATOMIC_ACQUIRE, Acquire)                                                  \
    NTP_INTERLOCKED(Type, Width, __ATOMIC_RELEASE, Release)                                                  \
    NTP_INTERLOCKED(Type, Width, __ATOMIC_RELAXED, NoFence)

NTP_INTERLOCKED_ORDERS(LONG, )
NTP_INTERLOCKED_ORDERS(LONG64, 64)
NTP_INTERLOCKED(SHORT, 16, __ATOMIC_SEQ_CST, )
NTP_INTERLOCKED(CHAR, 8, __ATOMIC_SEQ_CST, )

/* Atomically replaces a pointer; returns the one before. Any IRQL. */
static inline PVOID InterlockedExchangePointer(_Inout_ PVOID volatile *Target, _In_opt_ PVOID Value)
{
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}

/* Atomically replaces a pointer if it equals Comparand; returns the one before. Any IRQL. */
static inline PVOID InterlockedCompareExchangePointer(_Inout_ PVOID volatile *Target, _In_opt_ PVOID Exchange,
                                                      _In_opt_ PVOID Comparand)
{
    __atomic_compare_exchange_n(Target, &Comparand, Exchange, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return Comparand;
}

#define InterlockedExchangePointerAcquire        InterlockedExchangePointer
#define InterlockedExchangePointerNoFence        InterlockedExchangePointer
#define InterlockedCompareExchangePointerAcquire InterlockedCompareExchangePointer
#define InterlockedCompareExchangePointerRelease InterlockedCompareExchangePointer
#define InterlockedCompareExchangePointerNoFence InterlockedCompareExchangePointer
#define InterlockedIncrementSizeT(Target)        ((SIZE_T)InterlockedIncrement64((LONG64 volatile *)(Target)))
#define InterlockedDecrementSizeT(Target)        ((SIZE_T)InterlockedDecrement64((LONG64 volatile *)(Target)))
#define InterlockedExchangeAddSizeT(Target, Value)                                                           \
    ((SIZE_T)InterlockedExchangeAdd64((LONG64 volatile *)(Target), (LONG64)(Value)))

/* Sets a bit, counted from bit 0 of *Base (negative and large counts reach neighbours); returns the bit
   before. Any IRQL. */
static inline UCHAR InterlockedBitTestAndSet(_Inout_ LONG volatile *Base, LONG Bit)
{
    ULONG Mask = 1U << (Bit & 31);
    return (__atomic_fetch_or((ULONG volatile *)Base + (Bit >> 5), Mask, __ATOMIC_SEQ_CST) & Mask) != 0;
}

/* Clears a bit; counts as InterlockedBitTestAndSet does. Returns the bit before. Any IRQL. */
static inline UCHAR InterlockedBitTestAndReset(_Inout_ LONG volatile *Base, LONG Bit)
{
    ULONG Mask = 1U << (Bit & 31);
    return (__atomic_fetch_and((ULONG volatile *)Base + (Bit >> 5), ~Mask, __ATOMIC_SEQ_CST) & Mask) != 0;
}

/* The same for 64-bit words. */
static inline UCHAR InterlockedBitTestAndSet64(_Inout_ LONG64 volatile *Base, LONG64 Bit)
{
    ULONG64 Mask = 1ULL << (Bit & 63);
    return (__atomic_fetch_or((ULONG64 volatile *)Base + (Bit >> 6), Mask, __ATOMIC_SEQ_CST) & Mask) != 0;
}

static inline UCHAR InterlockedBitTestAndReset64(_Inout_ LONG64 volatile *Base, LONG64 Bit)
{
    ULONG64 Mask = 1ULL << (Bit & 63);
    return (__atomic_fetch_and((ULONG64 volatile *)Base + (Bit >> 6), ~Mask, __ATOMIC_SEQ_CST) & Mask) != 0;
}

/* Single-access reads and writes, with the order that the name says (Raw: none, and no promise but a single
   access). */
#define NTP_READ_WRITE(Type, Name, Width)                                                                    \
    static inline Type Read##Name##Acquire##Width(_In_ Type const volatile *Source)                          \
    {                                                                                                        \
        return __atomic_load_n(Source, __ATOMIC_ACQUIRE);                                                    \
    }                                                                                                        \
    static inline Type Read##Name##NoFence##Width(_In_ Type const volatile *Source)                          \
    {                                                                                                        \
        return __atomic_load_n(Source, __ATOMIC_RELAXED);                                                    \
    }                                                                                                        \
    static inline Type Read##Name##Raw##Width(_In_ Type const volatile *Source)                              \
    {                                                                                                        \
        return *Source;                                                                                      \
    }                                                                                                        \
    static inline VOID Write##Name##Release##Width(_Out_ Type volatile *Destination, Type Value)             \
    {                                                                                                        \
        __atomic_store_n(Destination, Value, __ATOMIC_RELEASE);                                              \
    }                                                                                                        \
    static inline VOID Write##Name##NoFence##Width(_Out_ Type volatile *Destination, Type Value)             \
    {                                                                                                        \
        __atomic_store_n(Destination, Value, __ATOMIC_RELAXED);                                              \
    }                                                                                                        \
    static inline VOID Write##Name##Raw##Width(_Out_ Type volatile *Destination, Type Value)                 \
    {                                                                                                        \
        *Destination = Value;                                                                                \
    }

NTP_READ_WRITE(LONG, , )
NTP_READ_WRITE(LONG64, , 64)
NTP_READ_WRITE(ULONG, ULong, )
NTP_READ_WRITE(ULONG64, ULong64, )
NTP_READ_WRITE(ULONG_PTR, ULongPtr, )
NTP_READ_WRITE(SHORT, , 16)
NTP_READ_WRITE(UCHAR, UChar, )
NTP_READ_WRITE(BOOLEAN, Boolean, )
NTP_READ_WRITE(PVOID, Pointer, )

#define MemoryBarrier()     __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define KeMemoryBarrier()   MemoryBarrier()
#define _ReadWriteBarrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define _ReadBarrier()      __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define _WriteBarrier()     __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define YieldProcessor()    __builtin_ia32_pause()
