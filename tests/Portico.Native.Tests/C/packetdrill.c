/* Drives every entry of packetdrill's interface, as packetdrill does: the driving thread is this one, calls that block have another. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"

#define PORT 8080

/* The table, in the order that the contract fixes. */
static struct {
    void *self;
    void (*free)(void *);
    int (*socket)(void *, int, int, int);
    int (*bind)(void *, int, const void *, socklen_t);
    int (*listen)(void *, int, int);
    int (*accept)(void *, int, void *, socklen_t *);
    int (*connect)(void *, int, const void *, socklen_t);
    ssize_t (*read)(void *, int, void *, size_t);
    ssize_t (*readv)(void *, int, const struct iovec *, int);
    ssize_t (*recv)(void *, int, void *, size_t, int);
    ssize_t (*recvfrom)(void *, int, void *, size_t, int, void *, socklen_t *);
    ssize_t (*recvmsg)(void *, int, struct msghdr *, int);
    ssize_t (*write)(void *, int, const void *, size_t);
    ssize_t (*writev)(void *, int, const struct iovec *, int);
    ssize_t (*send)(void *, int, const void *, size_t, int);
    ssize_t (*sendto)(void *, int, const void *, size_t, int, const void *, socklen_t);
    ssize_t (*sendmsg)(void *, int, const struct msghdr *, int);
    int (*fcntl)(void *, int, int, ...);
    int (*ioctl)(void *, int, unsigned long, ...);
    int (*close)(void *, int);
    int (*shutdown)(void *, int, int);
    int (*getsockopt)(void *, int, int, int, void *, socklen_t *);
    int (*setsockopt)(void *, int, int, int, const void *, socklen_t);
    int (*poll)(void *, struct pollfd *, nfds_t, int);
    int (*netdev_send)(void *, const void *, size_t);
    int (*netdev_receive)(void *, void *, size_t *, long long *);
    int (*usleep)(void *, useconds_t);
    int (*gettimeofday)(void *, struct timeval *, void *);
    int (*epoll_create)(void *, int);
    int (*epoll_ctl)(void *, int, int, int, struct epoll_event *);
    int (*epoll_wait)(void *, int, struct epoll_event *, int, int);
    int (*pipe)(void *, int[2]);
    ssize_t (*splice)(void *, int, off64_t *, int, off64_t *, size_t, unsigned int);
} table;

static int (*blocked)(void *);
static const char *control;
static char packet[65536];

static long long now(void)
{
    struct timeval time;
    CHECK(table.gettimeofday(table.self, &time, NULL) == 0);
    return time.tv_sec * 1000000LL + time.tv_usec;
}

static void peer_send(struct peer *peer, uint8_t flags, const char *data)
{
    size_t length = peer_packet(peer, packet, flags, data, strlen(data));
    CHECK(table.netdev_send(table.self, packet, length) == 0);
}

/* The next packet, which is to be there at once; its payload is to be the text. */
static uint8_t expect(struct peer *peer, const char *text)
{
    size_t size = sizeof packet;
    long long stamp = 0, before = now();
    const void *data;
    uint8_t flags;
    CHECK(table.netdev_receive(table.self, packet, &size, &stamp) == 0);
    CHECK(size > 0 && stamp >= before && stamp == now());
    size_t length = peer_read(peer, packet, &flags, &data);
    CHECK(length == strlen(text) && memcmp(data, text, length) == 0);
    return flags;
}

