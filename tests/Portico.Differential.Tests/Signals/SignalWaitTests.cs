using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Signals;

/// <summary>Signals that are sent with a value and waited for, and calls that wait with a mask of their own (sigqueue(3), sigtimedwait(2), ppoll(2)).</summary>
public sealed class SignalWaitTests
{
    private const ulong All = ulong.MaxValue;

    public static TheoryData<int, int> Codes
    {
        get
        {
            TheoryData<int, int> cases = [];
            foreach (int code in (int[])[0, 1, 2, 0x80, -1, -2, -3, -4, -5, -6, -7, -60])
            {
                foreach (int signal in (int[])[0, 10, 11, 17, 34, 65])
                {
                    cases.Add(code, signal);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Codes))]
    public void A_signal_comes_with_what_its_sender_says(int code, int signal) => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        Kit two = one.Fork("two");
        long fd = one.Signalfd(All);
        two.Queue(one.Id, signal, code);
        two.Queue(one.Id, signal, code, value: -2);
        two.Queue(one.Id, signal, code, thread: one.Id);
        one.Queue(one.Id, signal, code, value: 8);
        one.Queue(one.Id, signal, code, thread: one.Id);
        two.Queue(999_999_999, signal, code);
        two.Queue(one.Id, signal, code, thread: two.Id);
        two.Queue(-1, signal, code, thread: two.Id);
        two.Queue(-1, signal, code);
        one.Pending();
        one.ReadSignals(fd, 256);
        one.Sigtimedwait(All);
        one.Sigtimedwait(All);
        one.Sigtimedwait(All);
        one.Sigtimedwait(All);
    });

    [Fact]
    public void Those_that_are_pending_are_taken_in_the_order_of_delivery() => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        foreach (int signal in (int[])[64, 15, 34, 17, 11, 2, 34, 8, 1])
        {
            kit.Kill(one.Id, signal);
        }

        kit.Tgkill(one.Id, 40);
        kit.Queue(one.Id, 34, -1, 5);
        one.Sigtimedwait(Kit.Set(9, 19));
        one.Sigtimedwait(Kit.Set(15, 34));
        one.Sigtimedwait(0);
        for (int i = 0; i < 11; i++)
        {
            one.Sigtimedwait(All, i % 2 == 0 ? 0 : 10);
        }
    });

    [Fact]
    public unsafe void What_is_wrong_with_a_wait_is_found_in_Linuxs_order() => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        ulong set = Kit.Set(10);
        long* bad = stackalloc long[2] { 0, 1_000_000_000 };
        long* negative = stackalloc long[2] { -1, 0 };
        one.Call(rt_sigtimedwait, 0, 0, 0, 8);
        one.Call(rt_sigtimedwait, 0, 0, 0, 4);
        one.Call(rt_sigtimedwait, (long)(&set), 0, (long)bad, 4);
        one.Call(rt_sigtimedwait, (long)(&set), 0, (long)bad, 8);
        one.Call(rt_sigtimedwait, (long)(&set), 0, (long)negative, 8);
        kit.Kill(one.Id, 10);
        one.Call(rt_sigtimedwait, (long)(&set), 0, (long)bad, 8);
        one.Call(rt_sigtimedwait, (long)(&set), 0, 0, 8);
        one.Call(rt_sigqueueinfo, one.Id, 10, 0);
        one.Call(rt_tgsigqueueinfo, one.Id, one.Id, 10, 0);
        one.Call(tkill, 0, 10);
        one.Call(tkill, one.Id, 0);
        one.Call(tkill, 999_999_999, 0);
    });

    [Theory]
    [InlineData(10, true, 0)]
    [InlineData(10, false, 1)]
    [InlineData(10, false, 2)]
    [InlineData(12, false, 2)]
    [InlineData(12, true, 2)]
    [InlineData(28, false, 0)]
    [InlineData(28, true, 0)]
    [InlineData(34, true, 0)]
    public void A_wait_ends_by_a_signal_of_its_set_and_with_EINTR_by_another(int signal, bool isBlocked, int handler) => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        if (handler != 0)
        {
            one.Action(signal, handler, 0x1000_0000);
        }

        if (!isBlocked)
        {
            one.Mask(1, Kit.Set(signal));
        }

        Task<(string, long, byte[])> waiting = one.StartSigtimedwait(Kit.Set(10, 28, 34));
        Kit.Settle();
        kit.Kill(one.Id, signal);
        Kit.Settle();
        kit.NoteWhetherDone("the wait", waiting);
        if (!waiting.IsCompleted)
        {
            kit.Tgkill(one.Id, 34);
        }

        one.Join(waiting);
        one.Pending();
    });

    public static TheoryData<string, string, bool, bool> Masks
    {
        get
        {
            TheoryData<string, string, bool, bool> cases = [];
            foreach (string call in s_calls.Keys)
            {
                foreach (string pending in (string[])["nothing", "let through", "blocked", "ignored", "two"])
                {
                    cases.Add(call, pending, true, true);
                    cases.Add(call, pending, true, false);
                    cases.Add(call, pending, false, true);
                    cases.Add(call, pending, false, false);
                }
            }

            return cases;
        }
    }

    /// <summary>The calls that take a mask, with a descriptor to wait for, a time-out in milliseconds, a mask and its size.</summary>
    private static readonly IReadOnlyDictionary<string, Func<Kit, long, int, ulong?, long, long>> s_calls = new Dictionary<string, Func<Kit, long, int, ulong?, long, long>>
    {
        ["ppoll"] = Ppoll,
        ["pselect6"] = Pselect,
        ["epoll_pwait"] = EpollPwait,
        ["epoll_pwait2"] = EpollPwait2,
    };

    [Theory]
    [MemberData(nameof(Masks))]
    public void A_mask_holds_for_the_time_of_the_call(string call, string pending, bool isReady, bool mayWait) => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        Kit one = kit.Fork("one");
        one.Action(10, 2);
        one.Action(12, 2);
        if (isReady)
        {
            kit.WriteBytes(writer, "x"u8);
        }

        int[] signals = pending switch { "let through" => [10], "blocked" => [15], "ignored" => [28], "two" => [10, 12], _ => [] };
        foreach (int signal in signals)
        {
            kit.Kill(one.Id, signal);
        }

        kit.Note(Kit.Show(s_calls[call](one, reader, mayWait ? 20 : 0, All & ~Kit.Set(10, 12, 28), 8)));
        one.Pending();
        one.Mask(0, 0);
        kit.Note(Kit.Show(s_calls[call](one, reader, mayWait ? 20 : 0, null, 8)));
    });

    public static TheoryData<string> MaskedCalls => [.. s_calls.Keys];

    [Theory]
    [MemberData(nameof(MaskedCalls))]
    public void A_mask_lets_through_what_comes_meanwhile(string call) => BothKernels.Run(kit =>
    {
        (int reader, _) = kit.Pipe();
        Kit one = kit.Fork("one");
        one.Action(10, 2, 0x1000_0000);
        Task<(string, long, byte[])> waiting = one.Start(call, () => (s_calls[call](one, reader, 10_000, All & ~Kit.Set(10, 28), 8), []));
        Kit.Settle();
        kit.Kill(one.Id, 12);
        kit.Kill(one.Id, 28);
        Kit.Settle();
        kit.NoteWhetherDone("after those that are blocked or ignored it", waiting);
        kit.Kill(one.Id, 10);
        one.Join(waiting);
        one.Pending();
        one.Mask(0, 0);
    });

    [Theory]
    [MemberData(nameof(MaskedCalls))]
    public void What_a_mask_has_blocked_comes_after_the_call(string call) => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        Kit one = kit.Fork("one");
        one.Action(10, 2);
        one.Mask(1, Kit.Set(10));
        Task<(string, long, byte[])> waiting = one.Start(call, () => (s_calls[call](one, reader, 10_000, All, 8), []));
        Kit.Settle();
        kit.Kill(one.Id, 10);
        Kit.Settle();
        kit.NoteWhetherDone("after the signal it", waiting);
        kit.WriteBytes(writer, "x"u8);
        one.Join(waiting);
        one.Pending();
    });

    [Theory]
    [MemberData(nameof(MaskedCalls))]
    public void A_mask_has_the_size_of_a_set(string call) => BothKernels.Run(kit =>
    {
        (int reader, _) = kit.Pipe();
        foreach (long size in (long[])[0, 4, 7, 9, 16, -1])
        {
            kit.Note(Kit.Show(s_calls[call](kit, reader, 0, 0, size)));
            kit.Note(Kit.Show(s_calls[call](kit, reader, 0, null, size)));
            kit.Note(Kit.Show(s_calls[call](kit, 99, 0, 0, size)));
        }
    });

    [Fact]
    public unsafe void What_is_left_of_the_time_is_told() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        PollDescriptor one = new() { Fd = reader, Events = (short)SocketEvents.Readable };
        ulong set = 1UL << reader;
        long* time = stackalloc long[2] { 0, 1000 };
        kit.Call(ppoll, (long)(&one), 1, (long)time, 0, 8);
        kit.Note($"{time[0]} {time[1]}");
        time[1] = 1000;
        kit.Call(pselect6, reader + 1, (long)(&set), 0, 0, (long)time, 0);
        kit.Note($"{time[0]} {time[1]}");
        (time[0], time[1], set) = (0, 500, 1UL << reader);
        kit.Call(select, reader + 1, (long)(&set), 0, 0, (long)time);
        kit.Note($"{time[0]} {time[1]}");
        kit.WriteBytes(writer, "x"u8);
        (time[0], time[1], set) = (100, 0, 1UL << reader);
        kit.Call(select, reader + 1, (long)(&set), 0, 0, (long)time);
        kit.Note($"{time[0]} {time[1] > 0}");
        (time[0], time[1], set) = (100, 0, 1UL << reader);
        kit.Call(ppoll, (long)(&one), 1, (long)time, 0, 8);
        kit.Note($"{time[0]} {time[1] > 0}");
        foreach ((long seconds, long fraction) in ((long, long)[])[(-1, 0), (0, -1), (0, 1_000_000), (0, 1_000_000_000), (long.MaxValue, 0)])
        {
            (time[0], time[1], set) = (seconds, fraction, 1UL << reader);
            kit.Call(select, reader + 1, (long)(&set), 0, 0, (long)time);
            (time[0], time[1], set) = (seconds, fraction, 1UL << reader);
            kit.Call(pselect6, reader + 1, (long)(&set), 0, 0, (long)time, 0);
            (time[0], time[1]) = (seconds, fraction);
            kit.Call(ppoll, (long)(&one), 1, (long)time, 0, 8);
        }
    });

    private static unsafe long Ppoll(Kit kit, long fd, int timeout, ulong? mask, long size)
    {
        PollDescriptor one = new() { Fd = (int)fd, Events = (short)SocketEvents.Readable };
        long* time = stackalloc long[2] { timeout / 1000, timeout % 1000 * 1_000_000L };
        ulong set = mask ?? 0;
        return kit.Raw(ppoll, (long)(&one), 1, (long)time, mask == null ? 0 : (long)(&set), size);
    }

    private static unsafe long Pselect(Kit kit, long fd, int timeout, ulong? mask, long size)
    {
        ulong* wanted = stackalloc ulong[2] { 0, 0 };
        wanted[fd >> 6] = 1UL << (int)(fd & 63);
        long* time = stackalloc long[2] { timeout / 1000, timeout % 1000 * 1_000_000L };
        ulong set = mask ?? 0;
        long* sixth = stackalloc long[2] { mask == null ? 0 : (long)(&set), size };
        return kit.Raw(pselect6, fd + 1, (long)wanted, 0, 0, (long)time, (long)sixth);
    }

    private static long EpollPwait(Kit kit, long fd, int timeout, ulong? mask, long size) => WithEpoll(kit, fd, timeout, mask, size, isSecond: false);

    private static long EpollPwait2(Kit kit, long fd, int timeout, ulong? mask, long size) => WithEpoll(kit, fd, timeout, mask, size, isSecond: true);

    private static unsafe long WithEpoll(Kit kit, long fd, int timeout, ulong? mask, long size, bool isSecond)
    {
        long epoll = kit.Raw(epoll_create1);
        byte* events = stackalloc byte[12];
        *(uint*)events = (uint)EpollFlags.EPOLLIN;
        kit.Raw(epoll_ctl, epoll, (long)EpollOperation.EPOLL_CTL_ADD, fd, (long)events);
        long* time = stackalloc long[2] { timeout / 1000, timeout % 1000 * 1_000_000L };
        ulong set = mask ?? 0;
        return kit.Raw(isSecond ? epoll_pwait2 : epoll_pwait, epoll, (long)events, 1, isSecond ? (long)time : timeout, mask == null ? 0 : (long)(&set), size);
    }
}
