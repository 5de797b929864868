using System.Globalization;
using System.Text;
using Portico.Net;

namespace Portico.Net.Tests.Tcp.Recovery;

/// <summary>
/// An established connection of the stack, which sends; the peer acknowledges by hand. Sequence numbers count from 1 and a segment reads
/// as packetdrill writes it: "1:1001". The round trip of the handshake is known to the stack.
/// </summary>
internal sealed class WatchedSender : IDisposable
{
    private readonly RawPeer _peer;
    private uint _window;

    public WatchedSender(int rttMillis = 100, bool sack = true, ushort mss = 1000, bool timestamps = false, Action<TcpSettings>? configure = null)
    {
        _peer = new RawPeer(settings =>
        {
            settings.tcp_wmem = (4096, 4 << 20, 8 << 20);
            settings.tcp_slow_start_after_idle = false;
            configure?.Invoke(settings);
        });
        _window = 1024;
        TcpListenerHandle listener = _peer.Listen();
        Span<byte> options = stackalloc byte[40];
        int length = TcpOptions.WriteSyn(options, mss, 7, sack, timestamps, _peer.TsVal, 0);
        _peer.Inject(TcpFlags.Syn, _peer.Seq++, 0, default, 32792, options[..length]);
        Seg synAck = _peer.Expect(TcpFlags.Syn | TcpFlags.Ack);
        Iss = synAck.Seq;
        _peer.Ack = Iss + 1;
        _peer.Timestamps = timestamps;
        _peer.TsEcr = synAck.Options.TsVal;
        After(rttMillis);
        _peer.Inject(TcpFlags.Ack, _peer.Seq, _peer.Ack, default, (ushort)_window);
        Assert.Equal(Errno.None, _peer.Tcp.Accept(listener, null, out TcpHandle handle));
        Handle = handle;
    }

    public uint Iss { get; }

    public TcpHandle Handle { get; }

    public TcpLayer Tcp => _peer.Tcp;

    public uint TsEcr
    {
        get => _peer.TsEcr;
        set => _peer.TsEcr = value;
    }

    public ushort Window
    {
        get => (ushort)_window;
        set => _window = value;
    }

    public TcpInfo Info
    {
        get
        {
            Assert.Equal(Errno.None, Tcp.GetInfo(Handle, out TcpInfo info));
            return info;
        }
    }

    public string State => ((CaState)Info.CaState).ToString();

    public long Count(TcpCounter counter) => Tcp.Mib[counter];

    public void Write(int bytes, TcpSendFlags flags = TcpSendFlags.None)
    {
        Assert.Equal(Errno.None, Tcp.Send(Handle, new byte[bytes], flags, out int sent));
        Assert.Equal(bytes, sent);
        _peer.Settle();
    }

    /// <summary>An ACK up to this number, with SACK blocks given by their edges.</summary>
    public void Ack(uint upTo, params uint[] sacks)
    {
        Span<byte> options = stackalloc byte[40];
        int length = 0;
        if (_peer.Timestamps)
        {
            length += TcpOptions.WriteTimestamp(options, ++_peer.TsVal, _peer.TsEcr);
        }

        if (sacks.Length > 0)
        {
            SackBlock[] blocks = [.. sacks.Chunk(2).Select(edges => new SackBlock(Iss + edges[0], Iss + edges[1]))];
            length += TcpOptions.WriteSack(options[length..], blocks);
        }

        _peer.Inject(TcpFlags.Ack, _peer.Seq, Iss + upTo, default, (ushort)_window, options[..length]);
    }

    public void After(double millis) => _peer.RunFor(new Duration((long)(millis * 1e6)));

    /// <summary>What has been sent since it was looked at last, neighbours joined, "" for nothing.</summary>
    public string Sent()
    {
        StringBuilder text = new();
        uint from = 0;
        uint to = 0;
        while (_peer.Received.TryDequeue(out Seg? segment))
        {
            uint start = segment.Seq - Iss;
            if (start != to || segment.Payload.Length == 0)
            {
                Append(text, from, to);
                from = start;
            }

            to = start + (uint)segment.Payload.Length;
            if (segment.Options.HasTimestamp)
            {
                TsEcr = segment.Options.TsVal;
            }
        }

        Append(text, from, to);
        return text.ToString();
    }

    /// <summary>The payload lengths of what has been sent since it was looked at last, with a P where PSH is set.</summary>
    public string Sizes()
    {
        List<string> sizes = [];
        while (_peer.Received.TryDequeue(out Seg? segment))
        {
            sizes.Add(((segment.Flags & TcpFlags.Psh) != 0 ? "P" : "") + segment.Payload.Length.ToString(CultureInfo.InvariantCulture));
        }

        return string.Join(' ', sizes);
    }

    /// <summary>Milliseconds until something is sent.</summary>
    public double Wait(double limitMillis = 10_000)
    {
        Assert.Empty(_peer.Received);
        return _peer.TimeToNextSegment(new Duration((long)(limitMillis * 1e6))).Nanoseconds / 1e6;
    }

    public void Dispose() => _peer.Dispose();

    private static void Append(StringBuilder text, uint from, uint to)
    {
        if (to == from)
        {
            return;
        }

        text.Append(text.Length > 0 ? " " : "").Append(CultureInfo.InvariantCulture, $"{from}:{to}");
    }
}
