using System.Buffers.Binary;
using CsCheck;
using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>F11 and F15 with many threads: no byte of a pipe or a socket is lost, and no small write is torn.</summary>
public sealed class PipeTests
{
    private const int PIPE_BUF = 4096;

    [Theory]
    [InlineData(16, PIPE_BUF, 200)]
    [InlineData(16, 1000, 400)]
    [InlineData(3, 1, 5000)]
    public void Writes_of_at_most_PIPE_BUF_are_never_mixed(int writers, int bytes, int records)
    {
        using TestKernel test = new();
        Process process = test.Process;
        process.Pipe2(0, out int reader, out int writer).OrThrow();
        int[] seen = new int[writers];
        int left = writers;
        List<Action> threads = [];
        for (int i = 0; i < writers; i++)
        {
            byte tag = (byte)i;
            threads.Add(() =>
            {
                byte[] record = new byte[bytes];
                Array.Fill(record, tag);
                for (int n = 0; n < records; n++)
                {
                    Assert.Equal(bytes, process.Write(writer, record).Raw);
                }

                if (Interlocked.Decrement(ref left) == 0)
                {
                    process.Close(writer).OrThrow();
                }
            });
        }

        threads.Add(() =>
        {
            // Reads of any length; the records are put together again.
            byte[] record = new byte[bytes];
            byte[] buffer = new byte[3 * PIPE_BUF];
            int filled = 0;
            Random random = new(1);
            long count;
            while ((count = process.Read(reader, buffer.AsSpan(0, random.Next(1, buffer.Length))).Raw) > 0)
            {
                if (random.Next(50) == 0)
                {
                    process.Fcntl(reader, FcntlCommand.F_SETPIPE_SZ, PIPE_BUF << random.Next(6));
                }

                foreach (byte value in buffer.AsSpan(0, (int)count))
                {
                    record[filled++] = value;
                    if (filled == bytes)
                    {
                        Assert.Equal(-1, record.AsSpan().IndexOfAnyExcept(record[0]));
                        seen[record[0]]++;
                        filled = 0;
                    }
                }
            }

            Assert.Equal(0, filled);
        });
        TestKernel.Together([.. threads]);
        Assert.All(seen, count => Assert.Equal(records, count));
        test.AssertNothingIsLeft();
    }

    /// <summary>Two ends between which bytes go: a pipe, or sockets.</summary>
    public static TheoryData<string> Streams => ["pipe", "unix", "tcp"];

    [Theory]
    [MemberData(nameof(Streams))]
    public void Writes_and_reads_of_any_length_move_every_byte_in_order(string kind)
    {
        using TestKernel test = new();
        Gen.Select(Gen.Int[1, 200_000].Array[1, 12], Gen.Int[1, 100_000].Array[1, 12], Gen.Bool).Sample(
            (writes, reads, isReaderPolite) =>
            {
                Process process = test.NewProcess();
                (int input, int output) = Sockets.StreamsOf(process, kind);
                long total = writes.Sum();
                TestKernel.Together(
                    () =>
                    {
                        long sent = 0;
                        foreach (int length in writes)
                        {
                            byte[] data = new byte[length];
                            for (int i = 0; i < length; i++)
                            {
                                data[i] = (byte)((sent + i) * 31 >> 3);
                            }

                            Assert.Equal(length, process.Write(output, data).Raw);
                            sent += length;
                        }

                        process.Close(output).OrThrow();
                    },
                    () =>
                    {
                        long received = 0;
                        int turn = 0;
                        while (true)
                        {
                            byte[] buffer = new byte[reads[turn++ % reads.Length]];
                            if (isReaderPolite)
                            {
                                PollDescriptor[] one = [new() { Fd = input, Events = (short)SocketEvents.Readable }];
                                Assert.Equal(1, process.Poll(one, 60_000).Raw);
                            }

                            // F15: after poll said that it is readable, and nobody else reads, it does not block.
                            long count = process.ReceiveOrRead(input, buffer, isReaderPolite).Raw;
                            Assert.True(count >= 0);
                            if (count == 0)
                            {
                                break;
                            }

                            for (int i = 0; i < count; i++)
                            {
                                Assert.Equal((byte)((received + i) * 31 >> 3), buffer[i]);
                            }

                            received += count;
                        }

                        Assert.Equal(total, received);
                    });
                process.Exit();
            },
            iter: 12,
            threads: 1);
        test.AssertNothingIsLeft();
    }

