using System.Diagnostics;

namespace Portico.Interop.Tests.Run;

/// <summary>A program that goes on until this is disposed: it gets the end of its input, and where that does not end it, SIGKILL.</summary>
internal sealed class RunningTool(Process process) : IDisposable
{
    public Process Process { get; } = process;

    /// <summary>Waits for a line of the command's output.</summary>
    public void AwaitLine(string wanted) => Await(l => l == wanted, wanted);

    /// <summary>Waits for a line of the command's output that contains something.</summary>
    public void AwaitLineWith(string wanted) => Await(l => l.Contains(wanted, StringComparison.Ordinal), wanted);

    private void Await(Func<string, bool> isWanted, string wanted)
    {
        Task waiting = Task.Run(() =>
        {
            List<string> seen = [];
            while (true)
            {
                string? line = Process.StandardOutput.ReadLine();
                Assert.True(line != null, $"'{wanted}' does not come; seen: {string.Join('|', seen)}");
                if (isWanted(line))
                {
                    return;
                }

                seen.Add(line);
            }
        });
        Assert.True(waiting.Wait(TimeSpan.FromSeconds(60)), $"'{wanted}' does not come");
    }

    public void Dispose()
    {
        Process.StandardInput.Close();
        if (!Process.WaitForExit(500))
        {
            Process.Kill();
            Process.WaitForExit();
        }

        Process.Dispose();
    }
}
