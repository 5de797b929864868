namespace Portico.Cli.Tests.Trace;

public sealed class DnsTextTests
{
    private static readonly byte[] s_query =
        [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, (byte)'w', (byte)'w', (byte)'w', 2, (byte)'a', 27, 0, 0, 1, 0, 1];

    [Fact]
    public void A_question_is_its_type_and_name_and_control_characters_are_escaped()
    {
        Assert.Equal("A www.a\\027", DnsText.Question(s_query, out bool isAnswer));
        Assert.False(isAnswer);
    }

    [Fact]
    public void An_answer_is_its_addresses_or_its_error()
    {
        byte[] answer = [.. s_query, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
        answer[2] = 0x81;
        answer[7] = 1;
        Assert.Equal("A www.a\\027", DnsText.Question(answer, out bool isAnswer));
        Assert.True(isAnswer);
        Assert.Equal("192.0.2.1", DnsText.Answer(answer));
        answer[3] = 3;
        Assert.Equal("NXDOMAIN", DnsText.Answer(answer));
    }

    [Fact]
    public void No_message_however_broken_is_followed_beyond_its_end()
    {
        byte[] answer = [.. s_query, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
        answer[2] = 0x81;
        answer[7] = 9;
        Random random = new(1);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] broken = answer[..random.Next(answer.Length + 1)];
            for (int j = random.Next(4); j > 0 && broken.Length > 0; j--)
            {
                broken[random.Next(broken.Length)] = (byte)random.Next(256);
            }

            if (DnsText.Question(broken, out bool isAnswer) != null && isAnswer)
            {
                Assert.NotEmpty(DnsText.Answer(broken));
            }
        }
    }
}
