using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Unix;

/// <summary>Datagrams: senders that wait for the receiver, peers that change, several messages in one call, and the making of sockets.</summary>
public sealed unsafe class UnixDatagramTests
{
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    [Fact]
    public void A_sender_waits_for_a_receiver_that_has_enough() => BothKernels.Run(kit =>
    {
        long receiver = kit.Named(SOCK_DGRAM, "receiver");
        long sender = kit.Socket(AF_UNIX, SOCK_DGRAM);
        for (int i = 0; i < 11; i++)
        {
            kit.Send(sender, "x"u8, 0, Kit.Abstract("receiver"));
        }

        kit.Send(sender, "x"u8, MSG_DONTWAIT, Kit.Abstract("receiver"));
        kit.Poll(0, (sender, Everything));
        Task<(string, long, byte[])> waiting = StartSend(kit, sender, "receiver");
        Kit.Settle();
        kit.NoteWhetherDone("send", waiting);
        kit.Receive(receiver, 10);
        kit.Join(waiting);
        waiting = StartSend(kit, sender, "receiver");
        Kit.Settle();
        kit.Call(close, receiver);
        kit.Join(waiting);
    });

    [Fact]
    public void Poll_of_a_connected_sender_says_when_the_receiver_has_room() => BothKernels.Run(kit =>
    {
        long receiver = kit.Named(SOCK_DGRAM, "receiver");
        long sender = kit.Connected(SOCK_DGRAM, "receiver");
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, sender, EpollFlags.EPOLLOUT | EpollFlags.EPOLLET, 1);
        kit.EpollWait(epoll);
        while (kit.Send(sender, "x"u8, MSG_DONTWAIT) > 0)
        {
        }

        kit.EpollWait(epoll);
        kit.Poll(0, (sender, Everything));
        Task<(string, long, byte[])> waiting = kit.Start("poll", () => (Poll(kit, sender), []));
        Kit.Settle();
        kit.NoteWhetherDone("poll", waiting);
        kit.Receive(receiver, 10);
        kit.Join(waiting);
        kit.EpollWait(epoll);
        kit.EpollWait(epoll);
        kit.Poll(0, (sender, Everything));
    });

    [Fact]
    public void A_receiver_that_is_connected_elsewhere_takes_nothing_from_others() => BothKernels.Run(kit =>
    {
        long receiver = kit.Named(SOCK_DGRAM, "receiver");
        long first = kit.Connected(SOCK_DGRAM, "receiver");
        kit.Bind(first, Kit.Abstract("first"));
        kit.Send(first, "before"u8);
        kit.Connect(receiver, Kit.Abstract("first"));
        long second = kit.Socket(AF_UNIX, SOCK_DGRAM);
        kit.Connect(second, Kit.Abstract("receiver"));
        kit.Send(second, "x"u8, 0, Kit.Abstract("receiver"));
        kit.Send(receiver, "back"u8);
        kit.Receive(first, 10, 0, withAddress: true);
        kit.Receive(receiver, 10, MSG_DONTWAIT, withAddress: true);
        kit.Send(first, "lost"u8);
        kit.Connect(receiver, [0, 0]);
        kit.Receive(receiver, 10, MSG_DONTWAIT);
        kit.Poll(0, (first, Everything), (receiver, Everything));
        kit.Send(first, "x"u8);
        kit.Send(first, "x"u8);
        kit.Name(receiver, ofPeer: true);
    });

    [Fact]
    public void Peers_that_connect_to_others_lose_what_is_unread_and_reset() => BothKernels.Run(kit =>
    {
        long a = kit.Named(SOCK_DGRAM, "a");
        long b = kit.Named(SOCK_DGRAM, "b");
        kit.Named(SOCK_DGRAM, "c");
        kit.Connect(a, Kit.Abstract("b"));
        kit.Connect(b, Kit.Abstract("a"));
        kit.Send(b, "lost"u8);
        kit.Connect(a, Kit.Abstract("c"));
        kit.Poll(0, (a, Everything), (b, Everything));
        kit.GetOption(b, 1, (int)SocketOption.SO_ERROR);
        kit.Send(b, "x"u8);
        kit.Receive(a, 10, MSG_DONTWAIT);
    });

    [Fact]
    public void Packets_keep_their_edges() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_SEQPACKET);
        kit.Send(second, "one"u8, MSG_EOR);
        kit.Send(second, []);
        kit.Send(second, "three"u8);
        kit.ReceiveMessage(first, 10, 0);
        kit.ReceiveMessage(first, 10, 0);
        kit.ReceiveMessage(first, 2, MSG_TRUNC);
        kit.Call(close, second);
        kit.ReceiveMessage(first, 10, 0);
        kit.Send(first, "x"u8);
    });

    [Fact]
    public void The_largest_datagram_is_a_little_smaller_than_the_send_buffer() => BothKernels.Run(kit =>
    {
        (long first, _) = kit.Pair(SOCK_DGRAM);
        kit.Send(first, new byte[212_992 - 31]);
        kit.Send(first, new byte[212_992 - 32]);
        kit.IoctlInt(first, IoctlRequest.SIOCOUTQ);
        kit.Send(first, "x"u8, MSG_DONTWAIT);
    });

    [Fact]
    public void Several_messages_are_sent_and_received_in_one_call() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_DGRAM);
        UnixScenarios.SendThree(kit, second);
        UnixScenarios.ReceiveSome(kit, first, 2, 0);
        UnixScenarios.ReceiveSome(kit, first, 5, MSG_WAITFORONE);
        UnixScenarios.SendThree(kit, second);
        UnixScenarios.ReceiveSome(kit, first, 5, MSG_DONTWAIT);
        UnixScenarios.SendThree(kit, second);
        UnixScenarios.ReceiveSome(kit, first, 5, 0, nanoseconds: 0);
        UnixScenarios.ReceiveSome(kit, first, 2, 0, nanoseconds: 5_000_000_000);
        kit.Send(second, "x"u8);
        kit.Call(close, second);
        UnixScenarios.ReceiveSome(kit, first, 5, MSG_DONTWAIT);
        UnixScenarios.SendThree(kit, first);
    });

    [Fact]
    public void An_error_after_the_first_message_is_kept_for_the_next_call() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Send(second, "data"u8);
        kit.Send(first, "unread"u8);
        kit.Call(close, second);
        UnixScenarios.ReceiveSome(kit, first, 3, 0);
        kit.Poll(0, (first, Everything));
        UnixScenarios.ReceiveSome(kit, first, 3, 0);
        kit.GetOption(first, 1, (int)SocketOption.SO_ERROR);
    });

    [Fact]
    public void recvmmsg_ends_with_urgent_data() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Send(second, "ab"u8, MSG_OOB);
        kit.Send(second, "cd"u8, MSG_OOB);
        UnixScenarios.ReceiveSome(kit, first, 3, MSG_OOB);
        UnixScenarios.ReceiveSome(kit, first, 3, MSG_DONTWAIT);
    });

    public static TheoryData<int, int, int> Kinds
    {
        get
        {
            TheoryData<int, int, int> kinds = [];
            foreach (int family in (int[])[0, 1, 2, 10, 46, -1])
            {
                foreach (int type in (int[])[0, 1, 2, 3, 4, 5, 6, 10, 11, 1 | 0x800, 1 | 0x80000, 1 | 0x100])
                {
                    if (family == 1 || type is 1 or 2 or 11)
                    {
                        kinds.Add(family, type, 0);
                        if (family is not (2 or 10))
                        {
                            kinds.Add(family, type, 1);
                        }

                        kinds.Add(family, type, 6);
                        kinds.Add(family, type, -1);
                    }
                }
            }

            return kinds;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Sockets_and_pairs_are_made_of_what_there_is(int family, int type, int protocol) => BothKernels.Run(kit =>
    {
        int* fds = stackalloc int[2];
        kit.Write($"socketpair {family} {type} {protocol}", Masked(kit.Raw(socketpair, family, type, protocol, (long)fds), family));
        kit.Write($"socket {family} {type} {protocol}", Masked(kit.Raw(socket, family, type, protocol), family));
        kit.Fcntl(3, FcntlCommand.F_GETFL);
        kit.Fcntl(4, FcntlCommand.F_GETFD);
    });

    [Fact]
    public void A_pair_needs_two_free_descriptors() => BothKernels.Run(kit =>
    {
        kit.Rlimit(Resource.RLIMIT_NOFILE, 4, 1024);
        kit.Pair(SOCK_STREAM);
        kit.Call(dup, 0);
        kit.Pair(SOCK_STREAM);
        kit.Rlimit(Resource.RLIMIT_NOFILE, 6, 1024);
        kit.Pair(SOCK_STREAM);
        kit.Rlimit(Resource.RLIMIT_NOFILE, 1024, 1024);
    });

    /// <summary>The number of the descriptor is not what this is about.</summary>
    private static long Masked(long result, int family) => family == 1 || result < 0 ? result : 0;

    private static long Poll(Kit kit, long fd)
    {
        PollDescriptor descriptor = new() { Fd = (int)fd, Events = (short)SocketEvents.Writable };
        return kit.Raw(poll, (long)(&descriptor), 1, 5000);
    }

    private static Task<(string, long, byte[])> StartSend(Kit kit, long fd, string name) => kit.Start("send", () =>
    {
        byte[] address = Kit.Abstract(name);
        byte data = 1;
        fixed (byte* p = address)
        {
            return (kit.Raw(sendto, fd, (long)(&data), 1, (long)MSG_NOSIGNAL, (long)p, address.Length), []);
        }
    });
}