    [Theory]
    [MemberData(nameof(Streams))]
    public void A_write_that_waits_for_room_is_finished_although_its_number_is_closed(string kind)
    {
        using TestKernel test = new();
        for (int round = 0; round < 30; round++)
        {
            Process process = test.NewProcess();
            (int input, int output) = Sockets.StreamsOf(process, kind);
            Sockets.SetNonBlocking(process, output, true);
            Sockets.SetNonBlocking(process, input, true);
            long sent = 0;
            byte[] block = new byte[4096];
            for (SyscallResult result = 0; !result.IsError; sent += Math.Max(0, result.Raw))
            {
                result = process.Write(output, block);
            }

            Sockets.SetNonBlocking(process, output, false);
            OpenFileDescription description = test.Of(process, output)!;
            long last = 0;

            // An acknowledgment that was under way may make room before the write begins to wait.
            TestKernel.Together(
                () => last = process.Write(output, new byte[9]).Raw,
                () =>
                {
                    SpinWait.SpinUntil(() => description.ReferenceCount == 2 || Volatile.Read(ref last) != 0);
                    process.Close(output).OrThrow();
                    byte[] buffer = new byte[50_000];
                    long received = 0;
                    while (received < sent + 9)
                    {
                        PollDescriptor[] one = [new() { Fd = input, Events = (short)SocketEvents.Readable }];
                        Assert.Equal(1, process.Poll(one, 20_000).Raw);
                        long count = process.Read(input, buffer).Raw;
                        Assert.True(count > 0);
                        received += count;
                    }

                    Assert.Equal(sent + 9, received);
                });
            Assert.Equal(9, last);
            process.Exit();
        }

        test.AssertNothingIsLeft();
    }
}

/// <summary>What the tests of this folder make of descriptors.</summary>
internal static class Sockets
{
    public static (int Input, int Output) StreamsOf(Process process, string kind)
    {
        int input;
        int output;
        switch (kind)
        {
            case "pipe":
                process.Pipe2(0, out input, out output).OrThrow();
                break;
            case "unix":
                process.SocketPair(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM, 0, out input, out output).OrThrow();
                break;
            default:
                (int listener, byte[] address) = Listen(process, 8);
                output = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
                process.Connect(output, address).OrThrow();
                input = process.Accept4(listener, default, out _, SocketType.SOCK_STREAM & 0).OrThrow();
                process.Close(listener).OrThrow();
                break;
        }

        return (input, output);
    }

    /// <summary>A listener on the loopback, and the address that it has got.</summary>
    public static (int Listener, byte[] Address) Listen(Process process, int backlog)
    {
        int listener = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Bind(listener, SocketAddress.Of(new Endpoint(IpAddress.Parse("127.0.0.1"), 0))).OrThrow();
        process.Listen(listener, backlog).OrThrow();
        byte[] address = new byte[16];
        process.GetSockName(listener, address).OrThrow();
        return (listener, address);
    }

    public static ushort PortOf(ReadOnlySpan<byte> address) => BinaryPrimitives.ReadUInt16BigEndian(address[2..]);

    public static void SetNonBlocking(Process process, int fd, bool on) =>
        process.Fcntl(fd, FcntlCommand.F_SETFL, on ? (long)OpenFlags.O_NONBLOCK : 0).OrThrow();

    public static SyscallResult ReceiveOrRead(this Process process, int fd, Span<byte> buffer, bool mayNotBlock)
    {
        if (!mayNotBlock)
        {
            return process.Read(fd, buffer);
        }

        SetNonBlocking(process, fd, true);
        return process.Read(fd, buffer);
    }
}
