/* What the tests in C need: a check that says where it failed, and a peer that speaks enough TCP to be connected to. */
#ifndef CHECK_H
#define CHECK_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                        \
    do {                                                                                        \
        int error_ = errno;                                                                     \
        if (!(condition)) {                                                                     \
            fprintf(stderr, "%s:%d: %s (errno %d, %s)\n", __FILE__, __LINE__, #condition, error_, strerror(error_)); \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

/* The call returns -1 and sets errno. */
#define CHECK_FAILS(error, call)        \
    do {                                \
        errno = 0;                      \
        CHECK((call) == -1);            \
        CHECK(errno == (error));        \
    } while (0)

#define LOCAL "192.168.0.1"
#define REMOTE "192.0.2.1"

/* One end of a connection, as its packets need it. */
struct peer {
    uint16_t local_port, remote_port; /* those of the stack, and of the peer */
    uint32_t sequence, acknowledgment;
};

static uint16_t fold(const void *data, size_t length, uint32_t sum)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        sum += i % 2 ? bytes[i] : bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Writes a segment from the peer to the stack; returns its length. */
static inline size_t peer_packet(struct peer *peer, void *packet, uint8_t flags, const void *data, size_t length)
{
    struct iphdr *ip = packet;
    struct tcphdr *tcp = (struct tcphdr *)(ip + 1);
    size_t total = sizeof *ip + sizeof *tcp + length;
    memset(packet, 0, sizeof *ip + sizeof *tcp);
    ip->version = 4;
    ip->ihl = 5;
    ip->ttl = 64;
    ip->protocol = IPPROTO_TCP;
    ip->tot_len = htons((uint16_t)total);
    ip->saddr = inet_addr(REMOTE);
    ip->daddr = inet_addr(LOCAL);
    ip->check = htons((uint16_t)~fold(ip, sizeof *ip, 0));
    tcp->source = htons(peer->remote_port);
    tcp->dest = htons(peer->local_port);
    tcp->seq = htonl(peer->sequence);
    tcp->ack_seq = htonl(flags & TH_ACK ? peer->acknowledgment : 0);
    tcp->doff = sizeof *tcp / 4;
    tcp->th_flags = flags;
    tcp->window = htons(65535);
    memcpy(tcp + 1, data, length);
    tcp->check = htons((uint16_t)~fold(tcp, sizeof *tcp + length, fold(&ip->saddr, 8, (uint32_t)(IPPROTO_TCP + sizeof *tcp + length))));
    peer->sequence += (uint32_t)length + !!(flags & (TH_SYN | TH_FIN));
    return total;
}

/* The payload of a segment that the stack has sent; the peer acknowledges it with its next one. */
static inline size_t peer_read(struct peer *peer, const void *packet, uint8_t *flags, const void **data)
{
    const struct iphdr *ip = packet;
    const struct tcphdr *tcp = (const struct tcphdr *)((const char *)packet + ip->ihl * 4);
    size_t length = ntohs(ip->tot_len) - ip->ihl * 4u - tcp->doff * 4u;
    CHECK(ip->protocol == IPPROTO_TCP);
    CHECK(fold(tcp, ntohs(ip->tot_len) - ip->ihl * 4u, fold(&ip->saddr, 8, (uint32_t)(IPPROTO_TCP + ntohs(ip->tot_len) - ip->ihl * 4u))) == 0xffff);
    peer->local_port = ntohs(tcp->source);
    peer->remote_port = ntohs(tcp->dest);
    peer->acknowledgment = ntohl(tcp->seq) + (uint32_t)length + !!(tcp->th_flags & (TH_SYN | TH_FIN));
    *flags = tcp->th_flags;
    *data = (const char *)tcp + tcp->doff * 4;
    return length;
}

static inline struct sockaddr_in address_of(const char *text, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(text)};
    return address;
}

#endif
