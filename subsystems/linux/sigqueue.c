/* SPDX-License-Identifier: MIT */
/*
 * Signals that wait. An ordinary one waits once, whatever comes after it; a real-time one waits as often as
 * it was sent, in that order. tasklist_lock guards all of it.
 */
#include "linux.h"

struct wait_queue signals_noted;

static volatile LONG queued_signals; /* records that were allocated, of all processes: they have one user */

void sigpending_init(struct sigpending *pending)
{
    pending->set = 0;
    pending->spare_used = false;
    InitializeListHead(&pending->queue);
}

/* NULL: memory or the limit is out. What the kernel itself sends has no limit. */
static NOINLINE struct sigqueue *queue_alloc(const struct process *process, const siginfo_t *info)
{
    bool limited = info->si_signo >= SIGRTMIN || info->si_code <= SI_USER;

    if (limited && (u64)queued_signals >= process->rlimits[RLIMIT_SIGPENDING].rlim_cur) {
        return NULL;
    }
    struct sigqueue *entry = zalloc(sizeof(*entry));
    if (entry != NULL) {
        InterlockedIncrement(&queued_signals);
    }
    return entry;
}

static void queue_free(struct sigpending *pending, struct sigqueue *entry)
{
    RemoveEntryList(&entry->links);
    if (entry == &pending->spare) {
        pending->spare_used = false;
    } else {
        release(entry);
        InterlockedDecrement(&queued_signals);
    }
}

void sigpending_forget(struct sigpending *pending, sigset_t signals)
{
    if (!(pending->set & signals)) {
        return;
    }
    pending->set &= ~signals;
    for (PLIST_ENTRY at = pending->queue.Flink, next; at != &pending->queue; at = next) {
        struct sigqueue *entry = CONTAINING_RECORD(at, struct sigqueue, links);
        next = at->Flink;
        if (sigmask(entry->info.si_signo) & signals) {
            queue_free(pending, entry);
        }
    }
}

void sigpending_flush(struct sigpending *pending)
{
    sigpending_forget(pending, ~0UL);
}

/* Without memory, or beyond the limit, an ordinary signal waits without its information, and so does a
   real-time one that kill() sends; one that carries a value is refused. */
long sigpending_note(struct process *process, struct sigpending *pending, const siginfo_t *info)
{
    int sig = info->si_signo;

    if (sig < SIGRTMIN && (pending->set & sigmask(sig))) {
        return 0;
    }
    struct sigqueue *entry = pending->spare_used ? queue_alloc(process, info) : &pending->spare;
    pending->spare_used = true;
    if (entry == NULL && sig >= SIGRTMIN && info->si_code < SI_USER) {
        return -EAGAIN;
    }
    if (entry != NULL) {
        entry->info = *info;
        InsertTailList(&pending->queue, &entry->links);
    }
    pending->set |= sigmask(sig);
    wake_all(&signals_noted);
    return 0;
}

/* The first record of that number behind `at`; NULL. */
static struct sigqueue *find_behind(struct sigpending *pending, PLIST_ENTRY at, int sig)
{
    while ((at = at->Flink) != &pending->queue) {
        struct sigqueue *entry = CONTAINING_RECORD(at, struct sigqueue, links);
        if (entry->info.si_signo == sig) {
            return entry;
        }
    }
    return NULL;
}

void sigpending_take(struct sigpending *pending, int sig, siginfo_t *info)
{
    struct sigqueue *entry = find_behind(pending, &pending->queue, sig);
    bool more = sig >= SIGRTMIN && entry != NULL && find_behind(pending, &entry->links, sig) != NULL;

    if (!more) {
        pending->set &= ~sigmask(sig);
    }
    if (entry == NULL) {
        *info = (siginfo_t){.si_signo = sig, .si_code = SI_USER};
        return;
    }
    *info = entry->info;
    queue_free(pending, entry);
}
