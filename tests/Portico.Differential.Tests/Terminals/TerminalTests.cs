using Portico.Differential.Tests.Descriptors;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Terminals;

/// <summary>Masters and slaves as files: opening, closing, modes, hang-ups, packet mode (pty(7), ioctl_tty(2)).</summary>
public sealed class TerminalTests
{
    private static readonly Dictionary<string, Func<Kit, long>> s_kinds = new()
    {
        ["a master"] = kit => kit.Terminal().Master,
        ["a slave"] = kit => kit.Terminal().Slave,
        ["a raw slave"] = kit => kit.Terminal((_, fd) => kit.Stty(fd, "raw min 0")).Slave,
        ["a slave with a line"] = kit =>
        {
            (long master, long slave) = kit.Terminal();
            kit.Type(master, "a line^J");
            return slave;
        },
        ["a master with output"] = kit =>
        {
            (long master, long slave) = kit.Terminal();
            kit.WriteBytes(slave, "output\n"u8);
            kit.Deliver();
            return master;
        },
        ["a master whose slave nobody has opened"] = kit => kit.RawOpen("/dev/ptmx", O_RDWR | O_NOCTTY),
        ["a master whose slave is closed"] = kit =>
        {
            (long master, long slave) = kit.Terminal();
            kit.WriteBytes(slave, "last"u8);
            kit.Deliver();
            kit.Call(close, slave);
            return master;
        },
        ["a slave that was hung up"] = kit =>
        {
            (long master, long slave) = kit.Terminal();
            kit.Type(master, "last^J");
            kit.Call(close, master);
            return slave;
        },
        ["a master in packet mode"] = kit =>
        {
            (long master, long slave) = kit.Terminal();
            kit.IoctlInt(master, IoctlRequest.TIOCPKT, 1);
            kit.WriteBytes(slave, "out"u8);
            kit.Deliver();
            return master;
        },
    };

