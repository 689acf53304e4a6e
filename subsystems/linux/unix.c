/* SPDX-License-Identifier: MIT */
/*
 * Sockets of the family AF_UNIX: what they are, how they find each other, and what goes through them.
 * socket.c has the calls.
 *
 * What is sent waits in the receiver's queue, a message for each call (of a stream, for each piece of
 * one). A stream's or seqpacket's connection is two sockets that refer to each other for good; a
 * connection that nobody has accepted waits with the listener as a socket without a file. Whoever sends
 * into a full queue waits on the receiver's `space`; whoever polls, on queues of its own socket.
 *
 * References: a socket's file has one, every peer one, and whoever uses it for a moment. Files in
 * messages are let go of one after the other (drop_files), never one inside the other, however deep they
 * are nested.
 *
 * A socket can be on its way in a message that waits, directly or not, at that very socket: then nobody
 * could ever read it. `collect` looks for such when a socket is closed while sockets are on their way,
 * and when there are twice as many on their way as after the last time.
 *
 * Locks: a socket's `binding` (it is being given a name), unix_lock (addresses, connections, states),
 * flight_lock (which sockets are on their way: held when messages with files join or leave a queue), then a
 * socket's own lock (its queue and flags); never two sockets' at once.
 */
#include "unix.h"

#define BUCKETS        64
#define FIRST_MARK     256   /* sockets on their way */
#define MOST_IN_FLIGHT 16384 /* files in messages, in the whole system */
#define MOST_DATAGRAMS 11    /* that wait at a socket for others than its peer */

struct mutex unix_lock;
static LIST_ENTRY abstract[BUCKETS]; /* (unix_lock) bound sockets */
static u32 next_name;                /* (unix_lock) for automatic names */
static LIST_ENTRY sockets;           /* (unix_lock) all */
static struct mutex flight_lock;
static u32 volatile flight_mark =
    FIRST_MARK;              /* with more flights, the next sender collects: any value is right */
static u32 volatile flights; /* (flight_lock) of all sockets together; read without */
static volatile LONG in_flight;

static KSPIN_LOCK trash_lock;
static LIST_ENTRY trash;   /* (trash_lock) messages with files to let go of */
static bool trash_emptied; /* (trash_lock) somebody is at it */

struct ucred current_ucred(void)
{
    const struct process *process = current_process();
    return (struct ucred){process->pid, process->creds.uid[EFFECTIVE], process->creds.gid[EFFECTIVE]};
}

/* ---- Messages ---- */

static struct message *message_new(size_t size)
{
    struct message *message = zalloc(sizeof(*message));
    if (message == NULL) {
        return NULL;
    }
    message->data = size != 0 ? alloc_bytes(size) : NULL;
    if (size != 0 && message->data == NULL) {
        release(message);
        return NULL;
    }
    message->length = size;
    return message;
}

static void address_put(struct address *address)
{
    if (address != NULL && InterlockedDecrement(&address->refs) == 0) {
        release(address);
    }
}

static struct address *address_get(struct address *address)
{
    if (address != NULL) {
        InterlockedIncrement(&address->refs);
    }
    return address;
}

static struct message *take_trash(void)
{
    struct message *message = NULL;
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&trash_lock);

    if (IsListEmpty(&trash)) {
        trash_emptied = false;
    } else {
        message = CONTAINING_RECORD(RemoveHeadList(&trash), struct message, links);
    }
    KeReleaseSpinLock(&trash_lock, irql);
    return message;
}

/* The socket that the file is; NULL. */
static struct sock *sock_of(const struct file *file)
{
    return (file->inode->mode & S_IFMT) == S_IFSOCK && file->inode->dev == DEV_SOCK ? file->data : NULL;
}

/* The message joins a queue, or its files leave it. flight_lock is held. */
static void count_flights(struct message *message, bool joins)
{
    for (u32 i = 0; i < message->file_count; i++) {
        struct sock *sock = sock_of(message->files[i]);
        if (sock != NULL) {
            sock->flights += joins ? 1 : -1;
            flights += joins ? 1 : -1;
        }
    }
    message->flying = joins;
}

static void put_files(struct message *message)
{
    if (message->flying) {
        mutex_lock(&flight_lock);
        count_flights(message, false);
        mutex_unlock(&flight_lock);
    }
    for (u32 i = 0; i < message->file_count; i++) {
        file_put(message->files[i]);
    }
    InterlockedExchangeAdd(&in_flight, -(LONG)message->file_count);
    message->file_count = 0;
}

static void message_destroy(struct message *message)
{
    address_put(message->from);
    release(message->files);
    release(message->data);
    release(message);
}

/* A file's last reference may be one of a message: then that socket's messages come here, too. Whoever is
   first lets go of all, and the stack does not grow. */
static void drop_files(struct message *message)
{
    KIRQL irql = KeAcquireSpinLockRaiseToDpc(&trash_lock);
    bool mine = !trash_emptied;
    InsertTailList(&trash, &message->links);
    trash_emptied = true;
    KeReleaseSpinLock(&trash_lock, irql);
    while (mine && (message = take_trash()) != NULL) {
        put_files(message);
        message_destroy(message);
    }
}

