/*
 * libportico.so: a kernel with processes, descriptors and sockets over a TCP/IP stack in user space, as a library.
 *
 * "./portico native" builds it. A program includes this file, links with -lportico, and has a machine of its own inside:
 *
 *     portico_kernel *kernel = portico_kernel_create();
 *     portico_process *process = portico_process_create(kernel, "example", 0, 0);
 *     int fd = portico_socket(process, AF_INET, SOCK_STREAM, 0);
 *
 * System calls are those of Linux: arguments, structures, flags and errors are what the C library's headers say, and the
 * man page that is named with each is right here, too. A call returns -1 and sets errno where it fails; "Errors" lists what
 * is to be expected. Descriptors are the process's own, and mean nothing to the C library, nor do its descriptors here.
 * Null pointers are EFAULT where Linux says so; other wrong pointers are the program's end.
 *
 * Any thread may make any call, several at a time. Packets are bare IPv4 and IPv6 packets, without a link header.
 *
 * What begins with packetdrill_ is the interface of google/packetdrill's --so_filename, which its packetdrill.h describes.
 */
#ifndef PORTICO_H
#define PORTICO_H

#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct portico_kernel portico_kernel;
typedef struct portico_process portico_process;
typedef struct portico_device portico_device;
struct mmsghdr;

/* The version of the library, such as "0.1.0"; not to be freed. */
const char *portico_version(void);

/* ---- Kernels. ---- */

/* Makes a kernel in real time: timers fire by themselves, on a thread of the library. */
portico_kernel *portico_kernel_create(void);

/* Makes a kernel in virtual time, which begins at 0 and passes only in portico_time_run, in portico_device_receive, and in
   calls that block on the thread that made the kernel; such a call fails with EDEADLK when nothing is left that could
   happen. The same calls at the same times with the same seed give the same packets. */
portico_kernel *portico_kernel_create_virtual(uint64_t seed);

/* Ends all processes, whose calls that wait return EINTR, and frees the kernel with its processes and devices. No other
   thread may make calls any more. Null is passed over. */
void portico_kernel_destroy(portico_kernel *kernel);

/* The kernel's time, in nanoseconds since it was made; CLOCK_MONOTONIC of its processes. */
int64_t portico_time_now(portico_kernel *kernel);

/* Lets so many nanoseconds of virtual time pass, and fires the timers that are due. 1 when all of it has passed; 0 where a
   blocked call was woken before: the time then stands at that instant, and is to go on when portico_time_blocked says that
   the call is over or waits again. Errors: EINVAL in real time, or for a negative time. */
int portico_time_run(portico_kernel *kernel, int64_t nanoseconds);

/* How many calls wait, in virtual time; 0 also while one of them has been woken and runs. Errors: EINVAL in real time. */
int portico_time_blocked(portico_kernel *kernel);

/* ---- Processes. ---- */

/* Makes a process with no descriptors (name null: "portico"). User 0 is privileged. */
portico_process *portico_process_create(portico_kernel *kernel, const char *name, unsigned int user, unsigned int group);

/* Makes a process with the same descriptors (fork(2)). */
portico_process *portico_process_fork(portico_process *process);

/* Closes the descriptors of a process, has its waiting calls return EINTR, and frees it. Null is passed over. */
void portico_process_exit(portico_process *process);

/* Sets up the network, as a privileged process: "sysctl net.ipv4.tcp_sack=0", "ip addr add 192.0.2.1/24 dev tun0",
   "ip route add default via 192.0.2.254 dev tun0", "ip link set tun0 mtu 1400", "tc qdisc add dev tun0 root pfifo",
   "ethtool -K tun0 gso off", "nstat". No program is run. What the command shows goes to output, of size bytes, with a
   0 byte at the end; returns how long it is. Errors: EINVAL for a command that there is not, or that fails. */
ssize_t portico_command(portico_process *process, const char *line, char *output, size_t size);

