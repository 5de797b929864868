using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>Which addresses a script runs with.</summary>
public enum ScriptIpVersion
{
    /// <summary>Sockets and packets of IPv4.</summary>
    Ipv4,

    /// <summary>Sockets and packets of IPv6.</summary>
    Ipv6,

    /// <summary>Sockets of IPv6 whose packets are IPv4's.</summary>
    Ipv4MappedIpv6,
}

/// <summary>How scripts are run.</summary>
public sealed class ScriptOptions
{
    /// <summary>The addresses.</summary>
    public ScriptIpVersion IpVersion { get; init; }

    /// <summary>Names that are replaced in the script, beside those that it defines itself and those that go with the IP version.</summary>
    public IReadOnlyDictionary<string, string> Definitions { get; init; } = new Dictionary<string, string>();

    /// <summary>How far times may be off at least, in microseconds; null for what the script says, or 4000.</summary>
    public long? ToleranceUsecs { get; init; }

    /// <summary>How far times may be off, as a part of the time since the event before; null for what the script says, or 12.5.</summary>
    public double? TolerancePercent { get; init; }

    /// <summary>Where the engine's random numbers start.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Hears each line of the trace as it happens: calls, packets, commands.</summary>
    public Action<string>? Trace { get; init; }
}

/// <summary>What a run of a script is about: addresses, tolerance, device.</summary>
internal sealed class ScriptConfiguration
{
    public const ushort BindPort = 8080;
    public const ushort ConnectPort = 8080;

    /// <summary>The port of the first peer; those that come later have the next ones.</summary>
    public const ushort FirstRemotePort = 40_000;

    private static readonly Dictionary<ScriptIpVersion, string[]> s_definitions = new()
    {
        [ScriptIpVersion.Ipv4] = ["TFO_COOKIE=3021b9d889017eeb", "CODE=host_unreachable", "CMSG_LEVEL_IP=SOL_IP", "CMSG_TYPE_RECVERR=IP_RECVERR"],
        [ScriptIpVersion.Ipv6] = ["TFO_COOKIE=c1d1e9742a47a9bc", "CMSG_LEVEL_IP=SOL_IPV6", "CMSG_TYPE_RECVERR=IPV6_RECVERR"],
        [ScriptIpVersion.Ipv4MappedIpv6] =
            ["TFO_COOKIE=3021b9d889017eeb", "CODE=host_unreachable", "CMSG_LEVEL_IP=SOL_IPV6", "CMSG_TYPE_RECVERR=IPV6_RECVERR"],
    };

    private ScriptConfiguration(ScriptOptions options)
    {
        IpVersion = options.IpVersion;
        bool isIpv6 = IsIpv6;
        Local = IpAddress.Parse(isIpv6 ? "fd3d:a0b:17d6::1" : "192.168.0.1");
        Remote = IpAddress.Parse(isIpv6 ? "fd3d:fa7b:d17d::1" : "192.0.2.1");
        Gateway = IpAddress.Parse(isIpv6 ? "fd3d:a0b:17d6:8888::1" : "192.168.0.2");
        PrefixLength = isIpv6 ? 48 : 16;
        Mtu = isIpv6 ? 1520 : 1500;
    }

    public ScriptIpVersion IpVersion { get; }

    public bool IsIpv6 => IpVersion == ScriptIpVersion.Ipv6;

    public IpAddress Local { get; }

    public IpAddress Remote { get; }

    public IpAddress Gateway { get; }

    public int PrefixLength { get; }

    public int Mtu { get; private set; }

    public long ToleranceUsecs { get; private set; } = 4000;

    public double TolerancePercent { get; private set; } = 12.5;

    /// <summary>Microseconds of a tick of the timestamps that are checked; 0 where they are not.</summary>
    public long TimestampTickUsecs { get; private set; }

    /// <summary>Whether timestamps may be echoed that were never sent.</summary>
    public bool ScalesTimestampEchoes { get; private set; }

    /// <summary>Whether each segment of the script is to be one packet.</summary>
    public bool StrictSegments { get; private set; }

