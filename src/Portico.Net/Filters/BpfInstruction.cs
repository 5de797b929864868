using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>An instruction of a socket filter (struct sock_filter of Linux, the same layout; bpf(4) of BSD).</summary>
/// <param name="Code">What to do: class, size and mode, or operation and source.</param>
/// <param name="JumpTrue">Instructions to skip where a comparison holds.</param>
/// <param name="JumpFalse">Instructions to skip where it does not.</param>
/// <param name="K">A number: an operand, a place in the packet or in memory, a length, or a distance.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct BpfInstruction(ushort Code, byte JumpTrue, byte JumpFalse, uint K)
{
    /// <summary>Bytes that an instruction takes.</summary>
    public const int Bytes = 8;
}

/// <summary>The codes of instructions, put together from their parts.</summary>
internal static class BpfCode
{
    // Classes.
    public const ushort LD = 0x00;
    public const ushort LDX = 0x01;
    public const ushort ST = 0x02;
    public const ushort STX = 0x03;
    public const ushort ALU = 0x04;
    public const ushort JMP = 0x05;
    public const ushort RET = 0x06;
    public const ushort MISC = 0x07;

    // Sizes of loads: 4 bytes, 2 and 1.
    public const ushort W = 0x00;
    public const ushort H = 0x08;
    public const ushort B = 0x10;

    // Modes of loads.
    public const ushort IMM = 0x00;
    public const ushort ABS = 0x20;
    public const ushort IND = 0x40;
    public const ushort MEM = 0x60;
    public const ushort LEN = 0x80;
    public const ushort MSH = 0xA0;

    // Operations.
    public const ushort ADD = 0x00;
    public const ushort SUB = 0x10;
    public const ushort MUL = 0x20;
    public const ushort DIV = 0x30;
    public const ushort OR = 0x40;
    public const ushort AND = 0x50;
    public const ushort LSH = 0x60;
    public const ushort RSH = 0x70;
    public const ushort NEG = 0x80;
    public const ushort MOD = 0x90;
    public const ushort XOR = 0xA0;

    // Jumps.
    public const ushort JA = 0x00;
    public const ushort JEQ = 0x10;
    public const ushort JGT = 0x20;
    public const ushort JGE = 0x30;
    public const ushort JSET = 0x40;

    // The second operand: the instruction's number, the register X, or of a return the register A.
    public const ushort K = 0x00;
    public const ushort X = 0x08;
    public const ushort A = 0x10;

    // Copies between the registers.
    public const ushort TAX = 0x00;
    public const ushort TXA = 0x80;
}

/// <summary>Places of absolute loads that are not in the packet (SKF_AD_* of Linux), counted from <see cref="First"/>.</summary>
internal static class BpfAncillary
{
    /// <summary>SKF_AD_OFF: what is from here on, as an unsigned number, is not in the packet.</summary>
    public const uint First = unchecked((uint)-0x1000);

    public const uint Protocol = First + 0;
    public const uint PacketType = First + 4;
    public const uint InterfaceIndex = First + 8;
    public const uint NetlinkAttribute = First + 12;
    public const uint NestedNetlinkAttribute = First + 16;
    public const uint Mark = First + 20;
    public const uint Queue = First + 24;
    public const uint HardwareType = First + 28;
    public const uint Hash = First + 32;
    public const uint Processor = First + 36;
    public const uint XorX = First + 40;
    public const uint VlanTag = First + 44;
    public const uint VlanTagPresent = First + 48;
    public const uint PayloadOffset = First + 52;
    public const uint Random = First + 56;
    public const uint VlanProtocol = First + 60;
    public const uint Last = VlanProtocol;
}
