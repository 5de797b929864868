using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Who may bind to a port that somebody has (F17): every pair of addresses, with every pair of options, for TCP and UDP.</summary>
public sealed class BindConflictTests
{
    private const int SOL_SOCKET = 1;
    private const int IPPROTO_IPV6 = 41;
    private const int IPV6_V6ONLY = 26;

    private static readonly (string Address, bool Only)[] s_places =
        [("127.0.0.1", false), ("127.0.0.2", false), ("0.0.0.0", false), ("::1", false), ("::", false), ("::", true), ("::ffff:127.0.0.1", false)];

    private static readonly SocketOption[][] s_options =
        [[], [SocketOption.SO_REUSEADDR], [SocketOption.SO_REUSEPORT], [SocketOption.SO_REUSEADDR, SocketOption.SO_REUSEPORT]];

    public static TheoryData<SocketType, int, bool> Cases
    {
        get
        {
            TheoryData<SocketType, int, bool> cases = [];
            for (int place = 0; place < s_places.Length; place++)
            {
                cases.Add(SOCK_STREAM, place, false);
                cases.Add(SOCK_STREAM, place, true);
                cases.Add(SOCK_DGRAM, place, false);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_port_is_shared_with_whom_Linux_shares_it(SocketType type, int firstPlace, bool listens) => BothKernels.Run(kit =>
    {
        // Not ports that the kernel chooses: those may still be another case's, in TIME-WAIT at another address.
        ushort port = 20_000;
        foreach (SocketOption[] firstOptions in s_options)
        {
            for (int place = 0; place < s_places.Length; place++)
            {
                foreach (SocketOption[] options in s_options)
                {
                    kit.Note($"{s_places[firstPlace]} {string.Join(' ', firstOptions)}, then {s_places[place]} {string.Join(' ', options)}");
                    long first = Make(kit, type, firstPlace, firstOptions);
                    BindTo(kit, first, firstPlace, ++port);
                    if (listens)
                    {
                        kit.Call(listen, first, 1);
                    }

                    long second = Make(kit, type, place, options);
                    BindTo(kit, second, place, port);
                    if (type == SOCK_STREAM)
                    {
                        kit.Call(listen, second, 1);
                    }

                    kit.Call(close, second);
                    kit.Call(close, first);
                }
            }
        }
    });

    private static long Make(Kit kit, SocketType type, int place, SocketOption[] options)
    {
        bool isIpv4 = !s_places[place].Address.Contains(':', StringComparison.Ordinal);
        long fd = kit.Socket(isIpv4 ? AF_INET : AF_INET6, type);
        foreach (SocketOption option in options)
        {
            kit.Option(fd, SOL_SOCKET, (int)option, 1);
        }

        if (s_places[place].Only)
        {
            kit.Option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        }

        return fd;
    }

    private static void BindTo(Kit kit, long fd, int place, ushort port) => kit.Bind(fd, s_places[place].Address == "::ffff:127.0.0.1"
        ? SocketAddressOf(port)
        : Kit.Address(s_places[place].Address, port));

    /// <summary>An address of IPv4 as IPv6 writes it; the library's own type would make it one of IPv4.</summary>
    private static byte[] SocketAddressOf(ushort port)
    {
        byte[] address = new byte[28];
        address[0] = (byte)AF_INET6;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(address.AsSpan(2), port);
        ((ReadOnlySpan<byte>)[0xFF, 0xFF, 127, 0, 0, 1]).CopyTo(address.AsSpan(18));
        return address;
    }
}
