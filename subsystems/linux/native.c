/* SPDX-License-Identifier: MIT */
/*
 * execve of a native program. The calling process stays, with its pid, parent, group and terminal, and stands
 * for the native process that it has made: whoever waits for it, stops or kills it, deals with an ordinary
 * process.
 *
 * Its only code is a page with the execve call, which does not return while the native process lives: it
 * serves the requests for descriptors 0, 1 and 2, waits for the end, and then ends as that did. A signal
 * breaks it off like any call. The native process is suspended then; if the signal ends this one, its end
 * ends the native one, too; if it stops this one, the call begins again when this one is continued, and
 * resumes the native one. Handlers there are none, for execve resets them.
 *
 * The native program's standard handles are files of a device of ours, "\Device\LinuxStreams": its reads and
 * writes are IRPs that wait in their stream until the process that stands for it transfers the bytes, without
 * waiting, as a task of its own group and terminal: it polls for all three at once. Files of the native kind
 * are synchronous, so that a stream has one request at a time. Children of the native program may outlive it,
 * with copies of its handles; for them the streams are at their end.
 *
 * Locks: native->lock, a spin lock, guards the requests; a queue's comes behind it.
 */
#include "linux.h"

#include <nativeprocess.h>

#define STUB_ADDRESS (NATIVE_STACK - PAGE_SIZE)
#define DEVICE_NAME  L"\\Device\\LinuxStreams"
#define STREAMS      3

struct stream {
    struct native *native;
    struct file *file; /* (c) referenced until the end; NULL: the descriptor was closed */
    bool terminal;     /* (c) */
    PIRP irp;          /* (lock) the request that waits */
    size_t done;       /* bytes of it: its server's alone */
};

/* (c) constant after creation */
struct native {
    volatile LONG refs; /* one of the process's, and one of each open file of the device */
    HANDLE handle;      /* (c) */
    PEPROCESS object;   /* (c) referenced until the end */
    bool suspended;     /* the task's alone */
    KSPIN_LOCK lock;
    bool ended;         /* (lock) nobody serves any more */
    struct wait_queue arrived; /* woken when a request has come */
    struct stream streams[STREAMS];
};

static PDEVICE_OBJECT device;

static void native_put(struct native *native)
{
    if (InterlockedDecrement(&native->refs) == 0) {
        release(native);
    }
}

/* ---- The device ---- */

static NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static struct stream *stream_of(PIRP irp)
{
    return IoGetCurrentIrpStackLocation(irp)->FileObject->FsContext;
}

/* "\0", "\1", "\2": of the calling process's native program, and for nobody else. */
static NTSTATUS stream_create(PDEVICE_OBJECT ours, PIRP irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;
    struct process *process = irp->RequestorMode == KernelMode ? current_process() : NULL;

    if (process == NULL || process->native == NULL || file->FileName.Length != 2 * sizeof(WCHAR) ||
        (ULONG)(file->FileName.Buffer[1] - L'0') >= STREAMS) {
        return complete(irp, STATUS_ACCESS_DENIED, 0);
    }
    InterlockedIncrement(&process->native->refs);
    file->FsContext = &process->native->streams[file->FileName.Buffer[1] - L'0'];
    return complete(irp, STATUS_SUCCESS, FILE_OPENED);
}

static NTSTATUS stream_close(PDEVICE_OBJECT ours, PIRP irp)
{
    native_put(stream_of(irp)->native);
    return complete(irp, STATUS_SUCCESS, 0);
}

/* Only output is called a terminal: a native program would set the modes of one that it reads from, which are
   ours. */
static NTSTATUS stream_query(PDEVICE_OBJECT ours, PIRP irp)
{
    struct stream *stream = stream_of(irp);

    if (IoGetCurrentIrpStackLocation(irp)->Parameters.QueryFile.FileInformationClass != FileConsoleInformation) {
        return complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    *(ULONG *)irp->AssociatedIrp.SystemBuffer = stream->terminal && stream != &stream->native->streams[0];
    return complete(irp, STATUS_SUCCESS, sizeof(ULONG));
}

static void stream_cancel(PDEVICE_OBJECT ours, PIRP irp)
{
    struct stream *stream = stream_of(irp);

    IoReleaseCancelSpinLock(irp->CancelIrql);
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&stream->native->lock);
    stream->irp = NULL;
    KeReleaseSpinLock(&stream->native->lock, irql);
    complete(irp, STATUS_CANCELLED, 0);
}