/* A system call by its number, that of x86-64 (syscalls(2)), for those that have no function here. Errors: ENOSYS. */
long portico_syscall(portico_process *process, long number, long a0, long a1, long a2, long a3, long a4, long a5);

/* ---- Network devices. ---- */

/* Makes a device of bare IP packets of at most mtu bytes (68 to 65535), whose other end is the program. It is up and has no
   address yet. At most queue packets are kept for portico_device_receive; more are dropped. Null and EINVAL for a wrong
   argument, a name of more than 15 bytes included; null and EEXIST for a name that there is. */
portico_device *portico_device_create(portico_kernel *kernel, const char *name, int mtu, int queue);

/* Removes a device with its addresses and routes. Null is passed over. */
void portico_device_destroy(portico_device *device);

/* A packet comes in at the device. The bytes are copied. In virtual time it has been handled when this returns. Errors:
   EINVAL for a length that no packet has, ENOBUFS where the memory for packets is used up. */
int portico_device_send(portico_device *device, const void *packet, size_t length);

/* The packet that went out first, and the time at which it did, in the kernel's nanoseconds (null: of no interest). Waits at
   most timeout milliseconds, negative: without end; in virtual time this lets time pass. Returns the packet's length, also
   where the buffer is smaller and got only its beginning. Errors: EAGAIN where none came; in virtual time EINTR where a
   blocked call was woken, which may send, and EDEADLK without a timeout where nothing is left that could happen. */
ssize_t portico_device_receive(portico_device *device, void *buffer, size_t size, int64_t *nanoseconds, int timeout);

/* How many packets that went out were dropped, since nobody took those before them. */
int64_t portico_device_drops(portico_device *device);

/* ---- Sockets. ---- */

/* Makes a socket (socket(2)): AF_INET, AF_INET6, AF_UNIX, AF_PACKET; SOCK_CLOEXEC and SOCK_NONBLOCK may be or-ed
   to the type. Returns the descriptor. Errors: EAFNOSUPPORT, EPROTONOSUPPORT, EINVAL, EPERM, EMFILE, ENFILE, ENOMEM. */
int portico_socket(portico_process *process, int domain, int type, int protocol);

/* Makes two sockets that are connected to each other (socketpair(2)). Errors: as socket, EOPNOTSUPP, EFAULT. */
int portico_socketpair(portico_process *process, int domain, int type, int protocol, int descriptors[2]);

/* Names a socket (bind(2)). Errors: EBADF, ENOTSOCK, EINVAL, EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT, EFAULT. */
int portico_bind(portico_process *process, int fd, const struct sockaddr *address, socklen_t length);

/* Takes connections from now on, at most backlog that nobody has accepted (listen(2)). Errors: EBADF, ENOTSOCK,
   EOPNOTSUPP, EINVAL, EADDRINUSE. */
int portico_listen(portico_process *process, int fd, int backlog);

/* The next connection of a listener, as a new descriptor (accept(2)); address may be null. Errors: EBADF, ENOTSOCK,
   EINVAL, EAGAIN, EINTR, EMFILE, ECONNABORTED. */
int portico_accept(portico_process *process, int fd, struct sockaddr *address, socklen_t *length);

/* accept with SOCK_CLOEXEC and SOCK_NONBLOCK (accept4(2)). Errors: as accept. */
int portico_accept4(portico_process *process, int fd, struct sockaddr *address, socklen_t *length, int flags);

/* Connects (connect(2)). Errors: EBADF, ENOTSOCK, EINPROGRESS, EALREADY, EISCONN, ECONNREFUSED, ECONNRESET, ETIMEDOUT,
   ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EINTR, EFAULT. */
int portico_connect(portico_process *process, int fd, const struct sockaddr *address, socklen_t length);

/* Ends one direction or both: SHUT_RD, SHUT_WR, SHUT_RDWR (shutdown(2)). Errors: EBADF, ENOTSOCK, ENOTCONN, EINVAL. */
int portico_shutdown(portico_process *process, int fd, int how);

