#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <portico.h>

/* A machine with a UDP socket, and the wire that its packets come out on. */
int main(void)
{
    portico_kernel *kernel = portico_kernel_create_virtual(1);
    portico_process *process = portico_process_create(kernel, "example", 0, 0);
    portico_device *wire = portico_device_create(kernel, "tun0", 1500, 1000);
    portico_command(process, "ip addr add 192.0.2.1/24 dev tun0", NULL, 0);

    int fd = portico_socket(process, AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr("192.0.2.2")};
    if (portico_sendto(process, fd, "hello", 5, 0, (struct sockaddr *)&peer, sizeof peer) < 0)
        perror("sendto");

    unsigned char packet[1500];
    ssize_t length = portico_device_receive(wire, packet, sizeof packet, NULL, 0);
    printf("%zd bytes of IPv%d, protocol %d: %.5s\n", length, packet[0] >> 4, packet[9], packet + 28);
    portico_kernel_destroy(kernel);
    return 0;
}
