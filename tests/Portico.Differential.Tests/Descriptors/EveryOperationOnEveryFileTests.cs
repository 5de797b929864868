using Portico.Differential.Tests.Systems;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>Every operation on every kind of file, most of which makes no sense: that is where a program finds out what it has got.</summary>
public sealed class EveryOperationOnEveryFileTests
{
    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string operation in FileOperations.All.Keys)
            {
                foreach (string kind in FileKinds.All.Keys)
                {
                    cases.Add(operation, kind);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Is_answered_as_Linux_does(string operation, string kind) => BothKernels.Run(kit =>
    {
        long fd = FileKinds.All[kind](kit);
        kit.NonBlocking(fd);
        FileOperations.All[operation](kit, fd);
    });
}
