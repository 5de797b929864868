using CsCheck;

namespace Portico.Net.Tests.Wire;

public class TcpWireTests
{
    private static TcpOptions Parse(params byte[] options)
    {
        Assert.True(TcpOptions.Parse(options, out TcpOptions parsed));
        return parsed;
    }

    private static TcpOptions ParseIllegal(params byte[] options)
    {
        Assert.False(TcpOptions.Parse(options, out TcpOptions parsed));
        return parsed;
    }

    [Fact]
    public void A_header_reads_as_it_was_written() =>
        Gen.Select(Gen.UShort, Gen.UShort, Gen.UInt, Gen.UInt, Gen.Int[5, 15], Gen.Byte, Gen.UShort, Gen.UShort).Sample(
            (source, destination, seq, ack, words, flags, window, urgent) =>
            {
                byte[] bytes = new byte[60];
                TcpHeader.Write(bytes, source, destination, seq, ack, words * 4, (TcpFlags)flags, window, urgent);
                Assert.True(TcpHeader.TryParse(bytes, out TcpHeader header));
                Assert.Equal(source, header.SourcePort);
                Assert.Equal(destination, header.DestinationPort);
                Assert.Equal(seq, header.Sequence);
                Assert.Equal(ack, header.Acknowledgment);
                Assert.Equal(words * 4, header.HeaderLength);
                Assert.Equal((TcpFlags)flags, header.Flags);
                Assert.Equal(window, header.Window);
                Assert.Equal(urgent, header.UrgentPointer);
                Assert.Equal(0, header.Checksum);
                Assert.Equal((words * 4) - 20, header.OptionBytes.Length);
            });

    [Fact]
    public void A_header_is_refused_unless_the_data_offset_is_legal_and_within_the_segment()
    {
        byte[] bytes = new byte[64];
        for (int length = 0; length <= 64; length++)
        {
            for (int words = 0; words < 16; words++)
            {
                bytes[12] = (byte)(words << 4);
                bool legal = length >= 20 && words >= 5 && words * 4 <= length;
                Assert.Equal(legal, TcpHeader.TryParse(bytes.AsSpan(0, length), out _));
            }
        }
    }

    [Fact]
    public void Every_kind_and_length_terminates_and_keeps_what_came_before()
    {
        byte[] options = new byte[40];
        for (int kind = 0; kind < 256; kind++)
        {
            for (int length = 0; length < 256; length++)
            {
                Array.Clear(options);
                options[0] = 2;
                options[1] = 4;
                options[2] = 5;
                options[3] = 180;
                options[4] = (byte)kind;
                options[5] = (byte)length;
                bool legal = TcpOptions.Parse(options, out TcpOptions parsed);
                Assert.Equal(kind == 2 && length == 4 ? 0 : 1460, parsed.Mss);
                if (kind > 1)
                {
                    Assert.Equal(length is >= 2 and <= 36, legal);
                }

                Assert.InRange(parsed.SackCount, 0, 4);
                Assert.InRange(parsed.WindowScale, -1, 14);
            }
        }
    }

    [Fact]
    public void Random_options_never_read_past_their_end() => Gen.Byte.Array[0, 41].Sample(
        options =>
        {
            TcpOptions.Parse(options, out TcpOptions parsed);
            Assert.InRange(parsed.SackCount, 0, 4);
            Assert.True(parsed.FastOpenCookieLength <= 0 || parsed.FastOpenCookieOffset + parsed.FastOpenCookieLength <= options.Length);
        },
        iter: 50_000);

    [Fact]
    public void Options_after_an_illegal_length_are_ignored()
    {
        foreach (byte[] illegal in new byte[][] { [8, 0], [3, 1], [2, 255], [5, 11], [254, 30] })
        {
            TcpOptions parsed = ParseIllegal([4, 2, .. illegal, 1, 3, 3, 7]);
            Assert.True(parsed.SackPermitted);
            Assert.Equal(-1, parsed.WindowScale);
        }

        Assert.Equal(0, ParseIllegal(2).Mss);
    }

    [Fact]
    public void A_known_kind_with_a_length_not_its_own_is_skipped()
    {
        TcpOptions parsed = Parse(8, 3, 0, 2, 3, 9, 3, 4, 1, 1, 4, 3, 0, 5, 9, 0, 0, 0, 0, 0, 0, 0, 254, 4, 0, 0, 2, 4, 2, 24);
        Assert.False(parsed.HasTimestamp);
        Assert.False(parsed.SackPermitted);
        Assert.Equal(-1, parsed.WindowScale);
        Assert.Equal(0, parsed.SackCount);
        Assert.Equal(536, parsed.Mss);
    }

    [Fact]
    public void Nothing_counts_after_the_end_of_the_list() => Assert.Equal(0, Parse(1, 0, 2, 4, 5, 180).Mss);

