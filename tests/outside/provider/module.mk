# SPDX-License-Identifier: MIT
MODULE := relay
SOURCES := relay.c
