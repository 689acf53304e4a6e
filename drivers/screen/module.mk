# SPDX-License-Identifier: MIT
MODULE  := screen
SOURCES := main.c terminal.c display.c font.c keyboard.c
