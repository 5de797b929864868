using Portico.Net;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Programs for socket filters, with the codes of Linux's headers.</summary>
internal static class FilterPrograms
{
    public const uint SKF_AD_OFF = unchecked((uint)-0x1000);
    public const uint SKF_NET_OFF = unchecked((uint)-0x10_0000);
    public const uint SKF_LL_OFF = unchecked((uint)-0x20_0000);
    private const ushort LD_W_ABS = 0x20;
    private const ushort LD_H_ABS = 0x28;
    private const ushort LD_B_ABS = 0x30;
    private const ushort LD_LEN = 0x80;
    private const ushort LD_IND = 0x40;
    private const ushort LD_IMM = 0x00;
    private const ushort LD_MEM = 0x60;
    private const ushort LDX_IMM = 0x01;
    private const ushort LDX_MEM = 0x61;
    private const ushort LDX_MSH = 0xB1;
    private const ushort ST = 0x02;
    private const ushort STX = 0x03;
    private const ushort RET_K = 0x06;
    private const ushort RET_A = 0x16;
    private const ushort TAX = 0x07;
    private const ushort AND_K = 0x54;
    private const ushort RSH_K = 0x74;
    private const ushort XOR_X = 0xAC;
    private const ushort DIV_K = 0x34;
    private const ushort JA = 0x05;
    private const ushort JEQ_K = 0x15;

    private static readonly uint[] s_ancillary = [0, 4, 8, 12, 16, 20, 24, 28, 40, 44, 48, 52, 60];

    /// <summary>Those that are tried on every kind of socket.</summary>
    public static readonly IReadOnlyDictionary<string, BpfInstruction[]> All = new Dictionary<string, BpfInstruction[]>
    {
        ["all"] = [Of(RET_K, uint.MaxValue)],
        ["nothing"] = [Of(RET_K, 0)],
        ["one byte"] = [Of(RET_K, 1)],
        ["ten bytes"] = [Of(RET_K, 10)],
        ["sixteen bytes"] = [Of(RET_K, 16)],
        ["thirty bytes"] = [Of(RET_K, 30)],
        ["half of it"] = [Of(LD_LEN, 0), Of(RSH_K, 1), Of(RET_A, 0)],
        ["what the first byte says"] = [Of(LD_B_ABS, 0), Of(RET_A, 0)],
        ["what the ninth and tenth byte say"] = [Of(LD_H_ABS, 8), Of(AND_K, 31), Of(RET_A, 0)],
        ["what is behind the end"] = [Of(LD_W_ABS, 70_000), Of(RET_K, 20)],
        ["what is far in front"] = [Of(LD_W_ABS, 0x8000_0000), Of(RET_K, 20)],
        ["what the length of an IPv4 header is"] = [Of(LDX_MSH, SKF_NET_OFF), Of(0x87, 0), Of(RET_A, 0)],
        ["what is behind an IPv4 header"] = [Of(LDX_MSH, SKF_NET_OFF), Of(LD_IND | 0x10, 0), Of(RET_A, 0)],
        ["what the network header's protocol is"] = [Of(LD_B_ABS, SKF_NET_OFF + 9), Of(RET_A, 0)],
        ["what the network header begins with"] = [Of(LD_B_ABS, SKF_NET_OFF), Of(RSH_K, 2), Of(RET_A, 0)],
        ["what the type of the link's header is"] = [Of(LD_H_ABS, SKF_LL_OFF + 12), Of(RSH_K, 8), Of(RET_A, 0)],
        ["what is around the link's header"] = [Of(LD_W_ABS, SKF_LL_OFF + 12), Of(RSH_K, 12), Of(RET_A, 0)],
        ["what is in front of the link's header"] = [Of(LD_W_ABS, SKF_LL_OFF - 1), Of(RET_K, 20)],
        ["what X points to"] = [Of(LDX_IMM, 6), Of(LD_IND | 0x10, 2), Of(RET_A, 0)],
        ["what X points to in front"] = [Of(LDX_IMM, SKF_NET_OFF), Of(LD_IND | 0x10, 9), Of(RET_A, 0)],
        ["a division by nothing"] = [Of(LD_IMM, 9), Of(LDX_IMM, 0), Of(0x3C, 0), Of(RET_K, 20)],
    }.Concat(s_ancillary.Select(place => KeyValuePair.Create(
        $"what is known as {place}", (BpfInstruction[])[Of(LDX_IMM, 21), Of(LD_IMM, 3), Of(LD_W_ABS, SKF_AD_OFF + place), Of(AND_K, 63), Of(RET_A, 0)])))
        .ToDictionary();

