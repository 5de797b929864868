/* Drives network devices and virtual time of portico.h: a peer that is this program speaks TCP with the stack. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "check.h"
#include "portico.h"

#define PORT 8080

static portico_kernel *kernel;
static portico_process *process;
static portico_device *device;
static char packet[65536];

static void make_network(void)
{
    process = portico_process_create(kernel, "devices", 0, 0);
    device = portico_device_create(kernel, "tun0", 1500, 100);
    CHECK(process != NULL && device != NULL);
    CHECK(portico_command(process, "ip addr add " LOCAL "/16 dev tun0", NULL, 0) == 0);
    CHECK(portico_command(process, "ip route add default dev tun0", NULL, 0) == 0);
    errno = 0;
    CHECK(portico_device_create(kernel, "tun0", 1500, 100) == NULL && errno == EEXIST);
    CHECK(portico_device_create(kernel, "tun1", 67, 100) == NULL && errno == EINVAL);
    CHECK(portico_device_create(kernel, "", 1500, 100) == NULL && errno == EINVAL);
    CHECK_FAILS(EINVAL, portico_device_send(device, packet, 0));
}

static void send_segment(struct peer *peer, uint8_t flags, const char *data)
{
    CHECK(portico_device_send(device, packet, peer_packet(peer, packet, flags, data, strlen(data))) == 0);
}

static uint8_t expect(struct peer *peer, const char *text, int64_t *stamp)
{
    const void *data;
    uint8_t flags;
    CHECK(portico_device_receive(device, packet, sizeof packet, stamp, 5000) > 0);
    CHECK(peer_read(peer, packet, &flags, &data) == strlen(text) && memcmp(data, text, strlen(text)) == 0);
    return flags;
}

static int connect_peer(struct peer *peer)
{
    struct sockaddr_in address = address_of("0.0.0.0", PORT);
    int listener = portico_socket(process, AF_INET, SOCK_STREAM, 0);
    CHECK(portico_bind(process, listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(portico_listen(process, listener, 1) == 0);
    *peer = (struct peer){.local_port = PORT, .remote_port = 40000};
    send_segment(peer, TH_SYN, "");
    CHECK(expect(peer, "", NULL) == (TH_SYN | TH_ACK));
    send_segment(peer, TH_ACK, "");
    int fd = portico_accept(process, listener, NULL, NULL);
    CHECK(fd >= 0 && portico_close(process, listener) == 0);
    return fd;
}

static void *read_all(void *fd)
{
    char text[16];
    ssize_t count = portico_read(process, *(int *)fd, text, sizeof text);
    CHECK(count < 0 || portico_write(process, *(int *)fd, text, (size_t)count) == count);
    return (void *)(count < 0 ? -errno : count);
}

static void test_virtual_time(void)
{
    struct peer peer;
    pthread_t thread;
    void *result;
    int64_t stamp = -1;
    kernel = portico_kernel_create_virtual(1);
    CHECK(portico_time_now(kernel) == 0);
    make_network();
    CHECK(portico_time_run(kernel, 1500000) == 1 && portico_time_now(kernel) == 1500000);
    CHECK_FAILS(EINVAL, portico_time_run(kernel, -1));
    CHECK_FAILS(EAGAIN, portico_device_receive(device, packet, sizeof packet, NULL, 0));
    int fd = connect_peer(&peer);
    CHECK(portico_time_now(kernel) == 1500000);

    /* A call that another thread makes; time passes while it waits, and stands while it runs. */
    CHECK(pthread_create(&thread, NULL, read_all, &fd) == 0);
    while (portico_time_blocked(kernel) != 1)
        sched_yield();
    CHECK(portico_time_run(kernel, 1000000) == 1 && portico_time_now(kernel) == 2500000);
    send_segment(&peer, TH_ACK | TH_PUSH, "echo");
    CHECK(pthread_join(thread, &result) == 0 && (intptr_t)result == 4);
    CHECK(portico_time_blocked(kernel) == 0);
    CHECK(expect(&peer, "", &stamp) == TH_ACK && stamp == 2500000);
    CHECK(expect(&peer, "echo", &stamp) == (TH_ACK | TH_PUSH) && stamp == 2500000);

    /* Nobody acknowledges it: it comes again, and only that takes time. */
    peer.acknowledgment -= 4;
    CHECK(expect(&peer, "echo", &stamp) == (TH_ACK | TH_PUSH) && stamp > 2500000 && stamp == portico_time_now(kernel));
    send_segment(&peer, TH_ACK, "");
    CHECK_FAILS(EDEADLK, portico_device_receive(device, packet, sizeof packet, NULL, -1));
    CHECK_FAILS(EDEADLK, portico_read(process, fd, packet, 1));

    /* A full queue drops; a short buffer gets the beginning. */
    for (int i = 0; i < 120; i++) {
        struct peer stranger = {.local_port = 9, .remote_port = (uint16_t)(1000 + i), .sequence = 7};
        send_segment(&stranger, TH_SYN, "");
    }
    CHECK(portico_device_drops(device) == 20);
    CHECK(portico_device_receive(device, packet, 1, NULL, 0) == 40 && packet[0] == 0x45);

    /* A call that still waits ends with its process. */
    CHECK(pthread_create(&thread, NULL, read_all, &fd) == 0);
    while (portico_time_blocked(kernel) != 1)
        sched_yield();
    portico_device_destroy(device);
    portico_device_destroy(NULL);
    portico_kernel_destroy(kernel);
    CHECK(pthread_join(thread, &result) == 0 && (intptr_t)result == -EINTR);
}

static void test_real_time(void)
{
    struct peer peer;
    pthread_t thread;
    void *result;
    kernel = portico_kernel_create();
    make_network();
    CHECK_FAILS(EAGAIN, portico_device_receive(device, packet, sizeof packet, NULL, 10));
    int fd = connect_peer(&peer);
    CHECK(pthread_create(&thread, NULL, read_all, &fd) == 0);
    usleep(20000);
    send_segment(&peer, TH_ACK | TH_PUSH, "echo");
    CHECK(pthread_join(thread, &result) == 0 && (intptr_t)result == 4);
    CHECK(expect(&peer, "", NULL) == TH_ACK);
    CHECK(expect(&peer, "echo", NULL) == (TH_ACK | TH_PUSH));
    portico_kernel_destroy(kernel);
}

int main(void)
{
    test_virtual_time();
    test_real_time();
    puts("ok");
    return 0;
}
