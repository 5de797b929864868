using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Terminals;

/// <summary>What a read gets, and when it returns (termios(3), canonical and noncanonical mode).</summary>
public sealed class ReadingTests
{
    private const string Long = "0123456789012345678901234567890123456789012345678901234567890123456789";

    public static TheoryData<int, int, int> Counts
    {
        get
        {
            TheoryData<int, int, int> cases = [];
            foreach (int typed in (int[])[0, 1, 5, 63, 64, 65, 150, 4095])
            {
                foreach (int least in (int[])[0, 1, 5, 64, 65, 255])
                {
                    foreach (int count in (int[])[0, 1, 3, 64, 100, 5000])
                    {
                        cases.Add(typed, least, count);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Counts))]
    public void A_read_that_does_not_wait_gets_what_is_there(int typed, int least, int count) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal((_, fd) => kit.Stty(fd, $"raw min {least} time 0"));
        if (typed > 0)
        {
            kit.Type(master, new string('x', typed));
        }

        kit.Poll(0, (slave, SocketEvents.Readable));
        kit.Read(slave, count);
        kit.IoctlInt(slave, IoctlRequest.FIONREAD);
        kit.Read(slave, count);
    });

    public static TheoryData<string, string, int> Lines
    {
        get
        {
            TheoryData<string, string, int> cases = [];
            foreach (string keys in (string[])["", "abc^J", "abc", "abc^D", "^D", "^D^D", "abc^D^D", "a^Jb^Jc^J", "abc^Jdef", Long + "^J" + Long + "^J", Long + "^D"])
            {
                foreach (string modes in (string[])["", "-icanon", "extproc", "eol c", "extproc -icanon"])
                {
                    foreach (int count in (int[])[0, 1, 2, 3, 4, 64, 70, 71, 200])
                    {
                        cases.Add(keys, modes, count);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Lines))]
    public void Lines_are_read_one_by_one_in_pieces_of_any_size(string keys, string modes, int count) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal((_, fd) => kit.Stty(fd, modes));
        kit.Type(master, keys);
        for (int i = 0; i < 4; i++)
        {
            kit.IoctlInt(slave, IoctlRequest.FIONREAD);
            kit.Read(slave, count);
        }
    });

    [Theory]
    [InlineData("abc", "-icanon")]
    [InlineData("abc^Jdef", "-icanon")]
    [InlineData("abc^D", "-icanon")]
    [InlineData("^D^D", "-icanon")]
    [InlineData("ab^V", "-icanon")]
    [InlineData("ab^?", "echoprt -icanon")]
    public void What_was_typed_before_the_modes_change_is_read_in_the_new_way(string keys, string modes) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        kit.Type(master, keys);
        kit.Stty(slave, modes);
        kit.IoctlInt(slave, IoctlRequest.FIONREAD);
        kit.Type(master, "x");
        kit.Read(slave, 3);
        kit.Stty(slave, "icanon");
        kit.IoctlInt(slave, IoctlRequest.FIONREAD);
        kit.Read(slave, 100);
        kit.Type(master, "y^?z^J");
        kit.Read(slave, 100);
        kit.Stty(slave, "-icanon");
        kit.Type(master, "pq");
        kit.Stty(slave, "icanon");
        kit.Type(master, "^?r^J");
        kit.Read(slave, 100);
        kit.Read(slave, 100);
        kit.ReadText("master", master);
    });

    [Theory]
    [InlineData(IoctlRequest.TCSETSW)]
    [InlineData(IoctlRequest.TCSETSF)]
    public void Setting_the_modes_keeps_or_drops_what_was_typed(IoctlRequest how) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        kit.Type(master, "line^Jmore");
        kit.Stty(slave, "-icanon", how);
        kit.Ends(master, slave);
    });

    // Times are in tenths of a second; keys come every 60 milliseconds.
    [Theory]
    [InlineData(1, 0, 2, 10)]
    [InlineData(3, 0, 4, 10)]
    [InlineData(3, 0, 4, 2)]
    [InlineData(0, 2, 0, 10)]
    [InlineData(0, 2, 1, 10)]
    [InlineData(0, 9, 1, 10)]
    [InlineData(3, 2, 0, 10)]
    [InlineData(3, 2, 1, 10)]
    [InlineData(3, 2, 2, 10)]
    [InlineData(3, 2, 3, 10)]
    [InlineData(9, 2, 6, 4)]
    [InlineData(9, 2, 6, 40)]
    [InlineData(200, 2, 3, 100)]
    public void A_read_waits_for_VMIN_and_VTIME(int least, int time, int keys, int count) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal((_, fd) => kit.Stty(fd, $"raw min {least} time {time}"), O_RDWR);
        var read = kit.StartRead(slave, count);
        for (int i = 0; i < keys; i++)
        {
            Thread.Sleep(60);
            kit.Type(master, "x");
        }

        Thread.Sleep(60);
        kit.NoteWhetherDone("the read", read);
        Thread.Sleep(250);
        kit.NoteWhetherDone("the read, later,", read);
        if (!read.IsCompleted)
        {
            kit.Type(master, new string('y', 300));
        }

        kit.Join(read);
        kit.IoctlInt(slave, IoctlRequest.FIONREAD);
    });

    [Fact]
    public void A_read_waits_for_a_line() => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal(flags: O_RDWR);
        var read = kit.StartRead(slave, 100);
        Kit.Settle();
        kit.Type(master, "abc");
        Kit.Settle();
        kit.NoteWhetherDone("read", read);
        kit.Type(master, "^?d^J");
        kit.Join(read);
    });

    [Theory]
    [InlineData(0, 3)]
    [InlineData(2, 0)]
    [InlineData(2, 3)]
    public void Without_waiting_time_means_nothing(int least, int time) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal((_, fd) => kit.Stty(fd, $"raw min {least} time {time}"));
        kit.Read(slave, 10);
        kit.Type(master, "x");
        kit.Poll(0, (slave, SocketEvents.Readable));
        kit.Read(slave, 10);
        kit.Read(slave, 10);
    });

    [Theory]
    [InlineData("", 4094)]
    [InlineData("", 4095)]
    [InlineData("", 4096)]
    [InlineData("", 4097)]
    [InlineData("", 5000)]
    [InlineData("-echo", 5000)]
    [InlineData("imaxbel", 5000)]
    [InlineData("raw", 5000)]
    [InlineData("parmrk", 5000)]
    public void A_line_holds_4095_bytes_and_those_beyond_are_lost(string modes, int length) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal((_, fd) => kit.Stty(fd, modes));
        kit.Type(master, new string('a', length - 10) + "0123456789");
        kit.ReadText("master", master, 10_000);
        kit.Poll(0, (slave, SocketEvents.Readable));
        kit.IoctlInt(slave, IoctlRequest.FIONREAD);
        kit.Type(master, "^?^?xyz^J");
        kit.Ends(master, slave, 5000);
        kit.Type(master, "next^J");
        kit.Ends(master, slave, 5000);
    });

    [Fact]
    public void Lines_beyond_the_first_4095_bytes_wait_for_the_reader() => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal((_, fd) => kit.Stty(fd, "-echo"));
        for (int i = 0; i < 60; i++)
        {
            kit.Type(master, new string((char)('a' + (i % 26)), 99) + "^J");
        }

        kit.IoctlInt(slave, IoctlRequest.FIONREAD);
        for (int i = 0; i < 70; i++)
        {
            kit.Read(slave, 1000);
        }
    });
}
