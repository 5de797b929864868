using System.Text;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SpliceFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Transfers;

/// <summary>splice, tee and vmsplice as pipes have them: whole pages that are moved, packets, room, and word to those who wait.</summary>
public sealed class PipeTransferTests
{
    /// <summary>How a pipe is filled: the lengths of the writes.</summary>
    public static TheoryData<int[], int> Fillings => new()
    {
        { [100, 200, 300], 250 },
        { [4096, 4096, 4096], 4096 },
        { [4096, 4096, 4096], 5000 },
        { [5000, 5000], 9999 },
        { [1, 4095, 4096, 1], 4097 },
        { [60_000], 60_000 },
        { [65_536], 1 },
        { [65_536], 65_536 },
        { [65_536], 100_000 },
    };

    [Theory]
    [MemberData(nameof(Fillings))]
    public void What_is_moved_keeps_its_pages(int[] writes, int count) => BothKernels.Run(kit =>
    {
        (int reader, int writer) = Filled(kit, writes);
        (int otherReader, int otherWriter) = kit.Pipe(O_NONBLOCK);
        kit.Splice(reader, null, otherWriter, null, (ulong)count);
        ShowRoom(kit, reader, writer);
        ShowRoom(kit, otherReader, otherWriter);
        kit.Splice(reader, null, otherWriter, null, 100_000);
        kit.Drain(reader);
        kit.Drain(otherReader);
    });

    [Theory]
    [MemberData(nameof(Fillings))]
    public void What_is_copied_is_in_both_and_takes_pages_in_both(int[] writes, int count) => BothKernels.Run(kit =>
    {
        (int reader, int writer) = Filled(kit, writes);
        (int otherReader, int otherWriter) = kit.Pipe(O_NONBLOCK);
        kit.Tee(reader, otherWriter, (ulong)count);
        kit.Tee(reader, otherWriter, (ulong)count);
        ShowRoom(kit, reader, writer);
        ShowRoom(kit, otherReader, otherWriter);
        kit.Drain(reader);
        kit.Drain(otherReader);
    });

    [Theory]
    [InlineData(4096)]
    [InlineData(8192)]
    [InlineData(1 << 20)]
    public void Into_a_pipe_of_another_size_goes_what_fits(int size) => BothKernels.Run(kit =>
    {
        (int reader, _) = Filled(kit, [20_000]);
        (int otherReader, int otherWriter) = kit.Pipe(O_NONBLOCK);
        kit.Fcntl(otherWriter, FcntlCommand.F_SETPIPE_SZ, size);
        long file = kit.Open("file", O_CREAT | O_RDWR);
        kit.WriteBytes(file, Partners.Numbered(300_000));
        kit.Tee(reader, otherWriter, 100_000);
        kit.Splice(reader, null, otherWriter, null, 100_000);
        kit.Splice(file, 10, otherWriter, null, 1 << 20);
        kit.Drain(otherReader);
        kit.Splice(file, 5000, otherWriter, null, 1 << 20);
        kit.Splice(kit.Open("/dev/zero", O_RDONLY), null, otherWriter, null, 1 << 20);
        kit.Drain(otherReader);
    });

    [Fact]
    public void Packets_stay_packets_when_they_are_moved_or_copied() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe(O_NONBLOCK | O_DIRECT);
        foreach (string packet in (string[])["first", "second", "third"])
        {
            kit.WriteBytes(writer, Encoding.ASCII.GetBytes(packet));
        }

