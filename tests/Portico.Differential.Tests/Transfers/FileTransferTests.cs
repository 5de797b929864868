using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Transfers;

/// <summary>sendfile, copy_file_range and splice with files and sockets: positions, ends, holes, seals, and targets that have had enough.</summary>
public sealed class FileTransferTests
{
    [Theory]
    [InlineData(0, 100_000)]
    [InlineData(0, 65_536)]
    [InlineData(1, 65_536)]
    [InlineData(4095, 70_000)]
    [InlineData(149_990, 100)]
    [InlineData(150_000, 100)]
    [InlineData(200_000, 100)]
    public void A_file_is_sent_from_anywhere_to_its_end(long position, ulong count) => BothKernels.Run(kit =>
    {
        long file = File(kit, "file", 150_000);
        long other = kit.Open("other", O_CREAT | O_RDWR);
        kit.Sendfile(other, file, position, count);
        kit.Call(lseek, file, position, (long)SeekWhence.SEEK_SET);
        kit.Sendfile(other, file, null, count);
        kit.Call(lseek, file, 0, (long)SeekWhence.SEEK_CUR);
        kit.Call(lseek, other, 0, (long)SeekWhence.SEEK_CUR);
        kit.ReadAt(other, 400_000, 0);
    });

    [Fact]
    public void A_file_is_copied_into_itself_where_that_does_not_overlap() => BothKernels.Run(kit =>
    {
        long file = File(kit, "file", 10_000);
        kit.CopyFileRange(file, 0, file, 10_000, 10_000);
        kit.CopyFileRange(file, 0, file, 5000, 10_000);
        kit.CopyFileRange(file, 5000, file, 0, 5000);
        kit.CopyFileRange(file, 5000, file, 0, 5001);
        kit.CopyFileRange(file, 100, file, 100, 0);
        kit.Sendfile(file, file, 0, 10);
        kit.ReadAt(file, 100_000, 0);
    });

    [Fact]
    public void Copies_stay_within_a_file_system() => BothKernels.Run(kit =>
    {
        long file = File(kit, "file", 100);
        long memfd = kit.Memfd("memory", MemfdFlags.MFD_ALLOW_SEALING);
        kit.CopyFileRange(file, 0, memfd, 0, 100);
        kit.CopyFileRange(memfd, 0, file, 0, 100);
        kit.CopyFileRange(memfd, 0, kit.Memfd("other", 0), 0, 100);
        kit.Sendfile(memfd, file, 0, 100);
        kit.CopyFileRange(memfd, 0, kit.Memfd("another", 0), 10, 100);
    });

    [Theory]
    [InlineData(FileSeals.F_SEAL_WRITE)]
    [InlineData(FileSeals.F_SEAL_GROW)]
    public void What_is_sealed_stays_as_it_is(FileSeals seals) => BothKernels.Run(kit =>
    {
        long file = File(kit, "file", 10_000);
        long memfd = kit.Memfd("memory", MemfdFlags.MFD_ALLOW_SEALING);
        kit.Call(ftruncate, memfd, 5000);
        kit.Fcntl(memfd, FcntlCommand.F_ADD_SEALS, (long)seals);
        kit.Sendfile(memfd, file, 0, 10_000);
        kit.Call(lseek, memfd, 0, (long)SeekWhence.SEEK_CUR);
        (int reader, int writer) = kit.Pipe(O_NONBLOCK);
        kit.Splice(file, 0, writer, null, 10_000);
        kit.Splice(reader, null, memfd, 4990, 100);
        kit.Splice(reader, null, memfd, 0, 100);
        kit.Drain(reader);
    });

    [Fact]
    public void Holes_are_sent_as_zeros() => BothKernels.Run(kit =>
    {
        long file = kit.Open("file", O_CREAT | O_RDWR);
        kit.WriteAt(file, "begin", 0);
        kit.WriteAt(file, "end", 40_000);
        (int reader, int writer) = kit.Pipe(O_NONBLOCK);
        kit.Splice(file, null, writer, null, 100_000);
        kit.Drain(reader);
        kit.CopyFileRange(file, 0, kit.Open("other", O_CREAT | O_RDWR), 0, 100_000);
        kit.Status("other");
    });

    [Theory]
    [InlineData(O_RDONLY, O_RDONLY)]
    [InlineData(O_WRONLY, O_WRONLY)]
    [InlineData(O_RDONLY, O_WRONLY | O_APPEND)]
    [InlineData(O_PATH, O_RDWR)]
    [InlineData(O_RDWR, O_PATH)]
    [InlineData(O_ACCMODE, O_ACCMODE)]
    public void Files_have_to_be_open_for_it(OpenFlags source, OpenFlags target) => BothKernels.Run(kit =>
    {
        kit.Make("source", "contents");
        kit.Make("target");
        (long from, long to) = (kit.Open("source", source), kit.Open("target", target));
        (int reader, int writer) = kit.Pipe(O_NONBLOCK);
        kit.CopyFileRange(from, null, to, null, 4);
        kit.Sendfile(to, from, null, 4);
        kit.Splice(from, null, writer, null, 4);
        kit.Splice(reader, null, to, null, 4);
        kit.Splice(reader, null, to, 0, 4);
        kit.Splice(writer, null, to, null, 4);
        kit.Splice(from, null, reader, null, 4);
    });

