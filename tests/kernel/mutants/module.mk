# SPDX-License-Identifier: MIT
MODULE := mutants
SOURCES := mutants.c
