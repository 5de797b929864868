using System.Text;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Native.Packetdrill;

/// <summary>The TCP sockets of a stack, a line each: IP version, local end, remote end, state as netstat(8) has it.</summary>
internal sealed class SocketList(NetworkStack stack)
{
    private readonly TcpSocketRecord[] _batch = new TcpSocketRecord[32];

    public string Describe(StackDriver driver)
    {
        StringBuilder text = new();
        TcpSocketCursor cursor = default;
        using (driver.Enter())
        {
            while (!cursor.IsAtEnd)
            {
                int count = stack.Tcp.ListSockets(ref cursor, _batch);
                foreach (ref readonly TcpSocketRecord record in _batch.AsSpan(0, count))
                {
                    bool isIpv4 = record.Local.Address.IsIpv4 && (record.Remote.Address.IsIpv4 || record.State == TcpState.Listen);
                    text.Append(isIpv4 ? '4' : '6').Append(' ').Append(record.Local).Append(' ').Append(record.Remote);
                    text.Append(' ').Append(NameOf(record.State)).Append('\n');
                }
            }
        }

        return text.ToString();
    }

    private static string NameOf(TcpState state) => state switch
    {
        TcpState.Listen => "LISTEN",
        TcpState.SynSent => "SYN_SENT",
        TcpState.SynReceived => "SYN_RECV",
        TcpState.Established => "ESTABLISHED",
        TcpState.FinWait1 => "FIN_WAIT1",
        TcpState.FinWait2 => "FIN_WAIT2",
        TcpState.CloseWait => "CLOSE_WAIT",
        TcpState.Closing => "CLOSING",
        TcpState.LastAck => "LAST_ACK",
        TcpState.TimeWait => "TIME_WAIT",
        _ => "CLOSE",
    };
}
