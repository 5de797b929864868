using System.Globalization;
using Portico.Net;

namespace Portico.Linux;

/// <summary>A name server that the host's sockets reach; <paramref name="Scope"/> is the interface of a link-local address, or 0.</summary>
public readonly record struct DnsResolver(Endpoint Endpoint, uint Scope)
{
    /// <summary>Reads ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; an address may have %INTERFACE behind it, as in resolv.conf(5).</summary>
    public static bool TryParse(string text, out DnsResolver resolver)
    {
        ArgumentNullException.ThrowIfNull(text);
        resolver = default;
        string address = text;
        ushort port = 53;
        int bracket = text.StartsWith('[') ? text.IndexOf(']') : -1;
        int colon = text.LastIndexOf(':');
        if (bracket > 0)
        {
            address = text[1..bracket];
            string rest = text[(bracket + 1)..];
            if (rest.Length > 0 && (rest[0] != ':' || !TryReadPort(rest[1..], out port)))
            {
                return false;
            }
        }
        else if (colon >= 0 && colon == text.IndexOf(':'))
        {
            address = text[..colon];
            if (!TryReadPort(text[(colon + 1)..], out port))
            {
                return false;
            }
        }

        int percent = address.IndexOf('%');
        uint scope = 0;
        if (percent >= 0)
        {
            string zone = address[(percent + 1)..];
            bool isNumber = uint.TryParse(zone, NumberStyles.None, CultureInfo.InvariantCulture, out uint index);
            scope = isNumber ? index : LibC.InterfaceIndex(zone);
            address = address[..percent];
        }

        if (!IpAddress.TryParse(address, out IpAddress parsed) || (percent >= 0 && scope == 0))
        {
            return false;
        }

        resolver = new DnsResolver(new Endpoint(parsed, port), scope);
        return true;
    }

    private static bool TryReadPort(string text, out ushort port) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port != 0;
}
