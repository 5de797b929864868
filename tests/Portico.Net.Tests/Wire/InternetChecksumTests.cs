using System.Buffers.Binary;
using CsCheck;

namespace Portico.Net.Tests.Wire;

public class InternetChecksumTests
{
    private delegate ulong Variant(ulong sum, ref byte first, nuint length);

    private static readonly Gen<(byte[] Bytes, int Offset)> s_slices =
        Gen.Select(Gen.OneOf(Gen.Byte.Array[0, 300], Gen.Byte.Array[1400, 1600], Gen.Const((byte)255).Array[0, 700]), Gen.Int[0, 70]);

    /// <summary>RFC 1071's definition, word by word.</summary>
    private static ushort Reference(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += (i & 1) == 0 ? (uint)bytes[i] << 8 : bytes[i];
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (ushort)~sum;
    }

    /// <summary>0 and 0xFFFF are the same number in one's complement, and only all-zero input has the sum 0.</summary>
    private static void AssertSame(ushort expected, ushort actual) =>
        Assert.True(expected == actual || (expected % 0xFFFF == 0 && actual % 0xFFFF == 0), $"{expected:x4} is not {actual:x4}");

    [Fact]
    public void The_example_of_rfc_1071_gives_its_result()
    {
        byte[] bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        Assert.Equal(0xddf2, InternetChecksum.Fold(InternetChecksum.Accumulate(0, bytes)));
        Assert.Equal(0x220d, InternetChecksum.Compute(bytes));
    }

    [Fact]
    public void Every_length_and_offset_equals_the_reference() => s_slices.Sample(
        input =>
        {
            ReadOnlySpan<byte> bytes = input.Bytes.AsSpan(Math.Min(input.Offset, input.Bytes.Length));
            Assert.Equal(Reference(bytes), InternetChecksum.Compute(bytes));
        },
        iter: 20_000);

    [Fact]
    public void All_vector_widths_equal_the_scalar_reference()
    {
        Variant[] variants =
        [
            InternetChecksum.AccumulateScalar, InternetChecksum.Accumulate128,
            InternetChecksum.Accumulate256, InternetChecksum.Accumulate512,
        ];
        s_slices.Sample(
            input =>
            {
                Span<byte> bytes = input.Bytes.AsSpan(Math.Min(input.Offset, input.Bytes.Length));
                ushort expected = Reference(bytes);
                foreach (Variant variant in variants)
                {
                    AssertSame(expected, InternetChecksum.Finish(variant(0, ref bytes.GetPinnableReference(), (nuint)bytes.Length)));
                }
            },
            iter: 20_000);
    }

    [Fact]
    public void Pieces_of_odd_lengths_add_up_to_the_whole() => Gen.Select(Gen.Byte.Array[0, 900], Gen.Int[0, 900], Gen.Int[0, 900]).Sample(
        (bytes, a, b) =>
        {
            int first = Math.Min(Math.Min(a, b), bytes.Length);
            int second = Math.Min(Math.Max(a, b), bytes.Length);
            ulong sum = InternetChecksum.Accumulate(0, bytes.AsSpan(0, first));
            sum = InternetChecksum.Accumulate(sum, bytes.AsSpan(first, second - first), odd: (first & 1) != 0);
            sum = InternetChecksum.Accumulate(sum, bytes.AsSpan(second), odd: (second & 1) != 0);
            Assert.Equal(Reference(bytes), InternetChecksum.Finish(sum));
        },
        iter: 20_000);

    [Fact]
    public void Copying_gives_the_same_bytes_and_the_same_sum() => Gen.Select(s_slices, Gen.Bool).Sample(
        (input, odd) =>
        {
            ReadOnlySpan<byte> bytes = input.Bytes.AsSpan(Math.Min(input.Offset, input.Bytes.Length));
            byte[] copy = new byte[bytes.Length + 8];
            ulong sum = InternetChecksum.CopyAndAccumulate(77, bytes, copy.AsSpan(3), odd);
            Assert.True(bytes.SequenceEqual(copy.AsSpan(3, bytes.Length)));
            Assert.Equal(new byte[5], copy[(3 + bytes.Length)..]);
            AssertSame(InternetChecksum.Finish(InternetChecksum.Accumulate(77, bytes, odd)), InternetChecksum.Finish(sum));
            byte[] other = new byte[bytes.Length];
            ref byte from = ref input.Bytes.AsSpan(input.Bytes.Length - bytes.Length).GetPinnableReference();
            nuint length = (nuint)bytes.Length;
            ref byte to = ref other.AsSpan().GetPinnableReference();
            AssertSame(Reference(bytes), InternetChecksum.Finish(InternetChecksum.Copy256(ref from, ref to, length)));
            AssertSame(Reference(bytes), InternetChecksum.Finish(InternetChecksum.Copy512(ref from, ref to, length)));
        },
        iter: 20_000);

    [Fact]
    public void An_incremental_update_equals_a_new_computation() => Gen.Select(Gen.Byte.Array[20, 60], Gen.Int[0, 9], Gen.UShort).Sample(
        (bytes, word, value) =>
        {
            ushort before = InternetChecksum.Compute(bytes);
            ushort old = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(word * 2));
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(word * 2), value);
            AssertSame(InternetChecksum.Compute(bytes), InternetChecksum.UpdateIncremental(before, old, value));
            uint old32 = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(4));
            ushort middle = InternetChecksum.Compute(bytes);
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), old32 * 3 + value);
            AssertSame(InternetChecksum.Compute(bytes), InternetChecksum.UpdateIncremental32(middle, old32, old32 * 3 + value));
        },
        iter: 20_000);

    [Fact]
    public void An_incremental_update_gives_the_zero_of_rfc_1624()
    {
        // RFC 1624 4: the wrong equation gives 0xFFFF here.
        Assert.Equal(0x0000, InternetChecksum.UpdateIncremental(0xDD2F, 0x5555, 0x3285));
    }

    [Theory]
    [InlineData("192.0.2.1", "198.51.100.200")]
    [InlineData("2001:db8::1", "2001:db8:ffff::abcd")]
    public void The_pseudo_header_sums_as_if_it_were_written_out(string from, string to)
    {
        IpAddress source = IpAddress.Parse(from), destination = IpAddress.Parse(to);
        byte[] written = new byte[40];
        int length = source.WireLength;
        source.WriteIpv6(written);
        destination.WriteIpv6(written.AsSpan(16));
        byte[] pseudo = [.. written[(16 - length)..16], .. written[(32 - length)..32], 0, 1, 0x23, 0x45, 0, 0, 0, 6];
        ulong sum = InternetChecksum.PseudoHeader(source, destination, IpProtocol.Tcp, 0x12345);
        AssertSame(Reference(pseudo), InternetChecksum.Finish(sum));
    }
}
