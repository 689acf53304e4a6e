/* SPDX-License-Identifier: MIT */
/* The calls for sockets, and sockets as files. There is the family AF_UNIX (unix.c), and no other. */
#include "unix.h"

#define PATH_AT      offsetof(struct sockaddr_un, sun_path)
#define MOST_CONTROL 65536UL
#define MOST_BUFFER  (4UL << 20)

static const struct file_operations socket_ops;

/* ---- As files ---- */

static struct file *socket_file(struct sock *sock, u32 flags, long *error)
{
    struct inode *inode = inode_new(S_IFSOCK | 0777, DEV_SOCK);
    if (inode == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    struct text text = {.data = inode->own_name, .size = sizeof(inode->own_name) - 1, .fixed = true};
    print(&text, "socket:[%lu]", inode->ino);
    struct file *file = file_open(inode, O_RDWR | (flags & O_NONBLOCK), error);
    inode_put(inode);
    if (file != NULL) {
        file->ops = &socket_ops;
        file->data = sock;
        sock->file = file;
    }
    return file;
}

/* Takes over the socket. */
static long socket_fd(struct sock *sock, u32 flags)
{
    long error;
    struct file *file = socket_file(sock, flags, &error);
    if (file == NULL) {
        sock_close(sock);
        return error;
    }
    return fd_install(current_task()->files, file, 0, (flags & O_CLOEXEC) != 0);
}

static void socket_release(struct file *file)
{
    sock_close(file->data);
}

static u32 flags_of(const struct file *file, u32 flags)
{
    return flags | (file->flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
}

static long socket_read(struct file *file, struct iobuf *to, u64 *pos)
{
    struct received got = {0};
    long done = to->left != 0 ? sock_receive(file->data, to, &got, flags_of(file, 0)) : 0;
    received_put(&got);
    return done;
}

static long socket_write(struct file *file, struct iobuf *from, u64 *pos)
{
    struct control none = {0};
    return sock_send(file->data, from, NULL, 0, false, &none, flags_of(file, 0));
}

static u32 socket_poll(struct file *file, struct poll_table *table)
{
    return sock_poll(file->data, table);
}

static long socket_ioctl(struct file *file, u32 command, u64 argument)
{
    s32 count = 0;

    if (command != FIONREAD) {
        return -ENOTTY;
    }
    count = sock_bytes_ready(file->data);
    return copy_to_user((void __user *)argument, &count, sizeof(count));
}

static const struct file_operations socket_ops = {
    .release = socket_release,
    .read = socket_read,
    .write = socket_write,
    .poll = socket_poll,
    .ioctl = socket_ioctl,
    .stream = true,
    .asked_for_none = true,
};

static void put_file(struct file **file)
{
    file_put(*file);
}

/* A call's variable for a socket's file, which is given back at the call's end. */
#define SOCKET_FILE __attribute__((cleanup(put_file))) struct file *

static long get_socket(int fd, struct file **file)
{
    *file = fd_get_io(fd);
    return *file == NULL ? -EBADF : (*file)->ops != &socket_ops ? -ENOTSOCK : 0;
}

/* ---- Making ---- */

static long check_kind(int family, int type, int protocol)
{
    if (type & ~(SOCK_TYPE | O_NONBLOCK | O_CLOEXEC)) {
        return -EINVAL;
    }
    if (family != AF_UNIX) {
        return -EAFNOSUPPORT;
    }
    if (protocol != 0 && protocol != AF_UNIX) {
        return -EPROTONOSUPPORT;
    }
    type &= SOCK_TYPE;
    return type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET || type == SOCK_RAW
               ? 0
               : -ESOCKTNOSUPPORT;
}

/* A raw one is a datagram socket by another name. */
static int kind_of(int type)
{
    type &= SOCK_TYPE;
    return type == SOCK_RAW ? SOCK_DGRAM : type;
}

long sys_socket(int family, int type, int protocol)
{
    long error = check_kind(family, type, protocol);
    struct sock *sock = error == 0 ? sock_create(kind_of(type)) : NULL;

    return error < 0 ? error : sock == NULL ? -ENOMEM : socket_fd(sock, type);
}

long sys_socketpair(int family, int type, int protocol, s32 __user *fds)
{
    struct file *files[2];
    long error = check_kind(family, type, protocol);
    if (error < 0) {
        return error;
    }
    struct sock *a = sock_create(kind_of(type)), *b = a != NULL ? sock_create(kind_of(type)) : NULL;
    if (b == NULL) {
        sock_put(a);
        return -ENOMEM;
    }
    sock_join(a, b);
    files[0] = socket_file(a, type, &error);
    files[1] = files[0] != NULL ? socket_file(b, type, &error) : NULL;
    if (files[1] == NULL) {
        if (files[0] != NULL) {
            file_put(files[0]);
        } else {
            sock_close(a);
        }
        sock_close(b);
        return error;
    }
    return fd_install_pair(files, (type & O_CLOEXEC) != 0, fds);
}

/* ---- Addresses ---- */

/* *path: how long sun_path is; a path of the tree is cut at its NUL, and has one. */
static long get_address(const void __user *user, int size, struct sockaddr_un *name, u32 *path)
{
    memset(name, 0, sizeof(*name));
    if (size < 0 || (u32)size > sizeof(struct sockaddr_storage)) {
        return -EINVAL;
    }
    if (copy_from_user(name, user, min(size, sizeof(*name))) < 0) {
        return -EFAULT;
    }
    if ((size_t)size < PATH_AT || size > (int)sizeof(*name) || name->sun_family != AF_UNIX) {
        return -EINVAL;
    }
    *path = size - PATH_AT;
    if (*path != 0 && name->sun_path[0] != 0) {
        *path = 0;
        while (*path < sizeof(name->sun_path) && name->sun_path[*path] != 0) {
            ++*path;
        }
        *path += *path < sizeof(name->sun_path);
    }
    return 0;
}

/* As much as fits; *size tells how long it is. */
static long put_address(const struct address *address, void __user *to, s32 __user *user_size)
{
    struct sockaddr_un none = {.sun_family = AF_UNIX};
    const struct sockaddr_un *name = address != NULL ? &address->name : &none;
    s32 room, size = PATH_AT + (address != NULL ? address->length : 0);

    if (copy_from_user(&room, user_size, sizeof(room)) < 0) {
        return -EFAULT;
    }
    if (room < 0) {
        return -EINVAL;
    }
    if (copy_to_user(to, name, min(room, size)) < 0) {
        return -EFAULT;
    }
    return copy_to_user(user_size, &size, sizeof(size));
}

long sys_bind(int fd, const void __user *address, int size)
{
    struct sockaddr_un name;
    SOCKET_FILE file = NULL;
    u32 length = 0;

    long error = get_socket(fd, &file);
    if (error == 0) {
        error = get_address(address, size, &name, &length);
    }
    return error < 0 ? error : sock_bind(file->data, &name, length);
}

long sys_listen(int fd, int backlog)
{
    SOCKET_FILE file = NULL;
    long error = get_socket(fd, &file);
    return error < 0 ? error : sock_listen(file->data, backlog);
}

static long connect_file(struct file *file, const void __user *address, int size)
{
    struct sock *sock = file->data;
    struct sockaddr_un name;
    u32 length = 0;
    u16 family = AF_UNIX;

    if (size >= (int)sizeof(family) && copy_from_user(&family, address, sizeof(family)) < 0) {
        return -EFAULT;
    }
    if (family == AF_UNSPEC && sock->type == SOCK_DGRAM) {
        sock_disconnect(sock);
        return 0;
    }
    long error = get_address(address, size, &name, &length);
    return error < 0 ? error : sock_connect(sock, &name, length, (file->flags & O_NONBLOCK) != 0);
}

long sys_connect(int fd, const void __user *address, int size)
{
    SOCKET_FILE file = NULL;
    long error = get_socket(fd, &file);
    return error < 0 ? error : connect_file(file, address, size);
}

static const struct address *address_of(const struct sock *sock)
{
    return __atomic_load_n(&sock->address, __ATOMIC_ACQUIRE);
}

long sys_accept4(int fd, void __user *address, s32 __user *size, int flags)
{
    struct sock *sock;
    SOCKET_FILE file = NULL;

    if (flags & ~(O_NONBLOCK | O_CLOEXEC)) {
        return -EINVAL;
    }
    long error = get_socket(fd, &file);
    if (error == 0) {
        error = sock_accept(file->data, (file->flags & O_NONBLOCK) != 0, &sock);
    }
    if (error < 0) {
        return error;
    }
    if (address != NULL) {
        struct sock *peer = sock_peer(sock);
        error = put_address(peer != NULL ? address_of(peer) : NULL, address, size);
        sock_put(peer);
    }
    if (error < 0) {
        sock_close(sock);
        return error;
    }
    return socket_fd(sock, flags);
}

long sys_accept(int fd, void __user *address, s32 __user *size)
{
    return sys_accept4(fd, address, size, 0);
}

long sys_getsockname(int fd, void __user *address, s32 __user *size)
{
    SOCKET_FILE file = NULL;
    long error = get_socket(fd, &file);
    return error < 0 ? error : put_address(address_of(file->data), address, size);
}

long sys_getpeername(int fd, void __user *address, s32 __user *size)
{
    SOCKET_FILE file = NULL;
    long error = get_socket(fd, &file);
    if (error < 0) {
        return error;
    }
    struct sock *peer = sock_peer(file->data);
    error = peer == NULL ? -ENOTCONN : put_address(address_of(peer), address, size);
    sock_put(peer);
    return error;
}

long sys_shutdown(int fd, int how)
{
    SOCKET_FILE file = NULL;
    long error = get_socket(fd, &file);
    if (error < 0) {
        return error;
    }
    return (u32)how > SHUT_RDWR ? -EINVAL : sock_shutdown(file->data, how != SHUT_WR, how != SHUT_RD);
}

/* ---- Control messages ---- */

static u64 align_control(u64 size)
{
    return (size + 7) & ~7UL;
}

static void control_put(struct control *control)
{
    for (u32 i = 0; i < control->file_count; i++) {
        file_put(control->files[i]);
    }
    release(control->files);
}

static long add_files(struct control *control, const s32 *fds, size_t count)
{
    if (control->file_count + count > SCM_MAX_FD) {
        return -EINVAL;
    }
    if (control->files == NULL) {
        control->files = zalloc(SCM_MAX_FD * sizeof(struct file *));
        if (control->files == NULL) {
            return -ENOMEM;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct file *file = fd_get_io(fds[i]);
        if (file == NULL) {
            return -EBADF;
        }
        control->files[control->file_count++] = file;
    }
    return 0;
}

/* root may say what it likes, others what they are. */
static long set_credentials(struct control *control, const struct ucred *cred)
{
    struct ucred own = current_ucred();

    if (own.uid != 0 && (cred->pid != own.pid || cred->uid != own.uid || cred->gid != own.gid)) {
        return -EPERM;
    }
    control->cred = *cred;
    control->has_cred = true;
    return 0;
}

static long parse_one(struct control *control, const struct cmsghdr *header)
{
    const void *data = header + 1;
    size_t size = header->cmsg_len - sizeof(*header);

    if (header->cmsg_level != SOL_SOCKET) {
        return 0;
    }
    switch (header->cmsg_type) {
    case SCM_RIGHTS:
        return add_files(control, data, size / sizeof(s32));
    case SCM_CREDENTIALS:
        return size != sizeof(struct ucred) ? -EINVAL : set_credentials(control, data);
    default:
        return -EINVAL;
    }
}

static long parse_control(struct control *control, const u8 *data, u64 size)
{
    for (u64 at = 0; at + sizeof(struct cmsghdr) <= size;) {
        const struct cmsghdr *header = (const struct cmsghdr *)(data + at);
        if (header->cmsg_len < sizeof(*header) || header->cmsg_len > size - at) {
            return -EINVAL;
        }
        long error = parse_one(control, header);
        if (error < 0) {
            return error;
        }
        at += align_control(header->cmsg_len);
    }
    return 0;
}

static long get_control(struct control *control, const struct msghdr *message)
{
    if (message->msg_control == NULL || message->msg_controllen == 0) {
        return 0;
    }
    if (message->msg_controllen > MOST_CONTROL) {
        return -ENOBUFS;
    }
    u8 *data = zalloc(message->msg_controllen);
    if (data == NULL) {
        return -ENOMEM;
    }
    long error = copy_from_user(data, message->msg_control, message->msg_controllen);
    if (error == 0) {
        error = parse_control(control, data, message->msg_controllen);
    }
    release(data);
    return error;
}

/* Appends one control message to what the program has room for; what does not fit is cut. */
static long put_one(struct msghdr *message, u64 *used, int type, const void *data, size_t size)
{
    u64 room = message->msg_controllen - *used;
    struct cmsghdr header = {.cmsg_level = SOL_SOCKET, .cmsg_type = type, .cmsg_len = sizeof(header) + size};
    u8 __user *to = (u8 __user *)message->msg_control + *used;

    if (room < sizeof(header)) {
        message->msg_flags |= MSG_CTRUNC;
        return 0;
    }
    if (header.cmsg_len > room) {
        message->msg_flags |= MSG_CTRUNC;
        header.cmsg_len = room;
    }
    if (copy_to_user(to, &header, sizeof(header)) < 0 ||
        copy_to_user(to + sizeof(header), data, header.cmsg_len - sizeof(header)) < 0) {
        return -EFAULT;
    }
    *used += min(align_control(header.cmsg_len), room);
    return 0;
}

/* As many files as there is room for become descriptors; the others are dropped. */
static long put_files(struct msghdr *message, u64 *used, struct received *got, bool close_on_exec)
{
    s32 fds[SCM_MAX_FD];
    u64 room = message->msg_controllen - *used;
    u32 fit = room < sizeof(struct cmsghdr) ? 0 : (room - sizeof(struct cmsghdr)) / sizeof(s32), count = 0;

    while (count < fit && count < got->file_count) {
        struct file *file = got->files[count];
        InterlockedIncrement(&file->refs);
        long fd = fd_install(current_task()->files, file, 0, close_on_exec);
        if (fd < 0) {
            break;
        }
        fds[count++] = fd;
    }
    message->msg_flags |= count < got->file_count ? MSG_CTRUNC : 0;
    return count != 0 ? put_one(message, used, SCM_RIGHTS, fds, count * sizeof(s32)) : 0;
}

static long put_control(const struct sock *sock, struct msghdr *message, struct received *got, u32 flags)
{
    u64 used = 0;
    long error = 0;

    if (sock->pass_credentials && got->any) {
        error = put_one(message, &used, SCM_CREDENTIALS, &got->cred, sizeof(got->cred));
    }
    if (error == 0 && got->file_count != 0) {
        error = put_files(message, &used, got, (flags & MSG_CMSG_CLOEXEC) != 0);
    }
    message->msg_controllen = used;
    return error;
}

/* ---- Sending ---- */

long sys_sendto(int fd, const void __user *base, size_t size, u32 flags, const void __user *address,
                int address_size)
{
    struct control none = {0};
    struct sockaddr_un name;
    SOCKET_FILE file = NULL;
    u32 length = 0;

    long error = get_socket(fd, &file);
    if (error < 0) {
        return error;
    }
    error = !access_ok(base, size) ? -EFAULT : 0;
    if (error == 0 && address != NULL) {
        error = get_address(address, address_size, &name, &length);
    }
    struct iobuf buf = user_buf(base, min(size, MAX_RW_COUNT));
    return error < 0 ? error
                     : sock_send(file->data, &buf, &name, length, address != NULL, &none, flags_of(file, flags));
}

/* Reads a program's message header, and what it leads to. *pieces is released in any case. */
static long get_message(const struct msghdr __user *user, struct msghdr *message, struct iovec **pieces,
                        struct iobuf *buf)
{
    if (copy_from_user(message, user, sizeof(*message)) < 0) {
        return -EFAULT;
    }
    if (message->msg_iovlen > IOV_MAX) {
        return -EMSGSIZE;
    }
    return get_vector(message->msg_iov, message->msg_iovlen, pieces, buf);
}

static long send_message(struct file *file, const struct msghdr __user *user, u32 flags)
{
    struct iovec *pieces = NULL;
    struct control control = {0};
    struct sockaddr_un name;
    struct msghdr message;
    struct iobuf buf;
    u32 length = 0;

    long result = get_message(user, &message, &pieces, &buf);
    bool named = result == 0 && message.msg_name != NULL && message.msg_namelen != 0;
    if (named) {
        result = get_address(message.msg_name, message.msg_namelen, &name, &length);
    }
    if (result == 0) {
        result = get_control(&control, &message);
    }
    if (result == 0) {
        result = sock_send(file->data, &buf, &name, length, named, &control, flags_of(file, flags));
    }
    control_put(&control);
    release(pieces);
    return result;
}

long sys_sendmsg(int fd, const struct msghdr __user *message, u32 flags)
{
    SOCKET_FILE file = NULL;
    long error = get_socket(fd, &file);
    return error < 0 ? error : send_message(file, message, flags);
}

long sys_sendmmsg(int fd, struct mmsghdr __user *messages, u32 count, u32 flags)
{
    SOCKET_FILE file = NULL;
    u32 done = 0;
    long result = get_socket(fd, &file);
    if (result < 0) {
        return result;
    }
    for (count = min(count, IOV_MAX); done < count && result >= 0; done += result >= 0) {
        result = send_message(file, &messages[done].msg_hdr, flags);
        u32 length = result;
        if (result >= 0 && copy_to_user(&messages[done].msg_len, &length, sizeof(length)) < 0) {
            result = -EFAULT;
        }
    }
    return done != 0 ? (long)done : result;
}

/* ---- Receiving ---- */

long sys_recvfrom(int fd, void __user *base, size_t size, u32 flags, void __user *address,
                  s32 __user *address_size)
{
    struct received got = {0};
    SOCKET_FILE file = NULL;

    long result = get_socket(fd, &file);
    if (result < 0) {
        return result;
    }
    struct iobuf buf = user_buf(base, min(size, MAX_RW_COUNT));
    result = access_ok(base, size) ? sock_receive(file->data, &buf, &got, flags_of(file, flags)) : -EFAULT;
    if (result >= 0 && address != NULL) {
        s32 none = 0;
        long error = got.from != NULL ? put_address(got.from, address, address_size)
                                      : copy_to_user(address_size, &none, sizeof(none));
        result = error < 0 ? error : result;
    }
    received_put(&got);
    return result;
}

/* Writes the header back: name, control messages, flags. */
static long put_message(struct sock *sock, struct msghdr __user *user, struct msghdr *message,
                        struct received *got, u32 flags)
{
    long error = put_control(sock, message, got, flags);

    if (error == 0 && message->msg_name != NULL && got->from != NULL) {
        error = put_address(got->from, message->msg_name, (s32 __user *)&user->msg_namelen);
    } else if (error == 0) {
        s32 none = 0;
        error = copy_to_user(&user->msg_namelen, &none, sizeof(none));
    }
    message->msg_flags |= got->truncated ? MSG_TRUNC : 0;
    if (error < 0 || copy_to_user(&user->msg_flags, &message->msg_flags, sizeof(message->msg_flags)) < 0 ||
        copy_to_user(&user->msg_controllen, &message->msg_controllen, sizeof(message->msg_controllen)) < 0) {
        return -EFAULT;
    }
    return 0;
}

static long receive_message(struct file *file, struct msghdr __user *user, u32 flags)
{
    struct received got = {0};
    struct iovec *pieces = NULL;
    struct msghdr message;
    struct iobuf buf;

    long result = get_message(user, &message, &pieces, &buf);
    if (result == 0) {
        result = sock_receive(file->data, &buf, &got, flags_of(file, flags));
    }
    if (result >= 0) {
        message.msg_flags = flags & MSG_CMSG_CLOEXEC;
        long error = put_message(file->data, user, &message, &got, flags);
        result = error < 0 ? error : result;
    }
    received_put(&got);
    release(pieces);
    return result;
}

long sys_recvmsg(int fd, struct msghdr __user *message, u32 flags)
{
    SOCKET_FILE file = NULL;
    long error = get_socket(fd, &file);
    return error < 0 ? error : receive_message(file, message, flags);
}

static long receive_messages(struct file *file, struct mmsghdr __user *messages, u32 count, u32 flags,
                             u64 deadline)
{
    u32 done = 0;
    long result = 0;

    for (count = min(count, IOV_MAX); done < count && result >= 0; done += result >= 0) {
        u32 wait_flags = done != 0 && (flags & MSG_WAITFORONE) ? MSG_DONTWAIT : 0;
        if (done != 0 && deadline != FOREVER && monotonic_ns() >= deadline) {
            break;
        }
        result = receive_message(file, &messages[done].msg_hdr, (flags & ~MSG_WAITFORONE) | wait_flags);
        u32 length = result;
        if (result >= 0 && copy_to_user(&messages[done].msg_len, &length, sizeof(length)) < 0) {
            result = -EFAULT;
        }
    }
    return done != 0 ? (long)done : result;
}

/* The time-out is looked at between messages, as Linux documents. */
long sys_recvmmsg(int fd, struct mmsghdr __user *messages, u32 count, u32 flags,
                  struct timespec __user *timeout)
{
    SOCKET_FILE file = NULL;
    u64 ns, deadline = FOREVER;

    if (timeout != NULL) {
        long error = get_timespec(timeout, &ns);
        if (error < 0) {
            return error;
        }
        deadline = deadline_after(ns);
    }
    long error = get_socket(fd, &file);
    return error < 0 ? error : receive_messages(file, messages, count, flags, deadline);
}

/* ---- Options ---- */

static long put_option(void __user *to, s32 __user *user_size, const void *value, s32 size)
{
    s32 room;

    if (copy_from_user(&room, user_size, sizeof(room)) < 0) {
        return -EFAULT;
    }
    if (room < 0) {
        return -EINVAL;
    }
    size = min(room, size);
    return copy_to_user(to, value, size) < 0 ? -EFAULT : copy_to_user(user_size, &size, sizeof(size));
}

static struct timeval timeout_of(u64 ns)
{
    return ns == FOREVER ? (struct timeval){0}
                         : (struct timeval){ns / NS_PER_SECOND, ns % NS_PER_SECOND / 1000};
}

static s32 take_error(struct sock *sock)
{
    mutex_lock(&sock->lock);
    s32 error = sock->error;
    sock->error = 0;
    mutex_unlock(&sock->lock);
    return error;
}

static long get_option(struct sock *sock, int option, void __user *to, s32 __user *size)
{
    struct timeval time;
    s32 value = 0;

    switch (option) {
    case SO_TYPE:
        value = sock->type;
        break;
    case SO_DOMAIN:
        value = AF_UNIX;
        break;
    case SO_ERROR:
        value = take_error(sock);
        break;
    case SO_ACCEPTCONN:
        value = sock->state == SOCK_LISTENING;
        break;
    case SO_PASSCRED:
        value = sock->pass_credentials;
        break;
    case SO_SNDBUF:
    case SO_RCVBUF:
        value = sock->limit;
        break;
    case SO_PROTOCOL:
    case SO_REUSEADDR:
    case SO_KEEPALIVE:
    case SO_BROADCAST:
        break;
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
        time = timeout_of(option == SO_RCVTIMEO ? sock->receive_timeout : sock->send_timeout);
        return put_option(to, size, &time, sizeof(time));
    case SO_PEERCRED:
        return put_option(to, size,
                          sock->state == SOCK_CONNECTED ? &sock->peer_cred : &(struct ucred){0, ~0U, ~0U},
                          sizeof(struct ucred));
    default:
        return -ENOPROTOOPT;
    }
    return put_option(to, size, &value, sizeof(value));
}

long sys_getsockopt(int fd, int level, int option, void __user *value, s32 __user *size)
{
    SOCKET_FILE file = NULL;
    long error = get_socket(fd, &file);
    if (error < 0) {
        return error;
    }
    return level != SOL_SOCKET ? -EOPNOTSUPP : get_option(file->data, option, value, size);
}

static long set_timeout(u64 *ns, const void __user *value, u32 size)
{
    struct timeval time;

    if (size < sizeof(time)) {
        return -EINVAL;
    }
    if (copy_from_user(&time, value, sizeof(time)) < 0) {
        return -EFAULT;
    }
    if (time.tv_usec < 0 || time.tv_usec >= 1000000) {
        return -EDOM;
    }
    u64 all = time.tv_sec < 0 ? 1 : min(time.tv_sec, 1UL << 32) * NS_PER_SECOND + time.tv_usec * 1000UL;
    *ns = all == 0 ? FOREVER : all;
    return 0;
}

static long set_option(struct sock *sock, int option, const void __user *user, u32 size)
{
    s32 value;

    if (option == SO_RCVTIMEO || option == SO_SNDTIMEO) {
        return set_timeout(option == SO_RCVTIMEO ? &sock->receive_timeout : &sock->send_timeout, user, size);
    }
    if (size < sizeof(value)) {
        return -EINVAL;
    }
    if (copy_from_user(&value, user, sizeof(value)) < 0) {
        return -EFAULT;
    }
    switch (option) {
    case SO_PASSCRED:
        sock->pass_credentials = value != 0;
        return 0;
    case SO_SNDBUF:
    case SO_RCVBUF: /* one limit for both, which is twice what is asked for, as Linux tells it */
        sock->limit = min((u32)value < 2304 ? 4608UL : 2UL * (u32)value, MOST_BUFFER);
        return 0;
    case SO_REUSEADDR: /* of no meaning for these sockets */
    case SO_KEEPALIVE:
    case SO_BROADCAST:
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

long sys_setsockopt(int fd, int level, int option, const void __user *value, int size)
{
    SOCKET_FILE file = NULL;
    long error = get_socket(fd, &file);
    if (error < 0) {
        return error;
    }
    return size < 0              ? -EINVAL
           : level != SOL_SOCKET ? -EOPNOTSUPP
                                 : set_option(file->data, option, value, size);
}

static long socket_start(void)
{
    unix_start();
    return 0;
}

const struct file_kind socket_kind = {.start = socket_start};
