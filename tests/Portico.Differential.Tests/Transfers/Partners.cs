using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Transfers;

/// <summary>What everything else is joined with: good sources and good targets, none of which blocks.</summary>
internal static class Partners
{
    /// <summary>Sources, and how to see what is left in them.</summary>
    public static readonly IReadOnlyDictionary<string, Func<Kit, (long Fd, Action Inspect)>> Sources = new Dictionary<string, Func<Kit, (long, Action)>>
    {
        ["from a pipe with data"] = kit =>
        {
            (int reader, int writer) = kit.Pipe(O_NONBLOCK);
            kit.WriteBytes(writer, Numbered(5000));
            kit.WriteBytes(writer, "portico"u8);
            return (reader, () => kit.Drain(reader));
        },
        ["from an empty pipe"] = kit => (kit.Pipe(O_NONBLOCK).Reader, () => { }),
        ["from a pipe nobody writes to"] = kit =>
        {
            (int reader, int writer) = kit.Pipe(O_NONBLOCK);
            kit.Call(close, writer);
            return (reader, () => { });
        },
        ["from a file"] = kit =>
        {
            long fd = File(kit, "source");
            kit.Call(lseek, fd, 3000, (long)SeekWhence.SEEK_SET);
            return (fd, () => kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_CUR));
        },
        ["from /dev/zero"] = kit =>
        {
            long fd = kit.Open("/dev/zero", O_RDONLY);
            return (fd, () => kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_CUR));
        },
        ["from a TCP connection"] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET);
            kit.WriteBytes(client, Numbered(3000));
            kit.Poll(5000, (server, SocketEvents.Readable));
            kit.NonBlocking(server);
            return (server, () => kit.Drain(server));
        },
    };

    /// <summary>Targets, and how to see what has come.</summary>
    public static readonly IReadOnlyDictionary<string, Func<Kit, (long Fd, Action Inspect)>> Targets = new Dictionary<string, Func<Kit, (long, Action)>>
    {
        ["to a pipe"] = kit =>
        {
            (int reader, int writer) = kit.Pipe(O_NONBLOCK);
            return (writer, () => kit.Drain(reader));
        },
        ["to a full pipe"] = kit =>
        {
            (_, int writer) = kit.Pipe(O_NONBLOCK);
            kit.WriteBytes(writer, new byte[1 << 17]);
            return (writer, () => { });
        },
        ["to a pipe nobody reads from"] = kit =>
        {
            (int reader, int writer) = kit.Pipe(O_NONBLOCK);
            kit.Call(close, reader);
            return (writer, () => { });
        },
        ["to a file"] = kit =>
        {
            long fd = File(kit, "target");
            kit.Call(lseek, fd, 100, (long)SeekWhence.SEEK_SET);
            return (fd, () =>
            {
                kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_CUR);
                kit.ReadAt(fd, 200_000, 0);
            });
        },
        ["to /dev/null"] = kit => (kit.Open("/dev/null", O_WRONLY), () => { }),
        ["to a TCP connection"] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET);
            kit.NonBlocking(client);
            return (client, () =>
            {
                kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
                kit.Poll(5000, (server, SocketEvents.ReadHangUp));
                kit.Drain(server);
            });
        },
        ["to a unix stream"] = kit => UnixTarget(kit, SOCK_STREAM),
        ["to a unix datagram socket"] = kit => UnixTarget(kit, SOCK_DGRAM),
    };

    public static byte[] Numbered(int count) => [.. Enumerable.Range(0, count).Select(i => (byte)((i * 31) + (i >> 8)))];

    private static long File(Kit kit, string name)
    {
        long fd = kit.Open(name, O_CREAT | O_TRUNC | O_RDWR);
        kit.WriteBytes(fd, Numbered(10_000));
        return fd;
    }

    private static (long Fd, Action Inspect) UnixTarget(Kit kit, SocketType type)
    {
        (long first, long second) = kit.Pair(type);
        kit.NonBlocking(first);
        return (first, () =>
        {
            kit.NonBlocking(second);
            while (kit.Receive(second, 100_000) > 0)
            {
            }
        });
    }
}
