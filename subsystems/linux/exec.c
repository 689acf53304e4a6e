/* SPDX-License-Identifier: MIT */
/*
 * Programs: finding the file, seeing what it is (ELF, or a script and its interpreter), mapping its segments,
 * building the stack, and starting it: in a new process for a native caller, or in place of the current one
 * (execve).
 *
 * Files' bytes are mapped: whole pages come from the file's section. Only pages that two segments share, and
 * the zeros behind a segment's file part, are written. Nobody may write to a file while it runs.
 */
#include "linux.h"
#include "stack.h"

#include <cpuid.h>

#include <elfimage.h>

#define LOWEST_IMAGE 0x10000UL
#define PIE_BASE     0x555555554000UL /* where the first position-independent program goes */
#define FIRST_STRINGS 2048           /* bytes that are enough for most programs' arguments, or environment */
#define MAX_SCRIPTS  5                /* interpreters that are scripts themselves, and the first one */

/* An ELF file and where it goes. */
struct image {
    struct inode *inode; /* referenced; nobody writes to it meanwhile */
    u8 *head;            /* its first bytes, in pool */
    size_t head_size;
    LDR_ELF_IMAGE elf;
    u64 bias;
};

/* Strings that can change, in pool. A NUL more stands behind them. */
struct buffer {
    char *data;
    size_t size;
    u32 count;
};

struct program {
    char *filename; /* as the caller named it, or as it was found */
    struct buffer arguments, environment;
    struct names *names; /* what is told of it; the owner of the arguments, once it is there */
    struct image main, interpreter;
    bool has_interpreter;
    bool is_hidden;           /* its path leads through a descriptor that execve closes: no interpreter finds it */
    bool interpreter_missing; /* why it cannot be run */
};

/* ---- Strings ---- */

/* Whole strings only: the last byte must be a NUL. */
static long buffer_set(struct buffer *to, const char *data, size_t size)
{
    if (size > ARG_MAX || (size != 0 && data[size - 1] != 0)) {
        return size > ARG_MAX ? -E2BIG : -EINVAL;
    }
    to->data = zalloc(size + 1);
    if (to->data == NULL) {
        return -ENOMEM;
    }
    if (size != 0) {
        memcpy(to->data, data, size);
    }
    to->size = size;
    for (size_t i = 0; i < size; i++) {
        to->count += data[i] == 0;
    }
    return 0;
}

/* Puts a string in front of the others; drop: in place of the first. */
static long buffer_prepend(struct buffer *buffer, const char *string, size_t length, bool drop)
{
    size_t dropped = drop && buffer->count != 0 ? strlen(buffer->data) + 1 : 0;
    size_t left = buffer->size - dropped;
    if (left + length + 1 > ARG_MAX) {
        return -E2BIG;
    }
    char *data = zalloc(left + length + 2);
    if (data == NULL) {
        return -ENOMEM;
    }
    memcpy(data, string, length);
    memcpy(data + length + 1, buffer->data + dropped, left);
    release(buffer->data);
    buffer->data = data;
    buffer->size = left + length + 1;
    buffer->count += dropped == 0;
    return 0;
}

static void image_close(struct image *image)
{
    if (image->inode != NULL) {
        inode_allow_write(image->inode);
        inode_put(image->inode);
    }
    release(image->head);
    image->inode = NULL;
    image->head = NULL;
}

static void program_release(struct program *program)
{
    if (program == NULL) {
        return;
    }
    release(program->filename);
    if (program->names != NULL) {
        names_put(program->names);
    } else {
        release(program->arguments.data);
    }
    release(program->environment.data);
    image_close(&program->main);
    image_close(&program->interpreter);
    release(program);
}

/* ---- What a file is ---- */

static long may_execute(const struct inode *inode)
{
    return S_ISREG(inode->mode) && (inode->mode & 0111) && inode_can_be_mapped(inode) ? 0 : -EACCES;
}

/* Has at least size bytes of the file's start at hand, if it is so long. */
static long image_read_head(struct image *image, size_t size)
{
    if (size <= image->head_size && image->head != NULL) {
        return 0;
    }
    release(image->head);
    image->head = alloc_bytes(size);
    long count = image->head != NULL ? inode_read(image->inode, image->head, size, 0) : -ENOMEM;
    image->head_size = count > 0 ? count : 0;
    return count < 0 ? count : 0;
}

#define HEAD_SIZE PAGE_SIZE /* enough for most program headers, the notes behind them, and a script's first line */

/* Takes over the reference to the inode, also when it fails. */
static long image_begin(struct image *image, struct inode *inode)
{
    image_close(image);
    long error = may_execute(inode);
    if (error == 0) {
        error = inode_deny_write(inode);
    }
    if (error < 0) {
        inode_put(inode);
        return error;
    }
    image->inode = inode;
    return image_read_head(image, HEAD_SIZE);
}

/* What a path names, which is copied for the walk. */
static long path_copied(const char *path, struct inode **inode)
{
    char *walk = alloc_bytes(PATH_MAX);
    if (walk == NULL) {
        return -ENOMEM;
    }
    long error = strlen(path) < PATH_MAX ? 0 : -ENAMETOOLONG;
    if (error == 0) {
        memcpy(walk, path, strlen(path) + 1);
        struct task *task = current_task();
        struct inode *base = task != NULL ? fs_cwd(task->fs) : inode_get(root_inode);
        error = path_walk(base, walk, 0, inode);
        inode_put(base);
    }
    release(walk);
    return error;
}

