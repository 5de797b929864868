using System.Globalization;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// Sees to it that no process outlives its run: neither one that the command has left in the background, when the command ends, nor
/// any when this process is killed. A process belongs to the run as long as it is in its network namespace, whatever its parent,
/// session or name. The first case is this process's work; for the second a shell waits in the namespace for the end of a pipe,
/// which comes with the end of this process, however it ends.
/// </summary>
internal sealed unsafe class Leftovers : IDisposable
{
    // Only what every sh has built in: nothing can be started any more when it is needed. -ef compares the namespaces themselves.
    private const string Script =
        """
        trap '' HUP INT QUIT TERM
        cd /
        read -r _
        found=1
        while [ "$found" ]; do
            found=
            for p in /proc/[0-9]*; do
                if [ "${p#/proc/}" != $$ ] && [ "$p/ns/net" -ef /proc/self/ns/net ]; then
                    kill -KILL "${p#/proc/}" && found=1
                fi
            done
        done
        """;

    /// <summary>How often to look again for what was started meanwhile.</summary>
    private const int RoundsMax = 1000;

    private readonly string _namespace;
    private int _guard;
    private int _pipe;
    private bool _areKilled;

    /// <summary>Starts the guard. On a thread in the namespace.</summary>
    public Leftovers()
    {
        _namespace = ReadLink("/proc/thread-self/ns/net") ?? "";
        int* ends = stackalloc int[2];
        if (LibC.Pipe(ends, LibC.O_CLOEXEC) != 0)
        {
            throw LinuxException.Last("pipe");
        }

        _pipe = ends[1];
        _guard = StartGuard(ends[0]);
        LibC.Close(ends[0]);
    }

    /// <summary>The guard's process id; 0 where there is no shell.</summary>
    private static int StartGuard(int input)
    {
        using StringVector arguments = new(["portico-guard", "-c", Script]);
        byte* actions = stackalloc byte[1024];
        byte* attributes = stackalloc byte[1024];
        LibC.SpawnActionsInit(actions);
        LibC.SpawnActionsAddDuplicate(actions, input, 0);
        LibC.SpawnActionsAddOpen(actions, 1, "/dev/null", LibC.O_RDWR, 0);
        LibC.SpawnActionsAddDuplicate(actions, 1, 2);
        LibC.SpawnAttributesInit(attributes);

        // A session of its own: the terminal's signals are not for it.
        LibC.SpawnAttributesSetFlags(attributes, LibC.POSIX_SPAWN_SETSID);
        int id;
        int error = LibC.PosixSpawn(&id, "/bin/sh", actions, attributes, arguments.Pointer, LibC.EnvironmentBlock);
        LibC.SpawnAttributesDestroy(attributes);
        LibC.SpawnActionsDestroy(actions);
        return error == 0 ? id : 0;
    }

    /// <summary>Kills every process that is still in the namespace.</summary>
    public void Kill()
    {
        try
        {
            KillAll();
        }
        catch (IOException)
        {
            // No descriptor is left to look into /proc: the guard has its own.
            ClosePipe();
            WaitForGuard();
        }
    }

    private void KillAll()
    {
        for (int round = 0; round < RoundsMax && !_areKilled; round++)
        {
            bool any = false;
            foreach (string directory in Directory.EnumerateDirectories("/proc"))
            {
                ReadOnlySpan<char> name = Path.GetFileName(directory.AsSpan());
                if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id != _guard
                    && id != Environment.ProcessId && ReadLink($"{directory}/ns/net") == _namespace)
                {
                    any |= LibC.Kill(id, LibC.SIGKILL) == 0;
                }
            }

            _areKilled = !any;
        }
    }

    private static string? ReadLink(string path)
    {
        byte* target = stackalloc byte[64];
        nint length = LibC.ReadLink(path, target, 64);
        return length <= 0 ? null : Marshal.PtrToStringUTF8((nint)target, (int)length);
    }

    /// <summary>Ends the guard.</summary>
    public void Dispose()
    {
        if (_guard != 0)
        {
            LibC.Kill(_guard, LibC.SIGKILL);
            WaitForGuard();
        }

        ClosePipe();
    }

    private void WaitForGuard()
    {
        if (_guard != 0)
        {
            LibC.WaitForEnd(_guard, out _);
            _guard = 0;
        }
    }

    private void ClosePipe()
    {
        if (_pipe >= 0)
        {
            LibC.Close(_pipe);
            _pipe = -1;
        }
    }
}
