using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.SyscallNumber;
using static Portico.Kernel.WaitIdType;
using static Portico.Kernel.WaitOptions;

namespace Portico.Differential.Tests.Signals;

/// <summary>The end of a process, and those who wait for it (exit(2), wait4(2), waitid(2)).</summary>
public sealed class ChildTests
{
    private const ulong SA_NOCLDWAIT = 2;
    private const ulong SA_RESTART = 0x1000_0000;

    private static readonly IReadOnlyDictionary<string, Action<Kit, Kit>> s_ends = new Dictionary<string, Action<Kit, Kit>>
    {
        ["exit 0"] = (_, child) => child.Exit(),
        ["exit 7"] = (_, child) => child.Exit(7),
        ["exit 300"] = (_, child) => child.Exit(300),
        ["exit -1"] = (_, child) => child.Exit(-1),
        ["killed"] = (parent, child) =>
        {
            parent.Kill(child.Id, 9);
            Kit.Settle();
        },
    };

    private static readonly IReadOnlyDictionary<string, Action<Kit, Kit>> s_waits = new Dictionary<string, Action<Kit, Kit>>
    {
        ["wait4 for any"] = (parent, _) => parent.Wait4(-1),
        ["wait4 for it"] = (parent, child) => parent.Wait4(child.Id),
        ["wait4 for the group"] = (parent, _) => parent.Wait4(0),
        ["wait4 for the group by its number"] = (parent, _) => parent.Wait4(-parent.Id),
        ["wait4 for another group"] = (parent, child) => parent.Wait4(-child.Id, WNOHANG),
        ["wait4 for another"] = (parent, _) => parent.Wait4(999_999_999),
        ["wait4 without waiting"] = (parent, _) => parent.Wait4(-1, WNOHANG),
        ["wait4 for what is stopped, too"] = (parent, _) => parent.Wait4(-1, WUNTRACED | WCONTINUED),
        ["wait4 for clones"] = (parent, _) => parent.Wait4(-1, __WCLONE),
        ["wait4 for all"] = (parent, _) => parent.Wait4(-1, __WALL | __WNOTHREAD),
        ["wait4 for all and clones"] = (parent, _) => parent.Wait4(-1, __WALL | __WCLONE),
        ["wait4 with WEXITED"] = (parent, _) => parent.Wait4(-1, WEXITED),
        ["wait4 with WNOWAIT"] = (parent, _) => parent.Wait4(-1, WNOWAIT),
        ["wait4 for the least number"] = (parent, _) => parent.Wait4(int.MinValue),
        ["waitid for any"] = (parent, _) => parent.Waitid(P_ALL, 0, WEXITED),
        ["waitid for it"] = (parent, child) => parent.Waitid(P_PID, child.Id, WEXITED),
        ["waitid for the group"] = (parent, _) => parent.Waitid(P_PGID, 0, WEXITED),
        ["waitid for the group by its number"] = (parent, _) => parent.Waitid(P_PGID, parent.Id, WEXITED),
        ["waitid for another group"] = (parent, child) => parent.Waitid(P_PGID, child.Id, WEXITED),
        ["waitid without taking"] = (parent, _) => parent.Waitid(P_ALL, 0, WEXITED | WNOWAIT),
        ["waitid without waiting"] = (parent, _) => parent.Waitid(P_ALL, 0, WEXITED | WNOHANG),
        ["waitid for what is stopped only"] = (parent, _) => parent.Waitid(P_ALL, 0, WSTOPPED | WNOHANG),
        ["waitid for nothing"] = (parent, _) => parent.Waitid(P_ALL, 0, WNOHANG),
        ["waitid with a flag that there is not"] = (parent, _) => parent.Waitid(P_ALL, 0, WEXITED | (WaitOptions)0x10),
        ["waitid for process 0"] = (parent, _) => parent.Waitid(P_PID, 0, WEXITED),
        ["waitid for a negative process"] = (parent, _) => parent.Waitid(P_PID, -1, WEXITED),
        ["waitid for a negative group"] = (parent, _) => parent.Waitid(P_PGID, -1, WEXITED),
        ["waitid for a descriptor that is not open"] = (parent, _) => parent.Waitid(P_PIDFD, 99, WEXITED),
        ["waitid for a negative descriptor"] = (parent, _) => parent.Waitid(P_PIDFD, -1, WEXITED),
        ["waitid for a type that there is not"] = (parent, _) => parent.Waitid((WaitIdType)4, 1, WEXITED),
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string end in s_ends.Keys)
            {
                foreach (string wait in s_waits.Keys)
                {
                    cases.Add(end, wait);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_child_that_has_ended_is_told_once_of(string end, string wait) => BothKernels.Run(kit =>
    {
        Kit parent = kit.Leader("parent");
        long fd = parent.Signalfd(Kit.Set(17));
        Kit child = parent.Fork("child");
        s_ends[end](parent, child);
        parent.Poll(1000, (fd, SocketEvents.Readable));
        parent.ReadSignals(fd);
        s_waits[wait](parent, child);
        parent.Wait4(-1, WNOHANG);
        parent.Wait4(-1, WNOHANG);
        parent.Kill(child.Id, 0);
    });

    public static TheoryData<string> Waits => [.. s_waits.Keys.Where(static wait => wait.Contains("without wait", StringComparison.Ordinal)
        || wait.Contains("stopped only", StringComparison.Ordinal) || wait.Contains("another", StringComparison.Ordinal) || wait.Contains("clones", StringComparison.Ordinal)
        || wait.Contains("negative", StringComparison.Ordinal) || wait.Contains("there is not", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Waits))]
    public void A_child_that_lives_is_not_told_of(string wait) => BothKernels.Run(kit =>
    {
        Kit parent = kit.Leader("parent");
        Kit child = parent.Fork("child");
        if (wait != "wait4 for all and clones")
        {
            s_waits[wait](parent, child);
        }

        Kit stranger = kit.Leader("stranger");
        stranger.Wait4(child.Id, WNOHANG);
        stranger.Waitid(P_PID, child.Id, WEXITED);
        child.Wait4(-1);
    });

    [Fact]
    public void Children_are_waited_for_in_the_order_in_which_they_were_made() => BothKernels.Run(kit =>
    {
        Kit parent = kit.Leader("parent");
        Kit[] children = [parent.Fork("one"), parent.Fork("two"), parent.Fork("three"), parent.Fork("four")];
        children[3].Call(setpgid, 0, 0);
        children[2].Exit(3);
        children[3].Exit(4);
        children[1].Exit(2);
        parent.Wait4(0);
        parent.Wait4(-1);
        parent.Wait4(0, WNOHANG);
        parent.Wait4(-1);
        parent.Wait4(-1, WNOHANG);
        children[0].Exit(1);
        parent.Wait4(-1);
        parent.Wait4(-1);
    });

    [Theory]
    [InlineData(1, 0)]
    [InlineData(0, SA_NOCLDWAIT)]
    [InlineData(1, SA_NOCLDWAIT)]
    [InlineData(2, SA_NOCLDWAIT)]
    [InlineData(2, 0)]
    public void Who_does_not_want_to_wait_has_nothing_to_wait_for(int handler, ulong flags) => BothKernels.Run(kit =>
    {
        Kit parent = kit.Leader("parent");
        parent.Action(17, handler, flags);
        Kit child = parent.Fork("child");
        Kit other = parent.Fork("other");
        child.Exit(1);
        parent.Pending();
        parent.Wait4(child.Id, WNOHANG);
        parent.Kill(child.Id, 0);
        Task<(string, long, byte[])> waiting = parent.Start("wait4 is over", () => (Math.Min(0, parent.Raw(wait4, -1, 0, 0, 0)), []));
        Kit.Settle();
        kit.NoteWhetherDone("wait4", waiting);
        kit.Kill(other.Id, 9);
        parent.Join(waiting);
        parent.Kill(other.Id, 0);
    });

    [Theory]
    [InlineData(0)]
    [InlineData(SA_RESTART)]
    public void A_wait_ends_with_the_child_or_by_a_signal(ulong flags) => BothKernels.Run(kit =>
    {
        Kit parent = kit.Leader("parent");
        Kit child = parent.Fork("child");
        parent.Action(10, 2, flags);
        parent.Mask(1, Kit.Set(10));
        Task<(string, long, byte[])> waiting = parent.Start("wait4 is over", () => (Math.Min(0, parent.Raw(wait4, -1, 0, 0, 0)), []));
        Kit.Settle();
        kit.Kill(parent.Id, 28);
        Kit.Settle();
        kit.NoteWhetherDone("after one that is ignored it", waiting);
        kit.Kill(parent.Id, 10);
        Kit.Settle();
        kit.NoteWhetherDone("after the signal it", waiting);
        child.Exit();
        parent.Join(waiting);
    });

    [Fact]
    public void What_has_ended_is_there_until_it_has_been_waited_for() => BothKernels.Run(kit =>
    {
        Kit parent = kit.Leader("parent");
        Kit child = parent.Fork("child");
        Kit other = parent.Fork("other");
        child.Call(setpgid, 0, 0);
        child.Exit(5);
        parent.Kill(child.Id, 10);
        parent.Kill(-child.Id, 10);
        parent.Ask(getpgid, child.Id);
        parent.Ask(getsid, child.Id);
        other.Call(setpgid, 0, child.Id);
        other.Ask(getpgid);
        other.Call(setpgid, 0, parent.Id);
        kit.Note(Kit.Masked(kit.ReadText($"/proc/{child.Id}/status"), (@"^(?!State|Threads|FDSize|Umask).*\n", "")));
        parent.Wait4(child.Id);
        parent.Kill(child.Id, 10);
        parent.Kill(-child.Id, 10);
        parent.Ask(getpgid, child.Id);
        other.Call(setpgid, 0, child.Id);
        kit.Note(kit.ReadText($"/proc/{child.Id}/status"));
    });

    [Fact]
    public void Children_of_who_has_ended_are_nobodys() => BothKernels.Run(kit =>
    {
        Kit grandparent = kit.Leader("grandparent");
        Kit parent = grandparent.Fork("parent");
        Kit child = parent.Fork("child");
        Kit dead = parent.Fork("dead");
        dead.Exit(3);
        child.Ask(getppid);
        parent.Exit(4);
        child.Ask(getppid);
        grandparent.Wait4(-1);
        grandparent.Wait4(-1, WNOHANG);
        child.Exit();
        grandparent.Wait4(-1, WNOHANG);
    });
}