/* The socket's own name (getsockname(2)). Errors: EBADF, ENOTSOCK, EINVAL. */
int portico_getsockname(portico_process *process, int fd, struct sockaddr *address, socklen_t *length);

/* The peer's name (getpeername(2)). Errors: EBADF, ENOTSOCK, ENOTCONN, EINVAL. */
int portico_getpeername(portico_process *process, int fd, struct sockaddr *address, socklen_t *length);

/* An option (getsockopt(2), socket(7), ip(7), ipv6(7), tcp(7)). Errors: EBADF, ENOTSOCK, ENOPROTOOPT, EINVAL. */
int portico_getsockopt(portico_process *process, int fd, int level, int option, void *value, socklen_t *length);

/* Sets an option (setsockopt(2)). Errors: EBADF, ENOTSOCK, ENOPROTOOPT, EINVAL, EPERM, EDOM, EFAULT. */
int portico_setsockopt(portico_process *process, int fd, int level, int option, const void *value, socklen_t length);

/* ---- Messages. Lengths are bytes; the flags are MSG_DONTWAIT and those of the man pages. ---- */

/* Sends on a connected socket (send(2)). Errors: EBADF, ENOTSOCK, EAGAIN, EPIPE, ENOTCONN, EDESTADDRREQ, EMSGSIZE,
   ECONNRESET, ENOBUFS, EINTR, EFAULT. */
ssize_t portico_send(portico_process *process, int fd, const void *buffer, size_t count, int flags);

/* Sends to an address (sendto(2)). Errors: as send, EISCONN, ENETUNREACH, EHOSTUNREACH, EINVAL. */
ssize_t portico_sendto(portico_process *process, int fd, const void *buffer, size_t count, int flags,
    const struct sockaddr *address, socklen_t length);

/* Sends pieces with control messages (sendmsg(2)). Errors: as sendto. */
ssize_t portico_sendmsg(portico_process *process, int fd, const struct msghdr *message, int flags);

/* Sends several messages; returns how many (sendmmsg(2)). Errors: as sendmsg. */
int portico_sendmmsg(portico_process *process, int fd, struct mmsghdr *messages, unsigned int count, int flags);

/* Receives (recv(2)); 0 at the end of a stream. Errors: EBADF, ENOTSOCK, EAGAIN, ECONNREFUSED, ECONNRESET, ETIMEDOUT,
   ENOTCONN, EINTR, EFAULT. */
ssize_t portico_recv(portico_process *process, int fd, void *buffer, size_t count, int flags);

/* Receives, and says from whom (recvfrom(2)); address may be null. Errors: as recv. */
ssize_t portico_recvfrom(portico_process *process, int fd, void *buffer, size_t count, int flags,
    struct sockaddr *address, socklen_t *length);

/* Receives pieces with control messages, or from the error queue (recvmsg(2)). Errors: as recv. */
ssize_t portico_recvmsg(portico_process *process, int fd, struct msghdr *message, int flags);

/* Receives several messages; returns how many (recvmmsg(2)); timeout may be null. Errors: as recvmsg, EINVAL. */
int portico_recvmmsg(portico_process *process, int fd, struct mmsghdr *messages, unsigned int count, int flags,
    struct timespec *timeout);

/* ---- Descriptors and files. Lengths and offsets are bytes. ---- */

/* Opens or makes a file of the kernel's own file system (open(2)). Errors: ENOENT, EEXIST, EISDIR, ENOTDIR, EACCES,
   ELOOP, EMFILE, ENFILE, ENAMETOOLONG, EFAULT. */
int portico_open(portico_process *process, const char *path, int flags, unsigned int mode);

/* open from a directory, or from AT_FDCWD (openat(2)). Errors: as open, EBADF. */
int portico_openat(portico_process *process, int directory, const char *path, int flags, unsigned int mode);

/* Gives a descriptor back (close(2)). Errors: EBADF. */
int portico_close(portico_process *process, int fd);

/* Closes a range (close_range(2)). Errors: EINVAL. */
int portico_close_range(portico_process *process, unsigned int first, unsigned int last, unsigned int flags);

