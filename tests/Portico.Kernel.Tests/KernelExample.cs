using System.Text;
using Portico.Net;

namespace Portico.Kernel.Tests;

/// <summary>The example in docs/kernel.md: what stands between the two marks is compared with it, compiled and run.</summary>
internal static class KernelExample
{
    public static async Task<string> RunAsync()
    {
        // README begins
        using PorticoKernel kernel = new();
        Process server = kernel.CreateProcess(new ProcessOptions { Name = "server" });
        Process client = kernel.CreateProcess(new ProcessOptions { Name = "client" });

        // A port is only a number until somebody listens there.
        byte[] address = SocketAddress.Of(new Endpoint(IpAddress.LoopbackIpv4, 7777));
        int listener = server.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        server.Bind(listener, address).OrThrow();
        server.Listen(listener, 128).OrThrow();

        int socket = client.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        client.Connect(socket, address).OrThrow();
        int connection = server.Accept4(listener, default, out _, SocketType.SOCK_CLOEXEC).OrThrow();

        // One file among others: the same epoll waits for a pipe, a timer or a terminal.
        int epoll = server.EpollCreate1(OpenFlags.O_CLOEXEC).OrThrow();
        server.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, connection, new EpollEvent(EpollFlags.EPOLLIN, 1)).OrThrow();

        // A call may block its thread, or wait as a ValueTask.
        EpollEvent[] events = new EpollEvent[8];
        ValueTask<SyscallResult> wait = server.EpollPwait2Async(epoll, events);
        client.Write(socket, "hello"u8).OrThrow();
        int ready = (await wait).OrThrow();

        byte[] buffer = new byte[64];
        int count = server.Read(connection, buffer).OrThrow();
        SyscallResult none = server.Read(99, buffer);
        string said = $"{ready} ready, read {count} bytes: {Encoding.ASCII.GetString(buffer, 0, count)}; read(99): {none}";
        Console.WriteLine(said);
        // README ends
        return said;
    }
}