static bool is_write(PIRP irp)
{
    return IoGetCurrentIrpStackLocation(irp)->MajorFunction == IRP_MJ_WRITE;
}

static NTSTATUS status_at_end(PIRP irp)
{
    return is_write(irp) ? STATUS_PIPE_BROKEN : STATUS_END_OF_FILE;
}

/* Lets the request wait in its stream. false: it has been cancelled, and is still the caller's. */
static bool wait_in_stream(struct stream *stream, PIRP irp)
{
    IoSetCancelRoutine(irp, stream_cancel);
    if (irp->Cancel && IoSetCancelRoutine(irp, NULL) != NULL) {
        return false;
    }
    stream->irp = irp;
    return true;
}

static NTSTATUS stream_transfer(PDEVICE_OBJECT ours, PIRP irp)
{
    struct stream *stream = stream_of(irp);
    struct native *native = stream->native;

    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&native->lock);
    NTSTATUS status = native->ended ? status_at_end(irp) : stream->irp != NULL ? STATUS_DEVICE_BUSY : STATUS_PENDING;
    if (status == STATUS_PENDING) {
        stream->done = 0;
        IoMarkIrpPending(irp);
        if (!wait_in_stream(stream, irp)) {
            KeReleaseSpinLock(&native->lock, irql);
            complete(irp, STATUS_CANCELLED, 0);
            return STATUS_PENDING;
        }
    }
    InterlockedIncrement(&native->refs); /* the request's, with its file, may be served and gone before the wake-up */
    KeReleaseSpinLock(&native->lock, irql);
    if (status == STATUS_PENDING) {
        wake_all(&native->arrived);
    } else {
        complete(irp, status, 0);
    }
    native_put(native);
    return status;
}

long native_start(PDRIVER_OBJECT driver)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(DEVICE_NAME);

    driver->MajorFunction[IRP_MJ_CREATE] = stream_create;
    driver->MajorFunction[IRP_MJ_CLOSE] = stream_close;
    driver->MajorFunction[IRP_MJ_READ] = stream_transfer;
    driver->MajorFunction[IRP_MJ_WRITE] = stream_transfer;
    driver->MajorFunction[IRP_MJ_QUERY_INFORMATION] = stream_query;
    NTSTATUS status = IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status)) {
        return error_of(status);
    }
    device->Flags |= DO_BUFFERED_IO;
    return 0;
}

void native_stop(void)
{
    IoDeleteDevice(device);
}

/* ---- Serving requests ---- */

static PIRP take_request(struct stream *stream)
{
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&stream->native->lock);
    PIRP irp = stream->irp;
    if (irp != NULL && IoSetCancelRoutine(irp, NULL) == NULL) {
        irp = NULL; /* its cancel routine waits for the lock */
    }
    if (irp != NULL) {
        stream->irp = NULL;
    }
    KeReleaseSpinLock(&stream->native->lock, irql);
    return irp;
}

static void put_back(struct stream *stream, PIRP irp)
{
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&stream->native->lock);
    bool waits = wait_in_stream(stream, irp);
    KeReleaseSpinLock(&stream->native->lock, irql);
    if (!waits) {
        complete(irp, STATUS_CANCELLED, 0);
    }
}

/* The task's places in all the queues whose wake-ups may have something for it: that of the requests, and
   those of files. */
#define MOST_PLACES 16

struct place {
    struct waiter waiter;
    struct serving *serving;
};

struct serving {
    struct poll_table table;
    struct place places[MOST_PLACES];
    u32 count;
    bool volatile woken;
};

/* Under the queue's lock, without which nobody leaves the queue: the task is there. */
static bool notify(struct waiter *waiter)
{
    __atomic_store_n(&CONTAINING_RECORD(waiter, struct place, waiter)->serving->woken, true, __ATOMIC_RELEASE);
    KeSetEvent(&waiter->task->event, IO_NO_INCREMENT, FALSE);
    return true;
}

