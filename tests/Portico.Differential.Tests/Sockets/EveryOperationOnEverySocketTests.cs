using Portico.Differential.Tests.Descriptors;
using Portico.Differential.Tests.Systems;

namespace Portico.Differential.Tests.Sockets;

/// <summary>
/// What can be asked of sockets, asked of each kind of socket in each state, and of files that are no sockets; and what can be asked of
/// any file, asked of sockets.
/// </summary>
public sealed class EveryOperationOnEverySocketTests
{
    /// <summary>docs/differences.md: Linux delays the acknowledgment of a FIN, so that SIOCOUTQ still counts it; Portico does not.</summary>
    private static readonly (string Operation, string Kind)[] s_differences =
    [
        ("SIOCOUTQ", "a TCP connection that was shut down for writing"),
        ("FIONREAD, SIOCOUTQ and SIOCATMARK after a read", "a TCP connection that was shut down for writing"),
    ];

    private static readonly string[] s_noSockets = ["a pipe's empty read end", "an eventfd of 5", "/dev/null", "a closed number"];

    public static TheoryData<string, string> SocketCases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string operation in SocketOperations.All.Keys)
            {
                foreach (string kind in SocketKinds.All.Keys.Concat(s_noSockets))
                {
                    if (!s_differences.Contains((operation, kind)))
                    {
                        cases.Add(operation, kind);
                    }
                }
            }

            return cases;
        }
    }

    public static TheoryData<string, string> FileCases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string operation in FileOperations.All.Keys)
            {
                foreach (string kind in SocketKinds.All.Keys)
                {
                    if (!s_differences.Contains((operation, kind)))
                    {
                        cases.Add(operation, kind);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(SocketCases))]
    public void Is_answered_as_Linux_does(string operation, string kind) => BothKernels.Run(kit =>
    {
        long fd = (SocketKinds.All.GetValueOrDefault(kind) ?? FileKinds.All[kind])(kit);
        kit.NonBlocking(fd);
        SocketOperations.All[operation](kit, fd);
    });

    [Theory]
    [MemberData(nameof(FileCases))]
    public void A_socket_is_a_file_as_in_Linux(string operation, string kind) => BothKernels.Run(kit =>
    {
        long fd = SocketKinds.All[kind](kit);
        kit.NonBlocking(fd);
        FileOperations.All[operation](kit, fd);
    });
}
