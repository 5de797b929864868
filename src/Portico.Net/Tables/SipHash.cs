using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>The 128 bits of secret that make a hash unpredictable from outside.</summary>
internal readonly record struct SipKey(ulong K0, ulong K1)
{
    /// <summary>Draws a key.</summary>
    public static SipKey From(RandomSource random) => new(random.NextUInt64(), random.NextUInt64());
}

/// <summary>
/// SipHash (Aumasson, Bernstein 2012), a keyed hash for short inputs. The 1-3 variant places entries in tables, where the attacker
/// never sees the result; the 2-4 variant makes what shows on the wire (sequence numbers, cookies).
/// </summary>
internal static class SipHash
{
    private ref struct State
    {
        public ulong V0;
        public ulong V1;
        public ulong V2;
        public ulong V3;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public State(in SipKey key)
        {
            V0 = key.K0 ^ 0x736f6d6570736575;
            V1 = key.K1 ^ 0x646f72616e646f6d;
            V2 = key.K0 ^ 0x6c7967656e657261;
            V3 = key.K1 ^ 0x7465646279746573;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Round()
        {
            V0 += V1;
            V2 += V3;
            V1 = BitOperations.RotateLeft(V1, 13) ^ V0;
            V3 = BitOperations.RotateLeft(V3, 16) ^ V2;
            V0 = BitOperations.RotateLeft(V0, 32) + V3;
            V2 += V1;
            V1 = BitOperations.RotateLeft(V1, 17) ^ V2;
            V3 = BitOperations.RotateLeft(V3, 21) ^ V0;
            V2 = BitOperations.RotateLeft(V2, 32);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Absorb1(ulong word)
        {
            V3 ^= word;
            Round();
            V0 ^= word;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Absorb2(ulong word)
        {
            V3 ^= word;
            Round();
            Round();
            V0 ^= word;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ulong Finish3()
        {
            V2 ^= 0xFF;
            Round();
            Round();
            Round();
            return V0 ^ V1 ^ V2 ^ V3;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ulong Finish4()
        {
            V2 ^= 0xFF;
            Round();
            Round();
            Round();
            Round();
            return V0 ^ V1 ^ V2 ^ V3;
        }
    }

    /// <summary>SipHash-1-3 of any bytes.</summary>
    public static ulong Hash(in SipKey key, ReadOnlySpan<byte> data)
    {
        State state = new(key);
        ulong last = (ulong)data.Length << 56;
        for (; data.Length >= 8; data = data[8..])
        {
            state.Absorb1(BinaryPrimitives.ReadUInt64LittleEndian(data));
        }

        state.Absorb1(last | Tail(data));
        return state.Finish3();
    }

    /// <summary>SipHash-2-4 of any bytes.</summary>
    public static ulong Hash24(in SipKey key, ReadOnlySpan<byte> data)
    {
        State state = new(key);
        ulong last = (ulong)data.Length << 56;
        for (; data.Length >= 8; data = data[8..])
        {
            state.Absorb2(BinaryPrimitives.ReadUInt64LittleEndian(data));
        }

        state.Absorb2(last | Tail(data));
        return state.Finish4();
    }

    /// <summary>
    /// SipHash-1-3 of a flow: of 12 bytes (remote, local, remote port, local port; integers little-endian) where both ends are IPv4,
    /// else of 36 (local low and high half, remote low and high half, ports).
    /// </summary>
    public static ulong HashFlow(in SipKey key, in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort)
    {
        State state = new(key);
        ulong ports = ((ulong)localPort << 16) | remotePort;
        if (local.IsIpv4 && remote.IsIpv4)
        {
            state.Absorb1(((ulong)local.Ipv4Value << 32) | remote.Ipv4Value);
            state.Absorb1(ports | (12UL << 56));
            return state.Finish3();
        }

        state.Absorb1(local.Low);
        state.Absorb1(local.High);
        state.Absorb1(remote.Low);
        state.Absorb1(remote.High);
        state.Absorb1(ports | (36UL << 56));
        return state.Finish3();
    }

    /// <summary>SipHash-2-4 of a flow and 64 more bits, for values that the peer gets to see.</summary>
    public static ulong HashFlow24(
        in SipKey key, in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort, ulong extra)
    {
        State state = new(key);
        ulong ports = ((ulong)localPort << 16) | remotePort;
        state.Absorb2(extra);
        if (local.IsIpv4 && remote.IsIpv4)
        {
            state.Absorb2(((ulong)local.Ipv4Value << 32) | remote.Ipv4Value);
            state.Absorb2(ports | (20UL << 56));
            return state.Finish4();
        }

        state.Absorb2(local.Low);
        state.Absorb2(local.High);
        state.Absorb2(remote.Low);
        state.Absorb2(remote.High);
        state.Absorb2(ports | (44UL << 56));
        return state.Finish4();
    }

    private static ulong Tail(ReadOnlySpan<byte> rest)
    {
        ulong tail = 0;
        for (int i = 0; i < rest.Length; i++)
        {
            tail |= (ulong)rest[i] << (8 * i);
        }

        return tail;
    }
}
