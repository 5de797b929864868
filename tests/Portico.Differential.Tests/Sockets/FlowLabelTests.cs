using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>
/// Flow labels of IPv6 (RFC 6437): IPV6_FLOWINFO_SEND takes them from addresses, IPV6_FLOWINFO sends one along and tells those that come.
/// </summary>
public sealed class FlowLabelTests
{
    private const int SOL_IPV6 = 41;
    private const int IPV6_FLOWINFO = 11;
    private const int IPV6_FLOWINFO_SEND = 33;
    private const int IPV6_TCLASS = 67;
    private const int IPV6_AUTOFLOWLABEL = 70;
    private const ushort ETH_P_IPV6 = 0x86DD;

    /// <summary>As sin6_flowinfo has them: four bits of nothing, the traffic class, the label.</summary>
    private static readonly uint[] s_labels = [0, 1, 0x12345, 0xFFFFF, 0x0B8_00000, 0x0B8_12345, 0xF00_12345, 0xFFFFFFFF];

    public static TheoryData<uint, bool, string> Sent
    {
        get
        {
            TheoryData<uint, bool, string> cases = [];
            foreach (uint label in s_labels)
            {
                foreach (string kind in (string[])["UDP", "raw", "echo"])
                {
                    cases.Add(label, true, kind);
                    cases.Add(label, false, kind);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Sent))]
    public void Addresses_have_labels(uint label, bool takes, string kind) => BothKernels.Run(kit =>
    {
        (long sender, long receiver, byte[] to) = Pair(kit, kind);
        kit.Option(sender, SOL_IPV6, IPV6_FLOWINFO_SEND, takes ? 1 : 0);
        kit.Send(sender, s_request, 0, With(to, label));
        Take(kit, receiver, kind);
        kit.Option(sender, SOL_IPV6, IPV6_TCLASS, 0x24);
        kit.Send(sender, s_request, 0, With(to, label));
        Take(kit, receiver, kind);
        kit.SendMessage(sender, s_request, ControlMessages.Of(SOL_IPV6, IPV6_TCLASS, [0x30, 0, 0, 0]), 0, With(to, label));
        Take(kit, receiver, kind);
    });

    [Theory]
    [MemberData(nameof(Sent))]
    public void Connected_sockets_keep_the_label_of_the_address(uint label, bool takes, string kind) => BothKernels.Run(kit =>
    {
        (long sender, long receiver, byte[] to) = Pair(kit, kind);
        kit.Option(sender, SOL_IPV6, IPV6_FLOWINFO_SEND, takes ? 1 : 0);
        kit.Connect(sender, With(to, label));
        if (kind == "UDP")
        {
            kit.PortOf(sender);
            kit.Name(sender);
        }

        kit.Name(sender, ofPeer: true);
        kit.Send(sender, s_request);
        Take(kit, receiver, kind);
        kit.Option(sender, SOL_IPV6, IPV6_FLOWINFO_SEND, takes ? 0 : 1);
        kit.Name(sender, ofPeer: true);
        kit.Send(sender, s_request);
        Take(kit, receiver, kind);
        kit.Send(sender, s_request, 0, With(to, 0x777));
        Take(kit, receiver, kind);
        kit.SendMessage(sender, s_request, ControlMessages.Of(SOL_IPV6, IPV6_FLOWINFO, [0, 0, 9, 9]));
        Take(kit, receiver, kind);
        kit.Connect(sender, With(to, 0));
        kit.Name(sender, ofPeer: true);
        kit.Send(sender, s_request);
        Take(kit, receiver, kind);
    });

    public static TheoryData<string, string> Messages
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string data in (string[])["", "00000000", "00012345", "0B812345", "FFFFFFFF", "000123", "0001234500000000"])
            {
                foreach (string kind in (string[])["UDP", "raw", "echo"])
                {
                    cases.Add(data, kind);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Labels_are_sent_along(string data, string kind) => BothKernels.Run(kit =>
    {
        (long sender, long receiver, byte[] to) = Pair(kit, kind);
        byte[] message = ControlMessages.Of(SOL_IPV6, IPV6_FLOWINFO, Convert.FromHexString(data));
        kit.SendMessage(sender, s_request, message, 0, to);
        Take(kit, receiver, kind);
        kit.SendMessage(sender, s_request, [.. message, .. ControlMessages.Of(SOL_IPV6, IPV6_TCLASS, [0x30, 0, 0, 0])], 0, to);
        Take(kit, receiver, kind);
        kit.Option(sender, SOL_IPV6, IPV6_FLOWINFO_SEND, 1);
        kit.SendMessage(sender, s_request, message, 0, With(to, 0x12345));
        Take(kit, receiver, kind);
        kit.SendMessage(sender, s_request, message, 0, With(to, 0x54321));
        Take(kit, receiver, kind);
        kit.SendMessage(sender, s_request, [.. message, .. message], 0, to);
        Take(kit, receiver, kind);
    });

    [Theory]
    [InlineData(0u)]
    [InlineData(0x12345u)]
    [InlineData(0x0B812345u)]
    [InlineData(0xFFFFFFFFu)]
    public void Connections_have_the_label_of_the_address(uint label) => BothKernels.Run(kit =>
    {
        long link = kit.PacketSocket(SOCK_DGRAM, ETH_P_IPV6);
        (long listener, ushort port) = kit.Listener(AF_INET6);
        kit.Option(listener, SOL_IPV6, IPV6_AUTOFLOWLABEL, 0);
        long client = kit.Socket(AF_INET6, SOCK_STREAM);
        kit.Option(client, SOL_IPV6, IPV6_AUTOFLOWLABEL, 0);
        kit.Option(client, SOL_IPV6, IPV6_FLOWINFO_SEND, 1);
        kit.Connect(client, With(Kit.Loopback(AF_INET6, port), label));
        kit.PortOf(client);
        long server = kit.Accept(listener);
        kit.WriteBytes(client, "hello"u8);
        kit.Read(server, 10);
        kit.Name(client, ofPeer: true);
        kit.Name(client);
        kit.Name(server, ofPeer: true);
        kit.FlowLabels(link, 4);
    });

    private static readonly byte[] s_request = [128, 0, 0, 0, 0, 0, 0, 1, 2, 3];

    /// <summary>A sender that makes up no labels of its own, and who is told of what it sends.</summary>
    private static (long Sender, long Receiver, byte[] To) Pair(Kit kit, string kind)
    {
        long sender;
        long receiver;
        byte[] to = Kit.Loopback(AF_INET6, 0);
        if (kind == "UDP")
        {
            receiver = kit.Socket(AF_INET6, SOCK_DGRAM);
            to = Kit.Loopback(AF_INET6, kit.BindAny(receiver, AF_INET6));
            sender = kit.Socket(AF_INET6, SOCK_DGRAM);
        }
        else
        {
            receiver = kit.RawSocket(AF_INET6, kind == "raw" ? 200 : 58);
            sender = kind == "raw" ? kit.RawSocket(AF_INET6, 200) : kit.Socket(AF_INET6, SOCK_DGRAM, 58);
            kit.Bind(receiver, Kit.Loopback(AF_INET6, 0));

            // Answers to echo requests have labels of the kernel's own.
            kit.Option(receiver, 58, 1, [.. new byte[16], 2, .. new byte[15]]);
        }

        kit.Option(sender, SOL_IPV6, IPV6_AUTOFLOWLABEL, 0);
        kit.Option(receiver, SOL_IPV6, IPV6_AUTOFLOWLABEL, 0);
        kit.Option(receiver, SOL_IPV6, IPV6_FLOWINFO, 1);
        kit.Option(receiver, SOL_IPV6, 66, 1);
        return (sender, receiver, to);
    }

    private static void Take(Kit kit, long receiver, string kind)
    {
        // Of an echo request its identifier is chosen by the kernel, and so are its bytes.
        for (int i = 0; i < 2; i++)
        {
            kit.ReceiveControl(receiver, kind == "echo" ? 2 : 100, 100, MSG_DONTWAIT);
        }
    }

    private static byte[] With(byte[] address, uint flow) => [.. address[..4], (byte)(flow >> 24), (byte)(flow >> 16), (byte)(flow >> 8), (byte)flow, .. address[8..]];
}
