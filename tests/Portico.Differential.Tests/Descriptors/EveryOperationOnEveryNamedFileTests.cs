using Portico.Differential.Tests.Systems;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>Files of file systems: what can be done to any descriptor, and what is for files, on every kind of them and of all others.</summary>
public sealed class EveryOperationOnEveryNamedFileTests
{
    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            Add(cases, FileOperations.All.Keys, NamedFileKinds.All.Keys);
            Add(cases, NamedFileOperations.All.Keys, NamedFileKinds.All.Keys);
            Add(cases, NamedFileOperations.All.Keys, FileKinds.All.Keys);
            Add(cases, FileOperations.All.Keys.Where(name => !name.StartsWith("read", StringComparison.Ordinal)), NamedFileKinds.Random.Keys);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Is_answered_as_Linux_does(string operation, string kind) => BothKernels.Run(kit =>
    {
        Func<Kit, long> open = NamedFileKinds.All.GetValueOrDefault(kind) ?? NamedFileKinds.Random.GetValueOrDefault(kind) ?? FileKinds.All[kind];
        long fd = open(kit);
        kit.NonBlocking(fd);
        (FileOperations.All.GetValueOrDefault(operation) ?? NamedFileOperations.All[operation])(kit, fd);
    });

    private static void Add(TheoryData<string, string> cases, IEnumerable<string> operations, IEnumerable<string> kinds)
    {
        foreach (string operation in operations)
        {
            foreach (string kind in kinds)
            {
                cases.Add(operation, kind);
            }
        }
    }
}
