MODULE := providers
SOURCES := providers.c
