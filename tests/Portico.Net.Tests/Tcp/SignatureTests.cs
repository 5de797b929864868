using System.Security.Cryptography;
using System.Text;

namespace Portico.Net.Tests.Tcp;

/// <summary>MD5 signatures of segments (RFC 2385), segment by segment.</summary>
public sealed class SignatureTests
{
    private static readonly byte[] s_key = "secret"u8.ToArray();

    [Theory]
    [InlineData("", "d41d8cd98f00b204e9800998ecf8427e")]
    [InlineData("a", "0cc175b9c0f1b6a831c399e269772661")]
    [InlineData("message digest", "f96b697d7cb7938d525a2f31aaf161d0")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a")]
    public void Md5_gives_the_sums_of_RFC_1321(string text, string sum)
    {
        byte[] hash = new byte[Md5.HashBytes];
        Md5 md5 = new();
        md5.Append(Encoding.ASCII.GetBytes(text));
        md5.Finish(hash);
        Assert.Equal(sum, Convert.ToHexStringLower(hash));
    }

    [Fact]
    public void Md5_does_not_depend_on_how_the_bytes_come()
    {
        byte[] bytes = TcpPair.Pattern(300);
        byte[] hash = new byte[Md5.HashBytes];
        for (int length = 0; length <= bytes.Length; length++)
        {
            Md5 md5 = new();
            md5.Append(bytes.AsSpan(0, length / 3));
            md5.Append(bytes.AsSpan(length / 3, length - (length / 3)));
            md5.Finish(hash);
            Assert.Equal(ReferenceHash(bytes.AsSpan(0, length)), hash);
        }
    }

    [Theory]
    [InlineData("127.0.0.1", "9c401f90519dfb7800000000d002ffd7fe3c0000010113120c56b41eff66b10aa7fed653db48bd4f0204ffd7010104020103030a")]
    [InlineData("127.0.0.1", "1f909c40eb7bb86a519dfb79d012ffd7fe3c000001011312dd38e99e4770d60c607d99869a668a400204ffd7010104020103030a")]
    [InlineData("127.0.0.1", "9c401f90519dfb79eb7bb86ba0180040fe35000001011312f23dd0babf0f4080e8e85f78213a436768656c6c6f")]
    [InlineData("::1", "9c401f90a3a68b2a00000000d002ffc4003c000001011312acb15272cea18ead3f988b02adba88b20204ffc4010104020103030a")]
    [InlineData("::1", "9c401f90a3a68b2bc43893b9a018004000350000010113123793a37752d27cb41b6a16fa711ebc9468656c6c6f")]
    public void Signatures_are_those_that_Linux_makes(string address, string segment)
    {
        using Engine engine = new(new EngineOptions());
        byte[] bytes = Convert.FromHexString(segment);
        Packet packet = engine.Packets.RentLinear(bytes.Length)!;
        bytes.CopyTo(packet.Append(bytes.Length));
        byte[] hash = new byte[Md5.HashBytes];
        IpAddress both = IpAddress.Parse(address);
        TcpLayer.HashSegment(hash, both, both, packet.Linear, packet, (bytes[12] >> 4) * 4, s_key);
        packet.Release();
        Assert.Equal(Convert.ToHexString(bytes[24..40]), Convert.ToHexString(hash));
    }

    [Fact]
    public void A_listener_with_a_key_answers_signed_SYNs_alone_and_signs()
    {
        using RawPeer peer = Listening(out TcpListenerHandle listener);
        peer.Inject(TcpFlags.Syn, 1000, 0, default, options: Syn(sack: true, timestamps: true));
        peer.ExpectSilence();
        Assert.Equal(1, peer.Tcp.Mib[TcpCounter.TCPMD5NotFound]);
        Inject(peer, TcpFlags.Syn, 1000, 0, default, Syn(sack: true, timestamps: true), "other"u8);
        peer.ExpectSilence();
        Assert.Equal(1, peer.Tcp.Mib[TcpCounter.TCPMD5Failure]);

        Seg synAck = Open(peer);
        Assert.False(synAck.Options.HasTimestamp);
        Assert.True(synAck.Options.SackPermitted);
        Inject(peer, TcpFlags.Ack, 1001, synAck.Seq + 1);
        Assert.Equal(Errno.None, peer.Tcp.Accept(listener, null, out TcpHandle handle));
        Inject(peer, TcpFlags.Ack | TcpFlags.Psh, 1001, synAck.Seq + 1, "hello"u8);
        AssertSigned(peer, peer.Expect(TcpFlags.Ack));
        peer.Inject(TcpFlags.Ack | TcpFlags.Rst, 1006, synAck.Seq + 1);
        peer.Tcp.Send(handle, new byte[3000], TcpSendFlags.None, out _);
        peer.Settle();
        foreach (int length in (int[])[1440, 1440, 120])
        {
            Seg data = peer.Received.Dequeue();
            Assert.Equal(length, data.Payload.Length);
            AssertSigned(peer, data);
        }
    }

    [Fact]
    public void Two_signatures_or_one_of_a_wrong_length_are_none()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        foreach (string options in (string[])["1304000001010101", $"1312{new string('0', 32)}1312{new string('0', 32)}01010101", $"1312{new string('0', 32)}0101"])
        {
            peer.Inject(TcpFlags.Ack | TcpFlags.Psh, peer.Seq, peer.Ack, "data"u8, options: Convert.FromHexString(options));
            peer.ExpectSilence();
        }

        Assert.Equal(1, peer.Tcp.Mib[TcpCounter.TCPMD5Unexpected]);
        Assert.Equal(2, peer.Tcp.Mib[TcpCounter.HeaderErrors]);
        peer.Say("data"u8);
        peer.Expect(TcpFlags.Ack);
    }

