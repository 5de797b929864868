using System.CommandLine;

namespace Portico.Cli;

/// <summary><c>portico native</c>: what builds the shared library is the source tree's own <c>./portico</c>, before it comes to this tool.</summary>
internal static class NativeCommand
{
    public static Command Create()
    {
        Argument<string?> directory = new("directory")
        {
            Arity = ArgumentArity.ZeroOrOne,
            Description = "Where libportico.so and portico.h go: artifacts/native of the source tree by default.",
        };
        Command native = new("native", "Builds libportico.so, the kernel as a shared library for C programs and for packetdrill.");
        native.Arguments.Add(directory);
        native.SetAction(static _ =>
        {
            Terminal.Error("native: the library is built from the sources: run ./portico native in their tree");
            return CommandLine.OwnFailure;
        });
        return native;
    }
}
