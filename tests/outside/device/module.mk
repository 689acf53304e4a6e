# SPDX-License-Identifier: MIT
MODULE := mailbox
SOURCES := mailbox.c