    [Fact]
    public void What_is_signed_is_refused_only_by_who_has_the_key()
    {
        using RawPeer peer = Listening(out _);

        // Nobody listens on the port; the key is found by the sender's port, on which somebody does (an opener that was started anew).
        Inject(peer, TcpFlags.Ack, 5, 6, sourcePort: RawPeer.PeerPort, destinationPort: 81);
        peer.ExpectSilence();
        Inject(peer, TcpFlags.Ack, 5, 6, sourcePort: RawPeer.StackPort, destinationPort: 81);
        AssertSigned(peer, peer.Expect(TcpFlags.Rst));
        Inject(peer, TcpFlags.Ack, 5, 6, key: "other"u8, sourcePort: RawPeer.StackPort, destinationPort: 81);
        peer.ExpectSilence();

        // Nobody knows this ACK, but the listener has the key.
        Inject(peer, TcpFlags.Ack, 5, 6);
        AssertSigned(peer, peer.Expect(TcpFlags.Rst));
    }

    [Fact]
    public void A_half_open_connection_and_TIME_WAIT_sign_their_ACKs()
    {
        using RawPeer peer = Listening(out TcpListenerHandle listener);
        Seg synAck = Open(peer);
        Inject(peer, TcpFlags.Ack, 900_000, synAck.Seq + 1);
        AssertSigned(peer, peer.Expect(TcpFlags.Ack));
        Inject(peer, TcpFlags.Ack, 1001, synAck.Seq + 1);
        Assert.Equal(Errno.None, peer.Tcp.Accept(listener, null, out TcpHandle handle));
        peer.Tcp.Shutdown(handle, TcpShutdown.Send);
        peer.Settle();
        AssertSigned(peer, peer.Expect(TcpFlags.Fin | TcpFlags.Ack));
        Inject(peer, TcpFlags.Fin | TcpFlags.Ack, 1001, synAck.Seq + 2);
        AssertSigned(peer, peer.Expect(TcpFlags.Ack));
        peer.Tcp.Close(handle);
        Inject(peer, TcpFlags.Fin | TcpFlags.Ack, 1001, synAck.Seq + 2);
        AssertSigned(peer, peer.Expect(TcpFlags.Ack));
        peer.RunFor(Duration.FromSeconds(61));
        Assert.Equal(0, peer.Tcp.TimeWaitCount);
    }

