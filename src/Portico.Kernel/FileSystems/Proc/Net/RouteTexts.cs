using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/route and ipv6_route.</summary>
internal static class RouteTexts
{
    private const int LineWidth = 127;
    private const uint Up = 0x1;
    private const uint Gateway = 0x2;
    private const uint Host = 0x4;
    private const uint Reject = 0x200;
    private const uint NonExthop = 0x20_0000;
    private const uint Local = 0x8000_0000;

    public static void WriteIpv4(NetworkStack stack, ProcText text)
    {
        int start = text.Length;
        text.Append("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
        EndLine(text, start);
        foreach (Route route in stack.Ip.Routes.Routes)
        {
            if (!route.Destination.Address.IsIpv4)
            {
                continue;
            }

            start = text.Length;
            uint mask = route.Destination.Length == 0 ? 0 : uint.MaxValue << (32 - route.Destination.Length);
            text.Add($"{NameOf(stack, route)}\t{Swap(route.Destination.Address.Ipv4Value):X8}\t{(HasGateway(route) ? Swap(route.Gateway.Ipv4Value) : 0):X8}\t");
            text.Add($"{FlagsOf(route, 32):X4}\t0\t0\t{route.Metric}\t{Swap(mask):X8}\t0\t0\t0");
            EndLine(text, start);
        }
    }

    /// <summary>The routes to networks, and behind them those to the host itself, which Linux keeps in the same table.</summary>
    public static void WriteIpv6(NetworkStack stack, ProcText text)
    {
        foreach (Route route in stack.Ip.Routes.Routes)
        {
            if (!route.Destination.Address.IsIpv4)
            {
                IpAddress gateway = HasGateway(route) ? route.Gateway : default;
                Write(route.Destination, gateway, (uint)route.Metric, FlagsOf(route, 128), NameOf(stack, route), text);
            }
        }

        foreach (NetworkInterface device in stack.Interfaces)
        {
            foreach (InterfaceAddress address in device.Addresses)
            {
                if (!address.Address.IsIpv4)
                {
                    Write(new IpPrefix(address.Address, 128), default, 0, Local | NonExthop | Up, device.Name, text);
                }
            }
        }

        foreach (NetworkInterface device in stack.Interfaces)
        {
            if (!device.IsLoopback)
            {
                const uint MetricOfKernel = 256;
                Write(new IpPrefix(new IpAddress(0xFF00UL << 48, 0), 8), default, MetricOfKernel, Up, device.Name, text);
            }
        }

        // What nothing else takes is refused here.
        Write(new IpPrefix(default, 0), default, uint.MaxValue, NonExthop | Reject, stack.Loopback.Name, text);
    }

    private static void Write(in IpPrefix destination, in IpAddress gateway, uint metric, uint flags, string name, ProcText text)
    {
        text.Add($"{destination.Address.High:x16}{destination.Address.Low:x16} {destination.Length:x2} {0:x32} 00 ");
        text.Add($"{gateway.High:x16}{gateway.Low:x16} {metric:x8} 00000001 00000000 {flags:x8} {name,8}\n");
    }

    private static bool HasGateway(Route route) => !route.Gateway.IsUnspecified;

    private static uint FlagsOf(Route route, int hostLength) => Up
        | (HasGateway(route) ? Gateway : 0)
        | (route.Destination.Length == hostLength ? Host : 0)
        | (route.Kind == RouteKind.Unicast ? 0 : Reject);

    private static string NameOf(NetworkStack stack, Route route)
    {
        foreach (NetworkInterface device in stack.Interfaces)
        {
            if (device.Index == route.InterfaceIndex)
            {
                return device.Name;
            }
        }

        return route.Destination.Address.IsIpv4 ? "*" : stack.Loopback.Name;
    }

    private static void EndLine(ProcText text, int start)
    {
        text.PadTo(start, LineWidth);
        text.Append((byte)'\n');
    }

    private static uint Swap(uint word) => BinaryPrimitives.ReverseEndianness(word);
}
