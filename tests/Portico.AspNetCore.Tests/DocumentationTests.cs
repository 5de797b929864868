using System.Runtime.CompilerServices;

namespace Portico.AspNetCore.Tests;

public sealed class DocumentationTests
{
    [Fact]
    public async Task The_example_runs() =>
        Assert.Equal("hello, 10.0.0.2; Established, 10 segments may be under way", await DocumentationExample.RunAsync());

    [Fact]
    public void The_example_in_the_documentation_is_the_one_that_is_compiled()
    {
        string here = Path.GetDirectoryName(SourcePath())!;
        string[] compiled = File.ReadAllLines(Path.Combine(here, "DocumentationExample.cs"));
        int first = Array.FindIndex(compiled, line => line.Trim() == "// docs/aspnetcore.md begins") + 1;
        int end = Array.FindIndex(compiled, line => line.Trim() == "// docs/aspnetcore.md ends");

        string[] shown = File.ReadAllLines(Path.Combine(here, "..", "..", "docs", "aspnetcore.md"));
        int block = Array.IndexOf(shown, "```csharp") + 1;
        int blockEnd = Array.IndexOf(shown, "```", block);

        Assert.Equal(compiled[first..end].Select(line => line.Length == 0 ? line : line[8..]), shown[block..blockEnd]);
    }

    private static string SourcePath([CallerFilePath] string path = "") => path;
}