        (int otherReader, int otherWriter) = kit.Pipe(O_NONBLOCK);
        kit.Tee(reader, otherWriter, 8);
        kit.Splice(reader, null, otherWriter, null, 8);
        kit.WriteBytes(otherWriter, "tail"u8);
        kit.Read(otherReader, 3);
        kit.Drain(otherReader);
        kit.Drain(reader);
        kit.Splice(otherReader, null, writer, null, 100);
    });

    [Fact]
    public void Nothing_is_written_behind_a_page_that_was_put_in() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe(O_NONBLOCK);
        kit.Fcntl(writer, FcntlCommand.F_SETPIPE_SZ, 8192);
        kit.Make("file", "a page of its own");
        kit.Splice(kit.Open("file", O_RDONLY), null, writer, null, 100);
        kit.WriteBytes(writer, "x"u8);
        kit.WriteBytes(writer, "y"u8);
        kit.WriteBytes(writer, new byte[4096]);
        kit.Drain(reader);
    });

    [Fact]
    public void The_end_of_a_pipe_is_the_end_of_what_is_spliced_from_it() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = Filled(kit, [1000]);
        long file = kit.Open("file", O_CREAT | O_RDWR);
        kit.Splice(reader, null, file, null, 400);
        kit.Call(close, writer);
        kit.Splice(reader, null, file, null, 10_000);
        kit.Splice(reader, null, file, null, 10_000);
        kit.ReadAt(file, 2000, 0);
    });

    [Theory]
    [InlineData("pipe")]
    [InlineData("file")]
    [InlineData("/dev/null")]
    [InlineData("unix stream")]
    public void An_empty_pipe_makes_the_caller_wait(string target) => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        (int otherReader, int otherWriter) = kit.Pipe();
        long fd = target switch
        {
            "pipe" => otherWriter,
            "file" => kit.Open("file", O_CREAT | O_RDWR),
            "/dev/null" => 1,
            _ => kit.Pair(SocketType.SOCK_STREAM).First,
        };
        kit.Splice(reader, null, fd, null, 100, SPLICE_F_NONBLOCK);
        var splice = kit.StartSplice(reader, fd, 100);
        Kit.Settle();
        kit.NoteWhetherDone("splice", splice);
        kit.WriteBytes(writer, "here"u8);
        kit.Join(splice);
        splice = kit.StartSplice(reader, fd, 100);
        Kit.Settle();
        kit.Call(close, writer);
        kit.Join(splice);
        kit.Call(otherReader < 0 ? dup : close, otherReader);
    });

    [Fact]
    public void A_full_pipe_makes_the_caller_wait_and_then_the_empty_one() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        (int otherReader, int otherWriter) = kit.Pipe();
        kit.WriteBytes(otherWriter, new byte[65_536]);
        var splice = kit.StartSplice(reader, otherWriter, 100);
        Kit.Settle();
        kit.WriteBytes(writer, "portico"u8);
        Kit.Settle();
        kit.NoteWhetherDone("splice", splice);
        kit.Read(otherReader, 4095);
        Kit.Settle();
        kit.NoteWhetherDone("splice", splice);
        kit.Read(otherReader, 1);
        kit.Join(splice);
        kit.Drain(otherReader);
    });

    [Fact]
    public void A_pipe_whose_reader_goes_while_it_is_full_is_broken() => BothKernels.Run(kit =>
    {
        (int reader, _) = Filled(kit, [10]);
        (int otherReader, int otherWriter) = kit.Pipe();
        kit.WriteBytes(otherWriter, new byte[65_536]);
        kit.Fcntl(reader, FcntlCommand.F_SETFL, 0);
        var splice = kit.StartSplice(reader, otherWriter, 100);
        Kit.Settle();
        kit.Call(close, otherReader);
        kit.Join(splice);
        kit.Drain(reader);
    });

    [Fact]
    public void A_splice_that_waits_goes_on_when_its_numbers_are_closed() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        (int otherReader, int otherWriter) = kit.Pipe();
        var splice = kit.StartSplice(reader, otherWriter, 100);
        Kit.Settle();
        kit.Call(close, reader);
        kit.Call(close, otherWriter);
        kit.WriteBytes(writer, "late"u8);
        kit.Join(splice);
        kit.WriteBytes(writer, "too late"u8);
        kit.Read(otherReader, 100);
        kit.Read(otherReader, 100);
    });

    [Fact]
    public void Those_who_watch_hear_of_what_has_been_moved() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = Filled(kit, [65_536]);
        (int otherReader, int otherWriter) = kit.Pipe(O_NONBLOCK);
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, writer, EpollFlags.EPOLLOUT | EpollFlags.EPOLLET, 1);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, otherReader, EpollFlags.EPOLLIN | EpollFlags.EPOLLET, 2);
        kit.EpollWait(epoll);
        foreach (ulong count in (ulong[])[100, 3996, 4096, 4097])
        {
            kit.Splice(reader, null, otherWriter, null, count);
            kit.EpollWait(epoll);
        }

        kit.Tee(reader, otherWriter, 10);
        kit.EpollWait(epoll);
        kit.Splice(reader, null, 1, null, 4096);
        kit.EpollWait(epoll);
    });

    [Theory]
    [InlineData(0, new[] { 100 })]
    [InlineData(0, new[] { 4096, 4096 })]
    [InlineData(4000, new[] { 200, 300 })]
    [InlineData(1, new[] { 70_000 })]
    [InlineData(0, new[] { 65_536, 10 })]
    [InlineData(0, new[] { 0, 10, 0 })]
    [InlineData(0, new[] { 0 })]
    [InlineData(0, new int[0])]
    public void Memory_is_put_in_by_its_pages(int offset, int[] lengths) => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe(O_NONBLOCK);
        kit.Vmsplice(writer, offset, SPLICE_F_GIFT, lengths);
        ShowRoom(kit, reader, writer);
        kit.Vmsplice(writer, offset, SPLICE_F_NONBLOCK, lengths);
        kit.Drain(reader);
        kit.Call(close, reader);
        kit.Vmsplice(writer, offset, SPLICE_F_NONBLOCK, lengths);
    });

    [Fact]
    public void Memory_is_filled_from_a_read_end() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = Filled(kit, [10_000, 10]);
        kit.Vmsplice(reader, 5, 0, 100, 50);
        kit.Vmsplice(reader, 0, 0, 20_000);
        kit.Vmsplice(reader, 0, SPLICE_F_NONBLOCK, 20_000);
        kit.Call(close, writer);
        kit.Vmsplice(reader, 0, 0, 20_000);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(77)]
    public void Memory_is_for_pipes(int fd) => BothKernels.Run(kit =>
    {
        kit.Vmsplice(fd, 0, 0, 10);
        kit.Vmsplice(fd, 0, 0, 0);
        kit.Vmsplice(fd, 0, (SpliceFlags)16, 10);
        kit.Call(vmsplice, fd, 0, 1025);
        kit.Call(vmsplice, fd, 0, -1);
    });

    private static (int Reader, int Writer) Filled(Kit kit, int[] writes)
    {
        (int reader, int writer) = kit.Pipe(O_NONBLOCK);
        int total = 0;
        foreach (int length in writes)
        {
            kit.WriteBytes(writer, Partners.Numbered(total + length).AsSpan(total));
            total += length;
        }

        return (reader, writer);
    }

    private static void ShowRoom(Kit kit, int reader, int writer)
    {
        kit.IoctlInt(reader, IoctlRequest.FIONREAD);
        kit.Poll(0, (reader, SocketEvents.Readable), (writer, SocketEvents.Writable));
        kit.WriteBytes(writer, "more"u8);
        kit.WriteBytes(writer, new byte[100_000]);
    }
}