/* Replaces image->inode by what the path names, if it may be executed. */
static long image_open(struct image *image, const char *path)
{
    struct inode *inode;
    long error = path_copied(path, &inode);
    return error < 0 ? error : image_begin(image, inode);
}

#define MAX_HEADERS_END (16UL << 20) /* all of a file that is so long is read: the pool is not the programs' to fill */

/* How far the program headers reach; 0: it is no ELF file, or they are nowhere where they are looked for. */
static u64 headers_end(const struct image *image)
{
    struct {
        u8 ident[16];
        u8 rest[16];
        u64 phoff;
        u8 more[14];
        u16 phentsize, phnum;
    } __attribute__((packed)) header;
    u64 end;

    if (image->head_size < sizeof(header)) {
        return 0;
    }
    memcpy(&header, image->head, sizeof(header));
    return memcmp(header.ident, "\x7f" "ELF", 4) != 0 ||
                   __builtin_add_overflow(header.phoff, (u32)header.phentsize * header.phnum, &end) ||
                   end > image->inode->size || end > MAX_HEADERS_END
               ? 0
               : end;
}

static long image_parse(struct image *image)
{
    static const LDR_ELF_LIMITS limits = {LOWEST_IMAGE, TASK_SIZE};

    long error = image_read_head(image, headers_end(image));
    if (error < 0) {
        return error;
    }
    NTSTATUS status =
        LdrParseElfImage(image->head, image->head_size, image->inode->size, &limits, &image->elf);
    return NT_SUCCESS(status) ? 0 : -ENOEXEC;
}

/* ---- Scripts ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The first line of a script: interpreter and at most one argument, which may have blanks inside. */
struct script {
    const char *interpreter, *argument;
    size_t interpreter_length, argument_length;
};

/* -ENOEXEC: no script. */
static long script_parse(const struct image *image, struct script *script)
{
    const char *at = (const char *)image->head;
    const char *end = at + min(image->head_size, BINPRM_BUF_SIZE);

    if (image->head_size < 2 || at[0] != '#' || at[1] != '!') {
        return -ENOEXEC;
    }
    at += 2;
    const char *line_end = at;
    while (line_end < end && *line_end != '\n' && *line_end != 0) {
        line_end++;
    }
    if (line_end == end && image->head_size > BINPRM_BUF_SIZE) {
        return -ENOEXEC; /* the line does not end where we look */
    }
    while (line_end > at && is_blank(line_end[-1])) {
        line_end--;
    }
    while (at < line_end && is_blank(*at)) {
        at++;
    }
    script->interpreter = at;
    while (at < line_end && !is_blank(*at)) {
        at++;
    }
    script->interpreter_length = at - script->interpreter;
    while (at < line_end && is_blank(*at)) {
        at++;
    }
    script->argument = at;
    script->argument_length = line_end - at;
    return script->interpreter_length != 0 ? 0 : -ENOEXEC;
}

/* Becomes a call of the interpreter: INTERPRETER [ARGUMENT] SCRIPT-PATH ARGUMENTS... */
static long script_apply(struct program *program, const struct script *script, char **path)
{
    char *interpreter = zalloc(script->interpreter_length + 1);
    if (interpreter == NULL) {
        return -ENOMEM;
    }
    memcpy(interpreter, script->interpreter, script->interpreter_length);
    long error = buffer_prepend(&program->arguments, *path, strlen(*path), true);
    if (error == 0 && script->argument_length != 0) {
        error = buffer_prepend(&program->arguments, script->argument, script->argument_length, false);
    }
    if (error == 0) {
        error = buffer_prepend(&program->arguments, interpreter, script->interpreter_length, false);
    }
    if (*path != program->filename) {
        release(*path);
    }
    *path = interpreter;
    return error;
}

/* Opens the program at path, through scripts if it is one, up to an ELF file. */
static long program_resolve(struct program *program)
{
    char *path = program->filename;
    struct script script;
    long error = program->main.inode != NULL ? 0 : image_open(&program->main, path);

    for (int scripts = 0; error == 0 && script_parse(&program->main, &script) == 0; scripts++) {
        error = program->is_hidden ? -ENOENT : scripts < MAX_SCRIPTS ? script_apply(program, &script, &path) : -ELOOP;
        if (error == 0) {
            error = image_open(&program->main, path);
        }
    }
    if (path != program->filename) {
        release(path);
    }
    return error == 0 ? image_parse(&program->main) : error;
}