static void add_place(struct poll_table *table, struct wait_queue *queue)
{
    struct serving *serving = CONTAINING_RECORD(table, struct serving, table);
    if (serving->count == MOST_PLACES) {
        serving->woken = true; /* looks again and again instead */
        return;
    }
    struct place *place = &serving->places[serving->count++];
    place->serving = serving;
    place->waiter = (struct waiter){.queue = queue, .task = current_task(), .notify = notify};
    wait_join(&place->waiter);
}

static void leave_places(struct serving *serving)
{
    for (u32 i = 0; i < serving->count; i++) {
        wait_leave(&serving->places[i].waiter);
    }
}

/* Transfers what is possible now: a stream's operations see a file that does not wait. */
static long transfer(struct file *file, bool write, PIRP irp, size_t done)
{
    size_t length = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length; /* a write's is the same field */
    struct iobuf buf = kernel_buf((char *)irp->AssociatedIrp.SystemBuffer + done, length - done);

    if (write ? !file_writable(file) : !file_readable(file)) {
        return -EBADF;
    }
    if (!file->ops->stream) {
        return file_transfer(file, write, &buf);
    }
    struct file impatient = *file;
    impatient.flags |= O_NONBLOCK;
    return file_transfer(&impatient, write, &buf);
}

static NTSTATUS status_of_transfer(long error)
{
    return error == -EPIPE    ? STATUS_PIPE_BROKEN
           : error == -ENOSPC ? STATUS_DISK_FULL
           : error == -EBADF  ? STATUS_ACCESS_DENIED
           : error == -ENOMEM ? STATUS_INSUFFICIENT_RESOURCES
                              : STATUS_UNSUCCESSFUL;
}

static bool is_ready(struct file *file, bool write, struct serving *serving)
{
    u32 wanted = (write ? POLLOUT | POLLWRNORM : POLLIN | POLLRDNORM) | POLLERR | POLLHUP;

    if (file->ops->poll == NULL) {
        return true;
    }
    serving->table.events = wanted;
    serving->table.file = file;
    return (file->ops->poll(file, &serving->table) & wanted) != 0;
}

/* What a transfer has come to. The answer: whether anything has changed, or -ERESTARTSYS. */
static long finish(struct stream *stream, PIRP irp, long moved)
{
    size_t length = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length;
    bool write = is_write(irp);

    stream->done += moved > 0 ? moved : 0;
    if (moved == -EAGAIN || moved == -ERESTARTSYS || (write && moved > 0 && stream->done < length)) {
        put_back(stream, irp);
        return moved == -EAGAIN ? 0 : moved < 0 ? moved : 1;
    }
    NTSTATUS status = moved < 0                                  ? status_of_transfer(moved)
                      : moved == 0 && length != 0 && !write ? STATUS_END_OF_FILE
                                                                 : STATUS_SUCCESS;
    complete(irp, status, NT_SUCCESS(status) ? stream->done : 0);
    return 1;
}

/* Answers like finish. */
static long serve(struct stream *stream, struct serving *serving)
{
    PIRP irp = take_request(stream);
    if (irp == NULL) {
        return 0;
    }
    struct file *file = stream->file;
    bool write = is_write(irp);
    if (file == NULL || file->ops == NULL || (write ? file->ops->write == NULL : file->ops->read == NULL)) {
        complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
        return 1;
    }
    bool possible = (write ? file_writable(file) : file_readable(file)) ? is_ready(file, write, serving) : true;
    return finish(stream, irp, possible ? transfer(file, write, irp, stream->done) : -EAGAIN);
}

/* Waits until there is something to do (0), or the native process has ended (1), or a signal comes. */
static long wait_for_work(struct native *native, struct serving *serving)
{
    struct task *task = current_task();
    PVOID objects[] = {&task->event, native->object};

    while (!__atomic_exchange_n(&serving->woken, false, __ATOMIC_SEQ_CST)) {
        if (signal_pending(task) || is_dying()) {
            return interrupted();
        }
        /* The wait of wait.c, but for the second object. */
        if (KeWaitForMultipleObjects(2, objects, WaitAny, UserRequest, UserMode, TRUE, NULL, NULL) == STATUS_WAIT_1) {
            return 1;
        }
    }
    return 0;
}