static void message_free(struct message *message)
{
    if (message->file_count != 0) {
        drop_files(message);
    } else {
        message_destroy(message);
    }
}

/* ---- Sockets ---- */

struct sock *sock_create(int type)
{
    struct sock *sock = zalloc(sizeof(*sock));
    if (sock == NULL) {
        return NULL;
    }
    sock->refs = 1;
    sock->type = type;
    sock->limit = DEFAULT_BUFFER;
    mutex_init(&sock->binding);
    mutex_init(&sock->lock);
    InitializeListHead(&sock->queue);
    InitializeListHead(&sock->waiting);
    InitializeListHead(&sock->names);
    wait_queue_init(&sock->readable);
    wait_queue_init(&sock->writable);
    wait_queue_init(&sock->space);
    sock->receive_timeout = sock->send_timeout = FOREVER;
    sock->own = current_ucred();
    mutex_lock(&unix_lock);
    InsertTailList(&sockets, &sock->all);
    mutex_unlock(&unix_lock);
    return sock;
}

static struct sock *sock_get(struct sock *sock)
{
    InterlockedIncrement(&sock->refs);
    return sock;
}

void sock_put(struct sock *sock)
{
    if (sock == NULL || InterlockedDecrement(&sock->refs) != 0) {
        return;
    }
    mutex_lock(&unix_lock);
    RemoveEntryList(&sock->all);
    mutex_unlock(&unix_lock);
    address_put(sock->address);
    release(sock);
}

/* What a wait has ended with, as the calls answer it. One that has a time-out does not go on behind a
   handler: see signal(7). */
static long wait_error(long error, u64 deadline)
{
    return error == -ETIMEDOUT ? -EAGAIN : error == -ERESTARTSYS && deadline != FOREVER ? -EINTR : error;
}

static void wake_both(struct sock *sock)
{
    wake_all(&sock->readable);
    wake_all(&sock->writable);
    wake_all(&sock->space);
}

/* What this one's peer sees of its end. */
static void tell_end(struct sock *peer, bool reset)
{
    mutex_lock(&peer->lock);
    peer->end_of_input = peer->peer_gone = true;
    peer->error = reset ? ECONNRESET : peer->error;
    mutex_unlock(&peer->lock);
    wake_both(peer);
}

/* Whoever polls may send to it. */
static bool is_roomy(const struct sock *sock)
{
    return sock->queued < sock->limit / 2 && sock->count < MOST_DATAGRAMS;
}

/* There is room at a datagram socket again: those that send to it, of whom it knows nothing, are told where
   they poll. */
static void wake_senders(const struct sock *sock)
{
    mutex_lock(&unix_lock);
    for (LIST_ENTRY *at = sockets.Flink; at != &sockets; at = at->Flink) {
        struct sock *other = CONTAINING_RECORD(at, struct sock, all);
        if (other->peer == sock) {
            wake_all(&other->writable);
        }
    }
    mutex_unlock(&unix_lock);
}

/* Takes all messages out. Were there any? *full: somebody may wait for room. */
static bool empty_queue(struct sock *sock, bool *full)
{
    LIST_ENTRY messages;
    bool any = false;

    InitializeListHead(&messages);
    mutex_lock(&sock->lock);
    sock->dead = true;
    *full = !is_roomy(sock);
    while (!IsListEmpty(&sock->queue)) {
        PLIST_ENTRY entry = RemoveHeadList(&sock->queue);
        InsertTailList(&messages, entry);
    }
    sock->queued = sock->count = 0;
    mutex_unlock(&sock->lock);
    while (!IsListEmpty(&messages)) {
        any = true;
        message_free(CONTAINING_RECORD(RemoveHeadList(&messages), struct message, links));
    }
    return any;
}

/* ---- Sockets that only messages hold ---- */

static void reach(struct sock *sock, LIST_ENTRY *list)
{
    if (!sock->reached) {
        sock->reached = true;
        InsertTailList(list, &sock->reached_links);
    }
}

/* What a socket's owner can get at: sockets in its messages, and connections that he may accept. */
static void reach_from(struct sock *sock, LIST_ENTRY *list)
{
    for (LIST_ENTRY *at = sock->waiting.Flink; at != &sock->waiting; at = at->Flink) {
        reach(CONTAINING_RECORD(at, struct sock, wait_links), list);
    }
    mutex_lock(&sock->lock);
    for (LIST_ENTRY *at = sock->queue.Flink; at != &sock->queue; at = at->Flink) {
        const struct message *message = CONTAINING_RECORD(at, struct message, links);
        for (u32 i = 0; i < message->file_count; i++) {
            struct sock *other = sock_of(message->files[i]);
            if (other != NULL) {
                reach(other, list);
            }
        }
    }
    mutex_unlock(&sock->lock);
}

