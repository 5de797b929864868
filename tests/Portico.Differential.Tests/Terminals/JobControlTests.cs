using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Terminals;

/// <summary>The terminal that controls a session: who gets its signals, and who may use it (credentials(7), tty_ioctl(4)).</summary>
public sealed class JobControlTests
{
    private static (Kit Leader, long Master, long Slave) Controlled(Kit kit, bool byOpening = true)
    {
        (long master, long other) = kit.Terminal();
        Kit leader = kit.Leader();
        leader.Call(close, other);
        long slave = leader.RawOpen(leader.SlaveOf(master), byOpening ? O_RDWR | O_NONBLOCK : O_RDWR | O_NONBLOCK | O_NOCTTY);
        return (leader, master, slave);
    }

    private static unsafe void Ask(Kit kit, long fd, IoctlRequest request)
    {
        int value = -1;
        long result = kit.Raw(ioctl, fd, (long)request, (long)(&value));
        if (result < 0)
        {
            kit.Note($"{request} {Kit.Show(result)}");
        }
        else
        {
            kit.NotePid($"{request}", value);
        }
    }

    private static unsafe void SetForeground(Kit kit, long fd, long group)
    {
        int value = (int)group;
        kit.Write("TIOCSPGRP", kit.Raw(ioctl, fd, (long)IoctlRequest.TIOCSPGRP, (long)(&value)));
    }

    [Theory]
    [InlineData("/dev/pts", O_RDWR)]
    [InlineData("/dev/pts", O_RDONLY)]
    [InlineData("/dev/pts", O_WRONLY)]
    [InlineData("/dev/pts", O_RDWR | O_NOCTTY)]
    public void A_leader_gets_the_terminal_that_it_opens(string kind, OpenFlags flags) => BothKernels.Run(kit =>
    {
        kit.Note(kind);
        (long master, _) = kit.Terminal();
        Kit leader = kit.Leader();
        leader.Open("/dev/tty", O_RDWR);
        long slave = leader.RawOpen(leader.SlaveOf(master), flags);
        Ask(leader, slave, IoctlRequest.TIOCGSID);
        Ask(leader, slave, IoctlRequest.TIOCGPGRP);
        Ask(leader, master, IoctlRequest.TIOCGSID);
        Ask(leader, master, IoctlRequest.TIOCGPGRP);
        Ask(kit, master, IoctlRequest.TIOCGPGRP);
        leader.Open("/dev/tty", O_RDWR);
        Kit child = leader.Fork("child");
        Ask(child, slave, IoctlRequest.TIOCGSID);
        child.Open("/dev/tty", O_RDWR);
        Kit other = kit.Leader("other");
        other.Open("/dev/tty", O_RDWR);
        long again = other.RawOpen(other.SlaveOf(master), O_RDWR);
        Ask(other, again, IoctlRequest.TIOCGSID);
        other.IoctlValue(again, IoctlRequest.TIOCSCTTY, 0);
        other.IoctlValue(again, IoctlRequest.TIOCSCTTY, 1);
    });

