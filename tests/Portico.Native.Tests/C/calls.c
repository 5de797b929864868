/* Drives the system calls of portico.h in real time: each is made, and does what its man page says. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "portico.h"

static portico_process *process;

static void test_processes(portico_kernel *kernel)
{
    portico_process *child = portico_process_fork(process);
    int fd = portico_eventfd(process, 0, 0);
    CHECK(portico_getpid(process) == 1 && portico_getpid(child) == 2 && portico_getppid(child) == 1);
    CHECK(portico_getuid(process) == 0 && portico_getgid(process) == 0);
    CHECK_FAILS(EBADF, portico_close(child, fd));
    CHECK(portico_kill(process, portico_getpid(child), 0) == 0);
    portico_process_exit(child);
    CHECK(portico_kill(process, 2, 0) == 0); /* a zombie, until its parent has waited for it */
    CHECK(portico_syscall(process, SYS_wait4, 2, 0, 0, 0, 0, 0) == 2);
    CHECK_FAILS(ESRCH, portico_kill(process, 2, 0));
    CHECK(portico_close(process, fd) == 0);

    struct rlimit limit;
    CHECK(portico_getrlimit(process, RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 1024);
    limit.rlim_cur = 512;
    CHECK(portico_setrlimit(process, RLIMIT_NOFILE, &limit) == 0);
    CHECK(portico_getrlimit(process, RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 512);
    CHECK(portico_syscall(process, SYS_getpid, 0, 0, 0, 0, 0, 0) == 1);
    CHECK_FAILS(ENOSYS, portico_syscall(process, 100000, 0, 0, 0, 0, 0, 0));

    portico_process *user = portico_process_create(kernel, NULL, 1000, 1001);
    CHECK(portico_getuid(user) == 1000 && portico_getgid(user) == 1001);
    CHECK_FAILS(EPERM, portico_socket(user, AF_INET, SOCK_RAW, IPPROTO_UDP));
    portico_process_exit(user);
    portico_process_exit(NULL);
}

static void test_commands(void)
{
    char text[256];
    CHECK(portico_command(process, "sysctl -n net.ipv4.tcp_sack", text, sizeof text) == 2 && strcmp(text, "1\n") == 0);
    CHECK(portico_command(process, "sysctl -q net.ipv4.tcp_sack=0", NULL, 0) == 0);
    CHECK(portico_command(process, "sysctl net.ipv4.tcp_sack", text, 4) == 22 && strcmp(text, "net") == 0);
    CHECK_FAILS(EINVAL, portico_command(process, "format /", text, sizeof text));
}

static void test_files(void)
{
    char text[64] = "";
    struct stat status;
    struct iovec in[2] = {{"ab", 2}, {"cd", 2}}, out[2] = {{text, 3}, {text + 3, 3}};
    CHECK(portico_umask(process, 022) >= 0);
    CHECK(portico_mkdir(process, "/d", 0755) == 0 && portico_chdir(process, "/d") == 0);
    CHECK(portico_getcwd(process, text, sizeof text) == 3 && strcmp(text, "/d") == 0);
    int fd = portico_open(process, "f", O_RDWR | O_CREAT | O_EXCL, 0666);
    CHECK(fd >= 0);
    CHECK_FAILS(EEXIST, portico_open(process, "/d/f", O_RDWR | O_CREAT | O_EXCL, 0666));
    CHECK(portico_write(process, fd, "0123", 4) == 4 && portico_writev(process, fd, in, 2) == 4);
    CHECK(portico_pwrite(process, fd, "x", 1, 1) == 1 && portico_pwritev(process, fd, in, 1, 2) == 2);
    CHECK(portico_lseek(process, fd, 0, SEEK_SET) == 0);
    CHECK(portico_read(process, fd, text, 2) == 2 && memcmp(text, "0x", 2) == 0);
    CHECK(portico_readv(process, fd, out, 2) == 6 && memcmp(text, "ababcd", 6) == 0);
    CHECK(portico_read(process, fd, text, 1) == 0);
    CHECK(portico_pread(process, fd, text, 2, 1) == 2 && memcmp(text, "xa", 2) == 0);
    CHECK(portico_preadv(process, fd, out, 2, 4) == 4 && memcmp(text, "abcd", 4) == 0);
    CHECK(portico_fstat(process, fd, &status) == 0 && status.st_size == 8 && S_ISREG(status.st_mode));
    CHECK(portico_ftruncate(process, fd, 4) == 0 && portico_fsync(process, fd) == 0);
    CHECK(portico_truncate(process, "f", 3) == 0 && portico_stat(process, "f", &status) == 0 && status.st_size == 3);
    CHECK(portico_chmod(process, "f", 0600) == 0 && portico_access(process, "f", R_OK) == 0);
    CHECK(portico_link(process, "f", "g") == 0 && portico_rename(process, "g", "h") == 0);
    CHECK(portico_symlink(process, "h", "s") == 0 && portico_lstat(process, "s", &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(portico_readlink(process, "s", text, sizeof text) == 1 && text[0] == 'h');
    int directory = portico_open(process, "/d", O_RDONLY | O_DIRECTORY, 0);
    int other = portico_openat(process, directory, "h", O_RDWR, 0);
    CHECK(directory >= 0 && other >= 0 && portico_fchdir(process, directory) == 0);
    CHECK(portico_getdents64(process, directory, text, sizeof text) > 0);
    int64_t from = 0, to = 3;
    CHECK(portico_copy_file_range(process, fd, &from, other, &to, 2, 0) == 2 && from == 2 && to == 5);
    CHECK(portico_unlink(process, "s") == 0 && portico_unlink(process, "h") == 0 && portico_unlink(process, "f") == 0);
    CHECK(portico_rmdir(process, "/d") == 0);
    CHECK_FAILS(ENOENT, portico_stat(process, "/d", &status));

    int second = portico_dup(process, fd);
    CHECK(portico_dup2(process, fd, 100) == 100 && portico_dup3(process, fd, 101, O_CLOEXEC) == 101);
    CHECK(portico_fcntl(process, 101, F_GETFD, 0) == FD_CLOEXEC && portico_fcntl(process, 100, F_GETFD, 0) == 0);
    CHECK(portico_close(process, second) == 0 && portico_close_range(process, 100, 101, 0) == 0);
    CHECK_FAILS(EBADF, portico_close(process, 100));
    CHECK(portico_close(process, fd) == 0 && portico_close(process, other) == 0 && portico_close(process, directory) == 0);
}

static void test_pipes(void)
{
    int a[2], b[2];
    char text[16];
    struct iovec piece = {"vmsp", 4};
    CHECK(portico_pipe(process, a) == 0 && portico_pipe2(process, b, O_NONBLOCK) == 0);
    CHECK_FAILS(EAGAIN, portico_read(process, b[0], text, 1));
    CHECK(portico_vmsplice(process, a[1], &piece, 1, 0) == 4);
    CHECK(portico_tee(process, a[0], b[1], 2, 0) == 2 && portico_splice(process, a[0], NULL, b[1], NULL, 4, 0) == 4);
    CHECK(portico_read(process, b[0], text, sizeof text) == 6 && memcmp(text, "vmvmsp", 6) == 0);
    int memory = portico_memfd_create(process, "memory", MFD_CLOEXEC);
    int64_t offset = 1;
    CHECK(portico_write(process, memory, "12345", 5) == 5);
    CHECK(portico_sendfile(process, a[1], memory, &offset, 3) == 3 && offset == 4);
    CHECK(portico_read(process, a[0], text, sizeof text) == 3 && memcmp(text, "234", 3) == 0);
    CHECK(portico_close(process, memory) == 0 && portico_close(process, a[0]) == 0 && portico_close(process, a[1]) == 0);
    CHECK(portico_close(process, b[0]) == 0 && portico_close(process, b[1]) == 0);
}

static void test_events(void)
{
    int counter = portico_eventfd(process, 3, EFD_NONBLOCK);
    uint64_t value = 0;
    CHECK(portico_read(process, counter, &value, sizeof value) == 8 && value == 3);
    CHECK_FAILS(EAGAIN, portico_read(process, counter, &value, sizeof value));

    int timer = portico_timerfd_create(process, CLOCK_MONOTONIC, 0);
    struct itimerspec spec = {.it_value.tv_nsec = 1000000}, before;
    CHECK(portico_timerfd_settime(process, timer, 0, &spec, &before) == 0 && before.it_value.tv_nsec == 0);
    CHECK(portico_read(process, timer, &value, sizeof value) == 8 && value == 1);
    CHECK(portico_timerfd_gettime(process, timer, &spec) == 0 && spec.it_value.tv_nsec == 0);

    int epoll = portico_epoll_create1(process, EPOLL_CLOEXEC), old = portico_epoll_create(process, 1);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_MAX - 1}, found[4];
    struct timespec none = {0, 0};
    CHECK(portico_epoll_ctl(process, epoll, EPOLL_CTL_ADD, counter, &event) == 0);
    CHECK_FAILS(EEXIST, portico_epoll_ctl(process, epoll, EPOLL_CTL_ADD, counter, &event));
    CHECK(portico_epoll_wait(process, epoll, found, 4, 1) == 0);
    value = 1;
    CHECK(portico_write(process, counter, &value, sizeof value) == 8);
    CHECK(portico_epoll_wait(process, epoll, found, 4, -1) == 1 && found[0].data.u64 == UINT64_MAX - 1);
    CHECK(portico_epoll_pwait2(process, epoll, found, 4, &none) == 1 && found[0].events == EPOLLIN);

    struct pollfd descriptors[2] = {{.fd = counter, .events = POLLIN}, {.fd = timer, .events = POLLIN}};
    CHECK(portico_poll(process, descriptors, 2, -1) == 1 && descriptors[0].revents == POLLIN);
    CHECK(portico_ppoll(process, descriptors, 2, &none) == 1 && descriptors[1].revents == 0);
    fd_set readable;
    struct timeval now = {0, 0};
    FD_ZERO(&readable);
    FD_SET(counter, &readable);
    FD_SET(timer, &readable);
    CHECK(portico_select(process, timer + 1, &readable, NULL, NULL, &now) == 1 && FD_ISSET(counter, &readable));
    CHECK(portico_close(process, epoll) == 0 && portico_close(process, old) == 0);
    CHECK(portico_close(process, counter) == 0 && portico_close(process, timer) == 0);
}

static void test_streams(void)
{
    struct sockaddr_in address = address_of("127.0.0.1", 0), peer;
    socklen_t length = sizeof address;
    int listener = portico_socket(process, AF_INET, SOCK_STREAM, 0);
    CHECK(portico_bind(process, listener, (struct sockaddr *)&address, sizeof address) == 0 && portico_listen(process, listener, 8) == 0);
    CHECK(portico_getsockname(process, listener, (struct sockaddr *)&address, &length) == 0 && address.sin_port != 0);

    int clients[2], servers[2], one = 1, value = 0, count = 0;
    for (int i = 0; i < 2; i++) {
        clients[i] = portico_socket(process, AF_INET, SOCK_STREAM, 0);
        CHECK(portico_connect(process, clients[i], (struct sockaddr *)&address, sizeof address) == 0);
        length = sizeof peer;
        servers[i] = i == 0 ? portico_accept(process, listener, (struct sockaddr *)&peer, &length)
                            : portico_accept4(process, listener, NULL, NULL, SOCK_NONBLOCK);
        CHECK(servers[i] >= 0);
    }

    struct sockaddr_in name;
    length = sizeof name;
    CHECK(portico_getpeername(process, servers[0], (struct sockaddr *)&name, &length) == 0 && name.sin_port == peer.sin_port);
    CHECK(portico_setsockopt(process, clients[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    length = sizeof value;
    CHECK(portico_getsockopt(process, clients[0], IPPROTO_TCP, TCP_NODELAY, &value, &length) == 0 && value == 1);

    char text[32];
    CHECK_FAILS(EAGAIN, portico_recv(process, servers[1], text, sizeof text, 0));
    CHECK(portico_send(process, clients[0], "hello", 5, 0) == 5 && portico_sendto(process, clients[0], "!", 1, 0, NULL, 0) == 1);
    CHECK(portico_recv(process, servers[0], text, 6, MSG_WAITALL) == 6 && memcmp(text, "hello!", 6) == 0);
    struct iovec piece = {"bye", 3};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    CHECK(portico_sendmsg(process, clients[0], &message, 0) == 3);
    while (count < 3)
        CHECK(portico_ioctl(process, servers[0], FIONREAD, &count) == 0);
    piece = (struct iovec){text, sizeof text};
    CHECK(portico_recvmsg(process, servers[0], &message, 0) == 3 && memcmp(text, "bye", 3) == 0);
    CHECK(portico_shutdown(process, clients[0], SHUT_WR) == 0);
    CHECK(portico_recvfrom(process, servers[0], text, sizeof text, 0, NULL, NULL) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(portico_close(process, clients[i]) == 0 && portico_close(process, servers[i]) == 0);
    CHECK(portico_close(process, listener) == 0);

    int closed = portico_socket(process, AF_INET, SOCK_STREAM, 0);
    CHECK_FAILS(ECONNREFUSED, portico_connect(process, closed, (struct sockaddr *)&address, sizeof address));
    CHECK(portico_close(process, closed) == 0);
}

static void test_datagrams(void)
{
    int pair[2];
    char one[4], two[4];
    struct iovec out[2] = {{"1", 1}, {"22", 2}}, in[2] = {{one, 4}, {two, 4}};
    struct mmsghdr sent[2] = {{.msg_hdr = {.msg_iov = out, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = out + 1, .msg_iovlen = 1}}};
    struct mmsghdr got[2] = {{.msg_hdr = {.msg_iov = in, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = in + 1, .msg_iovlen = 1}}};
    CHECK(portico_socketpair(process, AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    CHECK(portico_sendmmsg(process, pair[0], sent, 2, 0) == 2 && sent[1].msg_len == 2);
    CHECK(portico_recvmmsg(process, pair[1], got, 2, 0, NULL) == 2 && got[0].msg_len == 1 && got[1].msg_len == 2);
    CHECK(portico_close(process, pair[0]) == 0 && portico_close(process, pair[1]) == 0);
}

int main(void)
{
    portico_kernel *kernel = portico_kernel_create();
    CHECK(strlen(portico_version()) >= 5);
    process = portico_process_create(kernel, "calls", 0, 0);
    int64_t start = portico_time_now(kernel);
    test_processes(kernel);
    test_commands();
    test_files();
    test_pipes();
    test_events();
    test_streams();
    test_datagrams();
    CHECK(portico_time_now(kernel) > start);
    CHECK_FAILS(EINVAL, portico_time_run(kernel, 1));
    CHECK_FAILS(EINVAL, portico_time_blocked(kernel));
    portico_kernel_destroy(kernel);
    portico_kernel_destroy(NULL);
    puts("ok");
    return 0;
}