/* A dynamically linked program's interpreter (its dynamic linker). */
static long program_open_interpreter(struct program *program)
{
    const LDR_ELF_IMAGE *elf = &program->main.elf;

    if (!elf->HasInterpreter) {
        return 0;
    }
    if (elf->InterpreterSize > PATH_MAX) {
        return -ENOEXEC;
    }
    char *path = zalloc(PATH_MAX);
    if (path == NULL) {
        return -ENOMEM;
    }
    long error = inode_read(program->main.inode, path, elf->InterpreterSize, elf->InterpreterOffset);
    if (error != (long)elf->InterpreterSize || path[elf->InterpreterSize - 1] != 0) {
        release(path);
        return error < 0 ? error : -ENOEXEC;
    }
    error = image_open(&program->interpreter, path);
    release(path);
    program->interpreter_missing = error == -ENOENT;
    if (error == 0) {
        error = image_parse(&program->interpreter) < 0 || program->interpreter.elf.Native ? -ELIBBAD : 0;
    }
    program->has_interpreter = true;
    return error;
}

/* Strings and the pointers to them must fit a quarter of the stack. */
static bool fits(const struct buffer *a, const struct buffer *b)
{
    return a->size + b->size + (a->count + b->count) * sizeof(u64) <= ARG_MAX;
}

static long program_open(struct program *program)
{
    if (!fits(&program->arguments, &program->environment)) {
        return -E2BIG;
    }
    if (program->arguments.count == 0) { /* a program has a name at least */
        long error = buffer_prepend(&program->arguments, "", 0, false);
        if (error < 0) {
            return error;
        }
    }
    long error = program_resolve(program);
    return error == 0 ? program_open_interpreter(program) : error;
}

/* ---- Mapping ---- */

static ULONG protection_of(ULONG elf)
{
    ULONG protection = 0;
    protection |= elf & LDR_ELF_READ ? PS_MEMORY_READ : 0;
    protection |= elf & LDR_ELF_WRITE ? PS_MEMORY_READ | PS_MEMORY_WRITE : 0;
    protection |= elf & LDR_ELF_EXECUTE ? PS_MEMORY_READ | PS_MEMORY_EXECUTE : 0;
    return protection;
}

static NTSTATUS write_zeros(PEPROCESS process, u64 from, u64 to)
{
    static const u8 zeros[PAGE_SIZE];
    return from < to ? kernel.WriteMemory(process, from, zeros, to - from, TRUE) : STATUS_SUCCESS;
}

static NTSTATUS map(PEPROCESS process, u64 start, u64 end, ULONG flags, ULONG protection,
                    PMM_SECTION_HANDLE section, u64 offset, void *tag)
{
    ULONG_PTR base = start;
    if (start >= end) {
        return STATUS_SUCCESS;
    }
    return kernel.MapRegion(process, &base, end - start, PS_MAP_FIXED | flags, protection, section, offset, 0,
                            tag);
}

/* The pages of a segment but the one that it shares with its forerunner: file part, zeros behind it, empty
   pages. */
static NTSTATUS map_segment(PEPROCESS process, const struct image *image, const LDR_ELF_SEGMENT *segment)
{
    ULONG protection = protection_of(segment->Protection);
    u64 first = segment->Start + (segment->SharesPage ? PAGE_SIZE : 0);
    u64 file_end = segment->Address + segment->FileSize;
    u64 file_pages_end = segment->FileSize != 0 ? page_up(file_end) : first;
    u64 middle = file_pages_end > first ? file_pages_end : first;
    u64 bias = image->bias;

    NTSTATUS status =
        map(process, first + bias, file_pages_end + bias, PS_MAP_NOREPLACE, protection,
            inode_section(image->inode), segment->FileOffset - segment->Address + first, image->inode);
    if (NT_SUCCESS(status) && segment->MemorySize > segment->FileSize && file_pages_end > first) {
        u64 from = file_end > first ? file_end : first;
        status = write_zeros(process, from + bias, file_pages_end + bias);
    }
    if (NT_SUCCESS(status)) {
        status =
            map(process, middle + bias, segment->End + bias, PS_MAP_NOREPLACE, protection, NULL, 0, NULL);
    }
    return status;
}

/* Fills a page as the image has it: the bytes and zeros of all segments that touch it. Answers their
   rights. */
static ULONG read_image_page(const struct image *image, u64 address, u8 *page)
{
    ULONG rights = 0;

    for (ULONG i = 0; i < image->elf.SegmentCount; i++) {
        const LDR_ELF_SEGMENT *segment = &image->elf.Segments[i];
        u64 from = segment->Address > address ? segment->Address : address;
        u64 to = min(segment->Address + segment->FileSize, address + PAGE_SIZE);
        if (segment->Start <= address && address < segment->End) {
            rights |= segment->Protection;
        }
        if (from < to) {
            inode_read(image->inode, page + (from - address), to - from, segment->FileOffset + (from - segment->Address));
        }
    }
    return rights;
}

/* A page of two segments: a private page with the bytes and rights of both, in place of what the first one
   mapped. */
static NTSTATUS map_shared_page(PEPROCESS process, const struct image *image, u64 address)
{
    u8 *page = alloc_bytes(PAGE_SIZE);
    if (page == NULL) {
        return STATUS_NO_MEMORY;
    }
    ULONG rights = read_image_page(image, address, page);
    NTSTATUS status = map(process, address + image->bias, address + image->bias + PAGE_SIZE, 0,
                          protection_of(rights), NULL, 0, image->inode);
    if (NT_SUCCESS(status)) {
        status = kernel.WriteMemory(process, address + image->bias, page, PAGE_SIZE, TRUE);
    }
    release(page);
    return status;
}

