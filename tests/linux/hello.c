// SPDX-License-Identifier: MIT
// build: glibc pie musl
/* The C library's own start: constructors, thread-local and zeroed data, floating point, large buffers,
   the exit status. */
#include "test.h"

static int constructed;
static char zeroed[1 << 20];
static int initialised[4] = {1, 2, 3, 4};
static __thread int local = 5;
static __thread int local_zero;

__attribute__((constructor)) static void construct(void)
{
    constructed = 1;
}

static void last(void)
{
    printf("at exit\n");
}

int main(int argc, char **argv)
{
    volatile double third = 1.0 / 3;
    long sum = 0;

    printf("hello: %d arguments\n", argc);
    for (int i = 1; i < argc; i++) {
        printf("[%s]\n", argv[i]);
    }
    HOLDS(argv[argc] == NULL);
    for (unsigned i = 0; i < sizeof(zeroed); i++) {
        sum += zeroed[i];
    }
    printf("constructed %d, zeroed %ld, initialised %d, local %d %d\n", constructed, sum, initialised[3],
           local, local_zero);
    printf("%.15f %g %Lf\n", third, third * 1e-300, (long double)third);
    char *block = malloc(3 << 20);
    memset(block, 'x', 3 << 20);
    printf("%.3s\n", block + (3 << 20) - 3);
    free(block);
    fprintf(stderr, "this is standard error\n");
    atexit(last);
    return 42;
}
