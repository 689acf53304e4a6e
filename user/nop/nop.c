/* SPDX-License-Identifier: MIT */
/* Does nothing: what `bench` starts to measure the life of a process. */
#include "libnt.h"

int main(int argc, char **argv)
{
    return 0;
}