static NTSTATUS map_image(PEPROCESS process, const struct image *image)
{
    NTSTATUS status = inode_section(image->inode) != NULL ? STATUS_SUCCESS : STATUS_NO_MEMORY;

    for (ULONG i = 0; NT_SUCCESS(status) && i < image->elf.SegmentCount; i++) {
        const LDR_ELF_SEGMENT *segment = &image->elf.Segments[i];
        status = map_segment(process, image, segment);
        if (NT_SUCCESS(status) && segment->SharesPage) {
            status = map_shared_page(process, image, segment->Start);
        }
    }
    return status;
}

/* The bias that brings an image to base or, as its alignment asks, a little above. */
static u64 bias_for(const LDR_ELF_IMAGE *elf, u64 base)
{
    u64 mask = elf->Alignment - 1;
    return ((base + mask) & ~mask) - (elf->Start & ~mask);
}

/* The interpreter goes to the top of what is free. The hole is looked for by taking and giving it back. */
static NTSTATUS place_interpreter(PEPROCESS process, struct image *image, u64 limit)
{
    ULONG_PTR base = 0;
    SIZE_T size = image->elf.End - (image->elf.Start & ~(image->elf.Alignment - 1)) + image->elf.Alignment;

    image->bias = 0;
    if (!image->elf.PositionIndependent) {
        return STATUS_SUCCESS;
    }
    NTSTATUS status = kernel.MapRegion(process, &base, size, PS_MAP_TOPDOWN, 0, NULL, 0, limit, NULL);
    if (NT_SUCCESS(status)) {
        kernel.UnmapRegion(process, base, size);
        image->bias = bias_for(&image->elf, base);
    }
    return status;
}

/* ---- The stack and the first registers ---- */

static u64 hardware_capabilities(void)
{
    unsigned eax, ebx, ecx, edx = 0;
    __get_cpuid(1, &eax, &ebx, &ecx, &edx);
    return edx;
}

static struct strings strings_of(const struct buffer *buffer)
{
    return (struct strings){buffer->data, buffer->size, buffer->count};
}

static NTSTATUS write_stack(PEPROCESS process, const struct program *program, u64 vdso, struct stack_result *result)
{
    const LDR_ELF_IMAGE *elf = &program->main.elf;
    u64 bias = program->main.bias;
    struct stack_spec spec = {
        .top = STACK_TOP,
        .arguments = strings_of(&program->arguments),
        .environment = strings_of(&program->environment),
        .filename = program->filename,
        .program_headers = elf->ProgramHeaders != 0 ? elf->ProgramHeaders + bias : 0,
        .program_header_size = elf->ProgramHeaderSize,
        .program_header_count = elf->ProgramHeaderCount,
        .interpreter_base = program->has_interpreter ? program->interpreter.bias : 0,
        .entry = elf->Entry + bias,
        .hwcap = hardware_capabilities(),
        .vdso = vdso,
    };

    kernel.RandomBytes(spec.random, sizeof(spec.random));
    size_t size = stack_size(&spec);
    u8 *buffer = alloc_bytes(size);
    if (buffer == NULL) {
        return STATUS_NO_MEMORY;
    }
    stack_build(&spec, buffer, result);
    NTSTATUS status = kernel.WriteMemory(process, result->sp, buffer, size, FALSE);
    release(buffer);
    return status;
}

/* What the first frame needs, and some: the rest comes as it is touched, up to RLIMIT_STACK. */
static NTSTATUS map_stack(struct process *process, const struct program *program)
{
    ULONG protection =
        PS_MEMORY_READ | PS_MEMORY_WRITE | (program->main.elf.ExecutableStack ? PS_MEMORY_EXECUTE : 0);
    u64 strings = program->arguments.size + program->environment.size + strlen(program->filename) +
                  8UL * (program->arguments.count + program->environment.count);

    mm_set_stack_limit(process->object, process->rlimits[RLIMIT_STACK].rlim_cur);
    return map(process->object, STACK_TOP - page_up(strings + STACK_START), STACK_TOP, PS_MAP_NOREPLACE | PS_MAP_GROWDOWN,
               protection, NULL, 0, NULL);
}

/* Mappings leave the stack room for what RLIMIT_STACK is now, and for a good deal more should it be
   raised. */
static void set_limit(struct mm *mm, u64 stack)
{
    u64 room = stack > STACK_ROOM_MOST - STACK_GAP ? STACK_ROOM_MOST : stack + STACK_GAP;
    mm->mmap_limit = STACK_TOP - page_up(room < STACK_ROOM_LEAST ? STACK_ROOM_LEAST : room);
}

static void set_mm(struct mm *mm, const struct program *program, const struct stack_result *stack)
{
    mm->start_brk = mm->brk = page_up(program->main.elf.End + program->main.bias);
    mm->lock_future = 0;
    mm->populate_future = false;
    mm->start_stack = stack->sp;
    mm->arg_start = stack->arg_start;
    mm->arg_end = stack->arg_end;
    mm->env_start = stack->env_start;
    mm->env_end = stack->env_end;
}