    /// <summary>Those that the kernel looks at and refuses, or does not.</summary>
    public static readonly IReadOnlyDictionary<string, BpfInstruction[]> Checked = new Dictionary<string, BpfInstruction[]>
    {
        ["no instruction"] = [],
        ["no return"] = [Of(LD_IMM, 1)],
        ["a return of X"] = [Of(0x0E, 0)],
        ["something behind the return"] = [Of(RET_K, 0), Of(LD_IMM, 1)],
        ["two returns"] = [Of(RET_K, 0), Of(RET_K, 1)],
        ["an unknown code"] = [Of(0xFF, 0), Of(RET_K, 0)],
        ["a code of eBPF"] = [Of(0xB7, 0), Of(RET_K, 0)],
        ["a code with high bits"] = [Of(0x106, 0)],
        ["a division by 0"] = [Of(DIV_K, 0), Of(RET_K, 0)],
        ["a remainder by 0"] = [Of(0x94, 0), Of(RET_K, 0)],
        ["a shift by 31"] = [Of(0x64, 31), Of(RET_K, 0)],
        ["a shift by 32"] = [Of(0x64, 32), Of(RET_K, 0)],
        ["a shift to the right by 32"] = [Of(RSH_K, 32), Of(RET_K, 0)],
        ["a word of memory that is not written"] = [Of(LD_MEM, 0), Of(RET_A, 0)],
        ["a word of memory that is written"] = [Of(ST, 0), Of(LD_MEM, 0), Of(RET_A, 0)],
        ["the last word of memory"] = [Of(STX, 15), Of(LDX_MEM, 15), Of(RET_A, 0)],
        ["a word of memory behind the last"] = [Of(ST, 16), Of(RET_A, 0)],
        ["a word of memory that is written on one way only"] = [Jump(JEQ_K, 1, 0, 1), Of(ST, 0), Of(LD_MEM, 0), Of(RET_A, 0)],
        ["a word of memory that is written on both ways"] = [Jump(JEQ_K, 1, 0, 2), Of(ST, 0), Of(JA, 1), Of(ST, 0), Of(LD_MEM, 0), Of(RET_A, 0)],
        ["a jump to the last instruction"] = [Of(JA, 1), Of(LD_IMM, 0), Of(RET_K, 0)],
        ["a jump behind the last instruction"] = [Of(JA, 2), Of(LD_IMM, 0), Of(RET_K, 0)],
        ["a jump back"] = [Of(LD_IMM, 0), Of(JA, uint.MaxValue), Of(RET_K, 0)],
        ["a branch behind the last instruction"] = [Jump(JEQ_K, 1, 0, 1), Of(RET_K, 0)],
        ["a branch to the last instruction"] = [Jump(JEQ_K, 1, 1, 0), Of(LD_IMM, 0), Of(RET_K, 0)],
        ["a place that nobody knows"] = [Of(LD_W_ABS, SKF_AD_OFF + 64), Of(RET_A, 0)],
        ["a place between others"] = [Of(LD_W_ABS, SKF_AD_OFF + 2), Of(RET_A, 0)],
        ["the last place"] = [Of(LD_B_ABS, SKF_AD_OFF + 60), Of(RET_A, 0)],
        ["the processor"] = [Of(LD_W_ABS, SKF_AD_OFF + 36), Of(RET_A, 0)],
        ["a random number"] = [Of(LD_W_ABS, SKF_AD_OFF + 56), Of(RET_A, 0)],
        ["a place by X"] = [Of(LD_IND, SKF_AD_OFF + 64), Of(RET_A, 0)],
        ["as many as there may be"] = [.. Enumerable.Repeat(Of(TAX, 0), 4095), Of(RET_K, 5)],
        ["one more than there may be"] = [.. Enumerable.Repeat(Of(TAX, 0), 4096), Of(RET_K, 5)],
    };

