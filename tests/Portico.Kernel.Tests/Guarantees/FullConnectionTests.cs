using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>
/// A TCP connection that has been filled to the brim: when somebody reads again, everything goes on at once, and no timer is needed for it.
/// </summary>
public sealed class FullConnectionTests
{
    private const long Millisecond = 1_000_000;

    /// <summary>Reads and writes with a clock that only the test moves: what arrives while it stands still has waited for no timer.</summary>
    [Theory]
    [InlineData(1, false)]
    [InlineData(1000, false)]
    [InlineData(1, true)]
    [InlineData(1000, true)]
    public void Everything_is_read_while_the_clock_stands_still(int firstSeed, bool towardsTheOpener)
    {
        for (int seed = firstSeed; seed < firstSeed + 60; seed++)
        {
            Random random = new(seed);
            long now = Millisecond;
            using StackDriver driver = new(new Engine(new EngineOptions { Seed = (ulong)seed }), clock: () => new MonoTime(Volatile.Read(ref now)));
            using PorticoKernel kernel = new(driver);
            Process process = kernel.CreateProcess();
            (int reader, int writer) = Sockets.StreamsOf(process, "tcp");
            (reader, writer) = towardsTheOpener ? (writer, reader) : (reader, writer);

            // Nagle's algorithm may wait for an acknowledgment that is delayed, as in Linux.
            process.SetSockOpt(writer, (int)SocketLevel.IPPROTO_TCP, (int)TcpOptionNumber.TCP_NODELAY, [1, 0, 0, 0]).OrThrow();
            long step = random.Next(2) * random.Next(50_000);
            byte[] block = new byte[1 << 17];
            int size = random.Next(4) switch { 0 => 4096, 1 => random.Next(1, 70_000), 2 => 1 << 16, _ => 1000 };
            long written = Fill(process, writer, block.AsSpan(0, size), () => now += step, () => now += random.Next(2) == 0 ? 2 * Millisecond : 300 * Millisecond);
            int most = random.Next(3) switch { 0 => 1 << 16, 1 => random.Next(1, 100_000), _ => 100 };
            long read = 0;
            Sockets.SetNonBlocking(process, reader, true);
            while (process.Read(reader, block.AsSpan(0, most)) is { IsError: false } result)
            {
                read += result.Value;
                now += step;
            }

            Assert.True(read == written, $"seed {seed}: {read} of {written} bytes, the others wait for a timer");
        }
    }

    /// <summary>The same in real time, with a writer that waits: the reader gives up after 20 ms of quiet, and a timer would come too late.</summary>
    [Fact]
    public void Who_waits_for_room_goes_on_as_soon_as_there_is_some()
    {
        using TestKernel test = new();
        Process process = test.Process;
        byte[] block = new byte[1 << 16];
        for (int round = 0; round < 40; round++)
        {
            (int reader, int writer) = Sockets.StreamsOf(process, "tcp");
            Fill(process, writer, block.AsSpan(0, 4096), () => { }, () => Thread.Sleep(1));
            Sockets.SetNonBlocking(process, writer, false);
            Sockets.SetNonBlocking(process, reader, true);
            Task<SyscallResult> waiting = Task.Factory.StartNew(() => process.Write(writer, [1]), TaskCreationOptions.LongRunning);
            Thread.Sleep(round % 3);
            for (int quiet = 0; quiet < 10; quiet++)
            {
                while (!process.Read(reader, block).IsError)
                {
                    quiet = 0;
                }

                Thread.Sleep(2);
            }

            Assert.True(waiting.Wait(TimeSpan.FromSeconds(20)), $"round {round}: the writer waits although all has been read");
            Assert.Equal(1, waiting.Result.Raw);
            process.Close(reader).OrThrow();
            process.Close(writer).OrThrow();
        }

        test.AssertNothingIsLeft();
    }

    /// <summary>Writes until there is no room three times, with a pause before each further try; how much that took.</summary>
    private static long Fill(Process process, int writer, ReadOnlySpan<byte> block, Action afterWrite, Action pause)
    {
        long written = 0;
        Sockets.SetNonBlocking(process, writer, true);
        for (int full = 0; full < 3; full++)
        {
            while (process.Write(writer, block) is { IsError: false } result)
            {
                written += result.Value;
                afterWrite();
                full = 0;
            }

            pause();
        }

        return written;
    }
}