    [Fact]
    public void A_terminal_is_taken_and_given_up_by_request() => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit, byOpening: false);
        Kit child = leader.Fork("child");
        Ask(leader, slave, IoctlRequest.TIOCGSID);
        child.IoctlValue(slave, IoctlRequest.TIOCSCTTY, 0);
        leader.IoctlInt(slave, IoctlRequest.TIOCNOTTY);
        leader.IoctlValue(slave, IoctlRequest.TIOCSCTTY, 0);
        leader.IoctlValue(slave, IoctlRequest.TIOCSCTTY, 0);
        leader.IoctlValue(master, IoctlRequest.TIOCSCTTY, 0);
        Ask(leader, slave, IoctlRequest.TIOCGSID);
        Ask(child, slave, IoctlRequest.TIOCGSID);
        Kit later = leader.Fork("later");
        Ask(later, slave, IoctlRequest.TIOCGSID);
        later.IoctlInt(slave, IoctlRequest.TIOCNOTTY);
        Ask(later, slave, IoctlRequest.TIOCGSID);
        Ask(leader, slave, IoctlRequest.TIOCGSID);
        leader.IoctlInt(master, IoctlRequest.TIOCNOTTY);
        leader.IoctlInt(slave, IoctlRequest.TIOCNOTTY);
        leader.Pending();
        later.Pending();
        Ask(leader, slave, IoctlRequest.TIOCGSID);
        Ask(leader, master, IoctlRequest.TIOCGSID);
        leader.Open("/dev/tty", O_RDWR);
    });

    [Fact]
    public void The_foreground_may_be_a_process_that_leads_no_group_yet() => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit);
        Kit job = leader.Fork("job");
        Kit other = kit.Leader("other");
        SetForeground(leader, slave, 999_999_999);
        SetForeground(leader, slave, other.Id);
        SetForeground(leader, slave, 0);
        SetForeground(leader, slave, -1);
        SetForeground(leader, slave, job.Id);
        Ask(leader, slave, IoctlRequest.TIOCGPGRP);
        kit.WriteBytes(master, [3]);
        leader.Pending();
        job.Pending();
        leader.Read(slave, 10);
        job.Read(slave, 10);
        job.Call(setpgid, 0, 0);
        kit.WriteBytes(master, [3]);
        leader.Pending();
        job.Pending();
        job.Read(slave, 10);
        job.Exit();
        Ask(leader, slave, IoctlRequest.TIOCGPGRP);
        leader.Wait4(job.Id);
        Ask(leader, slave, IoctlRequest.TIOCGPGRP);
        leader.Read(slave, 10);
        SetForeground(leader, slave, job.Id);
        SetForeground(leader, slave, leader.Id);
        leader.Read(slave, 10);
    });

    [Theory]
    [InlineData("^C", "")]
    [InlineData("^Z", "")]
    [InlineData("^\\", "")]
    [InlineData("abc^C", "noflsh")]
    [InlineData("^C", "-isig")]
    [InlineData("x", "intr x")]
    [InlineData("^C^C^Z", "")]
    public void Keys_send_signals_to_the_foreground(string keys, string modes) => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit);
        Kit job = leader.Fork("job");
        job.Call(setpgid, 0, 0);
        kit.Stty(master, modes);
        kit.Type(master, keys);
        leader.Pending();
        job.Pending();
        SetForeground(leader, slave, job.Id);
        kit.Type(master, keys);
        leader.Pending();
        job.Pending();
        long fd = job.Signalfd(ulong.MaxValue);
        job.ReadSignals(fd);
        leader.ReadText("slave", slave);
    });

    [Fact]
    public void A_window_that_changes_its_size_is_told_and_so_is_a_signal_from_the_master() => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit);
        long fd = leader.Signalfd(ulong.MaxValue);
        kit.IoctlFrom(master, IoctlRequest.TIOCSWINSZ, [24, 0, 80, 0, 0, 0, 0, 0]);
        leader.ReadSignals(fd);
        kit.IoctlFrom(master, IoctlRequest.TIOCSWINSZ, [24, 0, 80, 0, 0, 0, 0, 0]);
        leader.ReadSignals(fd);
        leader.IoctlFrom(slave, IoctlRequest.TIOCSWINSZ, [25, 0, 80, 0, 0, 0, 0, 0]);
        leader.ReadSignals(fd);
        foreach (int signal in (int[])[2, 3, 20, 1, 15, 0])
        {
            kit.IoctlValue(master, IoctlRequest.TIOCSIG, signal);
            leader.ReadSignals(fd);
        }
    });

    [Fact]
    public void The_foreground_is_a_group_of_the_session() => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit);
        Kit job = leader.Fork("job");
        job.Call(setpgid, 0, 0);
        SetForeground(leader, slave, -1);
        SetForeground(leader, slave, 999_999_999);
        SetForeground(leader, slave, kit.Id);
        SetForeground(leader, master, job.Id);
        SetForeground(leader, slave, job.Id);
        Ask(leader, slave, IoctlRequest.TIOCGPGRP);
        Ask(kit, master, IoctlRequest.TIOCGPGRP);
        SetForeground(kit, master, job.Id);
        leader.Call(ioctl, slave, (long)IoctlRequest.TIOCGPGRP, 0);
        leader.Call(ioctl, slave, (long)IoctlRequest.TIOCSPGRP, 0);
        SetForeground(job, slave, leader.Id);
        Ask(job, slave, IoctlRequest.TIOCGPGRP);
    });

    [Theory]
    [InlineData("", 0)]
    [InlineData("", 1)]
    [InlineData("", 2)]
    [InlineData("tostop", 1)]
    [InlineData("tostop", 2)]
    public void The_background_does_not_read_and_writes_unless_it_is_to_stop(string modes, int handler) => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit);
        Kit job = leader.Fork("job");
        job.Call(setpgid, 0, 0);
        kit.Stty(master, modes);
        kit.Type(master, "line^J");
        if (handler > 0)
        {
            // Blocked is as good as ignored; caught and let through, the call ends.
            job.Action(21, handler);
            job.Action(22, handler);
            job.Mask(1, handler == 2 ? Kit.Set(21, 22) : 0);
        }

        job.Read(slave, 10);
        job.WriteBytes(slave, "out"u8);
        kit.Deliver();
        job.Stty(slave, "-echo");
        job.IoctlValue(slave, IoctlRequest.TCFLSH, 0);
        job.IoctlValue(slave, IoctlRequest.TCXONC, 1);
        SetForeground(job, slave, job.Id);
        job.Read(slave, 0);
        job.Pending();
        kit.ReadText("master", master);
    });

    [Fact]
    public void An_orphaned_group_in_the_background_is_told_at_once() => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit);
        Kit job = leader.Fork("job");
        job.Call(setpgid, 0, 0);
        Kit orphan = job.Fork("orphan");
        orphan.Call(setpgid, 0, 0);
        orphan.Action(21, 2);
        orphan.Action(22, 2);
        orphan.Mask(1, Kit.Set(21, 22));
        kit.Type(master, "line^J");
        orphan.Read(slave, 10);
        job.Exit();
        orphan.Read(slave, 10);
        orphan.Stty(slave, "-echo");
        SetForeground(orphan, slave, orphan.Id);
        leader.Read(slave, 10);
    });

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void The_leader_hears_of_a_hang_up(int what) => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit);
        leader.Call(close, master);
        Kit job = leader.Fork("job");
        job.Call(setpgid, 0, 0);
        if (what == 1)
        {
            SetForeground(leader, slave, job.Id);
        }

        kit.Call(close, master);
        leader.Call(close, 3);
        leader.Pending();
        job.Pending();
        leader.Read(slave, 10);
        leader.WriteBytes(slave, "x"u8);
        leader.Open("/dev/tty", O_RDWR);
        Ask(leader, slave, IoctlRequest.TIOCGSID);
        SetForeground(leader, slave, leader.Id);
        leader.Exit();
        job.Pending();
    });

    [Fact]
    public void The_foreground_hears_of_the_end_of_the_leader() => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit);
        Kit job = leader.Fork("job");
        job.Call(setpgid, 0, 0);
        SetForeground(leader, slave, job.Id);
        long tty = job.Open("/dev/tty", O_RDWR | O_NONBLOCK);
        leader.Exit();
        job.Pending();
        Ask(job, slave, IoctlRequest.TIOCGSID);
        Ask(kit, master, IoctlRequest.TIOCGSID);
        kit.Type(master, "line^J");
        job.Read(tty, 10);
        job.Open("/dev/tty", O_RDWR);
    });

    [Fact]
    public void A_byte_can_be_typed_at_ones_own_terminal() => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit);
        foreach (byte key in "ab\n"u8.ToArray())
        {
            leader.IoctlFrom(slave, IoctlRequest.TIOCSTI, [key]);
        }

        leader.Read(slave, 10);
        kit.Deliver();
        kit.ReadText("master", master);
        kit.IoctlFrom(master, IoctlRequest.TIOCSTI, [1]);
        Kit other = kit.Leader("other");
        other.IoctlFrom(master, IoctlRequest.TIOCSTI, [1]);
        leader.IoctlInt(slave, IoctlRequest.TIOCVHANGUP);
    });

    [Fact]
    public void The_file_of_ones_own_terminal_is_the_terminal() => BothKernels.Run(kit =>
    {
        (Kit leader, long master, long slave) = Controlled(kit);
        long tty = leader.Open("/dev/tty", O_RDWR);
        leader.Fcntl(tty, FcntlCommand.F_GETFL);
        leader.Status(tty);
        leader.IoctlInt(tty, IoctlRequest.TIOCNOTTY);
        leader.WriteBytes(tty, "out"u8);
        kit.Deliver();
        kit.ReadText("master", master);
        leader.Call(close, slave);
        kit.Poll(0, (master, (SocketEvents)0x7FFF));
        leader.Call(close, tty);
        kit.Poll(0, (master, (SocketEvents)0x7FFF));
    });
}
