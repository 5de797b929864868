using System.Collections.Frozen;
using static Portico.Net.BpfCode;

namespace Portico.Net;

/// <summary>What a program has to be so that it may run: it ends, it jumps forward only, and it reads no memory that it has not written.</summary>
internal static class BpfChecker
{
    public const int InstructionsMax = 4096;
    public const int MemoryWords = 16;

    private static readonly FrozenSet<ushort> s_known = KnownCodes().ToFrozenSet();

    public static bool IsValid(ReadOnlySpan<BpfInstruction> program)
    {
        if (program.Length is 0 or > InstructionsMax)
        {
            return false;
        }

        for (int at = 0; at < program.Length; at++)
        {
            if (!s_known.Contains(program[at].Code) || !IsValid(program[at], program.Length - at - 1))
            {
                return false;
            }
        }

        return program[^1].Code is (RET | K) or (RET | A) && ReadsWhatIsWritten(program);
    }

    /// <summary>One instruction; <paramref name="rest"/> come behind it.</summary>
    private static bool IsValid(in BpfInstruction instruction, int rest)
    {
        const int ShiftMax = 31;
        switch (instruction.Code)
        {
            case (ALU | DIV | K) or (ALU | MOD | K):
                return instruction.K != 0;
            case (ALU | LSH | K) or (ALU | RSH | K):
                return instruction.K <= ShiftMax;
            case (LD | MEM) or (LDX | MEM) or ST or STX:
                return instruction.K < MemoryWords;
            case JMP | JA:
                return instruction.K < (uint)rest;
            case (LD | W | ABS) or (LD | H | ABS) or (LD | B | ABS):
                return instruction.K < BpfAncillary.First || (instruction.K <= BpfAncillary.Last && (instruction.K & 3) == 0);
            default:
                return !IsBranch(instruction) || (instruction.JumpTrue < rest && instruction.JumpFalse < rest);
        }
    }

    private static bool IsBranch(in BpfInstruction instruction) => (instruction.Code & 7) == JMP && instruction.Code != (JMP | JA);

    /// <summary>
    /// A word of memory is read only where each way to there has written it. As jumps go forward only, one pass along the program knows all
    /// ways.
    /// </summary>
    private static bool ReadsWhatIsWritten(ReadOnlySpan<BpfInstruction> program)
    {
        const ushort All = 0xFFFF;
        Span<ushort> written = stackalloc ushort[InstructionsMax];
        written = written[..program.Length];
        written.Fill(All);
        ushort here = 0;
        for (int at = 0; at < program.Length; at++)
        {
            here &= written[at];
            ref readonly BpfInstruction instruction = ref program[at];
            switch (instruction.Code)
            {
                case ST or STX:
                    here |= (ushort)(1 << (int)instruction.K);
                    break;
                case (LD | MEM) or (LDX | MEM) when (here & (1 << (int)instruction.K)) == 0:
                    return false;
                case JMP | JA:
                    written[at + 1 + (int)instruction.K] &= here;
                    here = All;
                    break;
                default:
                    if (IsBranch(instruction))
                    {
                        written[at + 1 + instruction.JumpTrue] &= here;
                        written[at + 1 + instruction.JumpFalse] &= here;
                        here = All;
                    }

                    break;
            }
        }

        return true;
    }

    private static IEnumerable<ushort> KnownCodes()
    {
        foreach (ushort operation in (ushort[])[ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, MOD, XOR])
        {
            yield return (ushort)(ALU | operation | K);
            yield return (ushort)(ALU | operation | X);
        }

        foreach (ushort size in (ushort[])[W, H, B])
        {
            yield return (ushort)(LD | size | ABS);
            yield return (ushort)(LD | size | IND);
        }

        foreach (ushort comparison in (ushort[])[JEQ, JGT, JGE, JSET])
        {
            yield return (ushort)(JMP | comparison | K);
            yield return (ushort)(JMP | comparison | X);
        }

        ushort[] others =
        [
            ALU | NEG, LD | IMM, LD | MEM, LD | W | LEN, LDX | IMM, LDX | MEM, LDX | W | LEN, LDX | B | MSH, ST, STX, JMP | JA, RET | K, RET | A,
            MISC | TAX, MISC | TXA,
        ];
        foreach (ushort code in others)
        {
            yield return code;
        }
    }
}