/* Takes the messages with files off the queue of a socket that nobody can get at. */
static void strip(struct sock *sock, LIST_ENTRY *messages)
{
    mutex_lock(&sock->lock);
    for (LIST_ENTRY *at = sock->queue.Flink, *next; at != &sock->queue; at = next) {
        struct message *message = CONTAINING_RECORD(at, struct message, links);
        next = at->Flink;
        if (message->file_count != 0) {
            sock->queued -= message->length - message->offset;
            sock->count--;
            RemoveEntryList(at);
            InsertTailList(messages, at);
        }
    }
    mutex_unlock(&sock->lock);
}

/*
 * Finds the sockets that messages alone hold, at sockets of the same kind. Where to begin: with all that
 * somebody has open, or uses for a moment, for then the file has more references than messages give it. Such
 * a one cannot come to be meanwhile but by a message that is read from a socket that was reached, and for
 * that flight_lock is needed.
 */
static void collect(void)
{
    LIST_ENTRY reached, messages;

    InitializeListHead(&reached);
    InitializeListHead(&messages);
    mutex_lock(&unix_lock);
    mutex_lock(&flight_lock);
    for (LIST_ENTRY *at = sockets.Flink; at != &sockets; at = at->Flink) {
        struct sock *sock = CONTAINING_RECORD(at, struct sock, all);
        sock->reached = false;
        if (!sock->embryo && (sock->flights == 0 || sock->file->refs != (LONG)sock->flights)) {
            reach(sock, &reached);
        }
    }
    while (!IsListEmpty(&reached)) {
        reach_from(CONTAINING_RECORD(RemoveHeadList(&reached), struct sock, reached_links), &reached);
    }
    for (LIST_ENTRY *at = sockets.Flink; at != &sockets; at = at->Flink) {
        struct sock *sock = CONTAINING_RECORD(at, struct sock, all);
        if (!sock->reached) {
            strip(sock, &messages);
        }
    }
    mutex_unlock(&flight_lock);
    mutex_unlock(&unix_lock);
    while (!IsListEmpty(&messages)) {
        message_free(CONTAINING_RECORD(RemoveHeadList(&messages), struct message, links));
    }
}

/* The socket has no file any more, or never gets one. Takes over the reference. */
void sock_close(struct sock *sock)
{
    mutex_lock(&unix_lock);
    struct sock *peer = sock->peer;
    struct inode *inode = sock->inode;
    sock->peer = NULL;
    sock->inode = NULL;
    if (inode != NULL && inode->socket == sock) {
        inode->socket = NULL;
    }
    RemoveEntryList(&sock->names);
    InitializeListHead(&sock->names);
    sock->state = SOCK_CLOSED;
    sock->file = NULL;
    LIST_ENTRY waiting;
    InitializeListHead(&waiting);
    while (!IsListEmpty(&sock->waiting)) {
        PLIST_ENTRY entry = RemoveHeadList(&sock->waiting);
        InsertTailList(&waiting, entry);
    }
    mutex_unlock(&unix_lock);
    bool full, unread = empty_queue(sock, &full);
    wake_both(sock);
    if (full && sock->type == SOCK_DGRAM) {
        wake_senders(sock);
    }
    if (peer != NULL && sock->type != SOCK_DGRAM) {
        tell_end(peer, unread);
    }
    sock_put(peer);
    inode_put(inode);
    while (!IsListEmpty(&waiting)) { /* their peers find the connection reset */
        struct sock *other = CONTAINING_RECORD(RemoveHeadList(&waiting), struct sock, wait_links);
        struct sock *client = other->peer;
        if (client != NULL) {
            tell_end(client, true);
        }
        sock_close(other);
    }
    sock_put(sock);
    if (flights != 0) {
        collect();
    }
}

void sock_join(struct sock *a, struct sock *b)
{
    a->peer = sock_get(b);
    b->peer = sock_get(a);
    a->peer_cred = b->own;
    b->peer_cred = a->own;
    a->state = b->state = SOCK_CONNECTED;
}

/* The peer, referenced; NULL. */
struct sock *sock_peer(struct sock *sock)
{
    mutex_lock(&unix_lock);
    struct sock *peer = sock->peer != NULL ? sock_get(sock->peer) : NULL;
    mutex_unlock(&unix_lock);
    return peer;
}

/* ---- Names ---- */

static LIST_ENTRY *bucket_of(const struct address *address)
{
    u32 hash = 2166136261U;
    for (u32 i = 0; i < address->length; i++) {
        hash = (hash ^ (u8)address->name.sun_path[i]) * 16777619U;
    }
    return &abstract[hash % BUCKETS];
}

static struct sock *find_abstract(const struct address *address, int type)
{
    LIST_ENTRY *bucket = bucket_of(address);

    for (LIST_ENTRY *at = bucket->Flink; at != bucket; at = at->Flink) {
        struct sock *sock = CONTAINING_RECORD(at, struct sock, names);
        const struct address *other = sock->address;
        if ((type == 0 || sock->type == type) && other->length == address->length &&
            memcmp(other->name.sun_path, address->name.sun_path, address->length) == 0) {
            return sock;
        }
    }
    return NULL;
}

