using Portico.Differential.Tests.Descriptors;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Signals;

/// <summary>Signals that are sent, blocked, asked for and read (kill(2), sigprocmask(2), signalfd(2)).</summary>
public sealed class SignalTests
{
    private const ulong All = ulong.MaxValue;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(-1)]
    public void A_mask_is_added_to_taken_from_and_set(int how) => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        one.Mask(2, Kit.Set(1, 2, 15, 40));
        one.Mask(how, Kit.Set(2, 3, 9, 19, 64));
        one.Mask(0, 0);
        one.Call(rt_sigprocmask, how, 0, 0, 8);
        one.Call(rt_sigprocmask, 0, 0, 0, 4);
        one.Call(rt_sigprocmask, 0, 0, 0, 16);
    });

    public static TheoryData<int> Numbers => [0, 1, 2, 13, 17, 18, 23, 28, 31, 32, 33, 34, 63, 64, 65, -1, 1000];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void A_blocked_signal_is_pending_until_it_is_read(int signal) => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        long fd = one.Signalfd(All);
        one.ReadSignals(fd);
        one.Kill(one.Id, signal);
        one.Kill(one.Id, signal);
        one.Tgkill(one.Id, signal);
        kit.Kill(one.Id, signal);
        kit.Tgkill(one.Id, signal);
        one.Pending();
        one.Poll(0, (fd, (SocketEvents)0x7FFF));
        one.ReadSignals(fd, 127);
        one.ReadSignals(fd, 128);
        one.ReadSignals(fd);
        one.ReadSignals(fd);
        one.Pending();
        one.Action(signal, 1);
        one.Action(signal, 0);
    });

    [Fact]
    public void Those_of_faults_come_first_and_then_by_number_first_those_for_the_thread() => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        long fd = one.Signalfd(All & ~Kit.Set(15));
        foreach (int signal in (int[])[64, 15, 34, 17, 11, 2, 34, 8, 1])
        {
            kit.Kill(one.Id, signal);
        }

        foreach (int signal in (int[])[40, 2, 34, 31])
        {
            kit.Tgkill(one.Id, signal);
        }

        one.ReadSignals(fd, 300);
        one.ReadSignals(fd);
        one.Pending();
        one.Signalfd(Kit.Set(15, 9), fd: fd);
        one.ReadSignals(fd);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public void What_is_ignored_is_forgotten_but_while_it_is_blocked(int handler) => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        foreach (int signal in (int[])[17, 28, 23, 18, 10])
        {
            one.Action(signal, handler);
            kit.Kill(one.Id, signal);
            one.Pending();
            one.Action(signal, 1);
            one.Pending();
            kit.Kill(one.Id, signal);
            one.Pending();
        }

        one.Mask(1, Kit.Set(17, 28));
        one.Pending();
        kit.Kill(one.Id, 28);
        one.Pending();
    });

    [Fact]
    public void Signals_have_numbers_and_actions_have_sizes() => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        one.Call(rt_sigaction, 0, 0, 0, 8);
        one.Call(rt_sigaction, 65, 0, 0, 8);
        one.Call(rt_sigaction, 9, 0, 0, 8);
        one.Call(rt_sigaction, 1, 0, 0, 4);
        one.Action(9, 1);
        one.Action(19, 0);
        one.Action(10, 2);
        one.Action(10, 1);
        one.Action(10, 0);
        one.Call(tgkill, 0, one.Id, 0);
        one.Call(tgkill, one.Id, -1, 0);
        one.Call(tgkill, one.Id, one.Id, 0);
        one.Call(kill, 999_999_999, 0);
        one.Call(kill, 999_999_999, 99);
        one.Call(kill, -999_999_999, 1);
        one.Call(kill, int.MinValue, 1);
        one.Call(rt_sigpending, 0, 9);
    });

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(0x800)]
    [InlineData(0x8_0800)]
    public void A_signalfd_is_made_with_flags_and_changed_by_its_number(int flags) => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        long fd = one.Signalfd(All, (SignalfdFlags)flags);
        one.Fcntl(fd, FcntlCommand.F_GETFL);
        one.Fcntl(fd, FcntlCommand.F_GETFD);
        one.Signalfd(All, (SignalfdFlags)flags, 0);
        one.Signalfd(All, (SignalfdFlags)flags, 77);
        one.Signalfd(All, (SignalfdFlags)flags, -2);
        one.Call(signalfd4, -1, 0, 8, 0);
        one.Call(signalfd4, -1, 0, 4, 0);
    });

    public static TheoryData<string> Operations => [.. FileOperations.All.Keys];

    [Theory]
    [MemberData(nameof(Operations))]
    public void Every_operation_on_a_signalfd_is_answered_as_Linux_does(string operation) => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        long fd = one.Signalfd(All);
        FileOperations.All[operation](one, fd);
    });

    [Fact]
    public void Who_waits_for_signals_hears_of_them_and_only_of_its_own() => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        long fd = one.Signalfd(Kit.Set(10, 12));
        long epoll = one.Call(epoll_create1, 0);
        one.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, fd, EpollFlags.EPOLLIN, 5);
        one.EpollWait(epoll);
        kit.Kill(one.Id, 15);
        one.EpollWait(epoll);
        kit.Kill(one.Id, 10);
        one.EpollWait(epoll);
        Kit two = one.Fork("two");
        two.Poll(0, (fd, SocketEvents.Readable));
        two.ReadSignals(fd);
        one.Poll(0, (fd, SocketEvents.Readable));
        one.ReadSignals(fd);
        one.EpollWait(epoll);
    });

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0x1000_0000, 0)]
    [InlineData(0, 1)]
    [InlineData(0x1000_0000, 1)]
    [InlineData(0x1000_0000, 2)]
    public void A_signal_that_is_caught_ends_what_waits_or_lets_it_begin_anew(int flags, int call) => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        Kit one = kit.Fork("one");
        long id = one.Id;
        one.Action(10, 2, (ulong)flags);
        one.Mask(1, Kit.Set(10));
        var waits = call switch
        {
            0 => one.StartRead(reader, 10),
            1 => one.Start("poll", () => (PollForever(one, reader), [])),
            _ => one.Start("epoll_wait", () => (EpollForever(one, reader), [])),
        };
        Kit.Settle();
        kit.Kill(id, 28);
        Kit.Settle();
        kit.NoteWhetherDone("after one that is ignored it", waits);
        kit.Kill(id, 10);
        Kit.Settle();
        kit.NoteWhetherDone("after the signal it", waits);
        if (!waits.IsCompleted)
        {
            kit.WriteBytes(writer, "x"u8);
        }

        one.Join(waits);
    });

    private static unsafe long PollForever(Kit kit, long fd)
    {
        PollDescriptor one = new() { Fd = (int)fd, Events = (short)SocketEvents.Readable };
        return kit.Raw(poll, (long)(&one), 1, -1);
    }

    private static unsafe long EpollForever(Kit kit, long fd)
    {
        long epoll = kit.Raw(epoll_create1);
        byte* request = stackalloc byte[12];
        *(uint*)request = (uint)EpollFlags.EPOLLIN;
        kit.Raw(epoll_ctl, epoll, (long)EpollOperation.EPOLL_CTL_ADD, fd, (long)request);
        return kit.Raw(epoll_wait, epoll, (long)request, 1, -1);
    }

    [Fact]
    public void A_write_that_nobody_can_read_is_told_by_a_signal_too() => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        long fd = one.Signalfd(Kit.Set(13));
        (int reader, int writer) = one.Pipe();
        one.Call(close, reader);
        one.WriteBytes(writer, "x"u8);
        one.ReadSignals(fd);
        foreach (int type in (int[])[1, 2, 5])
        {
            (int first, int second) = Pair(one, type);
            one.Call(close, second);
            one.WriteBytes(first, "x"u8);
            one.ReadSignals(fd);
            Send(one, first, 0);
            one.ReadSignals(fd);
            Send(one, first, (int)MessageFlags.MSG_NOSIGNAL);
            one.ReadSignals(fd);
        }
    });

    private static unsafe (int First, int Second) Pair(Kit kit, int type)
    {
        int* fds = stackalloc int[2];
        kit.Call(socketpair, 1, type, 0, (long)fds);
        return (fds[0], fds[1]);
    }

    private static unsafe void Send(Kit kit, long fd, int flags)
    {
        byte* data = stackalloc byte[4];
        kit.Call(sendto, fd, (long)data, 4, flags, 0, 0);
    }

    [Fact]
    public void A_parent_hears_of_the_end_of_its_child() => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        long fd = one.Signalfd(Kit.Set(17));
        Kit two = one.Fork("two");
        two.Ask(getppid);
        two.Exit();
        one.Poll(1000, (fd, SocketEvents.Readable));
        one.ReadSignals(fd);
    });

    [Fact]
    public void Groups_and_sessions_are_made_and_joined_as_Linux_lets_one() => BothKernels.Run(kit =>
    {
        Kit one = kit.Leader("one");
        one.Ask(getsid);
        one.Ask(getpgid);
        one.Ask(getpgrp);
        one.Call(setsid);
        one.Call(setpgid, 0, 0);
        Kit two = one.Fork("two");
        Kit three = one.Fork("three");
        two.Ask(getsid);
        two.Ask(getpgid);
        one.Ask(getpgid, two.Id);
        one.Call(setpgid, two.Id, -5);
        one.Call(setpgid, 999_999_999, 0);
        two.Call(setpgid, three.Id, 0);
        two.Call(setpgid, one.Id, 0);
        one.Call(setpgid, three.Id, two.Id);
        one.Call(setpgid, two.Id, 0);
        two.Ask(getpgid);
        one.Call(setpgid, three.Id, two.Id);
        three.Ask(getpgid);
        three.Ask(getsid);
        two.Call(setsid);
        Kit four = two.Fork("four");
        four.Ask(getpgid);
        one.Call(setpgid, four.Id, 0);
        two.Call(setpgid, four.Id, one.Id);
        four.Ask(getpgid);
        Ids(four.Raw(setsid), four);
        four.Ask(getsid);
        two.Call(setpgid, four.Id, 0);
        one.Ask(getsid, four.Id);
        one.Ask(getsid, 999_999_999);
        one.Ask(getpgid, -1);
        two.Call(setpgid, 0, four.Id);
    });

    private static void Ids(long result, Kit kit) => kit.Note(result == kit.Id ? "setsid" : $"setsid {Kit.Show(result)}");

    [Fact]
    public void A_signal_for_a_group_gets_to_all_of_it() => BothKernels.Run(kit =>
    {
        Kit one = kit.Leader("one");
        Kit two = one.Fork("two");
        Kit three = one.Fork("three");
        three.Call(setpgid, 0, 0);
        Kit four = three.Fork("four");
        one.Kill(0, 10);
        one.Kill(-three.Id, 12);
        one.Kill(-two.Id, 12);
        foreach (Kit each in (Kit[])[one, two, three, four])
        {
            each.Pending();
        }
    });
}
