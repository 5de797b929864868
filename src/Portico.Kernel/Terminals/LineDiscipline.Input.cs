namespace Portico.Kernel;

// From the line to the ring: control characters, signals, and the ends of lines.
internal sealed partial class LineDiscipline
{
    /// <summary>
    /// Takes bytes that have come in; returns how many. A full ring takes no more, unless it holds the beginning of a line: then the
    /// characters that could edit it are still looked for, and each that is data takes the place of the last.
    /// </summary>
    public int Receive(ReadOnlySpan<byte> data, int lookedAhead)
    {
        int received = 0;
        while (received < data.Length)
        {
            int room = RingBytes - Held;
            room = (Modes.Has(InputModes.PARMRK) ? (room + 2) / 3 : room) - 1;
            if (room <= 0)
            {
                bool overflows = _isCanonical && _lineHead == _tail;
                if (!overflows)
                {
                    break;
                }

                _head -= room < 0 ? 1u : 0;
                room = 1;
            }

            int count = Math.Min(room, data.Length - received);
            ReceivePiece(data.Slice(received, count), Math.Max(0, lookedAhead - received));
            received += count;
        }

        return received;
    }

    /// <summary>
    /// Looks for flow control in bytes that nobody has room for: a terminal that is stopped because of its full ring could not be started again.
    /// </summary>
    public void LookAhead(ReadOnlySpan<byte> data)
    {
        if (!Modes.Has(InputModes.IXON))
        {
            return;
        }

        foreach (byte character in data)
        {
            TryFlowControl(character, isDone: false);
        }
    }

    private void ReceivePiece(ReadOnlySpan<byte> data, int lookedAhead)
    {
        bool isExternal = Modes.Has(LocalModes.EXTPROC);
        bool strips = Modes.Has(InputModes.ISTRIP) || (Modes.Has(InputModes.IUCLC) && Modes.Has(LocalModes.IEXTEN));
        if (_isRaw || (isExternal && !strips))
        {
            foreach (byte character in data)
            {
                Put(character);
            }
        }
        else
        {
            for (int i = 0; i < data.Length; i++)
            {
                ReceiveOne(data[i], isExternal, i < lookedAhead);
            }

            FlushEchoes();
        }

        if (ReadsLines)
        {
            return;
        }

        _commitHead = _head;
        if (Held > 0)
        {
            terminal.WakeReaders();
        }
    }

    private void ReceiveOne(byte character, bool isExternal, bool isFlowDone)
    {
        bool isLiteral = _nextIsLiteral;
        _nextIsLiteral = false;
        character = Modes.Has(InputModes.ISTRIP) ? (byte)(character & 0x7F) : character;
        character = Modes.Has(InputModes.IUCLC) && Modes.Has(LocalModes.IEXTEN) ? ToLower(character) : character;
        if (isExternal && !isLiteral)
        {
            Put(character);
        }
        else if (!isLiteral && IsSpecial(character))
        {
            ReceiveSpecial(character, isFlowDone);
        }
        else
        {
            RestartByAny();
            ReceiveData(character);
        }
    }

    private void ReceiveSpecial(byte character, bool isFlowDone)
    {
        if (Modes.Has(InputModes.IXON) && TryFlowControl(character, isFlowDone))
        {
            return;
        }

        if (Modes.Has(LocalModes.ISIG) && SignalOf(character) is { } signal)
        {
            ReceiveSignal(character, signal);
            return;
        }

        RestartByAny();
        if (character == '\r')
        {
            if (Modes.Has(InputModes.IGNCR))
            {
                return;
            }

            character = Modes.Has(InputModes.ICRNL) ? (byte)'\n' : character;
        }
        else if (character == '\n' && Modes.Has(InputModes.INLCR))
        {
            character = (byte)'\r';
        }

        if (_isCanonical && TryEdit(character))
        {
            return;
        }

        if (character == '\n' && Modes.Has(LocalModes.ECHO))
        {
            FinishErasing();
            EchoRaw(character);
            CommitEchoes();
            PutData(character);
        }
        else
        {
            ReceiveData(character);
        }
    }

    private void ReceiveData(byte character)
    {
        EchoData(character);
        PutData(character);
    }

    private void EchoData(byte character)
    {
        if (!Modes.Has(LocalModes.ECHO))
        {
            return;
        }

        FinishErasing();
        if (_lineHead == _head)
        {
            EchoOperation(EchoSetLineColumn);
        }

        Echo(character);
        CommitEchoes();
    }

    /// <summary>With PARMRK a byte of all ones is told from a mark by being there twice.</summary>
    private void PutData(byte character)
    {
        if (character == 0xFF && Modes.Has(InputModes.PARMRK))
        {
            Put(character);
        }

        Put(character);
    }

    private void RestartByAny()
    {
        if (terminal.IsStopped && !terminal.IsStoppedByCall && Modes.Has(InputModes.IXON) && Modes.Has(InputModes.IXANY))
        {
            terminal.Start();
            ProcessEchoes();
        }
    }

    private bool TryFlowControl(byte character, bool isDone)
    {
        bool starts = character == Modes[ControlCharacter.VSTART];
        if (!starts && character != Modes[ControlCharacter.VSTOP])
        {
            return false;
        }

        if (isDone)
        {
            return true;
        }

        if (starts)
        {
            terminal.Start();
            ProcessEchoes();
        }
        else
        {
            terminal.Stop();
        }

        return true;
    }

    private Signal? SignalOf(byte character) =>
        character == Modes[ControlCharacter.VINTR] ? Signal.SIGINT
        : character == Modes[ControlCharacter.VQUIT] ? Signal.SIGQUIT
        : character == Modes[ControlCharacter.VSUSP] ? Signal.SIGTSTP
        : null;

    private void ReceiveSignal(byte character, Signal signal)
    {
        terminal.Pair.SignalForeground(signal);
        if (!Modes.Has(LocalModes.NOFLSH))
        {
            ForgetEchoes();
            terminal.FlushOutput();
            Flush();
            terminal.OnInputFlushed();
        }

        if (Modes.Has(InputModes.IXON))
        {
            terminal.Start();
        }

        if (Modes.Has(LocalModes.ECHO))
        {
            Echo(character);
            CommitEchoes();
        }
        else
        {
            ProcessEchoes();
        }
    }

    private void EndLine(byte character)
    {
        MarkLineEnd(_head);
        Put(character);
        _lineHead = _head;
        terminal.WakeReaders();
    }
}
