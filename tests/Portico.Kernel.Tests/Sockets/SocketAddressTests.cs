using Portico.Net;

namespace Portico.Kernel.Tests.Sockets;

public sealed class SocketAddressTests
{
    [Theory]
    [InlineData("192.0.2.1", AddressFamily.AF_INET, 16)]
    [InlineData("2001:db8::1", AddressFamily.AF_INET6, 28)]
    public void What_there_is_no_room_for_is_left_out_and_the_whole_length_told(string address, AddressFamily family, int length)
    {
        Endpoint endpoint = new(IpAddress.Parse(address), 0x1234);
        byte[] whole = SocketAddress.Of(endpoint);
        Assert.Equal(length, whole.Length);
        for (int room = 0; room <= length + 2; room++)
        {
            byte[] bytes = new byte[room];
            Assert.Equal(length, SocketAddress.Write(bytes, family, endpoint));
            Assert.Equal(whole[..Math.Min(room, length)], bytes[..Math.Min(room, length)]);
        }
    }
}
