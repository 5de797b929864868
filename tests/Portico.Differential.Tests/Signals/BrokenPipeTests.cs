using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Signals;

/// <summary>SIGPIPE of calls that move bytes to where nobody can read them any more.</summary>
public sealed class BrokenPipeTests
{
    private static readonly IReadOnlyDictionary<string, Func<Kit, long>> s_targets = new Dictionary<string, Func<Kit, long>>
    {
        ["a pipe"] = kit =>
        {
            (int reader, int writer) = kit.Pipe();
            kit.Call(close, reader);
            return writer;
        },
        ["a unix stream"] = kit => Broken(kit, SocketType.SOCK_STREAM),
        ["a unix packet socket"] = kit => Broken(kit, SocketType.SOCK_SEQPACKET),
        ["a unix datagram socket"] = kit => Broken(kit, SocketType.SOCK_DGRAM),
        ["a TCP connection shut down"] = kit =>
        {
            (long client, _) = kit.Connected(AddressFamily.AF_INET);
            kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
            return client;
        },
        ["a UDP socket shut down"] = kit =>
        {
            long fd = kit.Socket(AddressFamily.AF_INET, SocketType.SOCK_DGRAM);
            kit.Connect(fd, Kit.Loopback(AddressFamily.AF_INET, 9));
            kit.Call(shutdown, fd, (long)ShutdownHow.SHUT_WR);
            return fd;
        },
    };

    private static readonly IReadOnlyDictionary<string, Action<Kit, long>> s_calls = new Dictionary<string, Action<Kit, long>>
    {
        ["splice"] = (kit, target) => kit.Splice(Filled(kit), null, target, null, 5),
        ["splice of nothing"] = (kit, target) => kit.Splice(kit.Pipe(O_NONBLOCK).Reader, null, target, null, 5),
        ["splice of a file"] = (kit, target) => kit.Splice(File(kit), null, target, null, 5),
        ["tee"] = (kit, target) => kit.Tee(Filled(kit), target, 5),
        ["sendfile"] = (kit, target) => kit.Sendfile(target, File(kit), null, 5),
        ["vmsplice"] = (kit, target) => kit.Vmsplice(target, 0, 0, 10),
        ["writev"] = (kit, target) => kit.WriteBytes(target, "x"u8),
        ["write of nothing"] = (kit, target) => kit.WriteBytes(target, ""u8),
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string call in s_calls.Keys)
            {
                foreach (string target in s_targets.Keys)
                {
                    cases.Add(call, target);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_signal_is_sent_where_Linux_sends_it(string call, string target) => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        long fd = one.Signalfd(Kit.Set(13));
        long broken = s_targets[target](one);
        s_calls[call](one, broken);
        one.ReadSignals(fd);
        s_calls[call](one, broken);
        one.ReadSignals(fd);
    });

    private static long Filled(Kit kit)
    {
        (int reader, int writer) = kit.Pipe();
        kit.WriteBytes(writer, "portico"u8);
        return reader;
    }

    private static long File(Kit kit)
    {
        long fd = kit.Open("file", O_CREAT | O_RDWR);
        kit.WriteBytes(fd, "portico"u8);
        kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_SET);
        return fd;
    }

    private static long Broken(Kit kit, SocketType type)
    {
        (long first, long second) = kit.Pair(type);
        kit.Call(close, second);
        return first;
    }
}
