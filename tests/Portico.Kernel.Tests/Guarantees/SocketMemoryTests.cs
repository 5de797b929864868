using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>Tests beside which no others run, since they count the memory of the whole process.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}

/// <summary>What an idle connection costs, by the books of the collector and of the engine.</summary>
[Collection(AloneCollection.Name)]
public sealed class SocketMemoryTests
{
    private const int Connections = 20_000;
    private const int BytesMax = 1024;

    [Fact]
    public void An_idle_socket_costs_at_most_a_kibibyte_with_its_descriptor()
    {
        using TestKernel kernel = new();
        Process process = kernel.Process;
        int listener = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Bind(listener, AddressOf(7777)).OrThrow();
        process.Listen(listener, 128).OrThrow();
        Connect(process, listener);
        long before = Bytes(kernel);
        for (int i = 0; i < Connections; i++)
        {
            Connect(process, listener);
        }

        long each = (Bytes(kernel) - before) / (2 * Connections);
        Assert.InRange(each, 400, BytesMax);
        kernel.AssertNothingIsLeft();
    }

    [Fact]
    public void Options_that_nobody_has_set_are_there_once()
    {
        using TestKernel kernel = new();
        Process process = kernel.Process;
        int first = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        int second = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        Assert.Same(OptionsOf(kernel, first), OptionsOf(kernel, second));

        SetKeepAlive(process, first);
        Assert.NotSame(OptionsOf(kernel, first), OptionsOf(kernel, second));
        Assert.Equal(1, KeepAliveOf(process, first));
        Assert.Equal(0, KeepAliveOf(process, second));
    }

    [Fact]
    public void An_accepted_socket_shares_the_options_of_its_listener_until_one_of_them_sets_one()
    {
        using TestKernel kernel = new();
        Process process = kernel.Process;
        int listener = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Bind(listener, AddressOf(7777)).OrThrow();
        process.Listen(listener, 128).OrThrow();
        SetKeepAlive(process, listener);
        int accepted = Connect(process, listener);
        Assert.Same(OptionsOf(kernel, listener), OptionsOf(kernel, accepted));
        Assert.Equal(1, KeepAliveOf(process, accepted));

        SetKeepAlive(process, listener, 0);
        Assert.Equal(0, KeepAliveOf(process, listener));
        Assert.Equal(1, KeepAliveOf(process, accepted));
    }

    private static int Connect(Process process, int listener)
    {
        int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Connect(client, AddressOf(7777)).OrThrow();
        return process.Accept4(listener, default, out _, 0).OrThrow();
    }

    private static byte[] AddressOf(ushort port) => SocketAddress.Of(new Endpoint(IpAddress.Parse("127.0.0.1"), port));

    private static SocketOptionRecord OptionsOf(TestKernel kernel, int fd) => ((SocketFile)kernel.Of(kernel.Process, fd)!.File).Options;

    private static void SetKeepAlive(Process process, int fd, int value = 1) =>
        process.SetSockOpt(fd, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_KEEPALIVE, BitConverter.GetBytes(value)).OrThrow();

    private static int KeepAliveOf(Process process, int fd)
    {
        byte[] value = new byte[sizeof(int)];
        process.GetSockOpt(fd, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_KEEPALIVE, value).OrThrow();
        return BitConverter.ToInt32(value);
    }

    /// <summary>Objects of the collector that are in use, records in native memory, and buffers.</summary>
    private static long Bytes(TestKernel kernel)
    {
        long managed = GC.GetTotalMemory(forceFullCollection: true);
        using (kernel.Kernel.Driver.Enter())
        {
            return managed + kernel.Kernel.Driver.Engine.RecordBytes + kernel.Kernel.Driver.Engine.Blocks.BytesReserved;
        }
    }
}