    [Fact]
    public void A_socket_that_has_had_enough_leaves_the_rest_unread() => BothKernels.Run(kit =>
    {
        long file = File(kit, "file", 4_000_000);
        (long first, long second) = kit.Pair(SocketType.SOCK_STREAM);
        kit.NonBlocking(first);
        long sent = kit.Raw(sendfile, first, file, 0, 4_000_000);
        kit.Note(sent is > 0 and < 4_000_000 ? "sent a part" : $"sent {Kit.Show(sent)}");
        kit.Note(kit.Raw(lseek, file, 0, (long)SeekWhence.SEEK_CUR) == sent ? "and the position is behind it" : "but the position is not");
        kit.Sendfile(first, file, null, 10);
        kit.NonBlocking(second);
        long read = 0;
        byte[] all = new byte[4_000_000];
        while (ReadOn(kit, second, all, ref read))
        {
        }

        kit.Note(read == sent && all.AsSpan(0, (int)read).SequenceEqual(Partners.Numbered(4_000_000).AsSpan(0, (int)read)) ? "all of it came" : "something is missing");
    });

    [Theory]
    [InlineData(AF_INET)]
    [InlineData(AF_UNIX)]
    public void A_blocking_socket_gets_all_of_it(AddressFamily family) => BothKernels.Run(kit =>
    {
        long file = File(kit, "file", 3_000_000);
        (long client, long server) = family == AF_UNIX ? kit.Pair(SocketType.SOCK_STREAM) : kit.Connected(family);
        var sending = kit.Start("sendfile", () => (kit.Raw(sendfile, client, file, 0, 4_000_000), []));
        byte[] all = new byte[3_000_000];
        long read = 0;
        while (read < all.Length && ReadOn(kit, server, all, ref read))
        {
        }

        kit.Join(sending);
        kit.Note(all.AsSpan().SequenceEqual(Partners.Numbered(all.Length)) ? "as it was" : "changed");
        kit.Call(lseek, file, 0, (long)SeekWhence.SEEK_CUR);
    });

    [Fact]
    public void A_relay_of_two_splices_brings_everything_from_socket_to_socket() => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        (long first, long second) = kit.Pair(SocketType.SOCK_STREAM);
        (int reader, int writer) = kit.Pipe();
        var relay = kit.Start("relay", () => (Relay(kit, server, reader, writer, first), []));
        var writing = kit.Start("write", () => (WriteAll(kit, client, Partners.Numbered(1_000_000)), []));
        byte[] all = new byte[1_000_000];
        long read = 0;
        while (read < all.Length && ReadOn(kit, second, all, ref read))
        {
        }

        kit.Join(writing);
        kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
        kit.Join(relay);
        kit.Note(all.AsSpan().SequenceEqual(Partners.Numbered(all.Length)) ? "as it was" : "changed");
    });

    [Fact]
    public void A_peer_that_goes_ends_what_is_being_sent() => BothKernels.Run(kit =>
    {
        long file = File(kit, "file", 3_000_000);
        (long first, long second) = kit.Pair(SocketType.SOCK_STREAM);
        var sending = kit.Start("sendfile", () => (kit.Raw(sendfile, first, file, 0, 3_000_000) > 0 ? 1 : 0, []));
        Kit.Settle();
        kit.NoteWhetherDone("sendfile", sending);
        kit.Call(close, second);
        kit.Join(sending);
        kit.Sendfile(first, file, 0, 10);
    });

    [Fact]
    public void A_receive_timeout_ends_a_splice_that_waits_for_a_socket() => BothKernels.Run(kit =>
    {
        (_, long server) = kit.Connected(AF_INET);
        byte[] time = new byte[16];
        BitConverter.TryWriteBytes(time.AsSpan(8), 50_000L);
        kit.Option(server, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_RCVTIMEO, time);
        kit.Splice(server, null, kit.Pipe().Writer, null, 100);
        kit.Splice(server, null, kit.Pipe().Writer, null, 100, SpliceFlags.SPLICE_F_NONBLOCK);
    });

    private static long File(Kit kit, string name, int length)
    {
        long fd = kit.Open(name, O_CREAT | O_RDWR);
        kit.WriteBytes(fd, Partners.Numbered(length));
        kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_SET);
        return fd;
    }

    private static unsafe bool ReadOn(Kit kit, long fd, byte[] buffer, ref long read)
    {
        fixed (byte* p = buffer)
        {
            long result = kit.Raw(SyscallNumber.read, fd, (long)p + read, buffer.Length - read);
            read += Math.Max(0, result);
            return result > 0;
        }
    }

    private static unsafe long WriteAll(Kit kit, long fd, byte[] data)
    {
        fixed (byte* p = data)
        {
            return kit.Raw(write, fd, (long)p, data.Length);
        }
    }

    private static unsafe long Relay(Kit kit, long from, int reader, int writer, long to)
    {
        long total = 0;
        long moved;
        while ((moved = kit.RawSplice(from, null, writer, null, 30_000)) > 0)
        {
            total += moved;
            for (; moved > 0; moved -= kit.RawSplice(reader, null, to, null, (ulong)moved))
            {
            }
        }

        return total;
    }
}
