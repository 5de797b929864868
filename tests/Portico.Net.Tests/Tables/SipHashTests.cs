using System.Buffers.Binary;
using System.Numerics;

namespace Portico.Net.Tests.Tables;

public class SipHashTests
{
    private static readonly SipKey s_key = new(0x0706050403020100, 0x0f0e0d0c0b0a0908);

    private static byte[] Counting(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)i)];

    // The first results of the table in the reference implementation, and of appendix A of the paper for 15 bytes.
    [Theory]
    [InlineData(0, 0x726fdb47dd0e0e31UL)]
    [InlineData(1, 0x74f839c593dc67fdUL)]
    [InlineData(2, 0x0d6c8009d9a94f5aUL)]
    [InlineData(7, 0xab0200f58b01d137UL)]
    [InlineData(8, 0x93f5f5799a932462UL)]
    [InlineData(15, 0xa129ca6149be45e5UL)]
    public void SipHash_2_4_gives_the_published_results(int length, ulong expected) =>
        Assert.Equal(expected, SipHash.Hash24(s_key, Counting(length)));

    [Theory]
    [InlineData(0, 0xabac0158050fc4dcUL)]
    [InlineData(1, 0xc9f49bf37d57ca93UL)]
    [InlineData(2, 0x82cb9b024dc7d44dUL)]
    [InlineData(3, 0x8bf80ab8e7ddf7fbUL)]
    public void SipHash_1_3_gives_the_known_results(int length, ulong expected) =>
        Assert.Equal(expected, SipHash.Hash(s_key, Counting(length)));

    [Fact]
    public void The_hash_of_an_ipv4_flow_is_that_of_its_bytes()
    {
        byte[] bytes = new byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, 0x0A000002);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), 0x0A000001);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(8), 40000);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(10), 80);
        IpAddress local = IpAddress.FromIpv4(10, 0, 0, 1);
        IpAddress remote = IpAddress.FromIpv4(10, 0, 0, 2);
        Assert.Equal(SipHash.Hash(s_key, bytes), SipHash.HashFlow(s_key, local, remote, 80, 40000));
        Assert.Equal(SipHash.Hash24(s_key, [1, 0, 0, 0, 0, 0, 0, 0, .. bytes]), SipHash.HashFlow24(s_key, local, remote, 80, 40000, 1));
    }

    [Fact]
    public void The_hash_of_an_ipv6_flow_is_that_of_its_bytes()
    {
        IpAddress local = IpAddress.Parse("2001:db8::1");
        IpAddress remote = IpAddress.Parse("2001:db8::2:3");
        byte[] bytes = new byte[36];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, local.Low);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), local.High);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), remote.Low);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(24), remote.High);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(32), 5000);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(34), 443);
        Assert.Equal(SipHash.Hash(s_key, bytes), SipHash.HashFlow(s_key, local, remote, 443, 5000));
        Assert.Equal(SipHash.Hash24(s_key, [2, 0, 0, 0, 0, 0, 0, 0, .. bytes]), SipHash.HashFlow24(s_key, local, remote, 443, 5000, 2));
    }

    [Fact]
    public void Each_part_of_a_flow_changes_about_half_of_the_bits()
    {
        IpAddress a = IpAddress.FromIpv4(192, 0, 2, 1);
        IpAddress b = IpAddress.FromIpv4(192, 0, 2, 2);
        SipKey key = SipKey.From(new RandomSource(7));
        ulong reference = SipHash.HashFlow(key, a, b, 1, 2);
        ulong[] others =
        [
            SipHash.HashFlow(key, b, a, 1, 2), SipHash.HashFlow(key, a, b, 2, 1), SipHash.HashFlow(key, a, b, 1, 3),
            SipHash.HashFlow(key, a, a, 1, 2), SipHash.HashFlow(new SipKey(key.K0, key.K1 ^ 1), a, b, 1, 2),
        ];
        Assert.All(others, other => Assert.InRange(BitOperations.PopCount(reference ^ other), 16, 48));
    }
}