/* unix_lock is held; takes over the address if it succeeds. */
static long bind_abstract(struct sock *sock, struct address *address)
{
    if (find_abstract(address, sock->type) != NULL) {
        return -EADDRINUSE;
    }
    sock->address = address;
    InsertTailList(bucket_of(address), &sock->names);
    return 0;
}

/* A name of five hexadecimal digits that nobody has. */
static long bind_automatically(struct sock *sock, struct address *address)
{
    for (u32 tries = 0; tries < 1 << 20; tries++) {
        char *digits = address->name.sun_path + 1;
        u32 number = next_name++;
        for (int i = 4; i >= 0; i--, number >>= 4) {
            digits[i] = "0123456789abcdef"[number & 15];
        }
        address->length = 6;
        if (bind_abstract(sock, address) == 0) {
            return 0;
        }
    }
    return -ENOSPC;
}

static bool is_path(const struct sockaddr_un *name, u32 length)
{
    return length != 0 && name->sun_path[0] != 0;
}

static long find_node(const struct sockaddr_un *name, u32 length, struct inode **node)
{
    char *path = zalloc(PATH_MAX);
    if (path == NULL) {
        return -ENOMEM;
    }
    memcpy(path, name->sun_path, length);
    long error = path_at(AT_FDCWD, path, 0, 0, node);
    release(path);
    return error;
}

static long make_node_in(const struct leaf *leaf, struct inode **inode)
{
    long error = name_may_create(leaf, false);
    if (error < 0) {
        return error;
    }
    *inode = tree_new(leaf->dir, S_IFSOCK | (0777 & ~current_task()->fs->umask), 0);
    if (*inode == NULL) {
        return -ENOSPC;
    }
    error = name_create(leaf, *inode);
    if (error < 0) {
        inode_put(*inode);
    }
    return error;
}

/* unix_lock is not held: the walk may wait. */
static long make_node(const struct address *address, struct inode **inode)
{
    struct leaf leaf;
    struct inode *base;
    char *path = zalloc(PATH_MAX);

    if (path == NULL) {
        return -ENOMEM;
    }
    memcpy(path, address->name.sun_path, address->length);
    long error = base_of(AT_FDCWD, path, &base);
    if (error >= 0) {
        error = path_walk_parent(base, path, &leaf);
        inode_put(base);
    }
    if (error >= 0) {
        error = make_node_in(&leaf, inode);
        inode_put(leaf.dir);
    }
    release(path);
    return error == -EEXIST ? -EADDRINUSE : error;
}

static long bind_path(struct sock *sock, struct address *address)
{
    struct inode *inode = NULL;
    long error = make_node(address, &inode);
    if (error < 0) {
        return error;
    }
    mutex_lock(&unix_lock);
    sock->address = address;
    sock->inode = inode;
    inode->socket = sock;
    mutex_unlock(&unix_lock);
    return 0;
}

long sock_bind(struct sock *sock, const struct sockaddr_un *name, u32 length)
{
    struct address *address = zalloc(sizeof(*address));
    struct inode *node = NULL;
    long error;

    if (address == NULL) {
        return -ENOMEM;
    }
    address->refs = 1;
    address->name = *name;
    address->length = length;
    mutex_lock(&sock->binding);
    if (sock->address != NULL) {
        error = is_path(name, length) && find_node(name, length, &node) == 0 ? -EADDRINUSE : -EINVAL;
        inode_put(node);
    } else if (is_path(name, length)) {
        error = bind_path(sock, address);
    } else {
        mutex_lock(&unix_lock);
        error = length == 0 ? bind_automatically(sock, address) : bind_abstract(sock, address);
        mutex_unlock(&unix_lock);
    }
    mutex_unlock(&sock->binding);
    if (error < 0) {
        release(address);
    }
    return error;
}

/* The socket of that name, referenced. */
static long find_named(const struct sockaddr_un *name, u32 length, int type, struct sock **out)
{
    struct address address = {.name = *name, .length = length};
    struct inode *inode = NULL;
    long error = 0;

    if (length == 0) {
        return -ECONNREFUSED;
    }
    if (is_path(name, length)) {
        error = find_node(name, length, &inode);
        if (error < 0) {
            return error;
        }
    }
    mutex_lock(&unix_lock);
    struct sock *sock = inode != NULL ? inode->socket : find_abstract(&address, 0);
    if (sock == NULL) {
        error = -ECONNREFUSED;
    } else if (sock->type != type) {
        error = -EPROTOTYPE;
    } else {
        *out = sock_get(sock);
    }
    mutex_unlock(&unix_lock);
    inode_put(inode);
    return error;
}

/* ---- Connecting ---- */

long sock_listen(struct sock *sock, int backlog)
{
    long error = 0;

    if (sock->type == SOCK_DGRAM) {
        return -EOPNOTSUPP;
    }
    mutex_lock(&unix_lock);
    if (sock->address == NULL || (sock->state != SOCK_NEW && sock->state != SOCK_LISTENING)) {
        error = -EINVAL;
    } else {
        sock->state = SOCK_LISTENING;
        sock->backlog = (u32)backlog > MOST_WAITING ? MOST_WAITING : backlog;
        sock->own = current_ucred();
    }
    mutex_unlock(&unix_lock);
    if (error == 0) {
        wake_all(&sock->space);
    }
    return error;
}