    public static TheoryData<string, string> Operations
    {
        get
        {
            TheoryData<string, string> cases = [];
            // How much of a large write Linux takes, and when an echo can be polled for, depends on its threads.
            foreach (string operation in FileOperations.All.Keys.Except(["write 100,000 bytes", "write one less than the largest number"]))
            {
                foreach (string kind in s_kinds.Keys)
                {
                    cases.Add(operation, kind);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public void Every_operation_is_answered_as_Linux_does(string operation, string kind) => BothKernels.Run(kit =>
    {
        long fd = s_kinds[kind](kit);
        kit.NonBlocking(fd);
        FileOperations.All[operation](kit, fd);
    });

    private static readonly (string Name, IoctlRequest Request, int Bytes)[] s_getters =
    [
        ("TCGETS", IoctlRequest.TCGETS, 36), ("TCGETS2", IoctlRequest.TCGETS2, 44), ("TCGETA", IoctlRequest.TCGETA, 17),
        ("TIOCGWINSZ", IoctlRequest.TIOCGWINSZ, 8), ("TIOCINQ", IoctlRequest.FIONREAD, 4), ("TIOCOUTQ", IoctlRequest.TIOCOUTQ, 4),
        ("TIOCGETD", IoctlRequest.TIOCGETD, 4), ("TIOCGEXCL", IoctlRequest.TIOCGEXCL, 4), ("TIOCGPKT", IoctlRequest.TIOCGPKT, 4),
        ("TIOCGPTLCK", IoctlRequest.TIOCGPTLCK, 4),
    ];

    public static TheoryData<string, string> Getters
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string kind in s_kinds.Keys)
            {
                foreach ((string name, _, _) in s_getters)
                {
                    cases.Add(name, kind);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Getters))]
    public void Every_request_is_answered_as_Linux_does(string request, string kind) => BothKernels.Run(kit =>
    {
        long fd = s_kinds[kind](kit);
        (_, IoctlRequest number, int bytes) = s_getters.Single(getter => getter.Name == request);
        kit.IoctlBytes(fd, number, bytes);
        kit.Call(ioctl, fd, (long)number, 0);
    });

    [Fact]
    public void A_slave_is_locked_until_it_is_unlocked_and_there_while_its_master_is() => BothKernels.Run(kit =>
    {
        long master = kit.RawOpen("/dev/ptmx", O_RDWR | O_NOCTTY);
        string name = kit.SlaveOf(master);
        kit.Note($"open {Kit.Show(kit.RawOpen(name, O_RDWR | O_NOCTTY))}");
        kit.IoctlInt(master, IoctlRequest.TIOCGPTLCK);
        kit.IoctlValue(master, IoctlRequest.TIOCGPTPEER, (long)(O_RDWR | O_NOCTTY));
        kit.IoctlInt(master, IoctlRequest.TIOCSPTLCK);
        kit.IoctlInt(master, IoctlRequest.TIOCGPTLCK);
        long peer = kit.IoctlValue(master, IoctlRequest.TIOCGPTPEER, (long)(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
        kit.Fcntl(peer, FcntlCommand.F_GETFD);
        kit.Fcntl(peer, FcntlCommand.F_GETFL);
        long slave = kit.RawOpen(name, O_RDWR | O_NOCTTY);
        kit.Note($"open {slave}");
        kit.Fcntl(slave, FcntlCommand.F_GETFL);
        kit.IoctlInt(slave, IoctlRequest.TIOCGPTN);
        kit.IoctlInt(slave, IoctlRequest.TIOCSPTLCK);
        kit.IoctlValue(slave, IoctlRequest.TIOCGPTPEER, (long)(O_RDWR | O_NOCTTY));
        kit.Status(slave);
        kit.Status(master);
        kit.Call(close, master);
        kit.Note($"open {Kit.Show(kit.RawOpen(name, O_RDWR | O_NOCTTY))}");
        kit.Status(slave);
        kit.Read(slave, 10);
        kit.Read(peer, 10);
        kit.WriteBytes(slave, "x"u8);
    });

    [Fact]
    public void In_the_directory_of_terminals_nothing_can_be_made_or_removed() => BothKernels.Run(kit =>
    {
        long master = kit.RawOpen("/dev/ptmx", O_RDWR | O_NOCTTY);
        string name = kit.SlaveOf(master);
        kit.Status("/dev/pts", isOutside: true);
        kit.Open("/dev/pts/nothing", O_RDWR);
        kit.Open("/dev/pts/00", O_RDWR);
        kit.Open("/dev/pts/+1", O_RDWR);
        kit.Open("/dev/pts/ptmx", O_RDWR);
        kit.Open("/dev/pts/4000000000", O_RDWR);
        kit.Note($"slave {Kit.Show(kit.Raw(openat, Kit.AtCwd, 0, 0))}");
        kit.Open(name + "/x", O_RDWR);
    });

    [Fact]
    public void What_a_slave_is_sent_while_nobody_has_it_open_waits() => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        string name = kit.SlaveOf(master);
        kit.Type(master, "one^J");
        kit.WriteBytes(slave, "out\n"u8);
        kit.Deliver();
        kit.Call(close, slave);
        kit.Poll(0, (master, (SocketEvents)0x7FFF));
        kit.ReadText("master", master);
        kit.Type(master, "two^J");
        kit.ReadText("master", master);
        slave = kit.RawOpen(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
        kit.Poll(0, (master, (SocketEvents)0x7FFF));
        kit.Ends(master, slave);
        long other = kit.RawOpen(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
        kit.Call(close, slave);
        kit.Poll(0, (master, (SocketEvents)0x7FFF));
        kit.Ends(master, other);
        kit.Call(close, other);
        kit.Poll(0, (master, (SocketEvents)0x7FFF));
        kit.Read(master, 10);
    });

    [Fact]
    public void Those_who_wait_hear_of_the_last_close() => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal(flags: O_RDWR);
        var read = kit.StartRead(master, 100);
        Kit.Settle();
        kit.Call(close, slave);
        kit.Join(read);
        (master, slave) = kit.Terminal(flags: O_RDWR);
        read = kit.StartRead(slave, 100);
        Kit.Settle();
        kit.Call(close, master);
        kit.Join(read);
        kit.Read(slave, 100);
        kit.Poll(0, (slave, (SocketEvents)0x7FFF));
    });

    [Fact]
    public void An_exclusive_terminal_is_opened_by_nobody_else() => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        kit.IoctlInt(slave, IoctlRequest.TIOCEXCL);
        kit.IoctlInt(slave, IoctlRequest.TIOCGEXCL);
        kit.Note($"open {Kit.Show(kit.RawOpen(kit.SlaveOf(master), O_RDWR | O_NOCTTY))}");
        kit.IoctlInt(slave, IoctlRequest.TIOCNXCL);
        kit.Note($"open {Kit.Show(kit.RawOpen(kit.SlaveOf(master), O_RDWR | O_NOCTTY))}");
    });

