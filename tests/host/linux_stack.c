// sources: subsystems/linux/stack.c
/* SPDX-License-Identifier: MIT */
/*
 * The first stack of a Linux program: read back as a program's start-up code reads it, with few and many
 * strings.
 */
#define _POSIX_C_SOURCE 200809L /* keeps the host's own structures out, which abi.h defines */
#undef _DEFAULT_SOURCE

#include "tests/host/host.h"
#include "subsystems/linux/stack.h"

#define TOP 0x7ffffffff000UL

static u8 *Buffer;
static size_t Size;
static struct stack_result Result;

static void Build(struct stack_spec *Spec)
{
    free(Buffer);
    Size = stack_size(Spec);
    Buffer = malloc(Size); /* exactly: the address sanitizer watches both ends */
    stack_build(Spec, Buffer, &Result);
}

/* What the program finds at one of its addresses. */
static void *At(u64 Address)
{
    return Buffer + (Address - (TOP - Size));
}

static u64 WordAt(u64 Address)
{
    return *(u64 *)At(Address);
}

/* The address of the auxiliary vector; checks count, pointers and strings on the way. */
static u64 CheckStrings(const struct stack_spec *Spec)
{
    const struct strings *Lists[] = {&Spec->arguments, &Spec->environment};
    u64 At_ = Result.sp;

    CHECK_EQUAL(Spec->arguments.count, WordAt(At_));
    At_ += 8;
    for (int List = 0; List < 2; List++) {
        const char *Expected = Lists[List]->data;
        for (u32 i = 0; i < Lists[List]->count; i++, At_ += 8) {
            CHECK_TEXT(Expected, (char *)At(WordAt(At_)));
            Expected += strlen(Expected) + 1;
        }
        CHECK_EQUAL(0, WordAt(At_));
        At_ += 8;
    }
    return At_;
}

static u64 Aux(u64 Vector, u64 Type)
{
    for (; WordAt(Vector) != AT_NULL; Vector += 16) {
        if (WordAt(Vector) == Type) {
            return WordAt(Vector + 8);
        }
    }
    return ~0UL;
}

static struct stack_spec Usual(void)
{
    return (struct stack_spec){
        .top = TOP,
        .arguments = {"prog\0\0two words", 16, 3},
        .environment = {"A=b\0C=", 7, 2},
        .filename = "/bin/prog",
        .random = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
        .program_headers = 0x400040,
        .program_header_size = 56,
        .program_header_count = 6,
        .entry = 0x401000,
        .hwcap = 0x178bfbff,
        .vdso = 0x7ffff7fff000,
    };
}

static void StackIsAsTheAbiHasIt(void)
{
    struct stack_spec Spec = Usual();
    Build(&Spec);
    CHECK_EQUAL(0, Result.sp % 16);
    CHECK_EQUAL(TOP - Size, Result.sp);
    u64 Vector = CheckStrings(&Spec);
    CHECK_EQUAL(0x400040, Aux(Vector, AT_PHDR));
    CHECK_EQUAL(56, Aux(Vector, AT_PHENT));
    CHECK_EQUAL(6, Aux(Vector, AT_PHNUM));
    CHECK_EQUAL(4096, Aux(Vector, AT_PAGESZ));
    CHECK_EQUAL(0, Aux(Vector, AT_BASE));
    CHECK_EQUAL(0, Aux(Vector, AT_FLAGS));
    CHECK_EQUAL(0x401000, Aux(Vector, AT_ENTRY));
    CHECK_EQUAL(0, Aux(Vector, AT_UID));
    CHECK_EQUAL(0, Aux(Vector, AT_SECURE));
    CHECK_EQUAL(100, Aux(Vector, AT_CLKTCK));
    CHECK_EQUAL(0x178bfbff, Aux(Vector, AT_HWCAP));
    CHECK_EQUAL(0x7ffff7fff000, Aux(Vector, 33)); /* AT_SYSINFO_EHDR */
    CHECK_TEXT("/bin/prog", (char *)At(Aux(Vector, AT_EXECFN)));
    CHECK_TEXT("x86_64", (char *)At(Aux(Vector, AT_PLATFORM)));
    CHECK(memcmp(At(Aux(Vector, AT_RANDOM)), Spec.random, 16) == 0);
    CHECK_EQUAL(0, WordAt(TOP - 8));
}

static void ArgumentsAndEnvironmentLieTogether(void)
{
    struct stack_spec Spec = Usual();
    Build(&Spec);
    CHECK_EQUAL(16, Result.arg_end - Result.arg_start);
    CHECK_EQUAL(Result.arg_end, Result.env_start);
    CHECK_EQUAL(7, Result.env_end - Result.env_start);
    CHECK(memcmp(At(Result.arg_start), Spec.arguments.data, 16) == 0);
}

static void NothingAtAllIsFine(void)
{
    struct stack_spec Spec = {.top = TOP, .arguments = {"", 0, 0}, .environment = {"", 0, 0}, .filename = ""};
    Build(&Spec);
    CHECK_EQUAL(0, Result.sp % 16);
    CHECK(Aux(CheckStrings(&Spec), AT_EXECFN) < TOP);
}

/* Any number and length of strings: aligned, and every byte where it belongs. */
static void AnyStringsAreFine(void)
{
    RTL_RANDOM Random = HostRandom();
    for (int Round = 0; Round < 500; Round++) {
        static char Text[2][20000];
        struct stack_spec Spec = Usual();
        struct strings *Lists[] = {&Spec.arguments, &Spec.environment};
        for (int List = 0; List < 2; List++) {
            u32 Count = RtlRandomBelow(&Random, 100);
            size_t Used = 0;
            for (u32 i = 0; i < Count; i++) {
                for (u32 Length = RtlRandomBelow(&Random, 150); Length > 0; Length--) {
                    Text[List][Used++] = 'a' + RtlRandomBelow(&Random, 26);
                }
                Text[List][Used++] = 0;
            }
            *Lists[List] = (struct strings){Text[List], Used, Count};
        }
        Build(&Spec);
        CHECK_EQUAL(0, Result.sp % 16);
        CHECK_TEXT("x86_64", (char *)At(Aux(CheckStrings(&Spec), AT_PLATFORM)));
    }
}

int main(void)
{
    RUN(StackIsAsTheAbiHasIt);
    RUN(ArgumentsAndEnvironmentLieTogether);
    RUN(NothingAtAllIsFine);
    RUN(AnyStringsAreFine);
    free(Buffer);
    return HostEnd();
}
