using System.Text;

namespace Portico.Kernel.Tests;

/// <summary>The second example in docs/kernel.md, as <see cref="KernelExample"/>.</summary>
internal static class StreamsExample
{
    public static async Task<string> RunAsync()
    {
        // README begins
        using PorticoKernel kernel = new();
        Process filter = kernel.CreateProcess();

        // Console.OpenStandardInput() and OpenStandardOutput() are streams, too.
        MemoryStream shown = new();
        filter.BindInput(0, new MemoryStream("hello"u8.ToArray()));
        StreamBinding output = filter.BindOutput(1, shown);
        filter.Dup2(1, 2).OrThrow();

        // What a program does that copies its input in capitals.
        byte[] buffer = new byte[64];
        for (int count; (count = filter.Read(0, buffer).OrThrow()) > 0;)
        {
            filter.Write(1, Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(buffer, 0, count).ToUpperInvariant())).OrThrow();
        }

        // The stream has everything once the last descriptor that leads to it is closed.
        filter.Exit();
        await output.Completion;
        string said = Encoding.ASCII.GetString(shown.ToArray());
        // README ends
        return said;
    }
}
