using System.Buffers.Binary;

namespace Portico.Net.Tests.Tcp;

public class TimestampStatisticsTests
{
    private const ushort TCP_NLA_TIMEOUT_REHASH = 23;

    [Fact]
    public void Rehashes_by_timeouts_are_those_of_TCP_INFO()
    {
        TcpInfo info = new() { Rehashes = 3 };
        byte[] written = new byte[512];
        int length = TimestampStatistics.Write(written, info, MonoTime.Zero, ackHopLimit: -1);
        Assert.Equal(new byte[] { 3, 0 }, ValueOf(written.AsSpan(0, length), TCP_NLA_TIMEOUT_REHASH));
    }

    private static byte[] ValueOf(ReadOnlySpan<byte> attributes, ushort wanted)
    {
        while (!attributes.IsEmpty)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(attributes);
            if (BinaryPrimitives.ReadUInt16LittleEndian(attributes[2..]) == wanted)
            {
                return attributes[4..length].ToArray();
            }

            attributes = attributes[((length + 3) & ~3)..];
        }

        return [];
    }
}
