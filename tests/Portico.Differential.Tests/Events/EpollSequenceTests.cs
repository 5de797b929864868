using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.EpollFlags;
using static Portico.Kernel.EpollOperation;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Events;

/// <summary>Long sequences of calls on epoll instances, nested ones too (F4 to F7); Linux is the model.</summary>
public sealed class EpollSequenceTests
{
    private static readonly EpollFlags[] s_modes =
        [EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT, EPOLLIN | EPOLLET, EPOLLIN | EPOLLOUT | EPOLLET, EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLET | EPOLLONESHOT, EPOLLIN | EPOLLEXCLUSIVE, 0];

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 320)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Any_sequence_is_answered_in_the_same_order(int seed) => BothKernels.Run(kit =>
    {
        Random random = new(seed);
        List<long> fds = [];
        for (int i = 0; i < 3; i++)
        {
            fds.Add(kit.Call(eventfd2, 0, (long)EventfdFlags.EFD_NONBLOCK));
        }

        (int reader, int writer) = kit.Pipe(OpenFlags.O_NONBLOCK);
        (long first, long second) = kit.Pair(SocketType.SOCK_STREAM | SocketType.SOCK_NONBLOCK);
        fds.AddRange([reader, writer, first, second]);
        long[] epolls = [kit.Call(epoll_create1, 0), kit.Call(epoll_create1, 0)];
        fds.AddRange(epolls);
        fds.Add(kit.Call(dup, reader));
        for (int i = 0; i < 200; i++)
        {
            long fd = fds[random.Next(fds.Count)];
            long epoll = epolls[random.Next(epolls.Length)];
            kit.Note($"{i}: {fd} {epoll}");
            switch (random.Next(16))
            {
                case < 4:
                    kit.EpollControl(epoll, EPOLL_CTL_ADD, fd, s_modes[random.Next(s_modes.Length)], (ulong)i);
                    break;
                case 4 or 5:
                    kit.EpollControl(epoll, EPOLL_CTL_MOD, fd, s_modes[random.Next(s_modes.Length)], (ulong)i);
                    break;
                case 6:
                    kit.EpollControl(epoll, EPOLL_CTL_DEL, fd, 0);
                    break;
                case 7 or 8:
                    kit.WriteUInt64(fd, (ulong)random.Next(1, 4));
                    break;
                case 9 or 10:
                    kit.Read(fd, 8 * random.Next(1, 5));
                    break;
                case 11 when random.Next(8) == 0:
                    kit.Call(close, fd);
                    kit.Call(dup, fds[random.Next(fds.Count)]);
                    break;
                default:
                    kit.EpollWait(epoll, random.Next(1, 8));
                    break;
            }
        }

        foreach (long epoll in epolls)
        {
            kit.EpollWait(epoll);
        }
    });

    [Fact]
    public void What_cannot_be_watched_says_so() => BothKernels.Run(kit =>
    {
        long epoll = kit.Call(epoll_create1, 0);
        kit.Make("file", "contents");
        kit.EpollControl(epoll, EPOLL_CTL_ADD, kit.Open("file", OpenFlags.O_RDONLY), EPOLLIN);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, kit.Open(".", OpenFlags.O_RDONLY), EPOLLIN);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, epoll, EPOLLIN);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, kit.Call(dup, epoll), EPOLLIN);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, 99, EPOLLIN);
        kit.EpollControl(99, EPOLL_CTL_ADD, epoll, EPOLLIN);
        kit.EpollControl(0, EPOLL_CTL_ADD, epoll, EPOLLIN);
        kit.EpollControl(epoll, (EpollOperation)9, 0, EPOLLIN);
    });
}
