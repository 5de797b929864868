using System.Text;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Proc;

/// <summary>Files under /proc/sys: how they are read and written, and that what is written holds.</summary>
public sealed class SettingTests
{
    private static readonly string[] s_texts =
    [
        "", "\n", " ", "5", "5\n", " 7 ", "7 8", "7\t8\n", "8 7", "1 2 3", "10 20 30 40", "-1", "-5 5", "+5", "0", "00", "010", "08", "0x10", "0X1f", "0x", "x",
        "5x", "5 x", "x 5", "5,6", "5\0", "5\06", "255", "256", "65535", "65536", "32768 60999", "60999 32768", "0 60999", "2147483647", "2147483648",
        "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "-0", "99999999999999999999", "000000000000000000000000005", "5 \n\n", "reno", "reno\n", "reno x", "nothing",
        "1024 2048 4096", "4096 8192", "0 8192 16384", "1 1 1", "5\v6", "\v5",
    ];

    public static TheoryData<string> Writable => [.. Kit.WritableSettings];

    [Theory]
    [MemberData(nameof(Writable))]
    public void Takes_the_values_that_Linux_takes(string setting) => BothKernels.RunAsRoot(kit =>
    {
        foreach (string text in s_texts)
        {
            kit.WithSetting(setting, path =>
            {
                // From the same values each time, and not from what the kernel has by itself.
                kit.WriteSetting(path, setting switch
                {
                    "net/ipv4/ip_local_port_range" => "30000 40000",
                    "net/ipv4/ping_group_range" => "0 2147483647",
                    "net/ipv4/tcp_rmem" => "4096 131072 6291456",
                    "net/ipv4/tcp_congestion_control" => "reno",
                    _ => "1",
                });
                kit.Note($"write \"{text.Replace("\0", "\\0", StringComparison.Ordinal)}\" = {Kit.Show(kit.WriteSetting(path, text))}, then {AsStored(setting, kit.ReadText(path))}");
            });
        }
    });

