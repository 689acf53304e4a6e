# SPDX-License-Identifier: MIT
MODULE := providers
SOURCES := providers.c
