/* SPDX-License-Identifier: MIT */
/* Small tools that all files of the module use: the kernel's table, memory, errors, text, and the two ends of
   a transfer. */
#include "linux.h"

#define LINUX_TAG 'xniL'

#define RANDOM_CHUNK 512 /* bytes that pass through the kernel stack at a time */

PS_SUBSYSTEM_ROUTINES kernel = {.Version = PS_SUBSYSTEM_VERSION, .Size = sizeof(kernel)};
PPS_PROVIDER provider;

void *zalloc(size_t size)
{
    return ExAllocatePool2(POOL_FLAG_NON_PAGED, size, LINUX_TAG);
}

void *alloc_bytes(size_t size)
{
    return ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, size, LINUX_TAG);
}

void *alloc_page(void)
{
    return alloc_bytes(PAGE_SIZE);
}

void release(void *memory)
{
    if (memory != NULL) {
        ExFreePoolWithTag(memory, LINUX_TAG);
    }
}

char *copy_bytes(const char *bytes, size_t length)
{
    char *copy = zalloc(length + 1);
    if (copy != NULL) {
        memcpy(copy, bytes, length);
    }
    return copy;
}

char *copy_string(const char *string)
{
    return copy_bytes(string, strlen(string));
}

long error_of(NTSTATUS status)
{
    if (NT_SUCCESS(status)) {
        return 0;
    }
    switch (status) {
    case STATUS_NO_MEMORY:
    case STATUS_INSUFFICIENT_RESOURCES:
    case STATUS_MEMORY_NOT_ALLOCATED:
        return -ENOMEM;
    case STATUS_CONFLICTING_ADDRESSES:
        return -EEXIST;
    case STATUS_ACCESS_VIOLATION:
    case STATUS_IN_PAGE_ERROR:
        return -EFAULT;
    case STATUS_ACCESS_DENIED:
        return -EACCES;
    case STATUS_OBJECT_NAME_NOT_FOUND:
        return -ENOENT;
    case STATUS_NOT_IMPLEMENTED:
        return -ENOSYS;
    case STATUS_CANCELLED:
        return -EINTR;
    default:
        return -EINVAL;
    }
}

/* ---- Transfers ---- */

enum direction {
    PUT,
    GET,
    ZERO,
    PROBE
};

/* size bytes of one page. */
static long move_user(char __user *at, enum direction direction, void *other, size_t size)
{
    ULONG before;

    switch (direction) {
    case PUT:
        return copy_to_user(at, other, size);
    case GET:
        return copy_from_user(other, at, size);
    case ZERO:
        return clear_user(at, size);
    default:
        return error_of(kernel.ExchangeAddUser32((volatile ULONG *)((u64)at & ~3UL), 0, &before));
    }
}

static void move_kernel(char *at, enum direction direction, void *other, size_t size)
{
    if (direction == PUT) {
        memcpy(at, other, size);
    } else if (direction == GET) {
        memcpy(other, at, size);
    } else if (direction == ZERO) {
        memset(at, 0, size);
    }
}

/* A page of the program's at a time: so what is moved before a fault is known. */
static long iobuf_move(struct iobuf *buf, enum direction direction, char *other, size_t size)
{
    size_t done = 0;

    while (done < size && !is_dying()) {
        for (; buf->piece == 0; buf->next++) {
            buf->at = (char *)buf->next->iov_base;
            buf->piece = buf->next->iov_len;
        }
        size_t count = min(size - done, buf->piece);
        if (!buf->user) {
            move_kernel(buf->at, direction, other + done, count);
        } else {
            count = min(count, PAGE_SIZE - (u64)buf->at % PAGE_SIZE);
            if (move_user(buf->at, direction, other + done, count) < 0) {
                break;
            }
        }
        buf->at += count;
        buf->piece -= count;
        buf->left -= count;
        done += count;
    }
    return done == 0 && size != 0 ? -EFAULT : (long)done;
}

long iobuf_put_pieces(struct iobuf *buf, const void *from, size_t size)
{
    return iobuf_move(buf, PUT, (char *)from, size);
}

long iobuf_get_pieces(struct iobuf *buf, void *to, size_t size)
{
    return iobuf_move(buf, GET, to, size);
}

