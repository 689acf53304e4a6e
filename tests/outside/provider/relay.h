/* SPDX-License-Identifier: MIT */
/*
 * The interface of relay's programs: static ELF64 files whose calls are made with SYSCALL.
 *
 *   RAX number, RBX and RDX arguments; RAX the answer, and the carry flag is set when it is one of the errors below.
 *   RCX and R11 are lost.
 */
#pragma once

enum {
    RELAY_END,   /* (code)        ends the process */
    RELAY_PRINT, /* (text, size)  to the console */
    RELAY_SPLIT, /* ()            a copy of the process: its number here, 0 in the copy */
    RELAY_PASS,  /* (number, word) puts a word into the inbox of another process */
    RELAY_TAKE,  /* ()            the next word of the own inbox; waits for it */
    RELAY_ON,    /* (handler)     is entered with RBX the event, RDX a value and RSI the saved registers; 0: none */
    RELAY_BACK,  /* (saved)       goes on with the saved registers */
    RELAY_NUDGE, /* (number)      the event NUDGE for another process, whatever it does; TAKE ends with INTERRUPTED */
    RELAY_JOIN,  /* (number)      waits for the end of a process that this one has split off; its code */
    RELAY_SELF,  /* ()            the own number */
    RELAY_CALLS
};

enum { RELAY_NO_CALL = 1, RELAY_BAD_ADDRESS, RELAY_NOBODY, RELAY_FULL, RELAY_INTERRUPTED, RELAY_NO_MEMORY };

/* Events: NUDGE, or a fault; the value is the address of the fault. */
enum { RELAY_EVENT_NUDGE = 1, RELAY_EVENT_MEMORY, RELAY_EVENT_DIVIDE, RELAY_EVENT_INSTRUCTION, RELAY_EVENT_OTHER };
