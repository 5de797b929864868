using System.Runtime.CompilerServices;

namespace Portico.Kernel.Tests;

public sealed class ReadmeTests
{
    [Fact]
    public async Task The_example_runs() => Assert.Equal("hello, bob", await ReadmeExample.RunAsync());

    [Fact]
    public async Task The_kernels_example_runs() =>
        Assert.Equal("1 ready, read 5 bytes: hello; read(99): EBADF", await KernelExample.RunAsync());

    [Fact]
    public async Task The_example_of_streams_runs() => Assert.Equal("HELLO", await StreamsExample.RunAsync());

    [Theory]
    [InlineData("README.md", 0, "ReadmeExample.cs")]
    [InlineData("docs/kernel.md", 0, "KernelExample.cs")]
    [InlineData("docs/kernel.md", 1, "StreamsExample.cs")]
    public void The_example_that_is_shown_is_the_one_that_is_compiled(string page, int number, string source)
    {
        string here = Path.GetDirectoryName(SourcePath())!;
        string[] compiled = File.ReadAllLines(Path.Combine(here, source));
        int first = Array.FindIndex(compiled, line => line.Trim() == "// README begins") + 1;
        int end = Array.FindIndex(compiled, line => line.Trim() == "// README ends");

        string[] readme = File.ReadAllLines(Path.Combine(here, "..", "..", page));
        int block = Enumerable.Range(0, readme.Length).Where(line => readme[line] == "```csharp").ElementAt(number) + 1;
        int blockEnd = Array.IndexOf(readme, "```", block);

        Assert.Equal(compiled[first..end].Select(line => line.Length == 0 ? line : line[8..]), readme[block..blockEnd]);
    }

    private static string SourcePath([CallerFilePath] string path = "") => path;
}