    [Theory]
    [InlineData("net/core/somaxconn")]
    [InlineData("net/ipv4/tcp_rmem")]
    [InlineData("net/ipv4/tcp_congestion_control")]
    public void Is_read_and_written_from_the_beginning_only(string setting) => BothKernels.RunAsRoot(kit => kit.WithSetting(setting, path =>
    {
        kit.WriteSetting(path, setting.EndsWith("control", StringComparison.Ordinal) ? "reno" : setting.EndsWith("rmem", StringComparison.Ordinal) ? "4096 131072 6291456" : "4096");
        long fd = kit.Open(path, O_RDWR | O_TRUNC);
        kit.ReadAsText(fd, 2);
        kit.ReadAsText(fd, 100);
        kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_SET);
        kit.ReadAsText(fd, 5);
        kit.Call(lseek, fd, 1, (long)SeekWhence.SEEK_SET);
        kit.WriteBytes(fd, "12"u8);
        kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_CUR);
        kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_SET);
        kit.ReadAsText(fd, 100);
        kit.ReadAt(fd, 100, 0);
        kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_SET);
        kit.WriteBytes(fd, setting.EndsWith("control", StringComparison.Ordinal) ? "reno"u8 : "4000"u8);
        kit.WriteAt(fd, "5000", 0);
        kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_SET);
        kit.ReadAsText(fd, 100);
        kit.Poll(0, (fd, (Portico.Net.SocketEvents)0x5));
    }));

    [Theory]
    [InlineData("fs/file-nr")]
    [InlineData("net/ipv4/tcp_available_congestion_control")]
    public void What_is_only_for_reading_cannot_be_opened_for_writing(string setting) => BothKernels.Run(kit =>
    {
        string path = $"/proc/sys/{setting}";
        kit.Status(path);
        kit.OnPath(access, path, (long)AccessMode.R_OK);
        kit.Note(kit.ReadText(path).EndsWith('\n') ? "a line" : "no line");
    });

    [Theory]
    [InlineData("fs/file-max")]
    [InlineData("fs/file-nr")]
    [InlineData("fs/nr_open")]
    [InlineData("fs/pipe-max-size")]
    [InlineData("fs/pipe-user-pages-soft")]
    [InlineData("net/core/somaxconn")]
    [InlineData("net/ipv4/ip_local_port_range")]
    [InlineData("net/ipv4/tcp_rmem")]
    [InlineData("net/ipv4/tcp_wmem")]
    [InlineData("net/ipv4/tcp_retries2")]
    [InlineData("net/unix/max_dgram_qlen")]
    public void Has_as_many_numbers_as_Linux_shows(string setting) => BothKernels.Run(kit =>
    {
        kit.Status($"/proc/sys/{setting}");
        kit.ShowText($"/proc/sys/{setting}", (@"\d+", "N"));
    });

    [Fact]
    public void The_range_of_ports_is_where_ports_are_chosen_from() => BothKernels.RunAsRoot(kit => kit.WithSetting("net/ipv4/ip_local_port_range", path =>
    {
        kit.Note(Kit.Show(kit.WriteSetting(path, "23456 23457\n")));
        long[] sockets = [kit.Socket(AF_INET, SocketType.SOCK_DGRAM), kit.Socket(AF_INET, SocketType.SOCK_DGRAM), kit.Socket(AF_INET, SocketType.SOCK_DGRAM)];
        ushort[] ports = [.. sockets.Select(fd => kit.BindAny(fd, AF_INET))];
        kit.Note(string.Join(' ', ports.Order()));
    }));

    [Fact]
    public void The_congestion_control_is_that_of_new_sockets() => BothKernels.RunAsRoot(kit => kit.WithSetting("net/ipv4/tcp_congestion_control", path =>
    {
        foreach (string name in (string[])["reno", "nothing"])
        {
            kit.WriteSetting(path, name);
            kit.GetOption(kit.Socket(AF_INET, SocketType.SOCK_STREAM), (int)SocketLevel.IPPROTO_TCP, 13, 16);
        }
    }));

    /// <summary>Each kernel has a list of its own, which is that of the whole machine there.</summary>
    [Fact]
    public void A_program_without_privileges_chooses_among_the_allowed_congestion_controls() => BothKernels.Run(kit =>
    {
        string[] allowed = Names(kit, "allowed");
        string[] restricted = [.. Names(kit, "available").Except(allowed)];
        foreach ((string kind, string name) in (ReadOnlySpan<(string, string)>)[("allowed", allowed[0]), ("allowed", allowed[^1]), ("restricted", restricted[0]), ("unknown", "nothing")])
        {
            kit.Note($"{kind}: {Kit.Show(Choose(kit, name))}");
        }
    });

    [Fact]
    public void The_receive_buffer_of_new_sockets_is_the_middle_number() => BothKernels.RunAsRoot(kit => kit.WithSetting("net/ipv4/tcp_rmem", path =>
    {
        kit.WriteSetting(path, "4096 50000 100000");
        kit.GetOption(kit.Socket(AF_INET, SocketType.SOCK_STREAM), (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_RCVBUF);
    }));

    [Fact]
    public void Echo_sockets_are_for_the_groups_of_the_range() => BothKernels.RunAsRoot(kit => kit.WithSetting("net/ipv4/ping_group_range", path =>
    {
        foreach (string range in (string[])["1 0", "5 4", "0 2147483647", "0 4294967294", "0 4294967295", "4294967295 4294967295"])
        {
            kit.Note($"{range}: {Kit.Show(kit.WriteSetting(path, range))}");
            kit.Note(kit.ReadText(path));
            kit.Socket(AF_INET, SocketType.SOCK_DGRAM, 1);
            kit.Socket(AF_INET6, SocketType.SOCK_DGRAM, 58);
        }
    }));

    private static string[] Names(Kit kit, string which) => kit.ReadText($"/proc/sys/net/ipv4/tcp_{which}_congestion_control").Split(' ', StringSplitOptions.TrimEntries);

    private static unsafe long Choose(Kit kit, string name)
    {
        const int TCP_CONGESTION = 13;
        long fd = kit.Socket(AF_INET, SocketType.SOCK_STREAM);
        fixed (byte* p = Encoding.ASCII.GetBytes(name))
        {
            return kit.Raw(setsockopt, fd, (long)SocketLevel.IPPROTO_TCP, TCP_CONGESTION, (long)p, name.Length);
        }
    }

    /// <summary>What is yes or no here may be any number there.</summary>
    private static string AsStored(string setting, string text) =>
        setting.EndsWith("tcp_sack", StringComparison.Ordinal) && text.Trim() != "0" ? "not 0" : text;
}
