using static Portico.Net.BpfCode;

namespace Portico.Net;

/// <summary>
/// A program that says of each packet how much of it a socket gets (SO_ATTACH_FILTER): Linux's dialect of the BSD packet filter, with its
/// loads of what is known of a packet besides its bytes. It cannot be changed, and may be attached to any number of sockets.
/// </summary>
public sealed class SocketFilter
{
    private readonly BpfInstruction[] _program;

    private SocketFilter(BpfInstruction[] program) => _program = program;

    /// <summary>The program.</summary>
    public ReadOnlySpan<BpfInstruction> Program => _program;

    /// <summary>Checks a program; null where it may not run (EINVAL): it may not loop, nor read memory that it has not written.</summary>
    public static SocketFilter? TryMake(ReadOnlySpan<BpfInstruction> program) =>
        BpfChecker.IsValid(program) ? new SocketFilter(program.ToArray()) : null;

    /// <summary>
    /// Runs the program over what is no packet of a network, such as a message of a unix socket: how many bytes of it the socket gets, 0 for
    /// none of it.
    /// </summary>
    public uint Run(ReadOnlySpan<byte> message, RandomSource random) => Run(new FilterPacket { Packet = null, Bytes = message, Interface = null, Random = random });

    /// <summary>Runs the program: how many bytes of the packet the socket gets, 0 for none of it.</summary>
    internal uint Run(scoped in FilterPacket packet)
    {
        Span<uint> memory = stackalloc uint[BpfChecker.MemoryWords];
        uint a = 0;
        uint x = 0;
        for (int at = 0; ; at++)
        {
            ref readonly BpfInstruction instruction = ref _program[at];
            uint k = instruction.K;
            uint operand = (instruction.Code & X) != 0 ? x : k;
            switch (instruction.Code)
            {
                case RET | K:
                    return k;
                case RET | A:
                    return a;
                case (LD | W | ABS) or (LD | H | ABS) or (LD | B | ABS) when packet.Interface == null && k is BpfAncillary.InterfaceIndex or BpfAncillary.HardwareType:
                    // As in Linux, the program ends with what it has.
                    return a;
                case (LD | W | ABS) or (LD | H | ABS) or (LD | B | ABS) when k >= BpfAncillary.First:
                    a = k == BpfAncillary.XorX ? a ^ x : LoadAncillary(packet, k);
                    break;
                case (LD | W | ABS) or (LD | H | ABS) or (LD | B | ABS):
                    if (!packet.TryRead(k, SizeOf(instruction.Code), out a))
                    {
                        return 0;
                    }

                    break;
                case (LD | W | IND) or (LD | H | IND) or (LD | B | IND):
                    if (!packet.TryRead(x + k, SizeOf(instruction.Code), out a))
                    {
                        return 0;
                    }

                    break;
                case LDX | B | MSH:
                    // The length of an IPv4 header, from its first byte.
                    if (!packet.TryRead(k, 1, out uint first))
                    {
                        return 0;
                    }

                    x = (first & 0xF) * 4;
                    break;
                case LD | W | LEN:
                    a = (uint)packet.Length;
                    break;
                case LDX | W | LEN:
                    x = (uint)packet.Length;
                    break;
                case LD | IMM:
                    a = k;
                    break;
                case LDX | IMM:
                    x = k;
                    break;
                case LD | MEM:
                    a = memory[(int)k];
                    break;
                case LDX | MEM:
                    x = memory[(int)k];
                    break;
                case ST:
                    memory[(int)k] = a;
                    break;
                case STX:
                    memory[(int)k] = x;
                    break;
                case MISC | TAX:
                    x = a;
                    break;
                case MISC | TXA:
                    a = x;
                    break;
                case JMP | JA:
                    at += (int)k;
                    break;
                default:
                    if ((instruction.Code & 7) == JMP)
                    {
                        at += Holds(instruction.Code, a, operand) ? instruction.JumpTrue : instruction.JumpFalse;
                    }
                    else if (!TryCompute(instruction.Code, operand, ref a))
                    {
                        return 0;
                    }

                    break;
            }
        }
    }

    private static int SizeOf(ushort code) => (code & (H | B)) switch { W => 4, H => 2, _ => 1 };

    private static bool Holds(ushort code, uint a, uint operand) => (code & 0xF0) switch
    {
        JEQ => a == operand,
        JGT => a > operand,
        JGE => a >= operand,
        _ => (a & operand) != 0,
    };

    /// <summary>False where a number is divided by 0, which ends the program.</summary>
    private static bool TryCompute(ushort code, uint operand, ref uint a)
    {
        int operation = code & 0xF0;
        if (operation is DIV or MOD && operand == 0)
        {
            return false;
        }

        a = operation switch
        {
            ADD => a + operand,
            SUB => a - operand,
            MUL => a * operand,
            DIV => a / operand,
            MOD => a % operand,
            AND => a & operand,
            OR => a | operand,
            XOR => a ^ operand,
            LSH => a << (int)(operand & 31),
            RSH => a >> (int)(operand & 31),
            _ => 0 - a,
        };
        return true;
    }

    /// <summary>What is not known here reads as 0: marks, queues, hashes and tags of 802.1Q, and the processor is the first.</summary>
    private static uint LoadAncillary(scoped in FilterPacket packet, uint place) => place switch
    {
        BpfAncillary.Protocol => packet.Protocol,
        BpfAncillary.PacketType => (uint)packet.Kind,
        BpfAncillary.InterfaceIndex => (uint)packet.Interface!.Index,
        BpfAncillary.HardwareType => packet.Interface!.HardwareType,
        BpfAncillary.PayloadOffset => FilterPayload.OffsetIn(packet),
        BpfAncillary.Random => packet.Random.NextUInt32(),
        _ => 0,
    };
}
