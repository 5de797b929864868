using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/protocols: what kinds of sockets there are, and how many of each.</summary>
internal static class ProtocolTexts
{
    /// <summary>Room that TCP wants in front of its header.</summary>
    private const int TcpHeaderBytesMax = 192;

    /// <summary>
    /// Names, in Linux's order, and which calls each has: close, connect, disconnect, accept, ioctl, init, destroy, shutdown, setsockopt,
    /// getsockopt, sendmsg, recvmsg, bind, backlog, hash, unhash, get_port, pressure.
    /// </summary>
    private static readonly (string Name, bool HasSlab, string Calls)[] s_protocols =
    [
        ("PACKET", false, "n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n"),
        ("PINGv6", true, "y  y  y  n  n  y  n  n  y  y  y  y  y  y  n  y  y  n"),
        ("RAWv6", true, "y  y  y  n  y  y  y  n  y  y  y  y  y  y  y  y  n  n"),
        ("UDPv6", true, "y  y  y  n  y  y  y  n  y  y  y  y  n  n  y  y  y  n"),
        ("TCPv6", true, "y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y"),
        ("UNIX-STREAM", true, "y  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n"),
        ("UNIX", true, "y  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n"),
        ("PING", true, "y  y  y  n  n  y  n  n  y  y  y  y  y  y  n  y  y  n"),
        ("RAW", true, "y  y  y  n  y  y  y  n  y  y  y  y  y  y  y  y  n  n"),
        ("UDP", true, "y  y  y  n  y  y  y  n  y  y  y  y  n  n  y  y  y  n"),
        ("TCP", true, "y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y"),
    ];

    public static void Write(PorticoKernel kernel, NetworkStack stack, ProcText text)
    {
        SocketCounts counts = SocketCounts.Of(kernel, stack);
        text.Append("protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n");
        foreach ((string name, bool hasSlab, string calls) in s_protocols)
        {
            (int sockets, long memory) = counts.Named(name);
            bool isTcp = name.StartsWith("TCP", StringComparison.Ordinal);

            // How large a socket is is not of one number here.
            text.Add($"{name,-9} {0,4} {sockets,6}  {memory,6}   {(isTcp ? "no" : "NI"),-3} {(isTcp ? TcpHeaderBytesMax : 0),6}   ");
            text.Add($"{(hasSlab ? "yes" : "no"),-3}  {"kernel",-10}  {calls}\n");
        }
    }
}