/* unix_lock is held. server: a socket for the other end, which is used up when the answer is 0. */
static long try_connect(struct sock *sock, struct sock *listener, struct sock *server)
{
    if (sock->state != SOCK_NEW) {
        return sock->state == SOCK_CONNECTED ? -EISCONN : -EINVAL;
    }
    if (listener->state != SOCK_LISTENING || listener->end_of_input) {
        return -ECONNREFUSED;
    }
    if (listener->waiting_count > listener->backlog) {
        return -EAGAIN;
    }
    server->address = address_get(listener->address);
    server->own = listener->own;
    sock->own = current_ucred();
    sock_join(sock, server);
    server->embryo = true;
    InsertTailList(&listener->waiting, &server->wait_links);
    listener->waiting_count++;
    return 0;
}

static long connect_to(struct sock *sock, struct sock *listener, bool nonblock)
{
    struct sock *server = sock_create(sock->type);
    u64 deadline = sock->send_timeout == FOREVER ? FOREVER : deadline_after(sock->send_timeout);
    struct waiter waiter;

    if (server == NULL) {
        return -ENOMEM;
    }
    for (;;) {
        mutex_lock(&unix_lock);
        long error = try_connect(sock, listener, server);
        bool wait = error == -EAGAIN && !nonblock;
        if (wait) {
            wait_begin(&waiter, &listener->space, true);
        }
        mutex_unlock(&unix_lock);
        if (error == 0) {
            wake_one(&listener->readable);
            return 0;
        }
        if (wait) {
            error = wait_end(&waiter, deadline);
        }
        if (error < 0) {
            sock_put(server);
            return wait_error(error, deadline);
        }
    }
}

long sock_connect(struct sock *sock, const struct sockaddr_un *name, u32 length, bool nonblock)
{
    struct sock *other;

    if (sock->pass_credentials && sock->address == NULL) {
        struct sockaddr_un none = {.sun_family = AF_UNIX};
        sock_bind(sock, &none, 0);
    }
    long error = find_named(name, length, sock->type, &other);
    if (error < 0) {
        return error;
    }
    if (sock->type != SOCK_DGRAM) {
        error = connect_to(sock, other, nonblock);
    } else {
        mutex_lock(&unix_lock);
        struct sock *old = sock->peer;
        sock->peer = sock_get(other);
        sock->state = SOCK_CONNECTED;
        mutex_unlock(&unix_lock);
        sock_put(old);
    }
    sock_put(other);
    return error;
}

/* A datagram socket whose address is AF_UNSPEC's sends to nobody any more. */
void sock_disconnect(struct sock *sock)
{
    mutex_lock(&unix_lock);
    struct sock *old = sock->peer;
    sock->peer = NULL;
    sock->state = SOCK_NEW;
    mutex_unlock(&unix_lock);
    sock_put(old);
}

long sock_accept(struct sock *listener, bool nonblock, struct sock **out)
{
    u64 deadline = listener->receive_timeout == FOREVER ? FOREVER : deadline_after(listener->receive_timeout);
    struct waiter waiter;

    for (;;) {
        mutex_lock(&unix_lock);
        long error = listener->type == SOCK_DGRAM        ? -EOPNOTSUPP
                     : listener->state != SOCK_LISTENING ? -EINVAL
                                                         : 0;
        if (error == 0 && !IsListEmpty(&listener->waiting)) {
            *out = CONTAINING_RECORD(RemoveHeadList(&listener->waiting), struct sock, wait_links);
            listener->waiting_count--;
            (*out)->embryo = false;
            mutex_unlock(&unix_lock);
            wake_one(&listener->space);
            return 0;
        }
        error = error < 0 ? error : listener->end_of_input ? -EINVAL : nonblock ? -EAGAIN : 0;
        if (error == 0) {
            wait_begin(&waiter, &listener->readable, true);
        }
        mutex_unlock(&unix_lock);
        if (error == 0) {
            error = wait_end(&waiter, deadline);
        }
        if (error < 0) {
            return wait_error(error, deadline);
        }
    }
}

/* ---- Sending ---- */

static void unlock_queue(struct sock *sock, bool flight)
{
    mutex_unlock(&sock->lock);
    if (flight) {
        mutex_unlock(&flight_lock);
    }
}

/* Why nothing can be sent there for good, or for now (-EAGAIN). Receiver locked. */
static long may_queue(const struct sock *from, const struct sock *to, size_t size)
{
    if (to->dead) {
        return to->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
    }
    if (to->shut_read || from->shut_write) {
        return -EPIPE;
    }
    if (to->type == SOCK_DGRAM && to->peer != from && to->count >= MOST_DATAGRAMS) {
        return -EAGAIN;
    }
    return to->count != 0 && to->queued + size > to->limit ? -EAGAIN : 0;
}

