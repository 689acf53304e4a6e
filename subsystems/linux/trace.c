/* SPDX-License-Identifier: MIT */
/*
 * The trace of system calls and signals, in strace(1)'s format: of all programs into the log (the kernel's
 * option linux.trace=1), or of one program and what it starts to its standard error (`strace COMMAND`). A
 * call is written in two parts, before and after it; when another thread has something to say meanwhile, the
 * first part ends with "<unfinished ...>" and the second starts a line of its own.
 *
 * The trace's lock is the innermost of this module: nothing but the console is waited for under it.
 */
#include "names.h"

#define CALL(number, name, arguments, parameters) [number] = {#name, arguments},
#define NONE(number, name)                        [number] = {#name, NULL},
const struct call_description call_descriptions[NR_CALLS] = {
#include "calls.h"
};
#undef CALL
#undef NONE

#define RESULT_COLUMN 40 /* where "= RESULT" stands, if the call is not longer */
#define PART_SIZE     2048
#define LINE_SIZE     480 /* of a line in the log */

static struct mutex trace_lock;

/* Where traces go. All under trace_lock. */
static struct sink {
    bool console;   /* to the terminal at once; else whole lines to the log */
    bool many;      /* more than one thread has been seen: each says which it is */
    s32 first, tid; /* the first thread seen; whose call is unfinished on the current line, or 0 */
    size_t column;
    struct text line; /* of the log's */
    char buffer[LINE_SIZE + 1];
} log_sink, console_sink = {.console = true};

bool tracing;                         /* is anything traced? Read without the lock: a hint */
static u8 traced_first = TRACE_NONE; /* how a program is traced that was not started by one that is */

void trace_start(bool all)
{
    mutex_init(&trace_lock);
    if (all) {
        traced_first = TRACE_LOG;
        tracing = true;
    }
}

/* A new process is traced as the one that makes it. */
u8 trace_of_new(void)
{
    const struct process *parent = current_process();
    return parent != NULL ? parent->trace : traced_first;
}

void trace_to_console(struct process *process)
{
    mutex_lock(&trace_lock);
    console_sink.many = false;
    console_sink.first = console_sink.tid = 0;
    process->trace = TRACE_CONSOLE;
    tracing = true;
    mutex_unlock(&trace_lock);
}

/* ---- Writing ---- */

static void log_line(struct sink *sink)
{
    sink->buffer[sink->line.used] = 0;
    DbgPrint("%s\n", sink->buffer);
    sink->line.used = 0;
}

static void put(struct sink *sink, const char *bytes, size_t size)
{
    if (size != 0 && sink->console) {
        kernel.ConsoleWrite(2, bytes, size);
    }
    for (size_t i = 0; i < size; i++) {
        sink->column = bytes[i] == '\n' ? 0 : sink->column + 1;
        if (!sink->console && bytes[i] == '\n') {
            log_line(sink);
        } else if (!sink->console) {
            sink->line = (struct text){sink->buffer, sink->line.used, LINE_SIZE, true};
            text_append(&sink->line, &bytes[i], 1); /* what is too long for the log is cut */
        }
    }
}

static void put_string(struct sink *sink, const char *string)
{
    put(sink, string, strlen(string));
}

/* A new line, of this thread. */
static void begin_line(struct sink *sink, s32 tid)
{
    char prefix[24];
    struct text text = {.data = prefix, .size = sizeof(prefix), .fixed = true};

    if (sink->tid != 0) {
        put_string(sink, " <unfinished ...>\n");
        sink->tid = 0;
    }
    if (sink->first == 0) {
        sink->first = tid;
    }
    sink->many |= sink->first != tid || !sink->console;
    if (sink->many) {
        print(&text, "[pid %5d] ", tid);
        put(sink, prefix, text.used);
    }
}

static struct sink *lock_sink(u8 trace)
{
    mutex_lock(&trace_lock);
    return trace == TRACE_CONSOLE ? &console_sink : &log_sink;
}

/* ---- Calls ---- */

static bool returns_address(const char *spec)
{
    size_t length = strlen(spec);
    return length != 0 && spec[length - 1] == '@';
}

/* Of a call that is not there the bare registers. */
static const char *spec_of(u32 number)
{
    const char *spec = number < NR_CALLS ? call_descriptions[number].arguments : NULL;
    return spec != NULL ? spec : "x x x x x x";
}

static void show_call_name(struct text *text, u32 number)
{
    if (number < NR_CALLS && call_descriptions[number].name != NULL) {
        print(text, "%s", call_descriptions[number].name);
    } else {
        print(text, "syscall_0x%x", number);
    }
}

static bool never_returns(u32 number)
{
    return number == NR_exit || number == NR_exit_group;
}

static void finish_line(struct traced_call *call, long result);

