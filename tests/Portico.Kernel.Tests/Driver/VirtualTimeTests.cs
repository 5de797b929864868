using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Kernel.Tests.Driver;

/// <summary>A kernel whose time is moved by who drives it: timers, packets and blocked calls, to the microsecond.</summary>
public sealed class VirtualTimeTests : IDisposable
{
    private readonly VirtualTime _time = new();
    private readonly PorticoKernel _kernel;
    private readonly VirtualDevice _device;
    private readonly Process _process;
    private Task<SyscallResult>? _blocked;

    public VirtualTimeTests()
    {
        _kernel = new PorticoKernel(_time.Driver);
        _device = new VirtualDevice(_time, mtu: 1500);
        using (_time.Driver.Enter())
        {
            NetworkInterface tun = _kernel.DefaultNamespace.AddInterface("tun0", _device);
            Assert.Equal(Errno.None, tun.AddAddress(new IpPrefix(IpAddress.FromIpv4(192, 0, 2, 1), 24)));
        }

        _process = _kernel.CreateProcess();
    }

    public void Dispose()
    {
        _process.Exit();
        _blocked?.Wait();
        _kernel.Dispose();
        _time.Dispose();
    }

    private static MonoTime At(long milliseconds) => MonoTime.Zero + Duration.FromMilliseconds(milliseconds);

    private static byte[] AddressOf(byte host, ushort port)
    {
        byte[] address = new byte[16];
        address[0] = 2;
        BinaryPrimitives.WriteUInt16BigEndian(address.AsSpan(2), port);
        ((ReadOnlySpan<byte>)[192, 0, 2, host]).CopyTo(address.AsSpan(4));
        return address;
    }

    /// <summary>Makes a call on a thread of its own, and comes back when it is blocked.</summary>
    private void Block(Func<SyscallResult> call)
    {
        _blocked = Task.Factory.StartNew(call, TaskCreationOptions.LongRunning);
        while (_time.Blocked == 0)
        {
            Thread.Yield();
        }
    }

    private SyscallResult Result()
    {
        Assert.True(_blocked!.Wait(TimeSpan.FromSeconds(30)));
        return _blocked.Result;
    }

