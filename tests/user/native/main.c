/* SPDX-License-Identifier: MIT */
/* The native interface, service by service: one boot for all of it. */
#include "native.h"

int main(int argc, char **argv)
{
    return RunExceptionTests() | RunApcTests() | RunContextTests() | RunObjectTests() | RunSectionTests();
}