long iobuf_zero(struct iobuf *buf, size_t size)
{
    return iobuf_move(buf, ZERO, NULL, size);
}

long iobuf_probe(struct iobuf buf, size_t size)
{
    return iobuf_move(&buf, PROBE, NULL, size);
}

long iobuf_random(struct iobuf *to)
{
    u8 chunk[RANDOM_CHUNK];
    long done = 0;

    while (to->left != 0) {
        size_t size = min(to->left, sizeof(chunk));
        kernel.RandomBytes(chunk, size);
        long moved = iobuf_put(to, chunk, size);
        if (moved < (long)size) {
            return done + moved > 0 ? done + (moved > 0 ? moved : 0) : moved;
        }
        done += moved;
    }
    return done;
}

long read_memory(const void *data, u64 size, struct iobuf *to, u64 *pos)
{
    if (*pos >= size) {
        return 0;
    }
    long moved = iobuf_put(to, (const char *)data + *pos, min(to->left, size - *pos));
    *pos += moved > 0 ? moved : 0;
    return moved;
}

/* ---- Text ---- */

#define TEXT_LIMIT (4UL << 20)

static bool text_reserve(struct text *text, size_t more)
{
    size_t size = text->size == 0 ? 512 : text->size;

    if (more <= text->size - text->used) {
        return true;
    }
    while (size - text->used < more && size <= TEXT_LIMIT) {
        size *= 2;
    }
    char *data = text->fixed || size > TEXT_LIMIT ? NULL : zalloc(size);
    if (data == NULL) {
        return false;
    }
    if (text->used != 0) {
        memcpy(data, text->data, text->used);
    }
    release(text->data);
    text->data = data;
    text->size = size;
    return true;
}

bool text_append(struct text *text, const void *bytes, size_t size)
{
    if (!text_reserve(text, size)) {
        return false;
    }
    memcpy(text->data + text->used, bytes, size);
    text->used += size;
    return true;
}

void print_char(struct text *text, char c)
{
    text_append(text, &c, 1);
}

struct format {
    bool left, zero, is_long;
    unsigned width;
};

static void print_field(struct text *text, const struct format *f, const char *digits, size_t length)
{
    size_t pad = length < f->width ? f->width - length : 0;
    for (size_t i = 0; !f->left && i < pad; i++) {
        print_char(text, f->zero ? '0' : ' ');
    }
    for (size_t i = 0; i < length; i++) {
        print_char(text, digits[i]);
    }
    for (size_t i = 0; f->left && i < pad; i++) {
        print_char(text, ' ');
    }
}

static void print_number(struct text *text, const struct format *f, u64 value, unsigned base, bool negative)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (negative) {
        digits[--at] = '-';
    }
    print_field(text, f, digits + at, sizeof(digits) - at);
}

/* Reads flags, width and size behind a '%'; returns the place of the conversion's letter. */
static const char *read_format(const char *format, struct format *f)
{
    *f = (struct format){0};
    for (; *format == '-' || *format == '0'; format++) {
        f->left |= *format == '-';
        f->zero |= *format == '0';
    }
    for (; *format >= '0' && *format <= '9'; format++) {
        f->width = 10 * f->width + (*format - '0');
    }
    for (; *format == 'l'; format++) {
        f->is_long = true;
    }
    return format;
}

void print(struct text *text, const char *format, ...)
{
    va_list args;
    struct format f;

    va_start(args, format);
    for (; *format != 0; format++) {
        if (*format != '%') {
            print_char(text, *format);
            continue;
        }
        format = read_format(format + 1, &f);
        if (*format == 's') {
            const char *string = va_arg(args, const char *);
            print_field(text, &f, string, strlen(string));
        } else if (*format == 'd') {
            s64 value = f.is_long ? va_arg(args, s64) : va_arg(args, int);
            print_number(text, &f, value < 0 ? -(u64)value : (u64)value, 10, value < 0);
        } else if (*format == 'u' || *format == 'x' || *format == 'o') {
            u64 value = f.is_long ? va_arg(args, u64) : va_arg(args, u32);
            print_number(text, &f, value, *format == 'u' ? 10 : *format == 'x' ? 16 : 8, false);
        } else if (*format == 'c') {
            print_char(text, (char)va_arg(args, int));
        } else {
            print_char(text, *format);
        }
    }
    va_end(args);
}