    [Theory]
    [InlineData(LinkFeatures.None, false)]
    [InlineData(LinkFeatures.None, true)]
    [InlineData(LinkFeatures.ChecksumOffload | LinkFeatures.Tso4 | LinkFeatures.Tso6, false)]
    public void Signed_bytes_arrive_over_a_bad_path(LinkFeatures features, bool ipv6)
    {
        using TcpPair pair = new(features: features, ipv6: ipv6, impairment: new Impairment { Loss = 0.02, Reorder = 0.02, Delay = Duration.FromMilliseconds(10) });
        TcpListenerHandle listener = pair.Listen();
        TcpSignatureKeys keys = new();
        keys.Add(new IpPrefix(pair.AddressA, ipv6 ? 64 : 24), false, s_key);
        Assert.Equal(Errno.None, pair.B.Tcp.SetSignatureKeys(listener, keys));
        Assert.Equal(Errno.None, pair.A.Tcp.Prepare(new TcpOpenRequest { Remote = new Endpoint(pair.AddressB, 80) }, null, out TcpHandle client));
        TcpSignatureKeys own = new();
        own.Add(new IpPrefix(pair.AddressB, ipv6 ? 128 : 32), false, s_key);
        Assert.Equal(Errno.None, pair.A.Tcp.SetSignatureKeys(client, own));
        Assert.Equal(Errno.None, pair.A.Tcp.Start(client));
        TcpHandle server = default;
        pair.RunUntil(() => pair.B.Tcp.Accept(listener, null, out server) == Errno.None, Duration.FromSeconds(60));
        pair.Transfer(pair.A, client, pair.B, server, 300_000, Duration.FromSeconds(300));
        pair.Transfer(pair.B, server, pair.A, client, 300_000, Duration.FromSeconds(300));
        Assert.Equal(0, pair.A.Tcp.Mib[TcpCounter.TCPMD5Failure] + pair.B.Tcp.Mib[TcpCounter.TCPMD5Failure]);
        pair.A.Tcp.GetInfo(client, out TcpInfo info);
        Assert.Equal(1500u - (ipv6 ? 60u : 40u) - 20u, info.SndMss);
    }

    private static RawPeer Listening(out TcpListenerHandle listener)
    {
        RawPeer peer = new();
        listener = peer.Listen();
        TcpSignatureKeys keys = new();
        keys.Add(new IpPrefix(peer.PeerAddress, 32), false, s_key);
        Assert.Equal(Errno.None, peer.Tcp.SetSignatureKeys(listener, keys));
        return peer;
    }

    private static Seg Open(RawPeer peer)
    {
        Inject(peer, TcpFlags.Syn, 1000, 0, default, Syn(sack: true, timestamps: true));
        Seg synAck = peer.Expect(TcpFlags.Syn | TcpFlags.Ack);
        AssertSigned(peer, synAck);
        return synAck;
    }

    private static byte[] Syn(bool sack, bool timestamps)
    {
        byte[] options = new byte[40];
        return options[..TcpOptions.WriteSyn(options, 1460, -1, sack, timestamps, 500, 0)];
    }

    private static void Inject(RawPeer peer, TcpFlags flags, uint seq, uint ack, ReadOnlySpan<byte> payload = default, byte[]? others = null,
        ReadOnlySpan<byte> key = default, ushort sourcePort = RawPeer.PeerPort, ushort destinationPort = RawPeer.StackPort)
    {
        others ??= [];
        byte[] header = new byte[20];
        TcpHeader.Write(header, sourcePort, destinationPort, seq, ack, 40 + others.Length, flags, 65535, 0);
        byte[] signature = Signature(peer.PeerAddress, peer.StackAddress, header, payload, others.Length, key.IsEmpty ? s_key : key);
        peer.Inject(flags, seq, ack, payload, options: [1, 1, 19, 18, .. signature, .. others], peerPort: sourcePort, stackPort: destinationPort);
    }

    private static void AssertSigned(RawPeer peer, Seg segment)
    {
        byte[] header = new byte[20];
        TcpHeader.Write(header, segment.SourcePort, segment.DestinationPort, segment.Seq, segment.Ack, 20 + segment.OptionBytes.Length, segment.Flags, segment.Window, 0);
        byte[] expected = Signature(peer.StackAddress, peer.PeerAddress, header, segment.Payload, segment.OptionBytes.Length - 20, s_key);
        Assert.Equal(Convert.ToHexString([1, 1, 19, 18, .. expected]), Convert.ToHexString(segment.OptionBytes[..20]));
    }

    /// <summary>RFC 2385 2.0 in another's hand.</summary>
    private static byte[] Signature(IpAddress source, IpAddress destination, byte[] header, ReadOnlySpan<byte> payload, int otherOptions, ReadOnlySpan<byte> key)
    {
        int length = 40 + otherOptions + payload.Length;
        byte[] from = source.ToIPAddress().GetAddressBytes();
        byte[] to = destination.ToIPAddress().GetAddressBytes();
        return ReferenceHash([.. from, .. to, 0, 6, (byte)(length >> 8), (byte)length, .. header, .. payload, .. key]);
    }

#pragma warning disable CA5351 // RFC 2385 is MD5.
    private static byte[] ReferenceHash(ReadOnlySpan<byte> bytes) => MD5.HashData(bytes);
#pragma warning restore CA5351
}