    [Fact]
    public void A_window_scale_above_14_is_taken_as_14()
    {
        Assert.Equal(14, Parse(3, 3, 14).WindowScale);
        Assert.Equal(14, Parse(3, 3, 15).WindowScale);
        Assert.Equal(14, Parse(3, 3, 255).WindowScale);
    }

    [Fact]
    public void Every_option_of_a_syn_reads_as_it_was_written() =>
        Gen.Select(Gen.UShort, Gen.Int[-1, 14], Gen.Bool, Gen.Bool, Gen.UInt, Gen.UInt).Sample((mss, scale, sack, stamps, tsVal, tsEcr) =>
        {
            byte[] bytes = new byte[40];
            int length = TcpOptions.WriteSyn(bytes, mss, scale, sack, stamps, tsVal, tsEcr);
            Assert.Equal(0, length % 4);
            Assert.True(TcpOptions.Parse(bytes.AsSpan(0, length), out TcpOptions parsed));
            Assert.Equal(mss, parsed.Mss);
            Assert.Equal(scale, parsed.WindowScale);
            Assert.Equal(sack, parsed.SackPermitted);
            Assert.Equal(stamps, parsed.HasTimestamp);
            Assert.Equal(stamps ? tsVal : 0, parsed.TsVal);
            Assert.Equal(stamps ? tsEcr : 0, parsed.TsEcr);
        });

    [Fact]
    public void A_syn_has_its_options_in_the_order_that_linux_uses()
    {
        byte[] bytes = new byte[40];
        Assert.Equal(20, TcpOptions.WriteSyn(bytes, 1460, 7, true, true, 0x01020304, 0));
        Assert.Equal("020405B40402080A01020304000000000103030700", Convert.ToHexString(bytes.AsSpan(0, 21)));
        Assert.Equal(12, TcpOptions.WriteSyn(bytes, 1460, 7, true, false));
        Assert.Equal("020405B40101040201030307", Convert.ToHexString(bytes.AsSpan(0, 12)));
    }

    [Fact]
    public void Timestamps_alone_take_the_fast_path_and_give_the_same()
    {
        byte[] bytes = new byte[12];
        Assert.Equal(12, TcpOptions.WriteTimestamp(bytes, 0xCAFEBABE, 0xDEADBEEF));
        foreach (byte[] options in new byte[][] { bytes, [.. bytes, 1], [.. bytes[2..], 0, 0] })
        {
            TcpOptions parsed = Parse(options);
            Assert.True(parsed.HasTimestamp);
            Assert.Equal(0xCAFEBABE, parsed.TsVal);
            Assert.Equal(0xDEADBEEF, parsed.TsEcr);
            Assert.Equal(-1, parsed.WindowScale);
            Assert.Equal(-1, parsed.FastOpenCookieLength);
        }
    }

    [Fact]
    public void Sack_blocks_read_as_they_were_written()
    {
        for (int count = 1; count <= 4; count++)
        {
            SackBlock[] blocks = [.. Enumerable.Range(0, count).Select(i => new SackBlock((uint)i * 0x20000001, 0xFFFFFFFF - (uint)i))];
            byte[] bytes = new byte[40];
            int length = TcpOptions.WriteSack(bytes, blocks);
            Assert.Equal(4 + (8 * count), length);
            TcpOptions parsed = Parse(bytes[..length]);
            Assert.Equal(count, parsed.SackCount);
            for (int i = 0; i < count; i++)
            {
                Assert.Equal(blocks[i], parsed.Sacks[i]);
            }
        }
    }

    [Fact]
    public void A_fast_open_cookie_has_4_to_16_bytes_and_an_even_number()
    {
        for (int cookie = 0; cookie <= 18; cookie++)
        {
            byte[] bytes = new byte[40];
            int length = TcpOptions.WriteFastOpen(bytes, new byte[cookie]);
            Assert.Equal(0, length % 4);
            TcpOptions parsed = Parse(bytes[..length]);
            bool legal = cookie == 0 || (cookie is >= 4 and <= 16 && cookie % 2 == 0);
            Assert.Equal(legal ? cookie : -1, parsed.FastOpenCookieLength);
            Assert.Equal(legal ? 2 : 0, parsed.FastOpenCookieOffset);
        }
    }

    [Fact]
    public void A_user_timeout_counts_seconds_or_minutes()
    {
        Assert.Equal(300, Parse(28, 4, 0x01, 0x2C).UserTimeoutSeconds);
        Assert.Equal(600, Parse(28, 4, 0x80, 0x0A).UserTimeoutSeconds);
        Assert.Equal(0, Parse(28, 3, 0x80).UserTimeoutSeconds);
    }

    [Fact]
    public void An_md5_signature_counts_only_with_its_own_length()
    {
        Assert.True(Parse([19, 18, .. new byte[16]]).HasMd5);
        Assert.False(Parse([19, 17, .. new byte[15]]).HasMd5);
        Assert.False(ParseIllegal([19, 18, .. new byte[15]]).HasMd5);
    }
}
