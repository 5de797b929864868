using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>connect, accept, a few bytes, close: each packet, and what it makes of the two ends.</summary>
internal static class HandshakeChapter
{
    public static void Tell(TourMachine machine, TourText text)
    {
        Process process = machine.Process;
        (int listener, byte[] address) = machine.Listen(process, 8080);
        text.Say($"Socket {listener} listens at port 8080. A client connects. Its own end needs a port, too, which the kernel chooses. Then three "
            + "packets go back and forth: may I (SYN), you may and may I (SYN,ACK), you may (ACK). Below, a packet has an arrow between two "
            + "ports; the lines in between say what becomes of an end.");
        int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        Watch(machine, text, () => text.Done($"connect({client}, 127.0.0.1:8080)", process.Connect(client, address)));

        text.Say("The connection is complete, although the server has not looked yet: it waits in the listener's queue. accept takes it out "
            + "and gives it a number of its own. The listener goes on listening; it never carries data itself.");
        int server = text.Done($"accept({listener})", process.Accept4(listener, default, out _, 0), "a third socket, the server's end");

        text.Say("Now bytes go both ways. They are acknowledged; what is not acknowledged would be sent again.");
        Watch(machine, text, () => text.Done($"write({client}, \"hello\")", process.Write(client, "hello"u8)));
        byte[] buffer = new byte[100];
        long count = text.Done($"read({server}, ...)", process.Read(server, buffer));
        text.Line($"the server has read \"{System.Text.Encoding.ASCII.GetString(buffer, 0, (int)count)}\"");

        text.Say("Each side ends its own direction, with a FIN. A read at the other side returns 0: the end.");
        Watch(machine, text, () => text.Done($"close({client})", process.Close(client)));
        text.Done($"read({server}, ...)", process.Read(server, buffer), "0: there will be no more");
        Watch(machine, text, () => text.Done($"close({server})", process.Close(server)));
        TourText.Must(machine.Ask(() => machine.Network.Tcp.TimeWaitCount) == 1, "one end waits");
        text.Say("Who closed first has no socket any more, and still its end is kept for a minute, in TIME-WAIT, in case packets come late.");
        text.Line($"connections in TIME-WAIT: {machine.Ask(() => machine.Network.Tcp.TimeWaitCount)}");
        text.Say("A minute later:");
        Watch(machine, text, () => machine.Pass(Duration.FromSeconds(61)));
        text.Line($"connections in TIME-WAIT: {machine.Ask(() => machine.Network.Tcp.TimeWaitCount)}");
        TourText.Must(machine.Ask(() => machine.Network.Tcp.TimeWaitCount) == 0, "nobody waits any more");
    }

    /// <summary>What happens on the network meanwhile, below the call that makes it happen.</summary>
    private static void Watch(TourMachine machine, TourText text, Action action)
    {
        List<string> events = [];
        machine.Set(() => machine.Events = events);
        action();
        machine.Set(() => machine.Events = null);
        foreach (string line in events)
        {
            text.Line("  " + line);
        }
    }
}