/* A second descriptor (dup(2)). Errors: EBADF, EMFILE. */
int portico_dup(portico_process *process, int fd);

/* A second descriptor with a number of the caller's choice (dup2(2)). Errors: EBADF, EMFILE. */
int portico_dup2(portico_process *process, int fd, int other);

/* dup2 with O_CLOEXEC (dup3(2)). Errors: as dup2, EINVAL. */
int portico_dup3(portico_process *process, int fd, int other, int flags);

/* F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETPIPE_SZ, F_SETPIPE_SZ, ... (fcntl(2)); the argument is always there, and
   ignored where a command has none. Errors: EBADF, EINVAL, EMFILE, EPERM, EBUSY. */
int portico_fcntl(portico_process *process, int fd, int command, long argument);

/* FIONREAD, FIONBIO, SIOCOUTQ, SIOCGIF..., terminals' requests (ioctl(2)); a request that takes a number takes it as the
   pointer. Errors: EBADF, ENOTTY, EINVAL, EFAULT. */
int portico_ioctl(portico_process *process, int fd, unsigned long request, void *argument);

/* Reads; 0 at the end (read(2)). Errors: EBADF, EAGAIN, EINTR, EINVAL, EISDIR, EFAULT, and those of recv. */
ssize_t portico_read(portico_process *process, int fd, void *buffer, size_t count);

/* Writes (write(2)). Errors: EBADF, EAGAIN, EINTR, EINVAL, EPIPE, ENOSPC, EFBIG, EFAULT, and those of send. */
ssize_t portico_write(portico_process *process, int fd, const void *buffer, size_t count);

/* Reads into pieces (readv(2)). Errors: as read, EINVAL for more than 1024 pieces. */
ssize_t portico_readv(portico_process *process, int fd, const struct iovec *pieces, int count);

/* Writes pieces (writev(2)). Errors: as write, EINVAL for more than 1024 pieces. */
ssize_t portico_writev(portico_process *process, int fd, const struct iovec *pieces, int count);

/* Reads at an offset (pread(2)). Errors: as read, ESPIPE. */
ssize_t portico_pread(portico_process *process, int fd, void *buffer, size_t count, int64_t offset);

/* Writes at an offset (pwrite(2)). Errors: as write, ESPIPE. */
ssize_t portico_pwrite(portico_process *process, int fd, const void *buffer, size_t count, int64_t offset);

/* readv at an offset (preadv(2)). Errors: as readv, ESPIPE. */
ssize_t portico_preadv(portico_process *process, int fd, const struct iovec *pieces, int count, int64_t offset);

/* writev at an offset (pwritev(2)). Errors: as writev, ESPIPE. */
ssize_t portico_pwritev(portico_process *process, int fd, const struct iovec *pieces, int count, int64_t offset);

/* Moves the offset, and returns it (lseek(2)). Errors: EBADF, ESPIPE, EINVAL, ENXIO. */
int64_t portico_lseek(portico_process *process, int fd, int64_t offset, int whence);

/* Sets a file's length (ftruncate(2)). Errors: EBADF, EINVAL, EFBIG. */
int portico_ftruncate(portico_process *process, int fd, int64_t length);

/* Writes a file of the machine through (fsync(2)). Errors: EBADF, EINVAL. */
int portico_fsync(portico_process *process, int fd);

/* Moves bytes between a pipe and another file (splice(2)); offsets may be null. Errors: EBADF, EINVAL, ESPIPE, EAGAIN. */
ssize_t portico_splice(portico_process *process, int source, int64_t *source_offset, int target,
    int64_t *target_offset, size_t count, unsigned int flags);

/* Copies between pipes (tee(2)). Errors: EBADF, EINVAL, EAGAIN. */
ssize_t portico_tee(portico_process *process, int source, int target, size_t count, unsigned int flags);