static int make_listener(void)
{
    struct sockaddr_in address = address_of("0.0.0.0", PORT);
    int one = 1, fd = table.socket(table.self, AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && fd < 900);
    CHECK(table.setsockopt(table.self, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
    CHECK(table.bind(table.self, fd, &address, sizeof address) == 0);
    CHECK(table.listen(table.self, fd, 1) == 0);
    return fd;
}

static int take_connection(int listener, struct peer *peer, uint16_t port)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    *peer = (struct peer){.local_port = PORT, .remote_port = port, .sequence = 1000};
    peer_send(peer, TH_SYN, "");
    CHECK(expect(peer, "") == (TH_SYN | TH_ACK));
    peer_send(peer, TH_ACK, "");
    int fd = table.accept(table.self, listener, &address, &length);
    CHECK(fd >= 0 && fd < 900 && fd != listener);
    CHECK(length == sizeof address && address.sin_port == htons(port));
    return fd;
}

static void test_time(void)
{
    long long start = now();
    CHECK(now() == start);
    CHECK(table.usleep(table.self, 12345) == 0);
    CHECK(now() == start + 12345);
}

static void test_receiving(int fd, struct peer *peer)
{
    char text[64];
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int count = 0;
    peer_send(peer, TH_ACK | TH_PUSH, "abcdefghij");
    CHECK(table.ioctl(table.self, fd, FIONREAD, &count) == 0 && count == 10);
    CHECK(table.read(table.self, fd, text, 2) == 2 && memcmp(text, "ab", 2) == 0);
    struct iovec pieces[2] = {{text, 1}, {text + 1, 1}};
    CHECK(table.readv(table.self, fd, pieces, 2) == 2 && memcmp(text, "cd", 2) == 0);
    CHECK(table.recv(table.self, fd, text, 2, MSG_PEEK) == 2 && memcmp(text, "ef", 2) == 0);
    CHECK(table.recvfrom(table.self, fd, text, 2, 0, &address, &length) == 2 && memcmp(text, "ef", 2) == 0);
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    CHECK(table.recvmsg(table.self, fd, &message, 0) == 2 && memcmp(text, "gh", 2) == 0);
    CHECK_FAILS(EFAULT, table.read(table.self, fd, NULL, 1));
    CHECK(table.read(table.self, fd, text, sizeof text) == 2);
    CHECK_FAILS(EAGAIN, table.recv(table.self, fd, text, sizeof text, MSG_DONTWAIT));
    CHECK_FAILS(EBADF, table.read(table.self, 899, text, 1));
}

static void test_sending(int fd, struct peer *peer)
{
    struct iovec pieces[2] = {{"3", 1}, {"4", 1}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    CHECK(table.write(table.self, fd, "12", 2) == 2);
    CHECK(expect(peer, "") == TH_ACK);
    CHECK(expect(peer, "12") == (TH_PUSH | TH_ACK));
    peer_send(peer, TH_ACK, "");
    CHECK(table.writev(table.self, fd, pieces, 2) == 2);
    expect(peer, "34");
    peer_send(peer, TH_ACK, "");
    CHECK(table.send(table.self, fd, "56", 2, 0) == 2);
    expect(peer, "56");
    peer_send(peer, TH_ACK, "");
    CHECK(table.sendto(table.self, fd, "78", 2, 0, NULL, 0) == 2);
    expect(peer, "78");
    peer_send(peer, TH_ACK, "");
    CHECK(table.sendmsg(table.self, fd, &message, 0) == 2);
    expect(peer, "34");
    peer_send(peer, TH_ACK, "");
    CHECK_FAILS(EFAULT, table.write(table.self, fd, NULL, 1));
}

static void test_options(int fd)
{
    struct tcp_info info;
    int value = 0;
    socklen_t length = sizeof value;
    int one = 1;
    CHECK(table.setsockopt(table.self, fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    CHECK(table.getsockopt(table.self, fd, IPPROTO_TCP, TCP_NODELAY, &value, &length) == 0 && value == 1 && length == sizeof value);
    length = sizeof info;
    CHECK(table.getsockopt(table.self, fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
    CHECK(info.tcpi_state == TCP_ESTABLISHED && info.tcpi_snd_mss > 0);
    CHECK_FAILS(ENOPROTOOPT, table.getsockopt(table.self, fd, IPPROTO_TCP, 9999, &value, &length));
}

static void test_waiting(int fd, struct peer *peer)
{
    struct pollfd descriptor = {.fd = fd, .events = POLLIN | POLLOUT};
    CHECK(table.poll(table.self, &descriptor, 1, 0) == 1 && descriptor.revents == POLLOUT);
    int epoll = table.epoll_create(table.self, 1);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, found[2];
    CHECK(epoll >= 0);
    CHECK(table.epoll_ctl(table.self, epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK(table.epoll_wait(table.self, epoll, found, 2, 0) == 0);

    /* On the driving thread a wait with a timeout lets just that time pass. */
    long long start = now();
    CHECK(table.epoll_wait(table.self, epoll, found, 2, 50) == 0);
    CHECK(now() == start + 50000);
    peer_send(peer, TH_ACK | TH_PUSH, "xyz");
    CHECK(table.epoll_wait(table.self, epoll, found, 2, -1) == 1);
    CHECK(found[0].events == EPOLLIN && found[0].data.u64 == 0x1122334455667788);
    CHECK(table.close(table.self, epoll) == 0);
}

static void test_splicing(int fd)
{
    int ends[2];
    char text[8];
    CHECK(table.pipe(table.self, ends) == 0);
    CHECK(table.splice(table.self, fd, NULL, ends[1], NULL, 2, 0) == 2);

    /* A script's NULL comes as the address of a 0. */
    off64_t from = 0, to = 0;
    CHECK(table.splice(table.self, fd, &from, ends[1], &to, 1, 0) == 1 && from == 0 && to == 0);
    from = 1;
    CHECK_FAILS(EINVAL, table.splice(table.self, fd, &from, ends[1], NULL, 1, 0));
    CHECK(table.read(table.self, ends[0], text, sizeof text) == 3 && memcmp(text, "xyz", 3) == 0);
    CHECK(table.close(table.self, ends[0]) == 0 && table.close(table.self, ends[1]) == 0);
}

/* A packet that is longer than the flag "mss" says stands for several segments. */
static void test_segments(int fd, struct peer *peer)
{
    static char data[3001];
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(data, 'x', sizeof data - 1);
    peer_send(peer, TH_ACK | TH_PUSH, data);
    CHECK(table.getsockopt(table.self, fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_rcv_mss == 1000);
    CHECK(table.read(table.self, fd, data, sizeof data) == 3000);
}

/* A connection that is reset in the queue is taken with its address all the same. */
static void test_reset_in_queue(int listener)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    struct peer peer = {.local_port = PORT, .remote_port = 43000, .sequence = 1000};
    peer_send(&peer, TH_SYN, "");
    CHECK(expect(&peer, "") == (TH_SYN | TH_ACK));
    peer_send(&peer, TH_ACK, "");
    peer_send(&peer, TH_RST | TH_ACK, "");
    int fd = table.accept(table.self, listener, &address, &length);
    CHECK(fd >= 0 && length == sizeof address && address.sin_port == htons(43000));
    CHECK(table.close(table.self, fd) == 0);
}

static long long returned_at;

static void *read_one(void *fd)
{
    char text[8];
    ssize_t count = table.read(table.self, *(int *)fd, text, sizeof text);
    returned_at = now();
    return (void *)count;
}

static void test_blocking(int fd, struct peer *peer)
{
    pthread_t thread;
    void *result;
    CHECK(blocked(table.self) == 0);
    CHECK(pthread_create(&thread, NULL, read_one, &fd) == 0);
    while (blocked(table.self) != 1)
        sched_yield();
    long long start = now();
    CHECK(table.usleep(table.self, 250000) == 0 && now() == start + 250000);
    CHECK(blocked(table.self) == 1);
    peer_send(peer, TH_ACK | TH_PUSH, "late");
    CHECK(pthread_join(thread, &result) == 0);
    CHECK((ssize_t)result == 4 && returned_at == start + 250000);
    CHECK(blocked(table.self) == 0);

    /* The same with a timer that ends the call: no more time passes than until then, however long one sleeps. */
    struct timeval timeout = {.tv_usec = 100000};
    CHECK(table.setsockopt(table.self, fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0);
    start = now();
    CHECK(pthread_create(&thread, NULL, read_one, &fd) == 0);
    while (blocked(table.self) != 1)
        sched_yield();
    while (now() < start + 100000)
        CHECK(table.usleep(table.self, 5000000) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK((ssize_t)result == -1 && returned_at == start + 100000);
}

static void test_deadlock(int listener)
{
    size_t size = sizeof packet;
    long long stamp;
    int flags = table.fcntl(table.self, listener, F_GETFL);
    CHECK((flags & O_NONBLOCK) == 0);
    while (table.netdev_receive(table.self, packet, &size, &stamp) == 0)
        size = sizeof packet;
    CHECK(size == 0);
    CHECK_FAILS(EDEADLK, table.accept(table.self, listener, NULL, NULL));
    CHECK(table.fcntl(table.self, listener, F_SETFL, flags | O_NONBLOCK) == 0);
    CHECK_FAILS(EAGAIN, table.accept(table.self, listener, NULL, NULL));
}

static void test_connecting(void)
{
    struct sockaddr_in address = address_of(REMOTE, 80);
    struct peer peer = {.sequence = 5000};
    int fd = table.socket(table.self, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_FAILS(EINPROGRESS, table.connect(table.self, fd, &address, sizeof address));
    CHECK(expect(&peer, "") == TH_SYN);
    peer_send(&peer, TH_SYN | TH_ACK, "");
    CHECK(expect(&peer, "") == TH_ACK);
    CHECK(table.connect(table.self, fd, &address, sizeof address) == 0);
    CHECK(table.shutdown(table.self, fd, SHUT_WR) == 0);
    CHECK(expect(&peer, "") == (TH_FIN | TH_ACK));
    CHECK_FAILS(EPIPE, table.send(table.self, fd, "x", 1, MSG_NOSIGNAL));
    CHECK(table.close(table.self, fd) == 0);
}

static int has(const char *name, const char *text)
{
    char path[4096], content[65536];
    snprintf(path, sizeof path, "%s/%s", control, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    content[fread(content, 1, sizeof content - 1, file)] = 0;
    fclose(file);
    return strstr(content, text) != NULL;
}

static void say(const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/journal", control);
    FILE *file = fopen(path, "a");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* What a shell says takes effect at the next entry, also in the middle of a script; what it may want to know is in files. */
static void test_journal(void)
{
    struct peer peer;
    int listener = make_listener();
    CHECK(has("sockets", "4 0.0.0.0:8080 0.0.0.0:0 LISTEN\n"));
    int fd = take_connection(listener, &peer, 41000);
    CHECK(has("sockets", "4 192.168.0.1:8080 192.0.2.1:41000 ESTABLISHED\n"));
    CHECK(has("counters", "TcpPassiveOpens 1\n"));
    CHECK(table.close(table.self, fd) == 0);
    CHECK(expect(&peer, "") == (TH_FIN | TH_ACK));
    peer_send(&peer, TH_ACK, "");

    say("tc qdisc replace dev tun0 root pfifo limit 0\nsysctl -q net.ipv4.no_such_setting=1\n");
    say("sysctl -q net.ipv4.tcp_fastopen_cookies=0 net.ipv4.tcp_fastopen_cookies=10\n");
    peer = (struct peer){.local_port = PORT, .remote_port = 42000};
    peer_send(&peer, TH_SYN, "");
    CHECK(has("errors", "no_such_setting") && !has("errors", "tcp_fastopen_cookies"));
    say("tc qdisc replace dev tun0 root pfifo\nsysctl net.ipv4.tcp_synack_");
    long long start = now();
    CHECK(expect(&peer, "") == (TH_SYN | TH_ACK) && now() >= start + 900000);
    say("retries=0\n");
    CHECK(table.close(table.self, listener) == 0);
    CHECK(!has("sockets", "LISTEN"));
    CHECK(!has("errors", "tcp_synack"));
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    control = arguments[2];
    CHECK(setenv("PORTICO_CTL", control, 1) == 0);
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND);
    if (library == NULL)
        fprintf(stderr, "%s\n", dlerror());
    CHECK(library != NULL);
    void (*init)(const char *, void *) = (void (*)(const char *, void *))dlsym(library, "packetdrill_interface_init");
    blocked = (int (*)(void *))dlsym(library, "packetdrill_interface_blocked");
    CHECK(init != NULL && blocked != NULL && sizeof table == 33 * sizeof(void *));
    init("own=flag,mss=1000,ip_version=ipv4,local_ip=" LOCAL ",prefix_len=16,gateway_ip=192.168.0.2,remote_prefix=192.0.2.0/24,mtu=1500,anyip=0", &table);
    for (size_t i = 0; i < 33; i++)
        CHECK(((void **)&table)[i] != NULL);

    struct peer peer;
    test_time();
    int listener = make_listener();
    int fd = take_connection(listener, &peer, 40000);
    test_receiving(fd, &peer);
    test_sending(fd, &peer);
    test_options(fd);
    test_waiting(fd, &peer);
    test_splicing(fd);
    test_blocking(fd, &peer);
    test_segments(fd, &peer);
    CHECK(table.close(table.self, fd) == 0);
    CHECK_FAILS(EBADF, table.close(table.self, fd));
    test_deadlock(listener);
    test_reset_in_queue(listener);
    CHECK(table.close(table.self, listener) == 0);
    test_connecting();
    table.free(table.self);

    /* A second one, whose journal begins anew. */
    init("ip_version=ipv4,local_ip=" LOCAL ",prefix_len=16,mtu=1500", &table);
    test_journal();
    table.free(table.self);
    puts("ok");
    return 0;
}