/* One look at everything, and one wait if there was nothing to do. Answers like wait_for_work. */
static long serve_once(struct native *native)
{
    struct serving serving = {.table.add = add_place};
    long changed = 0;

    add_place(&serving.table, &native->arrived);
    for (int i = 0; i < STREAMS && changed >= 0; i++) {
        long result = serve(&native->streams[i], &serving);
        changed = result < 0 ? result : changed | result;
    }
    long answer = changed < 0 ? interrupted() : changed > 0 && !is_dying() ? 0 : wait_for_work(native, &serving);
    leave_places(&serving);
    return answer;
}

/* ---- The process that stands for the native one ---- */

/* As what the native process has ended with: an exception as the signal that says the same, else its low
   eight bits. */
static void end_as(struct process *process, NTSTATUS status)
{
    switch (status) {
    case STATUS_CONTROL_C_EXIT:
        process_exit_signal(process, SIGINT);
        return;
    case STATUS_ACCESS_VIOLATION:
    case STATUS_GUARD_PAGE_VIOLATION:
    case STATUS_STACK_OVERFLOW:
        process_exit_signal(process, SIGSEGV);
        return;
    case STATUS_ILLEGAL_INSTRUCTION:
    case STATUS_PRIVILEGED_INSTRUCTION:
        process_exit_signal(process, SIGILL);
        return;
    case STATUS_INTEGER_DIVIDE_BY_ZERO:
        process_exit_signal(process, SIGFPE);
        return;
    case STATUS_BREAKPOINT:
        process_exit_signal(process, SIGTRAP);
        return;
    default:
        kernel.TerminateProcess(process->object, status & 0xff);
    }
}

static void suspend(struct native *native, bool suspended)
{
    if (native->suspended != suspended) {
        native->suspended = suspended;
        if (suspended) {
            ZwSuspendProcess(native->handle);
        } else {
            ZwResumeProcess(native->handle);
        }
    }
}

long native_serve(struct process *process)
{
    struct native *native = process->native;
    long answer = 0;

    suspend(native, false);
    while (answer == 0) {
        answer = serve_once(native);
    }
    if (answer < 0) {
        suspend(native, true);
        return answer;
    }
    end_as(process, PsGetProcessExitStatus(native->object));
    return 0;
}

static void native_discard(struct native *native)
{
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&native->lock);
    native->ended = true;
    KeReleaseSpinLock(&native->lock, irql);
    for (int i = 0; i < STREAMS; i++) {
        PIRP irp = take_request(&native->streams[i]);
        if (irp != NULL) {
            complete(irp, status_at_end(irp), 0);
        }
        if (native->streams[i].file != NULL) {
            file_put(native->streams[i].file);
        }
    }
    if (native->object != NULL) {
        ZwTerminateProcess(native->handle, STATUS_CONTROL_C_EXIT);
        ZwClose(native->handle);
        ObDereferenceObject(native->object);
    }
    native_put(native);
}

void native_end(struct process *process)
{
    struct native *native = process->native;
    if (native != NULL) {
        process->native = NULL;
        native_discard(native);
    }
}

/* ---- Making it ---- */

/* By the number of its device, as every kind of terminal has one of these. */
static bool is_terminal(const struct inode *inode)
{
    u32 major = dev_major(inode->rdev);
    return S_ISCHR(inode->mode) && (major == 4 || major == 5 || (major >= 136 && major <= 143));
}

static struct native *native_new(void)
{
    struct native *native = zalloc(sizeof(*native));
    if (native == NULL) {
        return NULL;
    }
    native->refs = 1;
    KeInitializeSpinLock(&native->lock);
    wait_queue_init(&native->arrived);
    for (int i = 0; i < STREAMS; i++) {
        struct stream *stream = &native->streams[i];
        stream->native = native;
        stream->file = fd_get_io(i);
        stream->terminal = stream->file != NULL && is_terminal(stream->file->inode);
    }
    return native;
}

