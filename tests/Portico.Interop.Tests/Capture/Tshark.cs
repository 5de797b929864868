using System.Diagnostics;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Capture;

/// <summary>Reads a capture with Wireshark's dissectors: a reader of our packets that we did not write.</summary>
public static class Tshark
{
    private const string Malformed = "_ws.malformed";

    // The kernel writes a TCP checksum of 0 as 0xFFFF, which means the same; tshark thinks that only UDP may (RFC 768).
    private const string BadChecksum =
        "ip.checksum.status==0 || (tcp.checksum.status==0 && !(tcp.checksum==0xffff && frame.packet_flags_direction==1)) || " +
        "udp.checksum.status==0 || icmp.checksum.status==0 || icmpv6.checksum.status==0";

    // A SYN is repeated after a second on a machine that was busy for so long; nothing can tell the kernel to be more patient there. For a
    // few milliseconds of it Portico sends a tail loss probe (RFC 8985 7), which says so in its comment.
    private const string Retransmission =
        "(tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission || " +
        "tcp.analysis.out_of_order || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment) && " +
        "!(tcp.flags.syn==1 && tcp.time_relative>=1) && !(frame.comment contains \"tail loss probe\")";

    // Payload is not looked into: chance alone would make some port's protocol of random bytes.
    private static readonly string[] s_options =
    [
        "-n", "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
        "-o", "ip.defragment:TRUE", "-o", "ipv6.defragment:TRUE", "-o", "tcp.desegment_tcp_streams:FALSE",
        "-o", "tcp.relative_sequence_numbers:FALSE", "-o", "udp.try_heuristic_first:FALSE",
        "-d", "tcp.port==1-65535,data", "-d", "udp.port==1-65535,data",
    ];

    /// <summary>Fails the test if a packet of the capture is malformed or has a wrong checksum.</summary>
    public static void AssertWellFormed(string file) => AssertNone(file, $"{Malformed} || {BadChecksum}");

    /// <summary>The same, and for a retransmission or a segment out of its order.</summary>
    public static void AssertClean(string file) => AssertNone(file, $"{Malformed} || {BadChecksum} || ({Retransmission})");

    /// <summary>The fields of each packet that the filter takes, separated by tabs.</summary>
    public static string[] Read(string file, string filter, params string[] fields)
    {
        List<string> arguments = ["-r", file, .. s_options, "-Y", filter];
        if (fields.Length > 0)
        {
            arguments.AddRange(["-T", "fields"]);
            foreach (string field in fields)
            {
                arguments.AddRange(["-e", field]);
            }
        }

        using Process process = Process.Start(CommandResult.StartInfo("tshark", [.. arguments]))!;
        string output = CommandResult.WaitFor(process, TimeSpan.FromMinutes(4)).Succeeded();
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static void AssertNone(string file, string filter)
    {
        string[] found = Read(file, filter);
        Assert.True(found.Length == 0, $"{found.Length} packets of {file} are not as they should be:\n{string.Join('\n', found.Take(20))}");
    }
}