/* Puts memory into a pipe, or takes it out (vmsplice(2)). Errors: EBADF, EINVAL, EAGAIN, EPIPE. */
ssize_t portico_vmsplice(portico_process *process, int fd, const struct iovec *pieces, size_t count,
    unsigned int flags);

/* Sends a file (sendfile(2)); offset may be null. Errors: EBADF, EINVAL, EAGAIN, EOVERFLOW, and those of write. */
ssize_t portico_sendfile(portico_process *process, int target, int source, int64_t *offset, size_t count);

/* Copies between files (copy_file_range(2)). Errors: EBADF, EINVAL, EISDIR, ENOSPC, EXDEV. */
ssize_t portico_copy_file_range(portico_process *process, int source, int64_t *source_offset, int target,
    int64_t *target_offset, size_t count, unsigned int flags);

/* ---- Pipes, events and waiting. Timeouts are milliseconds, or a timespec; negative or null waits without end. ---- */

/* Makes a pipe: the reading end, the writing end (pipe(2)). Errors: EMFILE, ENFILE. */
int portico_pipe(portico_process *process, int descriptors[2]);

/* pipe with O_CLOEXEC, O_NONBLOCK, O_DIRECT (pipe2(2)). Errors: as pipe, EINVAL. */
int portico_pipe2(portico_process *process, int descriptors[2], int flags);

/* A counter to wait for (eventfd(2)). Errors: EINVAL, EMFILE. */
int portico_eventfd(portico_process *process, unsigned int initial, int flags);

/* A timer to wait for (timerfd_create(2)). Errors: EINVAL, EMFILE. */
int portico_timerfd_create(portico_process *process, int clock, int flags);

/* Sets a timer; before may be null (timerfd_settime(2)). Errors: EBADF, EINVAL, EFAULT. */
int portico_timerfd_settime(portico_process *process, int fd, int flags, const struct itimerspec *value,
    struct itimerspec *before);

/* How long until the timer fires (timerfd_gettime(2)). Errors: EBADF, EINVAL. */
int portico_timerfd_gettime(portico_process *process, int fd, struct itimerspec *value);

/* A file without a name (memfd_create(2)). Errors: EINVAL, EMFILE, EFAULT. */
int portico_memfd_create(portico_process *process, const char *name, unsigned int flags);

/* epoll_create1(0); the size has to be positive (epoll_create(2)). Errors: EINVAL, EMFILE. */
int portico_epoll_create(portico_process *process, int size);

/* Makes an epoll instance (epoll_create1(2)). Errors: EINVAL, EMFILE. */
int portico_epoll_create1(portico_process *process, int flags);

/* Adds, changes or removes an interest (epoll_ctl(2)). Errors: EBADF, EEXIST, ENOENT, EINVAL, EPERM, ELOOP, ENOSPC, EFAULT. */
int portico_epoll_ctl(portico_process *process, int epoll, int operation, int fd, struct epoll_event *event);

/* Waits for events; returns how many (epoll_wait(2)). Errors: EBADF, EINVAL, EINTR. */
int portico_epoll_wait(portico_process *process, int epoll, struct epoll_event *events, int count, int timeout);

/* epoll_wait with a timeout to the nanosecond (epoll_pwait2(2)). Errors: as epoll_wait. */
int portico_epoll_pwait2(portico_process *process, int epoll, struct epoll_event *events, int count,
    const struct timespec *timeout);

/* Waits for descriptors; returns how many are ready (poll(2)). Errors: EINVAL, EINTR. */
int portico_poll(portico_process *process, struct pollfd *descriptors, nfds_t count, int timeout);

/* poll with a timeout to the nanosecond (ppoll(2)). Errors: as poll. */
int portico_ppoll(portico_process *process, struct pollfd *descriptors, nfds_t count, const struct timespec *timeout);

/* Waits for descriptors (select(2)). Errors: EBADF, EINVAL, EINTR. */
int portico_select(portico_process *process, int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
    struct timeval *timeout);

/* ---- Paths, which end with a 0 byte. ---- */