/* Puts the message into the receiver's queue, waiting for room. */
static long queue_message(struct sock *from, struct sock *to, struct message *message, bool nonblock)
{
    u64 deadline = from->send_timeout == FOREVER ? FOREVER : deadline_after(from->send_timeout);
    struct waiter waiter;

    for (;;) {
        bool flight = message->file_count != 0;
        if (flight) {
            mutex_lock(&flight_lock);
        }
        mutex_lock(&to->lock);
        long error = may_queue(from, to, message->length);
        bool wait = error == -EAGAIN && !nonblock;
        if (error == 0) {
            InsertTailList(&to->queue, &message->links);
            to->queued += message->length;
            to->count++;
            count_flights(message, true);
        } else if (wait) {
            wait_begin(&waiter, &to->space, true);
        }
        unlock_queue(to, flight);
        if (error == 0) {
            wake_one(&to->readable);
            return 0;
        }
        if (wait) {
            error = wait_end(&waiter, deadline);
        }
        if (error < 0) {
            return wait_error(error, deadline);
        }
    }
}

/* Moves the control data to the message: they go with the first one. */
static long give_files(struct message *message, struct control *control)
{
    if (control->file_count == 0) {
        return 0;
    }
    if (flights > flight_mark) {
        collect();
        flight_mark = 2 * flights + FIRST_MARK;
    }
    if (InterlockedExchangeAdd(&in_flight, control->file_count) + control->file_count > MOST_IN_FLIGHT) {
        InterlockedExchangeAdd(&in_flight, -(LONG)control->file_count);
        return -ETOOMANYREFS;
    }
    message->files = control->files;
    message->file_count = control->file_count;
    control->files = NULL;
    control->file_count = 0;
    return 0;
}

static long send_one(struct sock *from, struct sock *to, struct iobuf *data, size_t size,
                     struct control *control, bool nonblock)
{
    struct message *message = message_new(size);
    if (message == NULL) {
        return -ENOMEM;
    }
    long error = size != 0 && iobuf_get(data, message->data, size) != (long)size ? -EFAULT : 0;
    message->cred = control->has_cred ? control->cred : current_ucred();
    message->has_cred = control->has_cred;
    if (error == 0) {
        error = give_files(message, control);
    }
    if (error == 0) {
        message->from = address_get(from->address);
        error = queue_message(from, to, message, nonblock);
    }
    if (error < 0) {
        message_free(message);
        return error;
    }
    return size;
}

static long send_stream(struct sock *from, struct sock *to, struct iobuf *data, struct control *control,
                        bool nonblock)
{
    long done = 0;

    while (data->left != 0) {
        long sent = send_one(from, to, data, min(data->left, STREAM_PIECE), control, nonblock);
        if (sent < 0) {
            return done != 0 ? done : sent;
        }
        done += sent;
    }
    return done;
}

/* Whom this call sends to, referenced. */
static long receiver_of(struct sock *from, const struct sockaddr_un *name, u32 length, bool named,
                        struct sock **to)
{
    if (named && from->type == SOCK_DGRAM) {
        return find_named(name, length, from->type, to);
    }
    if (named && from->type == SOCK_STREAM) {
        return from->state == SOCK_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    }
    *to = sock_peer(from);
    if (*to == NULL) {
        return -ENOTCONN;
    }
    return 0;
}

long sock_send(struct sock *from, struct iobuf *data, const struct sockaddr_un *name, u32 length, bool named,
               struct control *control, u32 flags)
{
    struct sock *to = NULL;
    bool nonblock = (flags & MSG_DONTWAIT) != 0;

    if (flags & MSG_OOB) {
        return -EOPNOTSUPP;
    }
    long error = receiver_of(from, name, length, named, &to);
    if (error < 0) {
        return error;
    }
    if (from->shut_write) {
        error = -EPIPE;
    } else if (from->type == SOCK_STREAM) {
        error = send_stream(from, to, data, control, nonblock);
    } else if (data->left > from->limit - 32) {
        error = -EMSGSIZE;
    } else {
        error = send_one(from, to, data, data->left, control, nonblock);
    }
    sock_put(to);
    if (error == -EPIPE && from->type != SOCK_DGRAM && !(flags & MSG_NOSIGNAL)) {
        signal_self(SIGPIPE);
    }
    return error;
}

/* ---- Receiving ---- */

static struct message *first_message(const struct sock *sock)
{
    return IsListEmpty(&sock->queue) ? NULL : CONTAINING_RECORD(sock->queue.Flink, struct message, links);
}

/* Locks a queue whose messages may be taken: with flight_lock when some may hold files, which are counted
   before they come here. Answers what unlock_queue wants. */
static bool lock_queue(struct sock *sock)
{
    mutex_lock(&sock->lock);
    if (in_flight == 0) {
        return false;
    }
    mutex_unlock(&sock->lock);
    mutex_lock(&flight_lock);
    mutex_lock(&sock->lock);
    return true;
}