/* Maps everything into an empty address space. regs: what the first instruction finds. */
static NTSTATUS program_load(struct program *program, struct process *owner, KTRAP_FRAME *regs)
{
    PEPROCESS process = owner->object;
    struct stack_result stack;

    program->main.bias = program->main.elf.PositionIndependent ? bias_for(&program->main.elf, PIE_BASE) : 0;
    set_limit(owner->mm, owner->rlimits[RLIMIT_STACK].rlim_cur);
    if (program->main.elf.Native) { /* which runs elsewhere: a page that waits for it is all */
        stack = (struct stack_result){.sp = NATIVE_STACK};
        set_mm(owner->mm, program, &stack);
        return native_load(process, regs);
    }
    NTSTATUS status = map_stack(owner, program);
    if (NT_SUCCESS(status)) {
        status = map_image(process, &program->main);
    }
    if (NT_SUCCESS(status)) {
        owner->mm->vdso = vdso_map(process, owner->mm->mmap_limit);
    }
    if (NT_SUCCESS(status) && program->has_interpreter) {
        status = place_interpreter(process, &program->interpreter, owner->mm->mmap_limit);
        if (NT_SUCCESS(status)) {
            status = map_image(process, &program->interpreter);
        }
    }
    if (NT_SUCCESS(status)) {
        status = write_stack(process, program, owner->mm->vdso, &stack);
    }
    if (NT_SUCCESS(status)) {
        const struct image *first = program->has_interpreter ? &program->interpreter : &program->main;
        set_mm(owner->mm, program, &stack);
        *regs = (KTRAP_FRAME){.Rip = first->elf.Entry + first->bias, .Rsp = stack.sp, .Rflags = 0x202};
    }
    return status;
}

/* ---- A new process, for a native caller ---- */

/* The status by which a shell tells "not found" (127) from "cannot be executed" (126). */
static NTSTATUS status_of(const struct program *program, long error)
{
    switch (error) {
    case 0:
        return STATUS_SUCCESS;
    case -ENOENT:
        return program->interpreter_missing ? STATUS_INVALID_IMAGE_FORMAT : STATUS_OBJECT_NAME_NOT_FOUND;
    case -EACCES:
    case -ENOTDIR:
    case -ELOOP:
        return STATUS_ACCESS_DENIED;
    case -ENOMEM:
        return STATUS_NO_MEMORY;
    case -ENAMETOOLONG:
        return STATUS_NAME_TOO_LONG;
    case -E2BIG:
        return STATUS_INVALID_PARAMETER;
    default:
        return STATUS_INVALID_IMAGE_FORMAT;
    }
}

static bool has_slash(const char *path)
{
    for (; *path != 0 && *path != '/'; path++) {}
    return *path != 0;
}

/* A bare name is looked up in the usual folders. The result is in pool; NULL: out of memory. */
static char *find_program(const char *name)
{
    static const char *const folders[] = {"/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/"};
    struct image probe = {0};
    char *path = alloc_bytes(PATH_MAX);

    if (path == NULL || has_slash(name) || name[0] == 0 || strlen(name) > NAME_MAX) {
        release(path);
        return copy_string(name);
    }
    for (size_t i = 0; i < ARRAYSIZE(folders); i++) {
        size_t length = strlen(folders[i]);
        memcpy(path, folders[i], length);
        memcpy(path + length, name, strlen(name) + 1);
        if (image_open(&probe, path) == 0) {
            break;
        }
    }
    bool found = probe.inode != NULL;
    image_close(&probe);
    if (!found) {
        release(path);
        return copy_string(name);
    }
    return path;
}

/*
 * `strace COMMAND` is COMMAND, traced: no program, but a word in front of one. -f is known, too: what the
 * program starts is followed anyhow. True: the request now says what is behind it.
 */
static bool skip_strace(PPS_PROGRAM request)
{
    bool found = strcmp(request->Path, "strace") == 0 && request->ArgumentCount > 1;

    for (const char *word = request->Path; found && request->ArgumentCount > 1 &&
                                           (word == request->Path || strcmp(word, "-f") == 0);) {
        SIZE_T length = strlen(request->Arguments) + 1;
        request->Arguments += length;
        request->ArgumentsSize -= length;
        request->ArgumentCount--;
        word = request->Arguments;
    }
    request->Path = found ? request->Arguments : request->Path;
    return found;
}

static struct program *program_from(PPS_PROGRAM request, long *error)
{
    struct program *program = zalloc(sizeof(*program));
    *error = -ENOMEM;
    if (program == NULL) {
        return NULL;
    }
    program->filename = find_program(request->Path);
    if (program->filename != NULL) {
        *error = buffer_set(&program->arguments, request->Arguments, request->ArgumentsSize);
    }
    if (*error == 0) {
        *error = buffer_set(&program->environment, request->Environment, request->EnvironmentSize);
    }
    if (*error == 0) {
        *error = request->Path[0] == 0 ? -ENOENT : program_open(program);
    }
    return program;
}

/* UTF-16 for the kernel's records; what is too long is cut. Buffer in pool. */
static void to_unicode(UNICODE_STRING *to, const char *text, size_t size)
{
    ULONG bytes = 0;
    size = min(size, UNICODE_STRING_MAX_CHARS);
    *to = (UNICODE_STRING){.Buffer = zalloc(2 * size + 2), .MaximumLength = 2 * size};
    if (to->Buffer != NULL) {
        RtlUTF8ToUnicodeN(to->Buffer, 2 * size, &bytes, text, size);
        to->Length = bytes;
    }
}

