using Portico.Differential.Tests.Descriptors;
using Portico.Differential.Tests.Sockets;
using Portico.Differential.Tests.Systems;

namespace Portico.Differential.Tests.Unix;

/// <summary>What can be asked of files, of sockets, and of unix sockets in particular, asked of unix sockets in each state.</summary>
public sealed class EveryOperationOnEveryUnixSocketTests
{
    private static readonly string[] s_others = ["a pipe's empty read end", "/dev/null", "a closed number"];

    public static TheoryData<string, string> FileCases => Cross(FileOperations.All.Keys, UnixKinds.All.Keys);

    public static TheoryData<string, string> SocketCases => Cross(SocketOperations.All.Keys, UnixKinds.All.Keys);

    public static TheoryData<string, string> UnixCases => Cross(UnixOperations.All.Keys, UnixKinds.All.Keys.Concat(s_others));

    [Theory]
    [MemberData(nameof(FileCases))]
    public void A_unix_socket_is_a_file_as_in_Linux(string operation, string kind) => Run(FileOperations.All[operation], kind);

    [Theory]
    [MemberData(nameof(SocketCases))]
    public void A_unix_socket_is_a_socket_as_in_Linux(string operation, string kind) => Run(SocketOperations.All[operation], kind);

    [Theory]
    [MemberData(nameof(UnixCases))]
    public void Is_answered_as_Linux_does(string operation, string kind) => Run(UnixOperations.All[operation], kind);

    private static void Run(Action<Kit, long> operation, string kind) => BothKernels.Run(kit =>
    {
        long fd = (UnixKinds.All.GetValueOrDefault(kind) ?? FileKinds.All[kind])(kit);
        kit.NonBlocking(fd);
        operation(kit, fd);
    });

    private static TheoryData<string, string> Cross(IEnumerable<string> operations, IEnumerable<string> kinds)
    {
        TheoryData<string, string> cases = [];
        foreach (string operation in operations)
        {
            foreach (string kind in kinds)
            {
                cases.Add(operation, kind);
            }
        }

        return cases;
    }
}