void trace_enter(struct traced_call *call, const KTRAP_FRAME *frame, u32 number)
{
    char *part = zalloc(PART_SIZE);
    struct text text = {.data = part, .size = PART_SIZE, .fixed = true};
    struct task *task = current_task();

    *call = (struct traced_call){{frame->Rdi, frame->Rsi, frame->Rdx, frame->R10, frame->R8, frame->R9}, number, 0};
    if (part == NULL) {
        return;
    }
    show_call_name(&text, number);
    print_char(&text, '(');
    call->shown = decode_arguments(&text, spec_of(number), call->values, 0, false, 0);
    struct sink *sink = lock_sink(task->process->trace);
    begin_line(sink, task->tid);
    put(sink, part, text.used);
    sink->tid = task->tid;
    mutex_unlock(&trace_lock);
    release(part);
    if (never_returns(number)) {
        finish_line(call, 0);
    }
}

static void show_result(struct text *text, const struct traced_call *call, long result)
{
    const char *name = result < 0 && result > -4096 ? errno_name(-result) : NULL;
    bool restarted = result <= -512 && result > -517;

    if (never_returns(call->number)) {
        print(text, "?");
    } else if (name != NULL) {
        print(text, restarted ? "? %s (%s)" : "-1 %s (%s)", name, errno_text(-result));
    } else if (returns_address(spec_of(call->number))) {
        print(text, "0x%lx", result);
    } else {
        print(text, "%ld", result);
    }
}

/* Behind the result: what has become ready, or that the time was over. */
static void show_poll_result(struct text *text, const struct traced_call *call, long result)
{
    u64 at = call->values[0];
    const char *separator = " ([";
    struct pollfd request;

    if (result == 0) {
        print(text, " (Timeout)");
    }
    for (u32 i = 0; result > 0 && i < (u32)call->values[1]; i++, at += sizeof(request)) {
        if (copy_from_user(&request, (void __user *)at, sizeof(request)) < 0) {
            break;
        }
        if (request.revents != 0) {
            print(text, "%s{fd=%d, revents=", separator, request.fd);
            show_flags(text, poll_names, request.revents, "0");
            print_char(text, '}');
            separator = ", ";
        }
    }
    print(text, separator[0] == ',' ? "])" : "");
}

static void finish_line(struct traced_call *call, long result)
{
    static const char spaces[RESULT_COLUMN + 1] = "                                        ";
    char *part = zalloc(PART_SIZE), tail[256], called[32];
    struct text text = {.data = part, .size = PART_SIZE, .fixed = true};
    struct text end = {.data = tail, .size = sizeof(tail) - 1, .fixed = true};
    struct task *task = current_task();

    if (part == NULL) {
        return;
    }
    decode_arguments(&text, spec_of(call->number), call->values, call->shown, true, result);
    print(&text, ") ");
    print(&end, "= ");
    show_result(&end, call, result);
    if (call->number == NR_poll || call->number == NR_ppoll) {
        show_poll_result(&end, call, result);
    }
    struct sink *sink = lock_sink(task->process->trace);
    if (sink->tid != task->tid) {
        begin_line(sink, task->tid);
        struct text name = {.data = called, .size = sizeof(called), .fixed = true};
        show_call_name(&name, call->number);
        put_string(sink, "<... ");
        put(sink, name.data, name.used);
        put_string(sink, " resumed>");
    }
    put(sink, part, text.used);
    put(sink, spaces, sink->column < RESULT_COLUMN ? RESULT_COLUMN - sink->column : 0);
    put(sink, tail, end.used);
    put_string(sink, "\n");
    sink->tid = 0;
    mutex_unlock(&trace_lock);
    release(part);
}

void trace_leave(struct traced_call *call, long result)
{
    if (!never_returns(call->number)) {
        finish_line(call, result);
    }
}

/* ---- Signals and ends ---- */

static void line_of(struct task *task, const struct text *text)
{
    struct sink *sink = lock_sink(task->process->trace);
    begin_line(sink, task->tid);
    put(sink, text->data, text->used);
    put_string(sink, "\n");
    mutex_unlock(&trace_lock);
}

void trace_signal(struct task *task, const siginfo_t *info)
{
    char line[256];
    struct text text = {.data = line, .size = sizeof(line), .fixed = true};

    if (task->process->trace == TRACE_NONE) {
        return;
    }
    print(&text, "--- ");
    show_signal(&text, info->si_signo);
    print(&text, " ");
    show_siginfo(&text, info);
    print(&text, " ---");
    line_of(task, &text);
}

void trace_stop(struct task *task, u32 sig)
{
    char line[64];
    struct text text = {.data = line, .size = sizeof(line), .fixed = true};

    if (task->process->trace == TRACE_NONE) {
        return;
    }
    print(&text, "--- stopped by ");
    show_signal(&text, sig);
    print(&text, " ---");
    line_of(task, &text);
}

void trace_end(struct task *task, u32 code, u32 sig)
{
    char line[64];
    struct text text = {.data = line, .size = sizeof(line), .fixed = true};

    if (task->process->trace == TRACE_NONE) {
        return;
    }
    if (sig != 0) {
        print(&text, "+++ killed by ");
        show_signal(&text, sig);
        print(&text, " +++");
    } else {
        print(&text, "+++ exited with %u +++", code);
    }
    line_of(task, &text);
}