/* What is told of a program that can be run. The arguments belong to it from now on. */
static long program_name(struct program *program)
{
    struct names *names = names_create();
    char *path = alloc_bytes(PATH_MAX);
    long error = -ENOMEM;

    if (names != NULL && path != NULL) {
        long length = path_of(program->main.inode, path, PATH_MAX);
        to_unicode(&names->image, path, length > 0 ? length - 1 : 0);
        to_unicode(&names->command, program->arguments.data, program->arguments.size);
        error = names->image.Buffer != NULL && names->command.Buffer != NULL ? 0 : -ENOMEM;
    }
    release(path);
    if (error < 0) {
        names_put(names);
        return error;
    }
    const IO_ARCHIVE_FILE *archive = program->main.inode->archive;
    if (archive == NULL || !NT_SUCCESS(kernel.OpenFileObject(archive, &names->file))) {
        names->file = NULL; /* the kernel's own files are those of the archives */
    }
    names->exe = inode_get(program->main.inode);
    inode_deny_write(names->exe); /* for as long as it runs: this program denies it already */
    names->arguments = program->arguments.data;
    names->arguments_size = program->arguments.size;
    program->names = names;
    return 0;
}

static NTSTATUS create_object(struct process *process, struct names *names)
{
    PS_SUBSYSTEM_PROCESS_ATTRIBUTES attributes = {
        .Kind = PS_PROCESS_EMPTY,
        .Context = process,
        .FileObject = names->file,
        .ImageFileName = &names->image,
        .CommandLine = &names->command,
    };
    NTSTATUS status = kernel.CreateProcess(provider, &attributes, &process->object);
    if (NT_SUCCESS(status)) { /* it leads its own session and group */
        process->pid = HandleToLong(PsGetProcessId(process->object));
        process_set_group(process, process->pid, process->object);
        process_set_session(process, process->pid, process->object);
    }
    return status;
}

static struct inode *initial_directory(const char *path)
{
    struct inode *dir;

    if (path == NULL || path_copied(path, &dir) < 0) {
        return inode_get(root_inode);
    }
    if (!S_ISDIR(dir->mode)) {
        inode_put(dir);
        return inode_get(root_inode);
    }
    return dir;
}

/* Descriptors, working directory and the task itself; NULL when memory is out. */
static struct task *first_task(struct process *process, const char *directory)
{
    struct inode *cwd = initial_directory(directory);
    struct fs *fs = fs_create(cwd);
    inode_put(cwd);
    struct files *files = files_create();

    if (fs == NULL || files == NULL || terminal->open_standard(files) < 0) {
        fs_put(fs);
        files_put(files);
        return NULL;
    }
    return task_create(process, files, fs);
}

/* The first thread, and off it goes. The caller holds a reference to process and task. */
static NTSTATUS start_task(struct process *process, struct task *task, const KTRAP_FRAME *regs)
{
    PS_SUBSYSTEM_THREAD_ATTRIBUTES attributes = {.Context = task, .Registers = regs};
    PETHREAD thread;

    NTSTATUS status = kernel.CreateThread(process->object, &attributes, &thread);
    if (!NT_SUCCESS(status)) {
        task_put(task); /* there will be no ThreadExit */
        return status;
    }
    mutex_lock(&tasklist_lock);
    process_publish(process, task, thread);
    mutex_unlock(&tasklist_lock);
    return kernel.ResumeThread(thread, NULL);
}

/* A process object is there: failures end it, and its end gives back the context. */
static NTSTATUS run_in(struct process *process, struct program *program, const char *directory)
{
    KTRAP_FRAME regs;
    NTSTATUS status = program_load(program, process, &regs);

    if (NT_SUCCESS(status)) {
        InterlockedIncrement(&program->names->refs);
        process_set_program(process, program->names, program->filename);
        struct task *task = first_task(process, directory);
        status = STATUS_NO_MEMORY;
        if (task != NULL) {
            InterlockedIncrement(&task->refs);
            status = start_task(process, task, &regs);
            task_put(task);
        }
    }
    if (!NT_SUCCESS(status)) {
        kernel.TerminateProcess(process->object, status);
    }
    return status;
}

/* Makes the process of a program that can be run. *object: referenced. */
static NTSTATUS start_process(struct program *program, const char *directory, bool traced, PEPROCESS *object)
{
    struct process *process =
        program_name(program) == 0 ? process_create(HandleToLong(PsGetCurrentProcessId())) : NULL;
    if (process == NULL) {
        return STATUS_NO_MEMORY;
    }
    if (traced) {
        trace_to_console(process);
    }
    InterlockedIncrement(&process->refs); /* goes with the process's end, which may come at once */
    NTSTATUS status = create_object(process, program->names);
    if (!NT_SUCCESS(status)) {
        process_put(process); /* there will be no end */
    } else {
        status = run_in(process, program, directory);
        if (NT_SUCCESS(status)) {
            *object = process->object;
            ObReferenceObject(*object);
        }
    }
    process_put(process);
    return status;
}

