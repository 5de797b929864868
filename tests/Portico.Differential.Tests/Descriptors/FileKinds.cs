using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>Every kind of file that a descriptor can point to, in states that matter.</summary>
internal static class FileKinds
{
    public static readonly IReadOnlyDictionary<string, Func<Kit, long>> All = new Dictionary<string, Func<Kit, long>>
    {
        ["a pipe's empty read end"] = kit => kit.Pipe().Reader,
        ["a pipe's read end with data"] = kit =>
        {
            (int reader, int writer) = kit.Pipe();
            kit.WriteBytes(writer, "portico!"u8);
            return reader;
        },
        ["a pipe's read end without writers"] = kit =>
        {
            (int reader, int writer) = kit.Pipe();
            kit.WriteBytes(writer, "last"u8);
            kit.Call(close, writer);
            return reader;
        },
        ["a pipe's write end"] = kit => kit.Pipe().Writer,
        ["a pipe's full write end"] = kit =>
        {
            (_, int writer) = kit.Pipe(OpenFlags.O_NONBLOCK);
            kit.WriteBytes(writer, new byte[1 << 17]);
            return writer;
        },
        ["a pipe's write end without readers"] = kit =>
        {
            (int reader, int writer) = kit.Pipe();
            kit.Call(close, reader);
            return writer;
        },
        ["a packet pipe's write end"] = kit => kit.Pipe(OpenFlags.O_DIRECT).Writer,
        ["an eventfd of 0"] = kit => kit.Call(eventfd2, 0, 0),
        ["an eventfd of 5"] = kit => kit.Call(eventfd2, 5, 0),
        ["a semaphore of 3"] = kit => kit.Call(eventfd2, 3, (long)EventfdFlags.EFD_SEMAPHORE),
        ["a timerfd"] = kit => kit.Call(timerfd_create, (long)ClockId.CLOCK_MONOTONIC, 0),
        ["an epoll"] = kit => kit.Call(epoll_create1, 0),
        ["an epoll with something ready"] = kit =>
        {
            long epoll = kit.Call(epoll_create1, 0);
            kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, kit.Call(eventfd2, 1, 0), EpollFlags.EPOLLIN, 7);
            return epoll;
        },
        ["/dev/null"] = _ => 1,
        ["a closed number"] = _ => 77,
        ["a negative number"] = _ => -1,
    };
}