static NTSTATUS open_stream(int number, HANDLE *handle)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK block;
    WCHAR path[] = DEVICE_NAME L"\\0";

    path[ARRAYSIZE(path) - 2] += number;
    RtlInitUnicodeString(&name, path);
    InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwOpenFile(handle, (number == 0 ? GENERIC_READ : GENERIC_WRITE) | SYNCHRONIZE, &attributes, &block, 0,
                      FILE_SYNCHRONOUS_IO_NONALERT);
}

/* "native/tasks" in the archive is "\Boot\native\tasks". */
static NTSTATUS image_name(const char *path, UNICODE_STRING *name)
{
    struct text text = {0};
    ULONG length = 0;

    print(&text, "\\Boot\\%s", path);
    name->Buffer = text.data != NULL ? zalloc(text.used * sizeof(WCHAR)) : NULL;
    NTSTATUS status = name->Buffer != NULL ? STATUS_SUCCESS : STATUS_NO_MEMORY;
    if (NT_SUCCESS(status)) {
        status = RtlUTF8ToUnicodeN(name->Buffer, (ULONG)(text.used * sizeof(WCHAR)), &length, text.data, (ULONG)text.used);
        name->Length = name->MaximumLength = (USHORT)length;
        for (ULONG i = 0; i < length / sizeof(WCHAR); i++) {
            name->Buffer[i] = name->Buffer[i] == L'/' ? L'\\' : name->Buffer[i];
        }
    }
    release(text.data);
    return status;
}

/* Suspended, with its streams. */
static NTSTATUS start_suspended(struct native *native, PS_NATIVE_PROGRAM *program)
{
    NTSTATUS status = STATUS_SUCCESS;
    int opened = 0;

    while (opened < STREAMS && NT_SUCCESS(status)) {
        status = open_stream(opened, &program->Standard[opened]);
        opened += NT_SUCCESS(status);
    }
    if (NT_SUCCESS(status)) {
        status = PsCreateNativeProcess(program, &native->handle, &native->object);
        native->suspended = NT_SUCCESS(status);
    }
    while (opened > 0) {
        ZwClose(program->Standard[--opened]);
    }
    return status;
}

long native_create(struct process *process, struct inode *inode, const struct native_strings *strings)
{
    UNICODE_STRING image = {0};
    PS_NATIVE_PROGRAM program = {
        .ImagePath = &image,
        .ArgumentCount = strings->argument_count,
        .ArgumentsSize = (ULONG)strings->arguments_size,
        .Arguments = (PSTR)strings->arguments,
        .EnvironmentSize = (ULONG)strings->environment_size + 1,
        .Environment = (PSTR)strings->environment,
        .Suspended = TRUE,
    };

    if (inode->archive == NULL) {
        return -ENOEXEC; /* a copy: the kernel starts what it has been booted with */
    }
    struct native *native = native_new();
    if (native == NULL) {
        return -ENOMEM;
    }
    /* Its streams are opened next. Of several tasks that come here at once only one process can be made. */
    if (InterlockedCompareExchangePointer((PVOID volatile *)&process->native, native, NULL) != NULL) {
        native_discard(native);
        return -EAGAIN;
    }
    NTSTATUS status = image_name(inode->archive->Path, &image);
    if (NT_SUCCESS(status)) {
        status = start_suspended(native, &program);
    }
    release(image.Buffer);
    if (!NT_SUCCESS(status)) {
        native_end(process);
        return error_of(status);
    }
    return 0;
}

NTSTATUS native_load(PEPROCESS object, KTRAP_FRAME *regs)
{
    /* mov eax, 59, which is execve; syscall; and no further */
    static const u8 code[] = {0xb8, 59, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xfe};
    ULONG_PTR base = STUB_ADDRESS;

    *regs = (KTRAP_FRAME){.Rip = STUB_ADDRESS, .Rsp = NATIVE_STACK, .Rflags = 0x202};
    NTSTATUS status =
        kernel.MapRegion(object, &base, PAGE_SIZE, PS_MAP_FIXED, PS_MEMORY_READ | PS_MEMORY_EXECUTE, NULL, 0, 0, NULL);
    return NT_SUCCESS(status) ? kernel.WriteMemory(object, base, code, sizeof(code), TRUE) : status;
}