NTSTATUS linux_start_program(PPS_PROGRAM request, PEPROCESS *object)
{
    long error;
    if (!ReadBooleanAcquire(&tree_ready)) {
        return STATUS_DEVICE_NOT_READY;
    }
    PS_PROGRAM wanted = *request;
    bool traced = skip_strace(&wanted);
    struct program *program = program_from(&wanted, &error);
    NTSTATUS status = program == NULL ? STATUS_NO_MEMORY : status_of(program, error);
    if (NT_SUCCESS(status) && program->main.elf.Native) {
        status = STATUS_INVALID_IMAGE_FORMAT; /* who asks is native, and starts it without us */
    }
    if (NT_SUCCESS(status)) {
        status = start_process(program, request->WorkingDirectory, traced, object);
    }
    program_release(program);
    return status;
}

/* ---- execve ---- */

/* Appends a program's string, for which the buffer is made larger as it turns out to be needed: capacity
   bytes now. */
static long append_user_string(struct buffer *buffer, size_t *capacity, const char __user *string)
{
    for (;;) {
        size_t room = min(*capacity - 1 - buffer->size, MAX_ARG_STRLEN);
        SIZE_T length = 0;
        NTSTATUS status =
            room != 0 ? kernel.CopyStringFromUser(buffer->data + buffer->size, string, room, &length) : STATUS_BUFFER_OVERFLOW;
        if (NT_SUCCESS(status) && room != 0) {
            buffer->size += length + 1;
            buffer->count++;
            return 0;
        }
        if (status == STATUS_ACCESS_VIOLATION) {
            return -EFAULT;
        }
        if (room == MAX_ARG_STRLEN || *capacity > ARG_MAX) {
            return -E2BIG;
        }
        char *larger = alloc_bytes(2 * *capacity);
        if (larger == NULL) {
            return -ENOMEM;
        }
        memcpy(larger, buffer->data, buffer->size);
        release(buffer->data);
        buffer->data = larger;
        *capacity *= 2;
    }
}

/* Copies the strings of a NULL-ended array of pointers. */
static long buffer_from_user(struct buffer *buffer, u64 vector)
{
    size_t capacity = FIRST_STRINGS;
    u64 pointer;

    buffer->data = alloc_bytes(capacity);
    long error = buffer->data != NULL ? 0 : -ENOMEM;
    for (; error == 0 && vector != 0; vector += sizeof(pointer)) {
        error = copy_from_user(&pointer, (void __user *)vector, sizeof(pointer));
        if (error < 0 || pointer == 0) {
            break;
        }
        error = append_user_string(buffer, &capacity, (const char __user *)pointer);
        if (error == 0 && buffer->size + buffer->count * sizeof(pointer) > ARG_MAX) {
            error = -E2BIG;
        }
        error = error == 0 && is_dying() ? -EINTR : error;
    }
    if (error == 0) {
        buffer->data[buffer->size] = 0;
    }
    return error;
}

/* How execve and execveat name a program. */
struct execution {
    int dfd;
    const char __user *path;
    u64 argv, envp;
    u32 flags; /* AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW */
};

/* The path by which others find what a descriptor names: /dev/fd/N, or /dev/fd/N/PATH. */
static long path_through(struct program *program, int dfd)
{
    char *path = zalloc(PATH_MAX);
    struct text text = {.data = path, .size = PATH_MAX - 1, .fixed = true};

    if (path == NULL) {
        return -ENOMEM;
    }
    print(&text, program->filename[0] != 0 ? "/dev/fd/%d/%s" : "/dev/fd/%d", dfd, program->filename);
    release(program->filename);
    program->filename = path;
    program->is_hidden = files_closes_on_exec(current_task()->files, dfd);
    return 0;
}

/* Opens the file itself: its name may lead to nothing. */
static long open_at(struct program *program, const struct execution *what)
{
    struct inode *inode;
    char *walk = zalloc(PATH_MAX);

    if (walk == NULL) {
        return -ENOMEM;
    }
    memcpy(walk, program->filename, strlen(program->filename) + 1);
    long error = path_at(what->dfd, walk, what->flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0, what->flags, &inode);
    release(walk);
    if (error == 0 && S_ISLNK(inode->mode)) {
        inode_put(inode);
        error = -ELOOP;
    }
    if (error == 0) {
        error = image_begin(&program->main, inode);
    }
    if (error == 0 && what->dfd != AT_FDCWD && program->filename[0] != '/') {
        error = path_through(program, what->dfd);
    }
    return error;
}

static struct program *program_from_user(const struct execution *what, long *error)
{
    struct program *program = zalloc(sizeof(*program));
    *error = -ENOMEM;
    if (program == NULL) {
        return NULL;
    }
    *error = get_path(what->path, &program->filename);
    if (*error == 0 && program->filename[0] == 0 && !(what->flags & AT_EMPTY_PATH)) {
        *error = -ENOENT;
    }
    if (*error == 0) {
        *error = buffer_from_user(&program->arguments, what->argv);
    }
    if (*error == 0) {
        *error = buffer_from_user(&program->environment, what->envp);
    }
    if (*error == 0 && (what->dfd != AT_FDCWD || what->flags != 0)) {
        *error = open_at(program, what);
    }
    if (*error == 0) {
        *error = program_open(program);
    }
    return program;
}

