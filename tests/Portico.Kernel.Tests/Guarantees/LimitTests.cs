using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>Limits as real systems have them: seen in counters before they are reached, reported by errno, and harmless afterwards.</summary>
public sealed class LimitTests
{
    [Fact]
    public void The_processes_of_all_network_namespaces_share_file_max()
    {
        using TestKernel test = new(new KernelSettings { file_max = 20 });
        NetworkStack other = NewNamespace(test);
        Process first = test.Process;
        Process second = test.NewProcess(network: other);
        for (int i = 0; i < 12; i++)
        {
            first.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        }

        Assert.Equal(12, test.Count(KernelCounter.OpenFiles));
        for (int i = 0; i < 8; i++)
        {
            second.Socket(AddressFamily.AF_INET, SocketType.SOCK_DGRAM, 0).OrThrow();
        }

        Assert.Equal(20, test.Count(KernelCounter.OpenFiles));
        Assert.Equal(0, test.Count(KernelCounter.SystemFileLimit));
        Assert.Equal(Errno.ENFILE, first.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).Error);
        Assert.Equal(Errno.ENFILE, second.Eventfd(0, EventfdFlags.None).Error);
        Assert.Equal(Errno.ENFILE, second.Pipe2(0, out _, out _).Error);
        Assert.Equal(3, test.Count(KernelCounter.SystemFileLimit));

        // A duplicate is no new description, and the end of one process is room for the other.
        Assert.Equal(8, second.Dup(0).Raw);
        first.Exit();
        Assert.Equal(8, test.Count(KernelCounter.OpenFiles));
        second.Pipe2(0, out _, out _).OrThrow();
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void At_file_max_a_connection_waits_in_the_queue_until_there_is_room()
    {
        using TestKernel test = new(new KernelSettings { file_max = 3 });
        Process process = test.Process;
        (int listener, byte[] address) = Sockets.Listen(process, 8);
        int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Connect(client, address).OrThrow();
        int spare = process.Eventfd(0, EventfdFlags.None).OrThrow();
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(Errno.ENFILE, process.Accept4(listener, default, out _, 0).Error);
        }

