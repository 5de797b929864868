using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>Numbers and what they stand for (F1, F2, F4, F8, F14 of the guarantees that programs rely on).</summary>
public sealed class DescriptorTests
{
    [Fact]
    public void The_lowest_free_number_is_next() => BothKernels.Run(kit =>
    {
        for (int i = 0; i < 6; i++)
        {
            kit.Call(dup, 0);
        }

        kit.Call(close, 7);
        kit.Call(close, 4);
        kit.Call(eventfd2, 0, 0);
        kit.Pipe();
        kit.Call(close, 0);
        kit.Call(epoll_create1, 0);
    });

    [Fact]
    public void A_thousand_numbers_are_filled_from_below_whatever_the_order_of_closing() => BothKernels.Run(kit =>
    {
        for (int i = 0; i < 1000; i++)
        {
            kit.Raw(dup, 0);
        }

        for (int i = 3; i < 1003; i += 7)
        {
            kit.Raw(close, i);
        }

        for (int i = 0; i < 160; i++)
        {
            kit.Call(dup, 0);
        }
    });

    [Fact]
    public void At_the_limit_there_is_EMFILE_and_below_it_a_number_again() => BothKernels.Run(kit =>
    {
        kit.Rlimit(Resource.RLIMIT_NOFILE, 6, 1024);
        kit.Call(dup, 0);
        kit.Pipe();
        kit.Call(dup, 0);
        kit.Pipe();
        kit.Call(eventfd2, 0, 0);
        kit.Call(epoll_create1, 0);
        kit.Call(timerfd_create, 1, 0);
        kit.Call(close, 3);
        kit.Pipe();
        kit.Call(dup, 0);
        kit.Call(dup2, 0, 6);
        kit.Call(dup2, 0, 5);
        kit.Fcntl(0, FcntlCommand.F_DUPFD, 6);
        kit.Fcntl(0, FcntlCommand.F_DUPFD, 5);
        kit.Rlimit(Resource.RLIMIT_NOFILE, 1024, 1024);
    });

    [Fact]
    public void A_pipe_that_finds_one_number_only_takes_none() => BothKernels.Run(kit =>
    {
        kit.Rlimit(Resource.RLIMIT_NOFILE, 4, 1024);
        kit.Pipe();
        kit.Call(dup, 0);
        kit.Rlimit(Resource.RLIMIT_NOFILE, 1024, 1024);
    });

    [Fact]
    public void Status_flags_belong_to_the_description_and_close_on_exec_to_the_number() => BothKernels.Run(kit =>
    {
        (int reader, _) = kit.Pipe(OpenFlags.O_CLOEXEC);
        long copy = kit.Call(dup, reader);
        kit.Fcntl(reader, FcntlCommand.F_GETFD);
        kit.Fcntl(copy, FcntlCommand.F_GETFD);
        kit.Fcntl(copy, FcntlCommand.F_SETFL, (long)OpenFlags.O_NONBLOCK);
        kit.Fcntl(reader, FcntlCommand.F_GETFL);
        kit.Read(reader, 1);
    });

    [Fact]
    public void A_read_that_waits_goes_on_when_its_number_is_closed() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        var read = kit.StartRead(reader, 10);
        Kit.Settle();
        kit.Call(close, reader);
        Kit.Settle();
        kit.NoteWhetherDone("read", read);
        kit.WriteBytes(writer, "late"u8);
        kit.Join(read);
        kit.WriteBytes(writer, "too late"u8);
    });

    [Fact]
    public unsafe void A_poll_that_waits_goes_on_when_its_number_is_closed() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        var poll = kit.Start("poll", () =>
        {
            PollDescriptor one = new() { Fd = reader, Events = 1 };
            long result = kit.Raw(SyscallNumber.poll, (long)(&one), 1, 10_000);
            return (result, BitConverter.GetBytes(one.Returned));
        });
        Kit.Settle();
        kit.Call(close, reader);
        Kit.Settle();
        kit.NoteWhetherDone("poll", poll);
        kit.WriteBytes(writer, "late"u8);
        kit.Join(poll);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Closing_the_write_end_ends_a_read_that_waits(bool duplicated) => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        long copy = duplicated ? kit.Call(dup, writer) : -1;
        var read = kit.StartRead(reader, 10);
        Kit.Settle();
        kit.Call(close, writer);
        Kit.Settle();
        kit.NoteWhetherDone("read", read);
        kit.Call(close, copy);
        kit.Join(read);
    });

    [Fact]
    public void Close_range_closes_what_is_in_it() => BothKernels.Run(kit =>
    {
        for (int i = 0; i < 10; i++)
        {
            kit.Call(dup, 0);
        }

        kit.Call(close_range, 5, 8, 0);
        kit.Call(close_range, 9, 9, (long)CloseRangeFlags.CLOSE_RANGE_CLOEXEC);
        for (int fd = 0; fd < 14; fd++)
        {
            kit.Fcntl(fd, FcntlCommand.F_GETFD);
        }

        kit.Call(close_range, 8, 5, 0);
        kit.Call(close_range, 3, uint.MaxValue, 0);
        kit.Call(close_range, 3, 4, 8);
        kit.Call(dup, 0);
    });

    [Fact]
    public void Poll_says_POLLNVAL_for_what_is_not_open() => BothKernels.Run(kit =>
    {
        kit.Poll(0, (99, SocketEvents.Readable), (-5, SocketEvents.Readable), (0, SocketEvents.Readable));
        kit.Poll(1000, (99, SocketEvents.None));
    });
}