/* What the new program does not share with anybody, made while the old one can still be told of failure. */
struct fresh {
    struct mm *mm;
    struct sighand *sighand;
    struct files *files; /* NULL: the old ones were not shared, which only the caller could have changed. For nothing when those who
                            shared them were tasks of the same process, which have ended since: then what the table owns stays */
};

static void fresh_put(struct fresh *fresh)
{
    mm_put(fresh->mm);
    sighand_put(fresh->sighand);
    files_put(fresh->files);
}

static long fresh_create(struct fresh *fresh, const struct task *task)
{
    bool shares_files = task->files->refs > 1;

    fresh->mm = mm_create();
    fresh->sighand = sighand_create(NULL);
    fresh->files = shares_files ? files_copy(task->files) : NULL;
    if (fresh->mm == NULL || fresh->sighand == NULL || (shares_files && fresh->files == NULL)) {
        fresh_put(fresh);
        return -ENOMEM;
    }
    return 0;
}

/* Puts the fresh parts in place of the old ones, which it leaves in *fresh. The only task left is the
   process's face to others, and has its id, whatever it was before. */
static void fresh_use(struct fresh *fresh, struct task *task)
{
    struct process *process = task->process;
    struct fresh old = {.mm = process->mm, .sighand = process->sighand};

    mutex_lock(&tasklist_lock);
    process->mm = fresh->mm;
    memcpy(fresh->sighand->action, old.sighand->action, sizeof(old.sighand->action)); /* as they are now: others could set them */
    process->sighand = fresh->sighand;
    if (fresh->files != NULL && task->files->refs > 1) {
        old.files = task->files;
        task->files = fresh->files;
    } else {
        old.files = fresh->files;
    }
    process->exit_signal = SIGCHLD;
    task_unlink(task);
    task->tid = process->pid;
    task_link(task);
    task->name[0] = 0;
    for (PLIST_ENTRY at = process->children.Flink; at != &process->children; at = at->Flink) {
        CONTAINING_RECORD(at, struct process, siblings)->parent_tid = task->tid;
    }
    mutex_unlock(&tasklist_lock);
    *fresh = old;
}

/* The old program is gone: what fails now ends the process. */
static void start_over(struct program *program, struct task *task)
{
    struct process *process = task->process;
    KTRAP_FRAME regs;

    NTSTATUS status = program_load(program, process, &regs);
    if (!NT_SUCCESS(status) || !NT_SUCCESS(kernel.SetFpuState(NULL))) {
        process_exit_signal(process, SIGKILL);
        return;
    }
    kernel.SetImageName(process->object, &program->names->image);
    creds_exec(process);
    InterlockedIncrement(&program->names->refs);
    process_set_program(process, program->names, program->filename);
    signals_exec(process, task);
    timers_delete(process, false);
    process->has_execed = true;
    files_close_on_exec(task->files);
    process->undumpable = process->keeps_capabilities = process->uses_barriers = false;
    kernel.SetDescriptorBase(PS_BASE_FS, 0);
    kernel.SetDescriptorBase(PS_BASE_GS, 0);
    kernel.SetRegisters(task->thread, &regs);
}

/* The native process that the current one will stand for. */
static long create_native(struct program *program)
{
    const struct native_strings strings = {
        .arguments = program->arguments.data,
        .arguments_size = program->arguments.size,
        .argument_count = program->arguments.count,
        .environment = program->environment.data,
        .environment_size = program->environment.size,
    };
    return native_create(current_process(), program->main.inode, &strings);
}

/* The other tasks have ended, and the old memory is still there. */
static void leave_memory(void)
{
    struct task *task = current_task();
    memory_release(task, task->process->mm->refs > 1);
}

static long replace_program(struct program *program)
{
    struct task *task = current_task();
    struct fresh fresh = {0};

    long error = program_name(program);
    if (error == 0) {
        error = fresh_create(&fresh, task);
    }
    if (error < 0) {
        return error;
    }
    if (program->main.elf.Native) {
        error = create_native(program);
    }
    bool made_native = program->main.elf.Native && error == 0;
    if (error == 0) {
        error = error_of(kernel.ReplaceAddressSpace(leave_memory));
    }
    if (error < 0) {
        if (made_native) { /* what is there may be another task's */
            native_end(task->process);
        }
    } else {
        fresh_use(&fresh, task);
        task->process->serves = made_native;
        vfork_release(task);
        start_over(program, task);
    }
    fresh_put(&fresh);
    return error;
}

static long execute(const struct execution *what)
{
    if (current_process()->serves) {
        return native_serve(current_process());
    }
    long error;
    struct program *program = program_from_user(what, &error);
    if (error == 0) {
        error = replace_program(program);
    }
    program_release(program);
    return error;
}

long sys_execve(const char __user *path, u64 argv, u64 envp)
{
    return execute(&(struct execution){.dfd = AT_FDCWD, .path = path, .argv = argv, .envp = envp});
}

long sys_execveat(int dfd, const char __user *path, u64 argv, u64 envp, u32 flags)
{
    if (flags & ~(u32)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
        return -EINVAL;
    }
    return execute(&(struct execution){dfd, path, argv, envp, flags});
}
