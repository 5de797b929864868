using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// The state of the command's end of a TCP connection, which is its kernel's secret, as far as the packets tell (RFC 9293 3.3.2): what
/// it sends shows what it has received. Only an acknowledgment of its FIN is believed to arrive because it was sent.
/// </summary>
internal struct CommandEnd
{
    private uint _own;
    private uint _ownFin;
    private uint _other;
    private uint _otherFin;
    private bool _knowsOther;
    private bool _hasOwnFin;
    private bool _hasOtherFin;
    private bool _ownFinAcknowledged;
    private bool _otherFinAcknowledged;

    public TcpState State { get; private set; }

    /// <summary>Initial sequence number of the command's end, and of the other.</summary>
    public readonly uint InitialSequence(bool ofCommand) => ofCommand ? _own : _other;

    /// <summary>
    /// A segment from the command; false where it tells nothing new. It may tell of two changes: call again until it does not.
    /// </summary>
    public bool Sends(in TracedPacket segment)
    {
        TcpState before = State;
        if (segment.Has(TcpFlags.Rst))
        {
            State = TcpState.Closed;
        }
        else if (segment.Has(TcpFlags.Syn))
        {
            if (State is TcpState.Closed or TcpState.SynSent)
            {
                _own = segment.Sequence;
                State = segment.Has(TcpFlags.Ack) ? TcpState.SynReceived : TcpState.SynSent;
            }
        }
        else if (segment.Has(TcpFlags.Ack))
        {
            Acknowledges(segment.Acknowledgment);
        }

        if (State == before && segment.Has(TcpFlags.Fin) && !_hasOwnFin)
        {
            _hasOwnFin = true;
            _ownFin = segment.EndSequence;
            State = State switch
            {
                TcpState.Established => TcpState.FinWait1,
                TcpState.CloseWait => TcpState.LastAck,
                _ => State,
            };
        }

        return State != before;
    }

    private void Acknowledges(uint acknowledgment)
    {
        if (State is TcpState.SynSent or TcpState.SynReceived && _knowsOther && (int)(acknowledgment - _other) > 0)
        {
            State = TcpState.Established;
        }
        else if (_hasOtherFin && !_otherFinAcknowledged && acknowledgment == _otherFin)
        {
            _otherFinAcknowledged = true;
            State = State switch
            {
                TcpState.Established => TcpState.CloseWait,
                TcpState.FinWait1 => _ownFinAcknowledged ? TcpState.TimeWait : TcpState.Closing,
                TcpState.FinWait2 => TcpState.TimeWait,
                _ => State,
            };
        }
    }

    /// <summary>A segment to the command, likewise.</summary>
    public bool Receives(in TracedPacket segment)
    {
        TcpState before = State;
        bool hadOtherFin = _hasOtherFin;
        if (segment.Has(TcpFlags.Rst))
        {
            State = TcpState.Closed;
            return State != before;
        }

        if (segment.Has(TcpFlags.Syn))
        {
            _other = segment.Sequence;
            _knowsOther = true;
        }

        if (segment.Has(TcpFlags.Fin) && !_hasOtherFin)
        {
            _hasOtherFin = true;
            _otherFin = segment.EndSequence;
        }

        if (segment.Has(TcpFlags.Ack) && _hasOwnFin && !_ownFinAcknowledged && segment.Acknowledgment == _ownFin)
        {
            if (State == TcpState.FinWait1 && hadOtherFin && !_otherFinAcknowledged && !segment.Has(TcpFlags.Fin))
            {
                // The FINs have crossed: the other one came in before this acknowledgment.
                State = TcpState.Closing;
                return true;
            }

            _ownFinAcknowledged = true;
            State = State switch
            {
                // With a FIN in the same segment the next state is TIME-WAIT, which its acknowledgment will show.
                TcpState.FinWait1 when !segment.Has(TcpFlags.Fin) => TcpState.FinWait2,
                TcpState.Closing => TcpState.TimeWait,
                TcpState.LastAck => TcpState.Closed,
                _ => State,
            };
        }

        return State != before;
    }
}
