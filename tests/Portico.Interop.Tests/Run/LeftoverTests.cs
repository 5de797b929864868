using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Run;

/// <summary>What is left when a run ends, in each way that it can end: nothing.</summary>
public sealed class LeftoverTests : IDisposable
{
    /// <summary>A grandchild with a session of its own that minds no signal, and keeps nothing of its parent's but its network.</summary>
    private const string Daemon =
        """
        import os,signal,sys,socket,time
        r,w=os.pipe()
        if os.fork()==0:
            os.setsid()
            if os.fork(): os._exit(0)
            for s in (1,2,3,15): signal.signal(s,signal.SIG_IGN)
            l=socket.create_server(('',80))
            null=os.open('/dev/null',os.O_RDWR)
            for fd in (0,1,2): os.dup2(null,fd)
            os.write(w,str(os.getpid()).encode())
            time.sleep(1000)
        print(os.getpid(), os.read(r,20).decode(), os.readlink('/proc/self/ns/net'),flush=True)
        """;

    private readonly HostNamespace _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void What_a_command_leaves_in_the_background_ends_with_the_run()
    {
        CommandResult result = _host.Portico("run", "-p", "8080:80", "--", "python3", "-c", Daemon);
        string[] words = result.Succeeded().Trim().Split(' ');
        AssertGone(words);
    }

    [Fact]
    public void A_run_whose_command_is_killed_leaves_nothing()
    {
        using RunningTool run = new(_host.StartPortico("run", "-p", "8080:80", "--", "python3", "-c", Daemon + "\ntime.sleep(1000)"));
        string[] words = run.Process.StandardOutput.ReadLine()!.Split(' ');
        Process.GetProcessById(int.Parse(words[0], CultureInfo.InvariantCulture)).Kill();
        Assert.True(run.Process.WaitForExit(20_000));
        Assert.Equal(137, run.Process.ExitCode);
        AssertGone(words);
    }

    [Fact]
    public void A_tool_that_is_killed_leaves_nothing()
    {
        using RunningTool run = new(_host.StartPortico("run", "-p", "8080:80", "--", "python3", "-c", Daemon + "\ntime.sleep(1000)"));
        string[] words = run.Process.StandardOutput.ReadLine()!.Split(' ');
        run.Process.Kill();
        run.Process.WaitForExit();
        AssertGone(words);
    }

    /// <summary>No process of the command's, nobody in its network namespace, and its port of the host is free.</summary>
    private void AssertGone(string[] words)
    {
        bool isGone = SpinWait.SpinUntil(
            () =>
            {
                Thread.Sleep(20);
                return !Directory.Exists($"/proc/{words[0]}") && !Directory.Exists($"/proc/{words[1]}") && !InNamespace(words[2]).Any();
            },
            TimeSpan.FromSeconds(20));
        Assert.True(isGone, $"still there: {string.Join(", ", InNamespace(words[2]))}");
        using Socket free = _host.Listen(new IPEndPoint(IPAddress.Any, 8080));
    }

    private static IEnumerable<string> InNamespace(string network)
    {
        foreach (string directory in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            foreach (string thread in Threads(directory))
            {
                if (LinkOf($"{thread}/ns/net") == network)
                {
                    yield return thread;
                }
            }
        }
    }

    private static string[] Threads(string process)
    {
        try
        {
            return Directory.GetDirectories($"{process}/task");
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static string? LinkOf(string path)
    {
        try
        {
            return Path.GetFileName(File.ResolveLinkTarget(path, false)?.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