    public static BpfInstruction Of(ushort code, uint k) => new(code, 0, 0, k);

    private static BpfInstruction Jump(ushort code, uint k, byte jumpTrue, byte jumpFalse) => new(code, jumpTrue, jumpFalse, k);

    /// <summary>
    /// A program that does something at random with the bytes in <paramref name="places"/>, and returns six bits of what it has in both
    /// registers, so that nearly every difference shows as another length.
    /// </summary>
    public static BpfInstruction[] Random(Random random, uint[] places)
    {
        const ushort Neg = 0x84;
        ushort[] operations = [0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x94, 0xA4];
        ushort[] jumps = [0x15, 0x25, 0x35, 0x45];
        List<BpfInstruction> program = [Of(LD_LEN, 0), Of(ST, 0), Of(ST, 1), Of(ST, 2), Of(LD_W_ABS, places[0]), Of(TAX, 0)];
        int count = random.Next(4, 40);
        for (int i = 0; i < count; i++)
        {
            uint place = places[random.Next(places.Length)];
            ushort size = (ushort)(8 * random.Next(3));
            uint number = random.Next(3) == 0 ? (uint)random.Next(8) : (uint)random.NextInt64(uint.MaxValue);
            ushort ofX = (ushort)(8 * random.Next(2));
            ushort operation = operations[random.Next(operations.Length)];
            uint operand = operation is 0x64 or 0x74 ? number & 31 : Math.Max(1, number);
            program.Add(random.Next(14) switch
            {
                0 or 1 or 2 => Of((ushort)(LD_W_ABS | size), place),
                3 => Of((ushort)(LD_IND | size), random.Next(4) == 0 ? 0 : place),
                4 => Of(LDX_MSH, place),
                5 => Of(random.Next(2) == 0 ? LD_MEM : LDX_MEM, (uint)random.Next(3)),
                6 => Of(random.Next(2) == 0 ? ST : STX, (uint)random.Next(3)),
                7 => Of(random.Next(2) == 0 ? TAX : (ushort)0x87, 0),
                8 => Of(random.Next(2) == 0 ? LDX_IMM : LD_IMM, random.Next(2) == 0 ? number : (uint)random.Next(40)),
                9 or 10 => Jump((ushort)(jumps[random.Next(4)] | ofX), number, (byte)random.Next(count - i), (byte)random.Next(count - i)),
                11 => Of(Neg, 0),
                _ => Of((ushort)(operation | ofX), operand),
            });
        }

        program.AddRange(
        [
            Of(XOR_X, 0), Of(ST, 0), Of(RSH_K, 16), Of(LDX_MEM, 0), Of(XOR_X, 0), Of(ST, 0), Of(RSH_K, 7), Of(LDX_MEM, 0), Of(XOR_X, 0),
            Of(AND_K, 63), Of(RET_A, 0),
        ]);
        return [.. program];
    }

    /// <summary>Instructions of any kind, most of which the checker refuses.</summary>
    public static BpfInstruction[] Wild(Random random)
    {
        BpfInstruction[] program = new BpfInstruction[random.Next(1, 6)];
        for (int i = 0; i < program.Length; i++)
        {
            program[i] = new BpfInstruction((ushort)random.Next(0xB8), (byte)random.Next(4), (byte)random.Next(4), random.Next(2) == 0 ? (uint)random.Next(40) : (uint)random.NextInt64(uint.MaxValue));
        }

        program[^1] = Of(random.Next(2) == 0 ? RET_K : RET_A, (uint)random.Next(40));
        return program;
    }
}