/* What a file is (stat(2)); the structure is x86-64's. Errors: ENOENT, ENOTDIR, EACCES, ELOOP, EFAULT. */
int portico_stat(portico_process *process, const char *path, struct stat *status);

/* stat of a symbolic link itself (lstat(2)). Errors: as stat. */
int portico_lstat(portico_process *process, const char *path, struct stat *status);

/* stat of a descriptor (fstat(2)). Errors: EBADF. */
int portico_fstat(portico_process *process, int fd, struct stat *status);

/* Whether a file may be used (access(2)). Errors: as stat, EINVAL. */
int portico_access(portico_process *process, const char *path, int mode);

/* Makes a directory (mkdir(2)). Errors: EEXIST, ENOENT, ENOTDIR, EACCES. */
int portico_mkdir(portico_process *process, const char *path, unsigned int mode);

/* Removes an empty directory (rmdir(2)). Errors: ENOENT, ENOTDIR, ENOTEMPTY, EBUSY. */
int portico_rmdir(portico_process *process, const char *path);

/* Removes a name (unlink(2)). Errors: ENOENT, EISDIR, EACCES. */
int portico_unlink(portico_process *process, const char *path);

/* Renames (rename(2)). Errors: ENOENT, EEXIST, EISDIR, ENOTDIR, ENOTEMPTY, EXDEV. */
int portico_rename(portico_process *process, const char *from, const char *to);

/* A second name (link(2)). Errors: ENOENT, EEXIST, EPERM, EXDEV. */
int portico_link(portico_process *process, const char *from, const char *to);

/* Makes a symbolic link (symlink(2)). Errors: EEXIST, ENOENT. */
int portico_symlink(portico_process *process, const char *target, const char *path);

/* Where a symbolic link points; no 0 byte at the end (readlink(2)). Errors: ENOENT, EINVAL. */
ssize_t portico_readlink(portico_process *process, const char *path, char *buffer, size_t count);

/* Sets the permission bits (chmod(2)). Errors: ENOENT, EPERM. */
int portico_chmod(portico_process *process, const char *path, unsigned int mode);

/* Sets a file's length (truncate(2)). Errors: ENOENT, EISDIR, EINVAL, EFBIG. */
int portico_truncate(portico_process *process, const char *path, int64_t length);

/* Changes the working directory (chdir(2)). Errors: ENOENT, ENOTDIR. */
int portico_chdir(portico_process *process, const char *path);

/* chdir to a descriptor (fchdir(2)). Errors: EBADF, ENOTDIR. */
int portico_fchdir(portico_process *process, int fd);

/* The working directory; returns its length with the 0 byte, as the system call does (getcwd(2)). Errors: ERANGE, ENOENT. */
ssize_t portico_getcwd(portico_process *process, char *buffer, size_t count);

/* Entries of a directory as struct linux_dirent64 (getdents64(2)). Errors: EBADF, ENOTDIR, EINVAL. */
ssize_t portico_getdents64(portico_process *process, int fd, void *buffer, size_t count);

/* Sets the permission bits that new files do not get; returns those before (umask(2)). */
int portico_umask(portico_process *process, unsigned int mask);

/* The process's id in its kernel (getpid(2)). */
int portico_getpid(portico_process *process);

/* The id of the process that forked it; 0 for none (getppid(2)). */
int portico_getppid(portico_process *process);

/* The user id (getuid(2)). */
int portico_getuid(portico_process *process);

/* The group id (getgid(2)). */
int portico_getgid(portico_process *process);

/* Sends a signal to a process of the kernel (kill(2)). Errors: ESRCH, EPERM, EINVAL. */
int portico_kill(portico_process *process, int process_id, int signal);

/* A limit (getrlimit(2)). Errors: EINVAL. */
int portico_getrlimit(portico_process *process, int resource, struct rlimit *limit);

/* Sets a limit (setrlimit(2)). Errors: EINVAL, EPERM. */
int portico_setrlimit(portico_process *process, int resource, const struct rlimit *limit);

#ifdef __cplusplus
}
#endif

#endif