/* Waits until there is a message (0) or the end (1), with the queue locked then; negative: neither. */
static long wait_for_message(struct sock *sock, bool nonblock, u64 deadline, bool *flight)
{
    struct waiter waiter;

    for (;;) {
        *flight = lock_queue(sock);
        if (first_message(sock) != NULL) {
            return 0;
        }
        long error = sock->error != 0 ? -(long)sock->error : 0;
        sock->error = 0;
        if (error == 0 && (sock->end_of_input || sock->shut_read)) {
            return 1;
        }
        error = error < 0 ? error : nonblock ? -EAGAIN : 0;
        if (error == 0) {
            wait_begin(&waiter, &sock->readable, true);
        }
        unlock_queue(sock, *flight);
        if (error == 0) {
            error = wait_end(&waiter, deadline);
        }
        if (error < 0) {
            return wait_error(error, deadline);
        }
    }
}

/* The files of a message go to who receives it, or, for a peek, further references to them. */
static long take_files(struct message *message, struct received *got, bool peek)
{
    if (message->file_count == 0) {
        return 0;
    }
    struct file **files = zalloc(message->file_count * sizeof(struct file *));
    if (files == NULL) {
        return -ENOMEM;
    }
    for (u32 i = 0; i < message->file_count; i++) {
        files[i] = message->files[i];
        if (peek) {
            InterlockedIncrement(&files[i]->refs);
        }
    }
    got->files = files;
    got->file_count = message->file_count;
    if (!peek) {
        count_flights(message, false);
        InterlockedExchangeAdd(&in_flight, -(LONG)message->file_count);
        message->file_count = 0;
    }
    return 0;
}

/* Locked: the message is off the queue; its memory goes later. */
static void unqueue(struct sock *sock, struct message *message, LIST_ENTRY *done)
{
    RemoveEntryList(&message->links);
    InsertTailList(done, &message->links);
    sock->count--;
}

static bool same_sender(const struct message *a, const struct received *got)
{
    return a->cred.pid == got->cred.pid && a->cred.uid == got->cred.uid && a->cred.gid == got->cred.gid;
}

/* Takes bytes of as many messages as belong together: up to one with files, and from one sender where that is
   told. Lock held. */
static long take_stream(struct sock *sock, struct iobuf *to, struct received *got, bool peek,
                        LIST_ENTRY *done)
{
    long count = 0;

    for (LIST_ENTRY *at = sock->queue.Flink, *next; at != &sock->queue && to->left != 0; at = next) {
        struct message *message = CONTAINING_RECORD(at, struct message, links);
        next = at->Flink;
        if (got->any &&
            (got->file_count != 0 || (sock->pass_credentials && !same_sender(message, got)))) {
            break;
        }
        size_t size = min(to->left, message->length - message->offset);
        long moved = iobuf_put(to, message->data + message->offset, size);
        if (moved <= 0 && size != 0) {
            return count != 0 ? count : -EFAULT;
        }
        long error = take_files(message, got, peek);
        if (error < 0) {
            return count != 0 ? count : error;
        }
        got->any = true;
        got->cred = message->cred;
        count += moved;
        if (!peek) {
            message->offset += moved;
            sock->queued -= moved;
            if (message->offset == message->length) {
                unqueue(sock, message, done);
            }
        }
        if (moved < (long)size) { /* the rest comes before what follows it */
            break;
        }
    }
    return count;
}

/* Takes the first message; what does not fit is lost. */
static long take_datagram(struct sock *sock, struct iobuf *to, struct received *got, u32 flags,
                          LIST_ENTRY *done)
{
    struct message *message = first_message(sock);
    size_t size = min(to->left, message->length);
    long moved = size != 0 ? iobuf_put(to, message->data, size) : 0;

    if (moved != (long)size) {
        moved = -EFAULT;
    } else {
        long error = take_files(message, got, (flags & MSG_PEEK) != 0);
        if (error < 0) {
            return error;
        }
        got->any = true;
        got->cred = message->cred;
        got->from = address_get(message->from);
        got->truncated = message->length > size;
    }
    long length = message->length;
    if (!(flags & MSG_PEEK)) {
        sock->queued -= message->length;
        unqueue(sock, message, done);
    }
    return moved < 0 ? moved : flags & MSG_TRUNC ? length : moved;
}

/* The queue is locked, and not afterwards. */
static long take(struct sock *sock, struct iobuf *to, struct received *got, u32 flags, bool flight)
{
    LIST_ENTRY done;

    InitializeListHead(&done);
    bool full = !is_roomy(sock);
    long count = sock->type == SOCK_STREAM ? take_stream(sock, to, got, (flags & MSG_PEEK) != 0, &done)
                                           : take_datagram(sock, to, got, flags, &done);
    bool more = sock->count != 0, freed = !IsListEmpty(&done), room = full && is_roomy(sock);
    unlock_queue(sock, flight);
    while (!IsListEmpty(&done)) {
        message_free(CONTAINING_RECORD(RemoveHeadList(&done), struct message, links));
    }
    if (more) {
        wake_one(&sock->readable);
    }
    if (freed) {
        wake_one(&sock->space);
        struct sock *peer = sock_peer(sock);
        if (peer != NULL) {
            wake_all(&peer->writable);
            sock_put(peer);
        }
    }
    if (room && sock->type == SOCK_DGRAM) {
        wake_senders(sock);
    }
    return count;
}