    [Fact]
    public void The_size_of_the_window_is_one_for_both_ends() => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        kit.IoctlFrom(master, IoctlRequest.TIOCSWINSZ, [24, 0, 80, 0, 1, 2, 3, 4]);
        kit.IoctlBytes(slave, IoctlRequest.TIOCGWINSZ, 8);
        kit.IoctlFrom(slave, IoctlRequest.TIOCSWINSZ, [50, 0, 132, 0, 0, 0, 0, 0]);
        kit.IoctlBytes(master, IoctlRequest.TIOCGWINSZ, 8);
    });

    public static TheoryData<IoctlRequest, int, int, uint> Settings
    {
        get
        {
            TheoryData<IoctlRequest, int, int, uint> cases = [];
            foreach (IoctlRequest request in (IoctlRequest[])
                [IoctlRequest.TCSETS, IoctlRequest.TCSETSW2, IoctlRequest.TCSETSF2, IoctlRequest.TCSETS2, IoctlRequest.TCSETA, IoctlRequest.TCSETAW, IoctlRequest.TCSETAF])
            {
                foreach (uint control in (uint[])[0, 0xBF, 0x1002, 0x100F, 0x1000, 0x9_0F0F, 0xFFFF_FFFF, 0x1000_1000])
                {
                    cases.Add(request, 0, 0x55, control);
                    cases.Add(request, 1, 0xAA, control);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public void Modes_that_are_set_are_what_is_got_but_for_what_a_line_would_need(IoctlRequest request, int end, int fill, uint control) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        byte[] bytes = new byte[44];
        bytes.AsSpan().Fill((byte)fill);
        bool isOld = request is IoctlRequest.TCSETA or IoctlRequest.TCSETAW or IoctlRequest.TCSETAF;
        BitConverter.TryWriteBytes(bytes.AsSpan(isOld ? 4 : 8), control);
        kit.IoctlFrom(end == 0 ? master : slave, request, bytes);
        kit.IoctlBytes(slave, IoctlRequest.TCGETS, 36);
        kit.IoctlBytes(master, IoctlRequest.TCGETS2, 44);
        kit.IoctlBytes(slave, IoctlRequest.TCGETA, 17);
    });

    private static readonly Dictionary<string, Action<Kit, long, long>> s_packets = new()
    {
        ["output"] = (kit, _, slave) => kit.WriteBytes(slave, "output\n"u8),
        ["stop and start"] = (kit, master, _) => kit.Type(master, "^S^Q"),
        ["stop"] = (kit, master, _) => kit.Type(master, "^S"),
        ["TCOOFF"] = (kit, _, slave) => kit.IoctlValue(slave, IoctlRequest.TCXONC, 0),
        ["TCIOFF"] = (kit, _, slave) => kit.IoctlValue(slave, IoctlRequest.TCXONC, 2),
        ["flush input"] = (kit, _, slave) => kit.IoctlValue(slave, IoctlRequest.TCFLSH, 0),
        ["flush output"] = (kit, _, slave) => kit.IoctlValue(slave, IoctlRequest.TCFLSH, 1),
        ["flush both"] = (kit, _, slave) => kit.IoctlValue(slave, IoctlRequest.TCFLSH, 2),
        ["interrupt"] = (kit, master, _) => kit.Type(master, "abc^C"),
        ["interrupt without flush"] = (kit, master, slave) =>
        {
            kit.Stty(slave, "noflsh");
            kit.Type(master, "abc^C");
        },
        ["no flow control"] = (kit, _, slave) => kit.Stty(slave, "-ixon"),
        ["other flow control"] = (kit, _, slave) => kit.Stty(slave, "stop x"),
        ["flow control again"] = (kit, _, slave) =>
        {
            kit.Stty(slave, "-ixon");
            kit.Stty(slave, "ixon");
        },
        ["no echo"] = (kit, _, slave) => kit.Stty(slave, "-echo"),
        ["external processing"] = (kit, _, slave) => kit.Stty(slave, "extproc"),
        ["external processing and no more"] = (kit, master, slave) =>
        {
            kit.Stty(slave, "extproc");
            kit.Read(master, 10);
            kit.Stty(slave, "-extproc");
        },
        ["TCSETSF"] = (kit, _, slave) => kit.Stty(slave, "-echo", IoctlRequest.TCSETSF),
        ["close"] = (kit, _, slave) => kit.Call(close, slave),
        ["off and on"] = (kit, master, slave) =>
        {
            kit.IoctlValue(slave, IoctlRequest.TCFLSH, 2);
            kit.IoctlInt(master, IoctlRequest.TIOCPKT, 0);
            kit.IoctlInt(master, IoctlRequest.TIOCPKT, 1);
        },
        ["on twice"] = (kit, master, slave) =>
        {
            kit.IoctlValue(slave, IoctlRequest.TCFLSH, 2);
            kit.IoctlInt(master, IoctlRequest.TIOCPKT, 1);
        },
    };

    public static TheoryData<string, int> Packets
    {
        get
        {
            TheoryData<string, int> cases = [];
            foreach (string what in s_packets.Keys)
            {
                cases.Add(what, 1);
                cases.Add(what, 2);
                cases.Add(what, 100);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Packets))]
    public void In_packet_mode_the_master_hears_of_what_happens_to_the_slave(string what, int count) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        kit.IoctlInt(master, IoctlRequest.TIOCPKT, 1);
        kit.IoctlInt(master, IoctlRequest.TIOCGPKT);
        kit.Read(master, count);
        s_packets[what](kit, master, slave);
        kit.Deliver();
        kit.Poll(0, (master, (SocketEvents)0x7FFF));
        kit.ReadText("master", master, count);
        kit.WriteBytes(slave, "more"u8);
        kit.Deliver();
        kit.IoctlInt(master, IoctlRequest.FIONREAD);
        kit.ReadText("master", master, count);
    });

    [Theory]
    [InlineData(EpollFlags.EPOLLIN)]
    [InlineData(EpollFlags.EPOLLIN | EpollFlags.EPOLLET)]
    [InlineData(EpollFlags.EPOLLOUT | EpollFlags.EPOLLET)]
    [InlineData(EpollFlags.EPOLLHUP)]
    public void An_epoll_hears_of_both_ends(EpollFlags events) => BothKernels.Run(kit =>
    {
        (long master, long slave) = kit.Terminal();
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, master, events, 1);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, slave, events, 2);
        kit.EpollWait(epoll);
        kit.Type(master, "abc");
        kit.EpollWait(epoll);
        kit.Type(master, "^J");
        kit.EpollWait(epoll);
        kit.EpollWait(epoll);
        kit.ReadText("slave", slave);
        kit.ReadText("master", master);
        kit.EpollWait(epoll);
        kit.WriteBytes(slave, "out"u8);
        kit.Deliver();
        kit.EpollWait(epoll);
        kit.Call(close, master);
        kit.EpollWait(epoll);
        kit.EpollWait(epoll);
    });
}