        process.Close(spare).OrThrow();
        int server = process.Accept4(listener, default, out _, 0).OrThrow();
        Assert.Equal(1, process.Write(client, [5]).Raw);
        Assert.Equal(1, process.Read(server, new byte[4]).Raw);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void RLIMIT_NOFILE_is_each_processs_own()
    {
        using TestKernel test = new();
        Process poor = test.NewProcess(new ResourceLimit(4, 8));
        Process rich = test.Process;
        for (int i = 0; i < 4; i++)
        {
            poor.Eventfd(0, EventfdFlags.None).OrThrow();
        }

        Assert.Equal(Errno.EMFILE, poor.Eventfd(0, EventfdFlags.None).Error);
        Assert.Equal(Errno.EMFILE, poor.Dup(0).Error);
        Assert.Equal(2, test.Count(KernelCounter.ProcessFileLimit));
        rich.Eventfd(0, EventfdFlags.None).OrThrow();
        poor.SetRlimit(Resource.RLIMIT_NOFILE, new ResourceLimit(8, 8)).OrThrow();
        Assert.Equal(4, poor.Eventfd(0, EventfdFlags.None).Raw);
        Assert.Equal(Errno.EPERM, poor.SetRlimit(Resource.RLIMIT_NOFILE, new ResourceLimit(8, 9)).Error);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void Ports_that_TIME_WAIT_has_eaten_are_EADDRNOTAVAIL_for_that_destination_only()
    {
        using TestKernel test = new();
        Process process = test.Process;
        NetworkStack stack = test.Kernel.DefaultNamespace;
        test.Do(() =>
        {
            stack.LocalPorts.SetRange(40_000, 40_009);
            stack.Tcp.Settings.tcp_tw_reuse = 0;
        });
        (int listener, byte[] address) = ListenAt(process, 2080);
        (_, byte[] other) = ListenAt(process, 2081);
        for (int i = 0; i < 10; i++)
        {
            ConnectAndClose(process, listener, address);
        }

        int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        Assert.Equal(Errno.EADDRNOTAVAIL, process.Connect(client, address).Error);

        // A port belongs to a pair of ends: it is free for another destination, and for this one once the range is wider.
        process.Connect(process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow(), other).OrThrow();
        test.Do(() => stack.LocalPorts.SetRange(40_000, 40_010));
        process.Connect(client, address).OrThrow();
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void TIME_WAIT_has_a_most_and_what_is_beyond_closes_at_once()
    {
        using TestKernel test = new();
        Process process = test.Process;
        TcpLayer tcp = test.Kernel.DefaultNamespace.Tcp;
        test.Do(() => tcp.Settings.tcp_max_tw_buckets = 5);
        (int listener, byte[] address) = Sockets.Listen(process, 8);
        for (int i = 0; i < 8; i++)
        {
            ConnectAndClose(process, listener, address);
        }

        Assert.Equal(3, test.Ask(() => tcp.Mib[TcpCounter.TCPTimeWaitOverflow]));
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void A_backlog_is_cut_to_somaxconn_and_what_does_not_fit_is_counted()
    {
        using TestKernel test = new();
        Process process = test.Process;
        TcpLayer tcp = test.Kernel.DefaultNamespace.Tcp;
        test.Do(() => tcp.Settings.somaxconn = 3);
        (int listener, byte[] address) = Sockets.Listen(process, 1 << 20);
        List<int> clients = [];
        for (int i = 0; i < 8; i++)
        {
            int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM | SocketType.SOCK_NONBLOCK, 0).OrThrow();
            process.Connect(client, address);
            clients.Add(client);
        }

        Assert.True(test.Ask(() => tcp.Mib[TcpCounter.ListenOverflows]) > 0);

        // All of them get in, one after the other, as room comes.
        for (int i = 0; i < 8; i++)
        {
            PollDescriptor[] one = [new() { Fd = listener, Events = (short)SocketEvents.Readable }];
            Assert.Equal(1, process.Poll(one, 60_000).Raw);
            process.Accept4(listener, default, out _, 0).OrThrow();
        }

        test.AssertNothingIsLeft();
    }

    [Fact]
    public void Without_memory_for_what_is_sent_there_is_ENOBUFS_until_it_has_been_read()
    {
        using StackDriver driver = new(new Engine(new EngineOptions { Seed = 3, BufferBytesMax = 4 << 20 }));
        using PorticoKernel kernel = new(driver);
        Process process = kernel.CreateProcess();
        List<(int Input, int Output)> pairs = [];
        byte[] block = new byte[64 * 1024];
        Errno error = Errno.None;
        while (error != Errno.ENOBUFS && pairs.Count < 200)
        {
            (int input, int output) = Sockets.StreamsOf(process, "tcp");
            Sockets.SetNonBlocking(process, output, true);
            Sockets.SetNonBlocking(process, input, true);
            pairs.Add((input, output));
            do
            {
                error = process.Write(output, block).Error;
            }
            while (error == Errno.None);
        }

        Assert.Equal(Errno.ENOBUFS, error);
        foreach ((int input, _) in pairs)
        {
            while (process.Read(input, block).Raw > 0)
            {
            }
        }

        Assert.True(process.Write(pairs[^1].Output, block).Raw > 0);
        Assert.Equal(Errno.ENOBUFS, process.SendMessage(pairs[0].Output, [1], MessageFlags.None, default, new byte[200_000]).Error);
        process.Exit();
        using (driver.Enter())
        {
            Assert.Equal(0, kernel.Counters[KernelCounter.OpenFiles]);
        }
    }

    [Fact]
    public void Files_in_memory_have_a_most_of_bytes_and_of_names()
    {
        using TestKernel test = new(new KernelSettings { tmpfs_size = 1 << 20, tmpfs_nr_inodes = 40 });
        Process process = test.Process;
        int file = process.Open("/tmp/large", OpenFlags.O_CREAT | OpenFlags.O_RDWR, 0x180).OrThrow();
        byte[] block = new byte[100_000];
        SyscallResult result;
        long written = 0;
        while ((result = process.Write(file, block)).Raw > 0)
        {
            written += result.Raw;
            Assert.True(test.Count(KernelCounter.FilePages) * 4096 <= 1 << 20);
        }

        Assert.Equal(Errno.ENOSPC, result.Error);
        Assert.Equal(1 << 20, written);
        Assert.Equal(256, test.Count(KernelCounter.FilePages));
        Assert.True(test.Count(KernelCounter.FileSpaceLimit) > 0);
        process.Ftruncate(file, 0).OrThrow();
        Assert.Equal(block.Length, process.Pwrite(file, block, 0).Raw);
        int made = 0;
        while ((result = process.Open($"/tmp/{made}", OpenFlags.O_CREAT | OpenFlags.O_RDWR, 0x180)).Raw >= 0)
        {
            made++;
        }

        Assert.Equal(Errno.ENOSPC, result.Error);
        Assert.Equal(40, test.Count(KernelCounter.Inodes));
        process.Unlinkat(Process.AT_FDCWD, "/tmp/0"u8, 0).OrThrow();
        process.Unlinkat(Process.AT_FDCWD, "/tmp/large"u8, 0).OrThrow();
        process.Exit();
        Assert.Equal(0, test.Count(KernelCounter.FilePages));
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void Interests_of_epoll_have_a_most_and_pipes_become_small()
    {
        using TestKernel test = new(new KernelSettings { max_user_watches = 3, pipe_user_pages_soft = 40 });
        Process process = test.Process;
        int epoll = process.EpollCreate1(0).OrThrow();
        int[] fds = [.. Enumerable.Range(0, 4).Select(_ => process.Eventfd(0, EventfdFlags.None).OrThrow())];
        EpollEvent wanted = new(EpollFlags.EPOLLIN, 0);
        Assert.All(fds[..3], fd => process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, fd, wanted).OrThrow());
        Assert.Equal(3, test.Count(KernelCounter.EpollWatches));
        Assert.Equal(Errno.ENOSPC, process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, fds[3], wanted).Error);
        process.Close(fds[0]).OrThrow();
        process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, fds[3], wanted).OrThrow();
        long[] sizes = [.. Enumerable.Range(0, 4).Select(_ =>
        {
            process.Pipe2(0, out int reader, out _).OrThrow();
            return process.Fcntl(reader, FcntlCommand.F_GETPIPE_SZ).Raw;
        })];
        Assert.Equal([65_536, 65_536, 8192, 8192], sizes);
        Assert.Equal(2, test.Count(KernelCounter.PipeSoftLimit));
        Assert.Equal(36, test.Count(KernelCounter.PipePages));
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void Fifty_thousand_clients_talk_to_one_listener_in_one_process()
    {
        // More than this machine lets a process have of its own descriptors.
        const int Clients = 50_000;
        using TestKernel test = new();
        Process process = test.Process;
        NetworkStack stack = test.Kernel.DefaultNamespace;
        test.Do(() => stack.LocalPorts.SetRange(1024, 65_535));
        (int listener, byte[] address) = ListenAt(process, 2080);
        int[] clients = new int[Clients];
        int[] servers = new int[Clients];
        for (int i = 0; i < Clients; i++)
        {
            clients[i] = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
            process.Connect(clients[i], address).OrThrow();
            servers[i] = process.Accept4(listener, default, out _, 0).OrThrow();
        }

        Assert.Equal((2 * Clients) + 1, test.Count(KernelCounter.OpenFiles));
        Assert.Equal(2 * Clients, servers[^1]);
        byte[] question = new byte[4];
        byte[] buffer = new byte[8];
        for (int i = 0; i < Clients; i++)
        {
            BitConverter.TryWriteBytes(question, i);
            Assert.Equal(4, process.Write(clients[i], question).Raw);
        }

        for (int i = Clients - 1; i >= 0; i--)
        {
            Assert.Equal(4, process.Read(servers[i], buffer).Raw);
            Assert.Equal(i, BitConverter.ToInt32(buffer));
            BitConverter.TryWriteBytes(question, -i);
            Assert.Equal(4, process.Write(servers[i], question).Raw);
        }

        for (int i = 0; i < Clients; i++)
        {
            Assert.Equal(4, process.Read(clients[i], buffer).Raw);
            Assert.Equal(-i, BitConverter.ToInt32(buffer));
        }

        test.AssertNothingIsLeft();
        Assert.Equal(0, test.Ask(() => stack.Tcp.Mib[TcpCounter.CurrEstab]));
    }

    private static (int Listener, byte[] Address) ListenAt(Process process, ushort port)
    {
        byte[] address = SocketAddress.Of(new Endpoint(IpAddress.Parse("127.0.0.1"), port));
        int listener = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Bind(listener, address).OrThrow();
        process.Listen(listener, 1024).OrThrow();
        return (listener, address);
    }

    /// <summary>The client closes first, and so it is its end that waits.</summary>
    private static void ConnectAndClose(Process process, int listener, byte[] address)
    {
        int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Connect(client, address).OrThrow();
        int server = process.Accept4(listener, default, out _, 0).OrThrow();
        process.Close(client).OrThrow();
        Assert.Equal(0, process.Read(server, new byte[1]).Raw);
        process.Close(server).OrThrow();
    }

    private static NetworkStack NewNamespace(TestKernel test)
    {
        using (test.Kernel.Driver.Enter())
        {
            return new NetworkStack(test.Kernel.Driver.Engine, new NetworkStackOptions { Name = "container" });
        }
    }
}
