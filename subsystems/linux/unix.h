/* SPDX-License-Identifier: MIT */
/* Unix-domain sockets: what unix.c offers the calls in socket.c. */
#ifndef LINUX_UNIX_H
#define LINUX_UNIX_H

#include "linux.h"

#define DEFAULT_BUFFER 212992
#define STREAM_PIECE   32768UL /* of a stream, moved at once */
#define MOST_WAITING   4096    /* connections that wait to be accepted */

/* A name that sockets and messages share; length: of sun_path, 0 for none. */
struct address {
    volatile LONG refs;
    u32 length;
    struct sockaddr_un name;
};

struct message {
    LIST_ENTRY links;
    u8 *data;
    size_t length, offset;
    struct address *from; /* or NULL */
    struct ucred cred;
    bool has_cred;
    struct file **files;
    u32 file_count;
    bool flying; /* (flight_lock) its files are counted where they are sockets */
};

enum sock_state {
    SOCK_NEW,
    SOCK_LISTENING,
    SOCK_CONNECTED,
    SOCK_CLOSED
};

struct sock {
    volatile LONG refs;
    int type;
    enum sock_state volatile state; /* (unix_lock) */
    struct sock *peer;              /* (unix_lock) referenced; whom a datagram socket sends to */
    struct mutex binding;           /* one bind at a time */
    struct address *address;        /* (binding, unix_lock) constant once it is set: read without a lock then */
    struct inode *inode;            /* (unix_lock) of a name in the tree */
    LIST_ENTRY names;               /* (unix_lock) in the table of abstract names */
    LIST_ENTRY waiting, wait_links; /* (unix_lock) a listener's connections; the place among them */
    u32 waiting_count, backlog;     /* (unix_lock) */
    LIST_ENTRY all;                 /* (unix_lock) */
    const struct file *file;        /* (unix_lock) NULL when there is none yet, or any more */
    u32 flights;                    /* (flight_lock) messages that hold the file */
    bool embryo;                    /* (unix_lock) among a listener's */
    bool reached;                   /* (flight_lock) see collect */
    LIST_ENTRY reached_links;       /* (flight_lock) */
    struct mutex lock;
    LIST_ENTRY queue;                    /* (lock) messages that have come */
    size_t queued;                       /* (lock) bytes in them */
    u32 count;                           /* (lock) of them */
    u32 error;                           /* (lock) an errno for the next call */
    bool dead;                           /* (lock) closed */
    bool end_of_input;                   /* (lock; of a listener unix_lock, too) nobody sends any more */
    bool peer_gone;                      /* (lock) */
    bool volatile shut_read, shut_write; /* (lock); shut_write is read without: its setter wakes the peer's `space` */
    bool pass_credentials;
    size_t limit;                      /* of queued */
    u64 receive_timeout, send_timeout; /* ns, FOREVER */
    struct ucred own, peer_cred;
    struct wait_queue readable, writable, space;
};

/* What goes along with bytes. */
struct control {
    struct file **files;
    u32 file_count;
    struct ucred cred;
    bool has_cred;
};

/* What has come along. */
struct received {
    bool any, truncated;
    struct ucred cred;
    struct address *from;
    struct file **files;
    u32 file_count;
};

struct ucred current_ucred(void);

void unix_start(void);
struct sock *sock_create(int type);
void sock_put(struct sock *sock);
void sock_close(struct sock *sock);
void sock_join(struct sock *a, struct sock *b); /* of a pair */
struct sock *sock_peer(struct sock *sock);      /* referenced; NULL */
long sock_bind(struct sock *sock, const struct sockaddr_un *name, u32 length);
long sock_listen(struct sock *sock, int backlog);
long sock_connect(struct sock *sock, const struct sockaddr_un *name, u32 length, bool nonblock);
void sock_disconnect(struct sock *sock);
long sock_accept(struct sock *listener, bool nonblock, struct sock **out);
/* named: to this address. What control holds is given away in part, or not. */
long sock_send(struct sock *from, struct iobuf *data, const struct sockaddr_un *name, u32 length, bool named,
               struct control *control, u32 flags);
long sock_receive(struct sock *sock, struct iobuf *to, struct received *got, u32 flags);
void received_put(struct received *got);
long sock_shutdown(struct sock *sock, bool reading, bool writing);
u32 sock_poll(struct sock *sock, struct poll_table *table);
u32 sock_bytes_ready(struct sock *sock);

#endif
