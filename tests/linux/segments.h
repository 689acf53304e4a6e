// SPDX-License-Identifier: MIT
/* The body of programs whose segments lie oddly: constants, data, zeros, text, each with what belongs
   there. */
#include "test.h"

static const char constants[9000] = {[0] = 'c', [8999] = 'd'};
static char data[9000] = {[0] = 'e', [8999] = 'f'};
static char zeros[70000];
static const char *pointers[] = {constants, data, zeros}; /* relocated when position-independent */

int main(void)
{
    long sum = 0;
    for (unsigned i = 0; i < sizeof(zeros); i++) {
        sum += zeros[i];
    }
    printf("%c%c %c%c %ld\n", constants[0], constants[8999], data[0], data[8999], sum);
    data[1] = 'x';
    zeros[69999] = 'y';
    printf("%c%c %d\n", pointers[1][1], pointers[2][69999], pointers[0] == constants);
    return 0;
}