    /// <summary>192.0.2.2 > 192.0.2.1, UDP 1000 > 5300, four bytes, without a checksum.</summary>
    private static byte[] DatagramToPort5300()
    {
        byte[] packet = Convert.FromHexString("45000020000000004011" + "0000" + "C0000202C0000201" + "03E814B4000C0000" + "01020304");
        uint sum = 0;
        for (int i = 0; i < 20; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(i));
        }

        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), (ushort)~((sum & 0xFFFF) + (sum >> 16)));
        return packet;
    }

    private int Timer(long milliseconds)
    {
        int fd = (int)_process.TimerfdCreate(ClockId.CLOCK_MONOTONIC, TimerfdFlags.None).OrThrow();
        _process.TimerfdSettime(fd, TimerfdFlags.None, new TimerSpec(Duration.FromMilliseconds(milliseconds), Duration.Zero), out _).OrThrow();
        return fd;
    }

    [Fact]
    public void Time_stands_until_it_is_moved_and_then_jumps()
    {
        Assert.Equal(MonoTime.Zero, _time.Now);
        Assert.True(_time.RunUntil(At(1_000_000)));
        Assert.Equal(At(1_000_000), _time.Now);
    }

    [Fact]
    public void A_blocked_call_is_woken_by_its_timer_and_time_stops_there()
    {
        int timer = Timer(70);
        Block(() => _process.Read(timer, new byte[8]));
        Assert.Equal((1, 0), (_time.Blocked, _time.Runnable));

        Assert.False(_time.RunUntil(At(100)));
        Assert.Equal(At(70), _time.Now);
        Assert.Equal(8, Result().Value);
        Assert.Equal(0, _time.Runnable);
        Assert.True(_time.RunUntil(At(100)));
    }

    [Fact]
    public void A_blocked_poll_ends_when_its_time_is_up()
    {
        int eventfd = (int)_process.Eventfd(0, EventfdFlags.None).OrThrow();
        Block(() => _process.Poll([new PollDescriptor { Fd = eventfd, Events = (short)SocketEvents.Readable }], 250));
        Assert.False(_time.RunUntil(At(1000)));
        Assert.Equal(At(250), _time.Now);
        Assert.Equal(0, Result().Value);
    }

    [Fact]
    public void A_call_of_the_driving_thread_runs_the_timers_itself()
    {
        int timer = Timer(70);
        Assert.Equal(8, _process.Read(timer, new byte[8]).Value);
        Assert.Equal(At(70), _time.Now);
    }

    [Fact]
    public void A_call_of_the_driving_thread_that_nothing_can_end_fails_with_EDEADLK()
    {
        int eventfd = (int)_process.Eventfd(0, EventfdFlags.None).OrThrow();
        Assert.Equal(Errno.EDEADLK, _process.Read(eventfd, new byte[8]).Error);
        Assert.Equal(Errno.EDEADLK, _process.Poll([new PollDescriptor { Fd = eventfd, Events = (short)SocketEvents.Readable }], -1).Error);
        Assert.Equal(0, _process.Poll([new PollDescriptor { Fd = eventfd, Events = (short)SocketEvents.Readable }], 30).Value);
        Assert.Equal(At(30), _time.Now);
        Assert.Equal((0, 0), (_time.Blocked, _time.Runnable));
    }

    [Fact]
    public void Packets_bear_the_time_at_which_they_were_sent()
    {
        int socket = (int)_process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM | SocketType.SOCK_NONBLOCK, 0).OrThrow();
        Assert.True(_time.RunUntil(At(5)));
        Assert.Equal(Errno.EINPROGRESS, _process.Connect(socket, AddressOf(2, 80)).Error);
        Assert.True(_time.RunUntil(At(2000)));

        byte[] packet = new byte[1500];
        Assert.True(_device.TryTake(packet, out int length, out MonoTime stamp));
        Assert.Equal(At(5), stamp);
        Assert.Equal(0x02, packet[33]);
        Assert.True(_device.TryTake(packet, out int again, out stamp));
        Assert.Equal(length, again);
        Assert.InRange(stamp.Nanoseconds, At(1000).Nanoseconds, At(1010).Nanoseconds);
        Assert.False(_device.TryTake(packet, out _, out _));
    }

    [Fact]
    public void A_packet_that_comes_in_is_answered_at_once_and_wakes_who_waits_for_it()
    {
        int socket = (int)_process.Socket(AddressFamily.AF_INET, SocketType.SOCK_DGRAM, 0).OrThrow();
        _process.Bind(socket, AddressOf(1, 5300)).OrThrow();
        byte[] buffer = new byte[100];
        Block(() => _process.Read(socket, buffer));
        Assert.True(_time.RunUntil(At(3)));

        Assert.True(_device.Inject(DatagramToPort5300()));
        Assert.Equal(0, _time.Blocked);
        Assert.Equal(4, Result().Value);
        Assert.Equal([1, 2, 3, 4], buffer[..4]);
        Assert.Equal(At(3), _time.Now);
    }

    [Fact]
    public void Waiting_for_a_packet_ends_with_it_or_when_nothing_is_left_to_happen()
    {
        Assert.Equal(VirtualStop.NothingLeft, _time.RunUntilPacket(_device, MonoTime.Never));
        Assert.Equal(VirtualStop.NothingLeft, _time.RunUntilPacket(_device, At(10)));
        Timer(40);
        Assert.Equal(VirtualStop.TimeIsUp, _time.RunUntilPacket(_device, At(20)));
        Assert.Equal(At(20), _time.Now);
        Timer(10_000);
        int socket = (int)_process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM | SocketType.SOCK_NONBLOCK, 0).OrThrow();
        Assert.Equal(Errno.EINPROGRESS, _process.Connect(socket, AddressOf(2, 80)).Error);
        Assert.Equal(VirtualStop.Packet, _time.RunUntilPacket(_device, At(2000)));
    }
}
