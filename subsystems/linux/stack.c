/* SPDX-License-Identifier: MIT */
/*
 *      top             8 bytes of zero
 *                      file name (AT_EXECFN)
 *                      environment strings
 *                      argument strings
 *                      "x86_64" (AT_PLATFORM), 16 random bytes (AT_RANDOM)
 *                      padding
 *                      auxiliary vector, ended by AT_NULL
 *                      environment pointers, NULL
 *                      argument pointers, NULL
 *      sp (aligned)    argument count
 */
#include "stack.h"

#include <ntddk.h>

#define AUX_PAIRS 21
#define END_MARK  8

static const char platform[] = "x86_64";

static size_t strings_bytes(const struct stack_spec *spec)
{
    return END_MARK + strlen(spec->filename) + 1 + spec->environment.size + spec->arguments.size +
           sizeof(platform) + sizeof(spec->random);
}

static size_t vector_bytes(const struct stack_spec *spec)
{
    return 8 * (1 + (spec->arguments.count + 1UL) + (spec->environment.count + 1UL) + 2 * AUX_PAIRS);
}

size_t stack_size(const struct stack_spec *spec)
{
    return ((strings_bytes(spec) + 15) & ~15UL) + ((vector_bytes(spec) + 15) & ~15UL);
}

/* The buffer, filled from its end down with bytes and from the stack pointer up with words. */
struct builder {
    u8 *buffer;
    u64 base; /* the buffer's address in the program */
    size_t low;
    u64 *words;
};

static u64 put_bytes(struct builder *b, const void *bytes, size_t size)
{
    b->low -= size;
    memcpy(b->buffer + b->low, bytes, size);
    return b->base + b->low;
}

static void put_pointers(struct builder *b, const struct strings *strings, u64 address)
{
    const char *string = strings->data;
    for (u32 i = 0; i < strings->count; i++) {
        *b->words++ = address + (string - strings->data);
        string += strlen(string) + 1;
    }
    *b->words++ = 0;
}

static void put_auxv(struct builder *b, const struct stack_spec *spec, u64 filename, u64 platform_at,
                     u64 random)
{
    const u64 pairs[AUX_PAIRS][2] = {
        {AT_SYSINFO_EHDR, spec->vdso},
        {AT_HWCAP, spec->hwcap},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, CLOCKS_PER_SEC},
        {AT_PHDR, spec->program_headers},
        {AT_PHENT, spec->program_header_size},
        {AT_PHNUM, spec->program_header_count},
        {AT_BASE, spec->interpreter_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, spec->entry},
        {AT_UID, 0},
        {AT_EUID, 0},
        {AT_GID, 0},
        {AT_EGID, 0},
        {AT_SECURE, 0},
        {AT_RANDOM, random},
        {AT_HWCAP2, 0},
        {AT_EXECFN, filename},
        {AT_PLATFORM, platform_at},
        {AT_MINSIGSTKSZ, MINSIGSTKSZ},
        {AT_NULL, 0},
    };
    memcpy(b->words, pairs, sizeof(pairs));
}

void stack_build(const struct stack_spec *spec, u8 *buffer, struct stack_result *result)
{
    size_t size = stack_size(spec);
    struct builder b = {.buffer = buffer, .base = spec->top - size, .low = size - END_MARK};

    memset(buffer, 0, size);
    u64 filename = put_bytes(&b, spec->filename, strlen(spec->filename) + 1);
    result->env_start = put_bytes(&b, spec->environment.data, spec->environment.size);
    result->env_end = result->env_start + spec->environment.size;
    result->arg_start = put_bytes(&b, spec->arguments.data, spec->arguments.size);
    result->arg_end = result->env_start;
    u64 platform_at = put_bytes(&b, platform, sizeof(platform));
    u64 random = put_bytes(&b, spec->random, sizeof(spec->random));

    result->sp = b.base; /* the size is a multiple of 16, and so is the top */
    b.words = (u64 *)buffer;
    *b.words++ = spec->arguments.count;
    put_pointers(&b, &spec->arguments, result->arg_start);
    put_pointers(&b, &spec->environment, result->env_start);
    put_auxv(&b, spec, filename, platform_at, random);
}
