using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// Addresses that nothing leads to unless a rule names them: they mean the host itself, or the machine under it, to whoever asks from
/// the host.
/// </summary>
internal static class ClosedAddresses
{
    /// <summary>The most IPv4 addresses that one IPv6 address can stand for.</summary>
    public const int EmbeddedMax = 6;

    private static readonly IpPrefix[] s_blocks =
    [
        IpPrefix.Parse("0.0.0.0/8"),
        IpPrefix.Parse("127.0.0.0/8"),
        IpPrefix.Parse("169.254.0.0/16"),
        IpPrefix.Parse("224.0.0.0/4"),
        IpPrefix.Parse("255.255.255.255/32"),

        // Where clouds that do not use link-local addresses have their metadata: Azure, Alibaba, Oracle.
        IpPrefix.Parse("168.63.129.16/32"),
        IpPrefix.Parse("100.100.100.200/32"),
        IpPrefix.Parse("192.0.0.192/32"),
        IpPrefix.Parse("::/128"),
        IpPrefix.Parse("::1/128"),
        IpPrefix.Parse("fe80::/10"),
        IpPrefix.Parse("ff00::/8"),

        // The same of AWS (all of its instance services) and of Google.
        IpPrefix.Parse("fd00:ec2::/32"),
        IpPrefix.Parse("fd20:ce::254/128"),
    ];

    /// <summary>Whether an address, or an IPv4 address inside it, is closed.</summary>
    public static bool Contains(in IpAddress address)
    {
        if (IsInBlock(address))
        {
            return true;
        }

        Span<IpAddress> embedded = stackalloc IpAddress[EmbeddedMax];
        int count = Embedded(address, embedded);
        for (int i = 0; i < count; i++)
        {
            if (IsInBlock(embedded[i]))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether all of a prefix is closed, so that a rule about it means just that.</summary>
    public static bool Contains(in IpPrefix prefix)
    {
        foreach (IpPrefix block in s_blocks)
        {
            if (block.Length <= prefix.Length && block.Contains(prefix.Address))
            {
                return true;
            }
        }

        return prefix.Length == (prefix.Address.IsIpv4 ? 32 : 128) && Contains(prefix.Address);
    }

    /// <summary>
    /// The IPv4 addresses that a host, or a translator or tunnel behind it, may make of an IPv6 address. (::ffff:a.b.c.d is an IPv4
    /// address already.)
    /// </summary>
    public static int Embedded(in IpAddress address, Span<IpAddress> inner)
    {
        int count = 0;
        ulong high = address.High;
        ulong low = address.Low;
        uint last = (uint)low;
        if (address.IsIpv4)
        {
            return 0;
        }

        // IPv4-compatible (RFC 4291 2.5.5.1) and IPv4-translated (RFC 2765): ::a.b.c.d and ::ffff:0:a.b.c.d.
        if (high == 0 && (((low >> 32) == 0 && low > 1) || (low >> 32) == 0xFFFF_0000))
        {
            inner[count++] = IpAddress.FromIpv4(last);
        }

        // The well-known prefix of NAT64 (RFC 6052).
        if (high == 0x0064_FF9B_0000_0000 && (low >> 32) == 0)
        {
            inner[count++] = IpAddress.FromIpv4(last);
        }

        // NAT64's prefix for local use (RFC 8215), of any of the lengths of RFC 6052 2.2. What is not there reads as 0.
        if ((high >> 16) == 0x0064_FF9B_0001)
        {
            AddUnlessZero(last, inner, ref count);
            AddUnlessZero((uint)(((high & 0xFFFF) << 16) | ((low >> 40) & 0xFFFF)), inner, ref count);
            AddUnlessZero((uint)(((high & 0xFF) << 24) | ((low >> 32) & 0xFF_FFFF)), inner, ref count);
            AddUnlessZero((uint)(low >> 24), inner, ref count);
        }

        // 6to4 (RFC 3056) and Teredo, whose client's address is inverted (RFC 4380 4).
        if ((high >> 48) == 0x2002)
        {
            inner[count++] = IpAddress.FromIpv4((uint)(high >> 16));
        }
        else if ((high >> 32) == 0x2001_0000)
        {
            inner[count++] = IpAddress.FromIpv4(~last);
        }

        // ISATAP's interface identifier (RFC 5214 6.1).
        if ((low >> 32) is 0x0000_5EFE or 0x0200_5EFE)
        {
            inner[count++] = IpAddress.FromIpv4(last);
        }

        return count;
    }

    private static bool IsInBlock(in IpAddress address)
    {
        foreach (IpPrefix block in s_blocks)
        {
            if (block.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>No translator leads to 0.0.0.0/8, and a form of another length leaves zeros there.</summary>
    private static void AddUnlessZero(uint value, Span<IpAddress> inner, ref int count)
    {
        if ((value >> 24) != 0)
        {
            inner[count++] = IpAddress.FromIpv4(value);
        }
    }
}