long sock_receive(struct sock *sock, struct iobuf *to, struct received *got, u32 flags)
{
    u64 deadline = sock->receive_timeout == FOREVER ? FOREVER : deadline_after(sock->receive_timeout);
    bool nonblock = (flags & MSG_DONTWAIT) != 0;
    long done = 0;

    if (flags & MSG_OOB) {
        return sock->type == SOCK_STREAM ? -EINVAL : -EOPNOTSUPP;
    }
    if (sock->type != SOCK_DGRAM && sock->state != SOCK_CONNECTED) {
        return sock->type == SOCK_STREAM ? -EINVAL : -ENOTCONN;
    }
    do {
        bool flight;
        long state = wait_for_message(sock, nonblock, deadline, &flight);
        if (state != 0) {
            if (state > 0) {
                unlock_queue(sock, flight);
            }
            return done != 0 ? done : state > 0 ? 0 : state;
        }
        long count = take(sock, to, got, flags, flight);
        if (count <= 0) { /* 0: what has come does not belong to what was taken before */
            return done != 0 ? done : count;
        }
        done += count;
        nonblock |= !(flags & MSG_WAITALL) || got->file_count != 0;
    } while (sock->type == SOCK_STREAM && !nonblock && !(flags & MSG_PEEK) && to->left != 0);
    return done;
}

void received_put(struct received *got)
{
    for (u32 i = 0; i < got->file_count; i++) {
        file_put(got->files[i]);
    }
    release(got->files);
    address_put(got->from);
}

/* ---- The end of a direction, and what poll tells ---- */

long sock_shutdown(struct sock *sock, bool reading, bool writing)
{
    struct sock *peer = sock_peer(sock);

    if (sock->state != SOCK_CONNECTED && sock->state != SOCK_LISTENING) {
        sock_put(peer);
        return -ENOTCONN;
    }
    mutex_lock(&unix_lock); /* with which accept and connect look at a listener's end */
    mutex_lock(&sock->lock);
    sock->shut_read |= reading;
    sock->end_of_input |= reading;
    sock->shut_write |= writing;
    mutex_unlock(&sock->lock);
    mutex_unlock(&unix_lock);
    wake_both(sock);
    if (peer != NULL && sock->type != SOCK_DGRAM) {
        mutex_lock(&peer->lock);
        peer->end_of_input |= writing;
        peer->shut_write |= reading;
        mutex_unlock(&peer->lock);
    }
    if (peer != NULL) {
        wake_both(peer); /* there are those that wait for room to send through this one, too */
    }
    sock_put(peer);
    return 0;
}

static u32 poll_listener(struct sock *sock)
{
    mutex_lock(&unix_lock);
    bool any = !IsListEmpty(&sock->waiting);
    mutex_unlock(&unix_lock);
    return any ? POLLIN | POLLRDNORM : 0;
}

static bool has_room(struct sock *sock)
{
    struct sock *peer = sock_peer(sock);
    if (peer == NULL) {
        return true;
    }
    mutex_lock(&peer->lock);
    bool room = peer->dead || peer->queued < peer->limit / 2;
    if (peer->type == SOCK_DGRAM && peer->peer != sock && peer->count >= MOST_DATAGRAMS) {
        room = peer->dead;
    }
    mutex_unlock(&peer->lock);
    sock_put(peer);
    return room;
}

u32 sock_poll(struct sock *sock, struct poll_table *table)
{
    u32 ready = 0;

    poll_wait(table, &sock->readable, POLLIN | POLLRDNORM | POLLRDHUP);
    poll_wait(table, &sock->writable, POLLOUT | POLLWRNORM);
    if (sock->state == SOCK_LISTENING) {
        return poll_listener(sock);
    }
    mutex_lock(&sock->lock);
    bool ended = sock->end_of_input || sock->shut_read;
    ready |= sock->count != 0 || ended ? POLLIN | POLLRDNORM : 0;
    ready |= ended ? POLLRDHUP : 0;
    ready |= sock->error != 0 ? POLLERR : 0;
    ready |= (sock->shut_write && ended) || sock->peer_gone ? POLLHUP : 0;
    mutex_unlock(&sock->lock);
    if (sock->type != SOCK_DGRAM && sock->state == SOCK_NEW) {
        return ready | POLLHUP | POLLOUT | POLLWRNORM;
    }
    return ready | (has_room(sock) ? POLLOUT | POLLWRNORM | POLLWRBAND : 0);
}

u32 sock_bytes_ready(struct sock *sock)
{
    mutex_lock(&sock->lock);
    const struct message *first = first_message(sock);
    u32 count = sock->type != SOCK_DGRAM ? sock->queued : first != NULL ? first->length : 0;
    mutex_unlock(&sock->lock);
    return count;
}

void unix_start(void)
{
    mutex_init(&unix_lock);
    mutex_init(&flight_lock);
    InitializeListHead(&sockets);
    KeInitializeSpinLock(&trash_lock);
    InitializeListHead(&trash);
    for (u32 i = 0; i < BUCKETS; i++) {
        InitializeListHead(&abstract[i]);
    }
}
