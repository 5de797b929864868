using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Portico.Net;

namespace Portico.Kernel.Tests.Proc;

/// <summary>What programs that list sockets make of the texts under /proc/net.</summary>
public sealed class SocketListingTests
{
    private static readonly string[] s_files = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix", "sockstat", "sockstat6", "snmp"];

    /// <summary>The fields of net-tools' netstat: %d: %[0-9A-Fa-f]:%X %[0-9A-Fa-f]:%X %X %lX:%lX %X:%lX %lX %d %d %lu.</summary>
    private static readonly Regex s_netstat = new(
        @"^\s*(\d+): ([0-9A-Fa-f]{8}):([0-9A-F]{4}) ([0-9A-Fa-f]{8}):([0-9A-F]{4}) ([0-9A-F]{2}) ([0-9A-F]+):([0-9A-F]+) ([0-9A-F]+):([0-9A-F]+) ([0-9A-F]+)\s+(\d+)\s+(\d+) (\d+) ");

    [Fact]
    public void Netstat_finds_ends_states_and_queues()
    {
        using PorticoKernel kernel = new();
        Process process = kernel.CreateProcess();
        (_, int client, int server) = Connect(process);
        process.Write(server, "unread"u8).OrThrow();
        Match[] lines = [.. Text(process, "tcp").Split('\n').Skip(1).Select(line => s_netstat.Match(line)).Where(match => match.Success)];

        Assert.Equal(3, lines.Length);
        Match listener = Assert.Single(lines, line => line.Groups[6].Value == "0A");
        Assert.Equal("0100007F", listener.Groups[2].Value);
        Assert.Equal(8080, int.Parse(listener.Groups[3].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        Match unread = Assert.Single(lines, line => line.Groups[6].Value == "01" && line.Groups[5].Value == "1F90");
        Assert.Equal(6, int.Parse(unread.Groups[8].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        Assert.All(lines, line => Assert.Equal("1000", line.Groups[12].Value));
        process.Fstat(client, out FileStatus status).OrThrow();
        Assert.Equal(status.Inode, long.Parse(unread.Groups[14].Value, CultureInfo.InvariantCulture));
    }

    [Fact]
    public void The_inode_of_a_socket_leads_to_its_process()
    {
        using PorticoKernel kernel = new();
        Process process = kernel.CreateProcess();
        (int listener, _, _) = Connect(process);
        process.Fstat(listener, out FileStatus status).OrThrow();
        byte[] target = new byte[64];
        int length = process.Readlinkat(Process.AT_FDCWD, Encoding.ASCII.GetBytes($"/proc/{process.Id}/fd/{listener}"), target).OrThrow();

        Assert.Equal($"socket:[{status.Inode}]", Encoding.ASCII.GetString(target, 0, length));
        Assert.Contains($" {status.Inode} ", Text(process, "tcp"), StringComparison.Ordinal);
    }

    /// <summary>The ss of iproute2 itself, which reads such files from any directory (PROC_ROOT).</summary>
    [Fact]
    public void Ss_shows_the_sockets()
    {
        if (!File.Exists("/usr/bin/ss"))
        {
            return;
        }

        using PorticoKernel kernel = new();
        Process process = kernel.CreateProcess();
        Connect(process);
        int udp = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_DGRAM, 0).OrThrow();
        process.Bind(udp, SocketAddress.Of(new Endpoint(IpAddress.AnyIpv4, 5353))).OrThrow();
        string root = Directory.CreateTempSubdirectory("portico-proc").FullName;
        try
        {
            Directory.CreateDirectory($"{root}/net");
            foreach (string file in s_files)
            {
                File.WriteAllText($"{root}/net/{file}", Text(process, file));
            }

            string shown = Regex.Replace(Run("/usr/bin/ss", "-tuanH", root), " +", " ");
            Assert.Contains("tcp LISTEN 0 0 127.0.0.1:8080 0.0.0.0:*", shown, StringComparison.Ordinal);
            Assert.Matches(@"tcp ESTAB 0 0 127\.0\.0\.1:8080 127\.0\.0\.1:\d+", shown);
            Assert.Matches(@"tcp ESTAB 0 0 127\.0\.0\.1:\d+ 127\.0\.0\.1:8080", shown);
            Assert.Contains("udp UNCONN 0 0 0.0.0.0:5353 0.0.0.0:*", shown, StringComparison.Ordinal);
            Assert.Contains("estab 2", Run("/usr/bin/ss", "-s", root), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static (int Listener, int Client, int Server) Connect(Process process)
    {
        byte[] address = SocketAddress.Of(new Endpoint(IpAddress.LoopbackIpv4, 8080));
        int listener = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Bind(listener, address).OrThrow();
        process.Listen(listener, 8).OrThrow();
        int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Connect(client, address).OrThrow();
        return (listener, client, process.Accept4(listener, new byte[128], out _, 0).OrThrow());
    }

    private static string Text(Process process, string file)
    {
        int fd = process.Open($"/proc/net/{file}", OpenFlags.O_RDONLY).OrThrow();
        StringBuilder text = new();
        byte[] buffer = new byte[1000];
        int count;
        while ((count = process.Read(fd, buffer).OrThrow()) > 0)
        {
            text.Append(Encoding.UTF8.GetString(buffer, 0, count));
        }

        process.Close(fd).OrThrow();
        return text.ToString();
    }

    private static string Run(string program, string arguments, string root)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true };
        start.Environment["PROC_ROOT"] = root;
        using System.Diagnostics.Process run = System.Diagnostics.Process.Start(start)!;
        string output = run.StandardOutput.ReadToEnd();
        run.WaitForExit();
        return output;
    }
}
