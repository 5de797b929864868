using System.Net;
using System.Net.Sockets;
using System.Text;
using Portico.Interop.Tests.Capture;
using Portico.Net;

namespace Portico.Interop.Tests.Tcp;

/// <summary>Ends of connections, ordinary and not, between Portico and sockets of the Linux kernel.</summary>
[Collection(TrafficCollection.Name)]
public sealed class CloseTests
{
    private const int PatienceMilliseconds = 60_000;
    private const int BodyBytes = 3_000_000;

    private static readonly byte[] s_body = Content.Bytes(7, BodyBytes);

    private static AddressFamily FamilyOf(bool ipv6) => ipv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;

    private static IPAddress PorticoAddress(bool ipv6) => IPAddress.Parse(ipv6 ? CapturedKernel.PorticoIpv6 : CapturedKernel.PorticoIpv4);

    private static IPAddress KernelAddress(bool ipv6) => IPAddress.Parse(ipv6 ? CapturedKernel.KernelIpv6 : CapturedKernel.KernelIpv4);

    private static Socket KernelSocket(CapturedKernel captured, bool ipv6)
    {
        Socket socket = captured.Kernel.CreateSocket(FamilyOf(ipv6), SocketType.Stream, ProtocolType.Tcp);
        socket.ReceiveTimeout = PatienceMilliseconds;
        socket.SendTimeout = PatienceMilliseconds;
        return socket;
    }

    /// <summary>A connection that the kernel opened.</summary>
    private static (Socket Kernel, TcpStream Portico) Connect(CapturedKernel captured, bool ipv6)
    {
        using PorticoListener listener = captured.Host.Listen(0);
        Socket socket = KernelSocket(captured, ipv6);
        socket.Connect(PorticoAddress(ipv6), listener.LocalEndPoint.Port);
        TcpStream stream = listener.Accept();
        stream.ReadTimeout = PatienceMilliseconds;
        stream.WriteTimeout = PatienceMilliseconds;
        return (socket, stream);
    }

    private static byte[] ReadToEnd(Func<byte[], int> read)
    {
        using MemoryStream all = new();
        byte[] buffer = new byte[65536];
        int count;
        while ((count = read(buffer)) != 0)
        {
            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_the_kernel_half_closes_still_carries_data_the_other_way(bool ipv6)
    {
        using CapturedKernel captured = new();
        (Socket socket, TcpStream stream) = Connect(captured, ipv6);
        using (socket)
        using (stream)
        {
            socket.Send("question"u8);
            socket.Shutdown(SocketShutdown.Send);
            Assert.Equal("question", Encoding.ASCII.GetString(ReadToEnd(buffer => stream.Read(buffer))));
            Task writing = Task.Run(() =>
            {
                stream.Write(s_body);
                stream.CompleteWrites();
            });
            Assert.Equal(Content.Hash(s_body), Content.Hash(ReadToEnd(buffer => socket.Receive(buffer))));
            writing.Wait(PatienceMilliseconds);
        }

        Tshark.AssertClean(captured.End());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_Portico_half_closes_still_carries_data_the_other_way(bool ipv6)
    {
        using CapturedKernel captured = new();
        (Socket socket, TcpStream stream) = Connect(captured, ipv6);
        using (socket)
        using (stream)
        {
            stream.Write("question"u8);
            stream.CompleteWrites();
            Assert.Equal("question", Encoding.ASCII.GetString(ReadToEnd(buffer => socket.Receive(buffer))));
            Task writing = Task.Run(() =>
            {
                for (int sent = 0; sent < s_body.Length;)
                {
                    sent += socket.Send(s_body.AsSpan(sent));
                }

                socket.Shutdown(SocketShutdown.Send);
            });
            Assert.Equal(Content.Hash(s_body), Content.Hash(ReadToEnd(buffer => stream.Read(buffer))));
            writing.Wait(PatienceMilliseconds);
        }

        Tshark.AssertClean(captured.End());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void When_the_kernel_resets_Portico_reads_ECONNRESET(bool ipv6)
    {
        using CapturedKernel captured = new();
        (Socket socket, TcpStream stream) = Connect(captured, ipv6);
        using (stream)
        {
            socket.LingerState = new LingerOption(true, 0);
            socket.Dispose();
            IOException error = Assert.Throws<IOException>(() => stream.ReadByte());
            Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(error.InnerException).SocketErrorCode);
        }

        string file = captured.End();
        Tshark.AssertClean(file);
        Assert.Single(Tshark.Read(file, "tcp.flags.reset==1 && frame.packet_flags_direction==1"));
        Assert.Empty(Tshark.Read(file, "tcp.flags.reset==1 && frame.packet_flags_direction==2"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void When_Portico_resets_the_kernel_reads_ECONNRESET(bool ipv6)
    {
        using CapturedKernel captured = new();
        (Socket socket, TcpStream stream) = Connect(captured, ipv6);
        using (socket)
        {
            stream.Abort();
            SocketException error = Assert.Throws<SocketException>(() => socket.Receive(new byte[1]));
            Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
        }

        string file = captured.End();
        Tshark.AssertClean(file);
        Assert.Single(Tshark.Read(file, "tcp.flags.reset==1"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Closing_with_unread_data_resets_as_Linux_does(bool ipv6)
    {
        using CapturedKernel captured = new();
        (Socket socket, TcpStream stream) = Connect(captured, ipv6);
        using (socket)
        {
            socket.Send("nobody reads this"u8);
            stream.ReadByte();
            stream.Dispose();
            SocketException error = Assert.Throws<SocketException>(() => socket.Receive(new byte[1]));
            Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
        }

        Tshark.AssertClean(captured.End());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Where_nobody_listens_both_are_refused(bool ipv6)
    {
        using CapturedKernel captured = new();
        using (Socket socket = KernelSocket(captured, ipv6))
        {
            SocketException refused = Assert.ThrowsAny<SocketException>(() => socket.Connect(PorticoAddress(ipv6), 81));
            Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        }

        SocketException error = Assert.ThrowsAny<SocketException>(() => captured.Host.Connect(KernelAddress(ipv6).ToString(), 81));
        Assert.Equal(SocketError.ConnectionRefused, error.SocketErrorCode);
        string file = captured.End();
        Tshark.AssertClean(file);
        Assert.Equal(2, Tshark.Read(file, "tcp.flags.reset==1").Length);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void After_an_ordinary_close_nothing_is_reset_and_both_read_the_end(bool ipv6)
    {
        using CapturedKernel captured = new();
        (Socket socket, TcpStream stream) = Connect(captured, ipv6);
        using (socket)
        {
            stream.Write("last words"u8);
            stream.Dispose();
            Assert.Equal("last words", Encoding.ASCII.GetString(ReadToEnd(buffer => socket.Receive(buffer))));
            Assert.Equal(0, socket.Receive(new byte[1]));
        }

        string file = captured.End();
        Tshark.AssertClean(file);
        Assert.Empty(Tshark.Read(file, "tcp.flags.reset==1"));
    }
}
