using System.Runtime.CompilerServices;

namespace Portico.Net;

// IPv6 flow labels (RFC 6437): every connection has one, which says nothing of it, and which a timeout changes, so that routers that spread
// load by labels try another path (Linux: auto_flowlabels, sk_rethink_txhash).
public sealed unsafe partial class TcpLayer
{
    private const int LeftToStack = 0;
    private const int OptOut = -1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint FlowLabelOf(Tcb* c) => c->RemoteAddress.IsIpv4 ? 0 : Ipv6FlowLabel(c);

    private uint Ipv6FlowLabel(Tcb* c)
    {
        uint own = SideOf(c).FlowLabel;
        int choice = Has(c, TcbExtras.NoAutoFlowLabel) ? OptOut : Has(c, TcbExtras.AutoFlowLabel) ? 1 : LeftToStack;
        return own != 0 || !HasAutoFlowLabel(choice) ? own : FlowLabel(c->TsOffset, Has(c, TcbExtras.KeepsHash) ? 0u : c->TotalRto);
    }

    private bool HasAutoFlowLabel(int choice) => _stack.Ip.Options.auto_flowlabels switch
    {
        0 => false,
        1 => choice != OptOut,
        2 => choice > LeftToStack,
        _ => true,
    };

    /// <summary>The label of what is sent without a connection's record: by the same hash as the connection's.</summary>
    private uint FlowLabelOfBare(in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort, int choice, uint rehashes) =>
        remote.IsIpv4 || !HasAutoFlowLabel(choice) ? 0 : FlowLabel(_isn.TimestampOffset(local, remote, localPort, remotePort), rehashes);

    /// <summary>Twenty bits of a keyed hash of the flow, other ones after each timeout; never 0, which stands for none.</summary>
    private static uint FlowLabel(uint hash, uint rehashes)
    {
        const uint Golden = 0x9E37_79B9;
        const uint Spread = 0x85EB_CA6B;
        uint mixed = (hash ^ (rehashes * Golden)) * Spread;
        mixed = (mixed ^ (mixed >> 15)) * Golden;
        return Math.Max(mixed >> 12, 1);
    }

    private static void SetAutoFlowLabel(Tcb* c, int choice)
    {
        SetExtra(c, TcbExtras.NoAutoFlowLabel, choice == OptOut);
        SetExtra(c, TcbExtras.AutoFlowLabel, choice > LeftToStack);
    }
}
