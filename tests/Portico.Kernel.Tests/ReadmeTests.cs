using System.Runtime.CompilerServices;

namespace Portico.Kernel.Tests;

public sealed class ReadmeTests
{
    [Fact]
    public async Task The_example_runs() => Assert.Equal("hello, bob", await ReadmeExample.RunAsync());

    [Fact]
    public void The_example_in_the_readme_is_the_one_that_is_compiled()
    {
        string here = Path.GetDirectoryName(SourcePath())!;
        string[] compiled = File.ReadAllLines(Path.Combine(here, "ReadmeExample.cs"));
        int first = Array.FindIndex(compiled, line => line.Trim() == "// README begins") + 1;
        int end = Array.FindIndex(compiled, line => line.Trim() == "// README ends");

        string[] readme = File.ReadAllLines(Path.Combine(here, "..", "..", "README.md"));
        int block = Array.IndexOf(readme, "```csharp") + 1;
        int blockEnd = Array.IndexOf(readme, "```", block);

        Assert.Equal(compiled[first..end].Select(line => line.Length == 0 ? line : line[8..]), readme[block..blockEnd]);
    }

    private static string SourcePath([CallerFilePath] string path = "") => path;
}
