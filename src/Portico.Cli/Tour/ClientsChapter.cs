using Portico.Kernel;

namespace Portico.Cli;

/// <summary>One port, one listener, and as many connections as there are clients.</summary>
internal static class ClientsChapter
{
    private const int Clients = 10_000;

    public static void Tell(TourMachine machine, TourText text)
    {
        Process server = machine.NewProcess("server");
        Process client = machine.NewProcess("client");
        (int listener, byte[] address) = machine.Listen(server, 8080);
        text.Say("A port is not used up by a connection. A connection is known by both of its ends, and so 10,000 clients of one port are "
            + "10,000 connections, each with a socket and a number at the server.");
        int first = -1;
        int last = -1;
        for (int i = 0; i < Clients; i++)
        {
            int fd = client.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
            client.Connect(fd, address).OrThrow();
            last = server.Accept4(listener, default, out _, 0).OrThrow();
            first = first < 0 ? last : first;
        }

        byte[] name = new byte[128];
        text.Line($"{Clients:#,0} times connect and accept");
        text.Line($"the server's listener is descriptor {listener}; its connections are {first} to {last}");
        foreach (int fd in (int[])[first, first + 1, last])
        {
            server.GetSockName(fd, name).OrThrow();
            int local = TourMachine.PortOf(name);
            server.GetPeerName(fd, name).OrThrow();
            text.Line($"descriptor {fd,5}: port {local} here, port {TourMachine.PortOf(name)} there");
        }

        long open = machine.Ask(() => (long)server.Descriptors.Count);
        TourText.Must(open == Clients + 1, "a descriptor for each client, and the listener");
        text.Line($"descriptors that the server has open: {open:#,0}");
    }
}
