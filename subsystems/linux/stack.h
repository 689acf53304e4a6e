/* SPDX-License-Identifier: MIT */
/* The first stack of a program, as the System V ABI for AMD64 lays it out. Pure: built in a buffer, tested
   on the host. */
#ifndef LINUX_STACK_H
#define LINUX_STACK_H

#include "abi.h"

/* Strings one behind the other, each with its NUL. */
struct strings {
    const char *data;
    size_t size;
    u32 count;
};

struct stack_spec {
    u64 top; /* the address behind the stack, 16-byte aligned */
    struct strings arguments, environment;
    const char *filename;
    u8 random[16];
    u64 program_headers, program_header_size, program_header_count;
    u64 interpreter_base; /* 0: none */
    u64 entry;            /* the program's own, not the interpreter's */
    u64 hwcap;
    u64 vdso; /* 0: none */
};

struct stack_result {
    u64 sp;
    u64 arg_start, arg_end, env_start, env_end;
};

/* How many bytes it takes. Overflows nothing for strings within ARG_MAX. */
size_t stack_size(const struct stack_spec *spec);
/* Fills the buffer of stack_size() bytes, which goes to [top - size, top). */
void stack_build(const struct stack_spec *spec, u8 *buffer, struct stack_result *result);

#endif
