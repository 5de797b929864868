using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Simulation;

/// <summary>A flow of datagrams in a soak. They may be lost, doubled and reordered, but each one that arrives is whole and right.</summary>
internal sealed class SoakDatagrams : ISocketOwner, IScheduled
{
    private const int HeaderBytes = 8;

    private readonly World _world;
    private readonly SoakPath _path;
    private readonly UdpLayer _sender;
    private readonly UdpLayer _receiver;
    private readonly Endpoint _target;
    private readonly UdpHandle _from;
    private readonly UdpHandle _to;
    private readonly Duration _interval;
    private readonly int _bytesMax;
    private readonly int _stream;
    private readonly byte[] _buffer;
    private int _left;
    private bool _isOpen = true;

    public SoakDatagrams(World world, SoakPath path, int number, byte[] buffer)
    {
        RandomSource random = world.Random;
        _world = world;
        _path = path;
        _buffer = buffer;
        _stream = 1000 + number;
        _sender = path.First.Stack.Udp;
        _receiver = path.Second.Stack.Udp;
        bool isIpv6 = !path.FirstIpv6.IsUnspecified && random.NextChance(0.5);
        _target = new Endpoint(isIpv6 ? path.SecondIpv6 : path.SecondIpv4, (ushort)(30_000 + number));
        Require(_sender.Open(new UdpOpenRequest { IsIpv6 = isIpv6 }, null, out _from));
        Require(_receiver.Open(new UdpOpenRequest { IsIpv6 = isIpv6 }, this, out _to));
        Require(_receiver.Bind(_to, new Endpoint(isIpv6 ? IpAddress.AnyIpv6 : IpAddress.AnyIpv4, _target.Port)));
        _interval = random.DurationBetween(Duration.FromMicroseconds(100), Duration.FromSeconds(2));
        _bytesMax = (int)random.LogBetween(HeaderBytes, 65_507);
        _left = random.Between(1, 200);
        world.Engine.Schedule(world.Engine.Now + _interval, this, 0);
    }

    public long Sent { get; private set; }

    public long Received { get; private set; }

    public bool IsDone => _left == 0;

    public void OnTime(long cookie)
    {
        if (!_isOpen || _left == 0)
        {
            return;
        }

        _left--;
        int length = _world.Random.Between(HeaderBytes, _bytesMax);
        BinaryPrimitives.WriteInt32LittleEndian(_buffer, (int)Sent);
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(4), length);
        StreamModel.Fill(_stream, Sent * 17, _buffer.AsSpan(HeaderBytes, length - HeaderBytes));
        Errno result = _sender.SendTo(_from, _buffer.AsSpan(0, length), _target);
        if (result == Errno.None)
        {
            Sent++;
        }
        else if (result is not (Errno.ENOBUFS or Errno.EAGAIN or Errno.EHOSTUNREACH))
        {
            throw new SimulationException($"cannot send a datagram of {length} bytes to {_target}: {result}");
        }

        _world.Engine.Schedule(_world.Engine.Now + _interval, this, 0);
    }

    public void OnReady(SocketEvents events)
    {
        while (_isOpen)
        {
            Errno result = _receiver.Receive(_to, _buffer, out UdpReceiveInfo info, out int received);
            if (result == Errno.EAGAIN)
            {
                return;
            }

            if (result != Errno.None)
            {
                continue;
            }

            Received++;
            int number = received >= HeaderBytes ? BinaryPrimitives.ReadInt32LittleEndian(_buffer) : -1;
            bool isRight = number >= 0 && number < Sent && info.TotalLength == received
                && BinaryPrimitives.ReadInt32LittleEndian(_buffer.AsSpan(4)) == received
                && StreamModel.FirstDifference(_stream, number * 17L, _buffer.AsSpan(HeaderBytes, received - HeaderBytes)) < 0;
            // Flipped bits in two fragments of a datagram can cancel out in its checksum.
            if (!isRight && !(_path.Corrupts && received + 48 > _path.Mtu))
            {
                throw new SimulationException($"datagram {number} of {received} bytes to {_target} is not what was sent");
            }
        }
    }

    public void Close()
    {
        _isOpen = false;
        _left = 0;
        _sender.Close(_from);
        _receiver.Close(_to);
    }

    private static void Require(Errno result)
    {
        if (result != Errno.None)
        {
            throw new SimulationException($"cannot open a datagram socket: {result}");
        }
    }
}
