using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>Pipes (F11): what fits, what is put in whole, and who waits.</summary>
public sealed class PipeTests
{
    [Fact]
    public void A_small_write_is_put_in_whole_or_not_at_all_and_a_large_one_in_part() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe(OpenFlags.O_NONBLOCK);
        kit.WriteBytes(writer, new byte[65_436]);
        kit.WriteBytes(writer, new byte[200]);
        kit.WriteBytes(writer, new byte[100]);
        kit.WriteBytes(writer, new byte[1]);
        kit.WriteBytes(writer, new byte[8192]);
        kit.Read(reader, 4095);
        kit.WriteBytes(writer, new byte[8192]);
        kit.Read(reader, 1);
        kit.Poll(0, (writer, SocketEvents.Writable));
        kit.WriteBytes(writer, new byte[8192]);
        kit.IoctlInt(reader, IoctlRequest.FIONREAD);
        kit.Read(reader, 1 << 20);
        kit.Read(reader, 1);
    });

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Any_sequence_of_reads_and_writes_moves_the_same_bytes(int seed) => BothKernels.Run(kit =>
    {
        Random random = new(seed);
        (int reader, int writer) = kit.Pipe(OpenFlags.O_NONBLOCK);
        byte next = 0;
        for (int i = 0; i < 150; i++)
        {
            switch (random.Next(8))
            {
                case < 4:
                    byte[] data = new byte[random.Next(4) switch { 0 => random.Next(10), 1 => random.Next(5000), 2 => 4096, _ => random.Next(30_000) }];
                    for (int j = 0; j < data.Length; j++)
                    {
                        data[j] = next++;
                    }

                    kit.WriteBytes(writer, data);
                    break;
                case < 7:
                    kit.Read(reader, random.Next(2) == 0 ? random.Next(6000) : random.Next(60_000));
                    break;
                default:
                    kit.Fcntl(writer, FcntlCommand.F_SETPIPE_SZ, 4096L << random.Next(7));
                    break;
            }

            kit.IoctlInt(reader, IoctlRequest.FIONREAD);
            kit.Poll(0, (reader, (SocketEvents)0x7FFF), (writer, (SocketEvents)0x7FFF));
        }
    });

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    [Fact]
    public void A_write_that_waits_is_finished_by_reads() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        var write = StartWrite(kit, writer, 150_000);
        Kit.Settle();
        kit.NoteWhetherDone("write", write);
        int read = 0;
        while (read < 150_000)
        {
            byte[] buffer = new byte[10_000];
            unsafe
            {
                fixed (byte* p = buffer)
                {
                    long result = kit.Raw(SyscallNumber.read, reader, (long)p, buffer.Length);
                    read += (int)Math.Max(0, result);
                }
            }
        }

        kit.Note($"read {read}");
        kit.Join(write);
    });

    [Fact]
    public void A_write_that_waits_returns_what_it_has_written_when_the_reader_goes() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        var write = StartWrite(kit, writer, 150_000);
        Kit.Settle();
        kit.Call(close, reader);
        kit.Join(write);
        kit.WriteBytes(writer, "x"u8);
    });

    [Fact]
    public void A_packet_is_read_whole_or_what_is_left_of_it_is_lost() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe(OpenFlags.O_DIRECT | OpenFlags.O_NONBLOCK);
        kit.WriteBytes(writer, "first packet"u8);
        kit.WriteBytes(writer, "second"u8);
        kit.WriteBytes(writer, new byte[5000]);
        kit.Read(reader, 5);
        kit.Read(reader, 100);
        kit.Read(reader, 10_000);
        kit.Read(reader, 10_000);
        kit.Read(reader, 10_000);
    });

    [Fact]
    public void It_can_be_made_smaller_only_as_far_as_its_bytes_allow() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe(OpenFlags.O_NONBLOCK);
        kit.WriteBytes(writer, new byte[20_000]);
        kit.Fcntl(writer, FcntlCommand.F_SETPIPE_SZ, 4096);
        kit.Fcntl(writer, FcntlCommand.F_SETPIPE_SZ, 20_480);
        kit.Fcntl(reader, FcntlCommand.F_GETPIPE_SZ);
        kit.WriteBytes(writer, new byte[20_000]);
        kit.Read(reader, 100_000);
    });

    private static unsafe Task<(string Call, long Result, byte[] Bytes)> StartWrite(Kit kit, int writer, int count) => kit.Start("write", () =>
    {
        byte[] data = new byte[count];
        fixed (byte* p = data)
        {
            return (kit.Raw(SyscallNumber.write, writer, (long)p, count), []);
        }
    });
}
