using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>Memory of the network and of pipes used up: what comes then is dropped or refused, counted, and taken again afterwards.</summary>
public sealed class MemoryLimitTests
{
    [Fact]
    public void Datagrams_beyond_udp_mem_are_dropped_and_counted_until_some_have_been_read()
    {
        const int Limit = 64 * 1024;
        using TestKernel test = new();
        Process process = test.Process;
        UdpLayer udp = test.Kernel.DefaultNamespace.Udp;
        test.Do(() => udp.Options.udp_mem = Limit);
        (int Fd, byte[] Address)[] receivers = [.. Enumerable.Range(0, 4).Select(_ => Receiver(process))];
        int sender = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_DGRAM, 0).OrThrow();
        byte[] data = new byte[1000];
        for (int i = 0; i < 400; i++)
        {
            // Whoever sends hears nothing of it, as of any other loss.
            Assert.Equal(data.Length, process.SendTo(sender, data, 0, receivers[i % receivers.Length].Address).Raw);
            Assert.True(test.Ask(() => udp.QueuedBytes) <= Limit);
        }

        long dropped = test.Ask(() => udp.Ipv4Counters[UdpCounter.MemErrors]);
        Assert.True(dropped > 100, $"{dropped} datagrams were dropped");
        Assert.Equal(dropped, test.Ask(() => udp.Ipv4Counters[UdpCounter.InErrors]));
        int[] received = [.. receivers.Select(receiver => Drain(process, receiver.Fd))];
        Assert.Equal(400 - dropped, received.Sum());
        Assert.All(received, count => Assert.True(count > 0));
        Assert.Equal(0, test.Ask(() => udp.QueuedBytes));