    /// <summary>How much data each of the segments has that a longer packet of the script stands for (--mss); 0 where it is one.</summary>
    public int SegmentBytes { get; private set; }

    /// <summary>AF_INET or AF_INET6, for socket(...).</summary>
    public int SocketDomain => IpVersion == ScriptIpVersion.Ipv4 ? 2 : 10;

    /// <summary>The address to bind to.</summary>
    public byte[] BindAddress => SocketAddressOf(Local, BindPort);

    /// <summary>The address to connect to.</summary>
    public byte[] ConnectAddress => SocketAddressOf(Remote, ConnectPort);

    public static Dictionary<string, string> Definitions(ScriptOptions options)
    {
        Dictionary<string, string> definitions = [];
        foreach (string definition in s_definitions[options.IpVersion])
        {
            int separator = definition.IndexOf('=', StringComparison.Ordinal);
            definitions[definition[..separator]] = definition[(separator + 1)..];
        }

        foreach ((string name, string value) in options.Definitions)
        {
            definitions[name] = value;
        }

        return definitions;
    }

    public static ScriptConfiguration Of(ScriptSyntax script, ScriptOptions options)
    {
        ScriptConfiguration configuration = new(options);
        foreach (ScriptOption option in script.Options)
        {
            configuration.Apply(script.Path, option);
        }

        configuration.ToleranceUsecs = options.ToleranceUsecs ?? configuration.ToleranceUsecs;
        configuration.TolerancePercent = options.TolerancePercent ?? configuration.TolerancePercent;
        return configuration;
    }

    /// <summary>Addresses and the IP version are the run's, not the script's, as where the suite's own runner runs it.</summary>
    private void Apply(string path, ScriptOption option)
    {
        switch (option.Name)
        {
            case "tolerance_usecs":
                ToleranceUsecs = Number(path, option, 0, long.MaxValue / 1000);
                break;
            case "tolerance_percent":
                TolerancePercent = double.TryParse(option.Value, System.Globalization.CultureInfo.InvariantCulture, out double percent) && percent >= 0
                    ? percent
                    : throw Wrong(path, option, "a number of percent");
                break;
            case "tcp_ts_tick_usecs":
                TimestampTickUsecs = Number(path, option, 0, 1_000_000);
                break;
            case "tcp_ts_ecr_scaled":
                ScalesTimestampEchoes = true;
                break;
            case "strict_segments":
                StrictSegments = true;
                break;
            case "mtu":
                Mtu = (int)Number(path, option, IsIpv6 ? 1280 : 68, 65_535);
                break;
            case "mss":
                SegmentBytes = (int)Number(path, option, 1, 65_535);
                break;
            case "ip_version" or "local_ip" or "remote_ip" or "gateway_ip" or "netmask_ip" or "speed" or "define" or "send_omit_free"
                or "init_scripts" or "code_command" or "code_format" or "code_sockopt" or "verbose":
                break;
            default:
                throw Wrong(path, option, "an option that there is");
        }
    }

    private static long Number(string path, ScriptOption option, long least, long most) =>
        long.TryParse(option.Value, System.Globalization.CultureInfo.InvariantCulture, out long number) && number >= least && number <= most
            ? number
            : throw Wrong(path, option, $"a number of {least} to {most}");

    private static ScriptSyntaxException Wrong(string path, ScriptOption option, string expected) =>
        new(path, option.Position, $"expected {expected}, found --{option.Name}{(option.Value == null ? "" : $"={option.Value}")}");

    private byte[] SocketAddressOf(IpAddress address, ushort port)
    {
        byte[] bytes = new byte[SocketDomain == 2 ? 16 : 28];
        BitConverter.TryWriteBytes(bytes, (ushort)SocketDomain);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), port);
        if (SocketDomain == 2)
        {
            address.WriteIpv4(bytes.AsSpan(4));
        }
        else
        {
            address.WriteIpv6(bytes.AsSpan(8));
        }

        return bytes;
    }
}
