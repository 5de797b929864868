using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>What still comes to a TCP socket that was shut down for reading, and what a splice does where only an urgent byte is left.</summary>
public sealed class ShutdownReadingTests
{
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Data_that_comes_after_SHUT_RD_is_read(bool hasDataBefore) => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        if (hasDataBefore)
        {
            kit.WriteBytes(client, "before"u8);
            kit.Poll(5000, (server, SocketEvents.Readable));
        }

        kit.Call(shutdown, server, (long)ShutdownHow.SHUT_RD);
        kit.Receive(server, 100, MSG_DONTWAIT);
        kit.Receive(server, 100, MSG_DONTWAIT);
        kit.WriteBytes(client, "after"u8);
        Kit.Settle();
        kit.Poll(0, (server, Everything));
        kit.Receive(server, 100, MSG_DONTWAIT);
        kit.Receive(server, 100, MSG_DONTWAIT);
        kit.WriteBytes(server, "answer"u8);
        kit.Poll(5000, (client, SocketEvents.Readable));
        kit.Receive(client, 100, MSG_DONTWAIT);
    });

    [Theory]
    [InlineData(ShutdownHow.SHUT_WR)]
    [InlineData(ShutdownHow.SHUT_RDWR)]
    public void Data_that_comes_after_both_were_shut_is_answered_by_a_reset(ShutdownHow how) => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        kit.Call(shutdown, server, (long)how);
        kit.Poll(5000, (client, SocketEvents.ReadHangUp));
        Kit.Settle();
        kit.WriteBytes(client, "after"u8);
        Kit.Settle();
        kit.Poll(0, (client, Everything));
        kit.Poll(0, (server, Everything));
        kit.Receive(client, 100, MSG_DONTWAIT);
        kit.Receive(server, 100, MSG_DONTWAIT);
        kit.Receive(client, 100, MSG_DONTWAIT);
    });

    [Fact]
    public void A_splice_does_not_wait_behind_an_urgent_byte() => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        (_, int writer) = kit.Pipe();
        kit.Send(client, "ab!"u8, MSG_OOB);
        kit.Poll(5000, (server, SocketEvents.Priority));
        kit.Splice(server, null, writer, null, 2);
        kit.Splice(server, null, writer, null, 1);
        kit.Splice(server, null, writer, null, 10);
        kit.Receive(server, 10, MSG_OOB);
    });
}