        process.SendTo(sender, data, 0, receivers[0].Address).OrThrow();
        Assert.Equal(1, Drain(process, receivers[0].Fd));
        Assert.Equal(dropped, test.Ask(() => udp.Ipv4Counters[UdpCounter.MemErrors]));
        process.SendTo(sender, data, 0, receivers[1].Address).OrThrow();
        test.AssertNothingIsLeft();
        Assert.Equal(0, test.Ask(() => udp.QueuedBytes));
    }

    [Fact]
    public void Connections_stay_within_tcp_mem_and_bring_every_byte_once_they_are_read()
    {
        const int Limit = 512 * 1024;
        const int Connections = 8;
        const int Bytes = 6 << 20;
        using TestKernel test = new();
        Process process = test.Process;
        TcpLayer tcp = test.Kernel.DefaultNamespace.Tcp;
        test.Do(() => tcp.Settings.tcp_mem_high = Limit);
        (int Input, int Output)[] pairs = [.. Enumerable.Range(0, Connections).Select(_ => Sockets.StreamsOf(process, "tcp"))];
        int[] written = new int[Connections];
        int[] read = new int[Connections];
        foreach ((int input, int output) in pairs)
        {
            Sockets.SetNonBlocking(process, input, true);
            Sockets.SetNonBlocking(process, output, true);
        }

        byte[] data = [.. Enumerable.Range(0, Bytes).Select(i => (byte)(i * 7 / 5))];
        bool isFull = false;
        while (!isFull)
        {
            isFull = !pairs.Select((pair, i) => Write(i)).ToArray().Any(any => any);
            Assert.True(test.Ask(() => tcp.ReceiveMemory) <= Limit + (256 * 1024), "all queues together are beyond the limit");
        }

        Assert.True(written.Sum() < Connections * Bytes);
        long held = test.Ask(() => tcp.ReceiveMemory);
        Assert.True(held > Limit / 4, $"all queues together have only {held} bytes");
        long end = Environment.TickCount64 + 60_000;
        byte[] room = new byte[64 * 1024];
        while (read.Any(count => count < Bytes))
        {
            Assert.True(Environment.TickCount64 < end, $"after a minute {string.Join(' ', read)} bytes of {Bytes} have come");
            for (int i = 0; i < Connections; i++)
            {
                Write(i);
                int count = (int)process.Read(pairs[i].Input, room).Raw;
                Assert.True(count <= 0 || room.AsSpan(0, count).SequenceEqual(data.AsSpan(read[i], count)), "a byte is not what was sent");
                read[i] += Math.Max(0, count);
            }
        }

        test.AssertNothingIsLeft();
        SpinWait.SpinUntil(() => test.Ask(() => tcp.ReceiveMemory) == 0, TimeSpan.FromSeconds(20));
        Assert.Equal(0, test.Ask(() => tcp.ReceiveMemory));

        bool Write(int i)
        {
            int count = (int)process.Write(pairs[i].Output, data.AsSpan(written[i], Math.Min(64 * 1024, Bytes - written[i]))).Raw;
            written[i] += Math.Max(0, count);
            return count > 0;
        }
    }

    [Fact]
    public void Pipes_are_not_made_larger_than_pipe_max_size_but_for_the_privileged()
    {
        using TestKernel test = new(new KernelSettings { pipe_max_size = 1 << 17 });
        Process root = test.Kernel.CreateProcess(new ProcessOptions { UserId = 0 });
        test.Process.Pipe2(0, out int pipe, out _).OrThrow();
        root.Pipe2(0, out int roots, out _).OrThrow();
        Assert.Equal(1 << 17, test.Process.Fcntl(pipe, FcntlCommand.F_SETPIPE_SZ, 1 << 17).Raw);
        Assert.Equal(Errno.EPERM, test.Process.Fcntl(pipe, FcntlCommand.F_SETPIPE_SZ, (1 << 17) + 1).Error);
        Assert.Equal(1 << 17, test.Process.Fcntl(pipe, FcntlCommand.F_GETPIPE_SZ).Raw);
        Assert.Equal(1 << 18, root.Fcntl(roots, FcntlCommand.F_SETPIPE_SZ, (1 << 17) + 1).Raw);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void Beyond_pipe_user_pages_soft_no_pipe_becomes_larger()
    {
        using TestKernel test = new(new KernelSettings { pipe_user_pages_soft = 40 });
        Process process = test.Process;
        Process root = test.Kernel.CreateProcess(new ProcessOptions { UserId = 0 });
        process.Pipe2(0, out int first, out _).OrThrow();
        process.Pipe2(0, out int second, out int writer).OrThrow();
        Assert.Equal(Errno.EPERM, process.Fcntl(first, FcntlCommand.F_SETPIPE_SZ, 32 * 4096).Error);
        Assert.Equal(1, test.Count(KernelCounter.PipeHardLimit));

        // Smaller it may be, and then there is room.
        process.Fcntl(second, FcntlCommand.F_SETPIPE_SZ, 4096).OrThrow();
        Assert.Equal(32 * 4096, process.Fcntl(first, FcntlCommand.F_SETPIPE_SZ, 32 * 4096).Raw);
        Assert.Equal(33, test.Count(KernelCounter.PipePages));
        Assert.Equal(4096, process.Write(writer, new byte[4096]).Raw);
        root.Pipe2(0, out int roots, out _).OrThrow();
        Assert.Equal(64 * 4096, root.Fcntl(roots, FcntlCommand.F_SETPIPE_SZ, 64 * 4096).Raw);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void Beyond_pipe_user_pages_hard_there_are_no_pipes_until_one_is_closed()
    {
        using TestKernel test = new(new KernelSettings { pipe_user_pages_hard = 40 });
        Process process = test.Process;
        Process root = test.Kernel.CreateProcess(new ProcessOptions { UserId = 0 });
        process.Mknodat(Process.AT_FDCWD, "/tmp/fifo"u8, (int)FileType.Fifo | 0x180).OrThrow();
        process.Pipe2(0, out int reader, out int writer).OrThrow();
        process.Pipe2(0, out _, out _).OrThrow();
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(Errno.ENFILE, process.Pipe2(0, out _, out _).Error);
        }

        Assert.Equal(Errno.ENOMEM, process.Open("/tmp/fifo", OpenFlags.O_RDWR).Error);
        Assert.Equal(4, test.Count(KernelCounter.PipeHardLimit));
        Assert.Equal(Errno.EPERM, process.Fcntl(reader, FcntlCommand.F_SETPIPE_SZ, 32 * 4096).Error);
        root.Pipe2(0, out int roots, out int rootsToo).OrThrow();
        root.Close(roots).OrThrow();
        root.Close(rootsToo).OrThrow();
        process.Close(reader).OrThrow();
        process.Close(writer).OrThrow();
        process.Open("/tmp/fifo", OpenFlags.O_RDWR).OrThrow();
        Assert.Equal(Errno.ENFILE, process.Pipe2(0, out _, out _).Error);
        test.AssertNothingIsLeft();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(25)]
    public void Datagrams_wait_in_a_unix_socket_up_to_max_dgram_qlen_and_one_more(int length)
    {
        using TestKernel test = new();
        Process process = test.Process;
        int before = Named(process, "before");
        test.Do(() => test.Kernel.Settings.max_dgram_qlen = length);
        int after = Named(process, "after");
        int sender = process.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_DGRAM | SocketType.SOCK_NONBLOCK, 0).OrThrow();
        foreach ((int receiver, string name, int most) in ((int, string, int)[])[(before, "before", 11), (after, "after", length + 1)])
        {
            // A socket has the length that was set when it was made.
            byte[] address = UnixAddress.OfAbstract(System.Text.Encoding.ASCII.GetBytes(name));
            process.Connect(sender, address).OrThrow();
            Assert.Equal(most, Fill(process, sender));
            PollDescriptor[] poll = [new() { Fd = sender, Events = (short)SocketEvents.Writable }];
            Assert.Equal(0, process.Poll(poll, 0).Raw);
            Assert.Equal(1, process.Read(receiver, new byte[8]).Raw);
            Assert.Equal(1, Fill(process, sender));
        }

        test.AssertNothingIsLeft();
    }

    private static int Named(Process process, string name)
    {
        int fd = process.Socket(AddressFamily.AF_UNIX, SocketType.SOCK_DGRAM, 0).OrThrow();
        process.Bind(fd, UnixAddress.OfAbstract(System.Text.Encoding.ASCII.GetBytes(name))).OrThrow();
        return fd;
    }

    private static int Fill(Process process, int sender)
    {
        int sent = 0;
        SyscallResult result;
        while ((result = process.Write(sender, "x"u8)).Raw == 1)
        {
            sent++;
        }

        Assert.Equal(Errno.EAGAIN, result.Error);
        return sent;
    }

    private static (int Fd, byte[] Address) Receiver(Process process)
    {
        int fd = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_DGRAM | SocketType.SOCK_NONBLOCK, 0).OrThrow();
        process.Bind(fd, SocketAddress.Of(new Endpoint(IpAddress.Parse("127.0.0.1"), 0))).OrThrow();
        byte[] address = new byte[16];
        process.GetSockName(fd, address).OrThrow();
        return (fd, address);
    }

    private static int Drain(Process process, int fd)
    {
        int count = 0;
        while (process.Read(fd, new byte[2000]).Raw > 0)
        {
            count++;
        }

        return count;
    }
}
