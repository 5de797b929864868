using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Terminals;

/// <summary>How much a terminal holds, who waits when it is full, and what stops it.</summary>
public sealed class FlowTests
{
    public static TheoryData<string, int, bool> Sizes
    {
        get
        {
            TheoryData<string, int, bool> cases = [];
            foreach (string modes in (string[])["raw", "", "-opost", "-onlcr", "raw opost onlcr"])
            {
                foreach (int size in (int[])[1, 10, 100, 256, 1000, 2048, 5000])
                {
                    cases.Add(modes, size, true);
                    cases.Add(modes, size, false);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void It_holds_as_much_as_in_Linux(string modes, int size, bool fromSlave) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal((_, fd) => kit.Stty(fd, modes + " -echo"));
        byte[] data = new byte[size];
        data.AsSpan().Fill((byte)'a');
        data[size / 2] = (byte)'\n';
        data[^1] = (byte)'\n';
        long total = 0;
        long last;
        int rounds = 0;
        while ((last = Write(kit, fromSlave ? slave : master, data)) > 0)
        {
            total += last;
            if (size >= 256 || rounds++ % 128 == 0)
            {
                kit.Deliver();
            }
        }

        kit.Note($"{total} bytes, then {Kit.Show(last)}");
        kit.Poll(0, (slave, (SocketEvents)0x7FFF), (master, (SocketEvents)0x7FFF));
        long reader = fromSlave ? master : slave;
        kit.Read(reader, 1);
        kit.Read(reader, 3000);
        kit.Deliver();
        kit.Poll(0, (slave, (SocketEvents)0x7FFF), (master, (SocketEvents)0x7FFF));
        for (int i = 0; i < 8; i++)
        {
            kit.Deliver();
            kit.Poll(0, (reader, (SocketEvents)0x7FFF));
            if (fromSlave || modes.StartsWith("raw", StringComparison.Ordinal))
            {
                kit.Read(reader, 4096);
            }
        }
    });

    private static unsafe long Write(Kit kit, long fd, byte[] data)
    {
        fixed (byte* p = data)
        {
            return kit.Raw(write, fd, (long)p, data.Length);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_write_that_waits_goes_on_when_the_other_end_reads(bool fromSlave) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal((_, fd) => kit.Stty(fd, "raw"), O_RDWR);
        (long writer, long reader) = fromSlave ? (slave, master) : (master, slave);
        byte[] data = new byte[100_000];
        new Random(1).NextBytes(data);
        var started = kit.Start("write", () => (Write(kit, writer, data), []));
        Kit.Settle();
        kit.NoteWhetherDone("write", started);
        byte[] got = new byte[data.Length];
        int count = 0;
        while (count < got.Length)
        {
            count += Read(kit, reader, got.AsSpan(count, Math.Min(997, got.Length - count)));
        }

        kit.Join(started);
        kit.Note(got.AsSpan().SequenceEqual(data) ? "no byte lost" : "bytes lost");
    });

    private static unsafe int Read(Kit kit, long fd, Span<byte> into)
    {
        fixed (byte* p = into)
        {
            return (int)Math.Max(0, kit.Raw(read, fd, (long)p, into.Length));
        }
    }

    [Theory]
    [InlineData("^S", "^Q")]
    [InlineData("^S^S", "^Q")]
    [InlineData("^S^Q^S", "^Q")]
    public void A_stopped_terminal_writes_nothing(string stop, string start) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        kit.Type(master, stop);
        kit.WriteBytes(slave, "output\n"u8);
        kit.Poll(0, (slave, (SocketEvents)0x7FFF), (master, (SocketEvents)0x7FFF));
        kit.Type(master, "echo^J");
        kit.ReadText("master", master);
        kit.Type(master, start);
        kit.ReadText("master", master);
        kit.WriteBytes(slave, "output\n"u8);
        kit.ReadText("master", master);
        kit.ReadText("slave", slave);
    });

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(0, 2)]
    [InlineData(0, 3)]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(1, 3)]
    [InlineData(0, 4)]
    [InlineData(1, 4)]
    public void Calls_stop_and_start_it(int end, int what) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        long one = end == 0 ? master : slave;
        kit.IoctlValue(one, IoctlRequest.TCXONC, what);
        kit.Deliver();
        kit.WriteBytes(slave, "out\n"u8);
        kit.WriteBytes(master, "in\n"u8);
        kit.Deliver();
        kit.Ends(master, slave);
        kit.IoctlValue(one, IoctlRequest.TCXONC, 1);
        kit.IoctlValue(one, IoctlRequest.TCXONC, 3);
        kit.Deliver();
        kit.WriteBytes(slave, "out\n"u8);
        kit.WriteBytes(master, "in^Q\n"u8);
        kit.Deliver();
        kit.Ends(master, slave);
    });

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(0, 2)]
    [InlineData(0, 3)]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(1, -1)]
    public void Flushing_drops_what_nobody_has_read(int end, int what) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        kit.Type(master, "line^Jpart");
        kit.WriteBytes(slave, "out\n"u8);
        kit.Deliver();
        kit.IoctlValue(end == 0 ? master : slave, IoctlRequest.TCFLSH, what);
        kit.Deliver();
        kit.Ends(master, slave);
        kit.Type(master, "^?^J");
        kit.Ends(master, slave);
    });

    [Theory]
    [InlineData("")]
    [InlineData("raw")]
    [InlineData("-echo")]
    public void A_full_terminal_makes_room_when_it_is_flushed(string modes) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal((_, fd) => kit.Stty(fd, modes));
        kit.Type(master, string.Concat(Enumerable.Repeat(new string('k', 99) + "^J", 80)));
        while (Write(kit, slave, new byte[1000]) > 0)
        {
            kit.Deliver();
        }

        kit.Poll(0, (slave, (SocketEvents)0x7FFF), (master, (SocketEvents)0x7FFF));
        kit.IoctlValue(slave, IoctlRequest.TCFLSH, 2);
        kit.Deliver();
        kit.Poll(0, (slave, SocketEvents.Writable), (master, SocketEvents.Writable));
        kit.IoctlInt(slave, IoctlRequest.FIONREAD);
    });
}
