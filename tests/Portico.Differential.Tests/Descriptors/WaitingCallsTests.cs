using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>
/// What becomes of a call that waits when something is done to its descriptor (F2, F3): a close or a dup2 changes nothing for it; a
/// shutdown, or the end of the other side, ends it where Linux ends it.
/// </summary>
public sealed class WaitingCallsTests
{
    private static readonly IReadOnlyDictionary<string, Action<Kit, WaitingCall>> s_events = new Dictionary<string, Action<Kit, WaitingCall>>
    {
        ["nothing"] = (_, _) => { },
        ["its number is closed"] = (kit, waiting) => kit.Call(close, waiting.Fd),
        ["its number becomes another file's"] = (kit, waiting) => kit.Call(dup2, 0, waiting.Fd),
        ["it is shut down for reading"] = (kit, waiting) => kit.Call(shutdown, waiting.Fd, (long)ShutdownHow.SHUT_RD),
        ["it is shut down for writing"] = (kit, waiting) => kit.Call(shutdown, waiting.Fd, (long)ShutdownHow.SHUT_WR),
        ["it is shut down both ways"] = (kit, waiting) => kit.Call(shutdown, waiting.Fd, (long)ShutdownHow.SHUT_RDWR),
        ["the other end is shut down for reading"] = (kit, waiting) => kit.Call(shutdown, waiting.Peer, (long)ShutdownHow.SHUT_RD),
        ["the other end is shut down for writing"] = (kit, waiting) => kit.Call(shutdown, waiting.Peer, (long)ShutdownHow.SHUT_WR),
        ["the other end is closed"] = (kit, waiting) => kit.Call(close, waiting.Peer),
        ["it is made non-blocking"] = (kit, waiting) => kit.NonBlocking(waiting.Fd),
    };

    /// <summary>
    /// What makes a write to a TCP connection look again although it is not for writes: whether there is a little room by then, which acknowledgments
    /// have made and which alone wakes nobody, is each kernel's own affair.
    /// </summary>
    private static readonly string[] s_finding = ["it is shut down for reading", "the other end is shut down for writing"];

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string call in WaitingCalls.All.Keys)
            {
                foreach (string happening in s_events.Keys)
                {
                    if (call != WaitingCalls.WriteToTcp || !s_finding.Contains(happening))
                    {
                        cases.Add(call, happening);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_call_that_waits_ends_when_Linux_ends_it(string call, string happening) => BothKernels.Run(kit =>
    {
        WaitingCall waiting = WaitingCalls.All[call](kit);
        Task<(string, long, byte[])> running = kit.Start(call, waiting.Call);
        Kit.Settle();
        Kit.Settle();
        s_events[happening](kit, waiting);
        bool isDone = running.Wait(60);
        kit.Note($"{call} {(isDone ? "has returned" : "is blocked")}");
        if (!isDone)
        {
            waiting.Satisfy();
        }

        kit.Join(running);
    });
}
