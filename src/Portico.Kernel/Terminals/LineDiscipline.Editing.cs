namespace Portico.Kernel;

// What a line can be edited with before it ends (termios(3), canonical mode).
internal sealed partial class LineDiscipline
{
    private enum Erasure
    {
        Character,
        Word,
        Line,
    }

    /// <summary>Whether the character edits or ends the line, and does it.</summary>
    private bool TryEdit(byte character)
    {
        bool isExtended = Modes.Has(LocalModes.IEXTEN);
        if (character == Modes[ControlCharacter.VERASE] || character == Modes[ControlCharacter.VKILL]
            || (character == Modes[ControlCharacter.VWERASE] && isExtended))
        {
            Erase(character);
            CommitEchoes();
            return true;
        }

        if (character == Modes[ControlCharacter.VLNEXT] && isExtended)
        {
            TakeNextLiterally();
            return true;
        }

        if (character == Modes[ControlCharacter.VREPRINT] && isExtended && Modes.Has(LocalModes.ECHO))
        {
            Reprint(character);
            return true;
        }

        if (character == '\n')
        {
            if (Modes.Has(LocalModes.ECHO | LocalModes.ECHONL))
            {
                EchoRaw(character);
                CommitEchoes();
            }

            EndLine(character);
            return true;
        }

        if (character == Modes[ControlCharacter.VEOF])
        {
            EndLine(Disabled);
            return true;
        }

        if (character == Modes[ControlCharacter.VEOL] || (character == Modes[ControlCharacter.VEOL2] && isExtended))
        {
            EndByOther(character);
            return true;
        }

        return false;
    }

    private void EndByOther(byte character)
    {
        if (Modes.Has(LocalModes.ECHO))
        {
            if (_lineHead == _head)
            {
                EchoOperation(EchoSetLineColumn);
            }

            Echo(character);
            CommitEchoes();
        }

        if (character == 0xFF && Modes.Has(InputModes.PARMRK))
        {
            Put(character);
        }

        EndLine(character);
    }

    private void TakeNextLiterally()
    {
        _nextIsLiteral = true;
        if (!Modes.Has(LocalModes.ECHO))
        {
            return;
        }

        FinishErasing();
        if (Modes.Has(LocalModes.ECHOCTL))
        {
            EchoRaw((byte)'^');
            EchoRaw((byte)'\b');
            CommitEchoes();
        }
    }

    private void Reprint(byte character)
    {
        FinishErasing();
        Echo(character);
        EchoRaw((byte)'\n');
        for (uint at = _lineHead; at != _head; at++)
        {
            Echo(At(at));
        }

        CommitEchoes();
    }

    private void Erase(byte character)
    {
        if (_head == _lineHead)
        {
            return;
        }

        bool echoes = Modes.Has(LocalModes.ECHO);
        Erasure erasure = character == Modes[ControlCharacter.VERASE] ? Erasure.Character
            : character == Modes[ControlCharacter.VWERASE] ? Erasure.Word
            : Erasure.Line;
        if (erasure == Erasure.Line && !(echoes && Modes.Has(LocalModes.ECHOK) && Modes.Has(LocalModes.ECHOKE) && Modes.Has(LocalModes.ECHOE)))
        {
            KillUnseen(echoes);
            return;
        }

        EraseSeen(erasure, echoes);
        if (_head == _lineHead && echoes)
        {
            FinishErasing();
        }
    }

    /// <summary>The line is forgotten but stays on the screen; VKILL shows that it is.</summary>
    private void KillUnseen(bool echoes)
    {
        _head = _lineHead;
        if (!echoes)
        {
            return;
        }

        FinishErasing();
        Echo(Modes[ControlCharacter.VKILL]);
        if (Modes.Has(LocalModes.ECHOK))
        {
            EchoRaw((byte)'\n');
        }
    }

    private void EraseSeen(Erasure erasure, bool echoes)
    {
        bool isInWord = false;
        while (_head != _lineHead)
        {
            uint start = _head;
            byte character;
            do
            {
                character = At(--start);
            }
            while (IsContinuation(character) && start != _lineHead);

            if (IsContinuation(character))
            {
                // The beginning of the character is on a line of its own: it is not erased in part.
                return;
            }

            if (erasure == Erasure.Word)
            {
                if (IsOfWord(character))
                {
                    isInWord = true;
                }
                else if (isInWord)
                {
                    return;
                }
            }

            int length = (int)(_head - start);
            _head = start;
            if (echoes)
            {
                EchoErasure(erasure, character, length);
            }

            if (erasure == Erasure.Character)
            {
                return;
            }
        }
    }

    private void EchoErasure(Erasure erasure, byte character, int length)
    {
        if (Modes.Has(LocalModes.ECHOPRT))
        {
            if (!_isErasing)
            {
                EchoRaw((byte)'\\');
                _isErasing = true;
            }

            Echo(character);
            for (uint at = _head + 1; at != _head + (uint)length; at++)
            {
                EchoRaw(At(at));
                EchoOperation(EchoMoveBack);
            }
        }
        else if (erasure == Erasure.Character && !Modes.Has(LocalModes.ECHOE))
        {
            Echo(Modes[ControlCharacter.VERASE]);
        }
        else if (character == '\t')
        {
            EchoTabErasure();
        }
        else
        {
            int columns = IsControl(character) ? (Modes.Has(LocalModes.ECHOCTL) ? 2 : 0) : 1;
            for (int i = 0; i < columns; i++)
            {
                EchoRaw((byte)'\b');
                EchoRaw((byte)' ');
                EchoRaw((byte)'\b');
            }
        }
    }

    /// <summary>How many columns a tab took depends on those before it, back to the last tab or the beginning of the line.</summary>
    private void EchoTabErasure()
    {
        int columns = 0;
        bool isAfterTab = false;
        for (uint at = _head; at != _lineHead && !isAfterTab;)
        {
            byte character = At(--at);
            isAfterTab = character == '\t';
            columns += isAfterTab || IsContinuation(character) ? 0
                : !IsControl(character) ? 1
                : Modes.Has(LocalModes.ECHOCTL) ? 2
                : 0;
        }

        EchoOperation(EchoEraseTab);
        AddEcho((byte)((columns & 7) | (isAfterTab ? EchoAfterTab : 0)));
    }

    /// <summary>Where erased characters were shown between \ and / (ECHOPRT), the / is due.</summary>
    private void FinishErasing()
    {
        if (_isErasing)
        {
            EchoRaw((byte)'/');
            _isErasing = false;
        }
    }
}
