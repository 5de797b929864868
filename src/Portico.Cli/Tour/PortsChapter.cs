using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>A port is a number; a binding gives it to a socket.</summary>
internal static class PortsChapter
{
    public static void Tell(TourMachine machine, TourText text)
    {
        Process process = machine.Process;
        text.Say("A computer has an address, as a house has. A port is a door of that house: a number from 0 to 65535. It is there "
            + "whether somebody uses it or not, and costs nothing. By agreement some doors belong to certain services:");
        foreach (string name in (string[])["http", "https", "ssh", "domain"])
        {
            ServiceEntry entry = ServiceDatabase.FindByName(name)!;
            text.Line($"{entry.Name,-8} is behind port {entry.Port}");
        }

        text.Say("A program that wants to answer at a door asks the kernel for a socket, binds it to the port, and listens.");
        int listener = text.Done("socket(AF_INET, SOCK_STREAM, 0)", process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0), "a number for the new socket");
        text.Done($"bind({listener}, 127.0.0.1:8080)", process.Bind(listener, TourMachine.AddressOf(8080)), "the port is this socket's now");
        text.Done($"listen({listener}, 16)", process.Listen(listener, 16), "up to 16 callers may wait");

        text.Say("The port is taken now. A second socket does not get it; another port it does, and 0 means: any that is free.");
        int second = text.Done("socket(AF_INET, SOCK_STREAM, 0)", process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0));
        text.Fails($"bind({second}, 127.0.0.1:8080)", process.Bind(second, TourMachine.AddressOf(8080)), Errno.EADDRINUSE, "somebody has it");
        text.Fails($"bind({second}, 127.0.0.1:80)", process.Bind(second, TourMachine.AddressOf(80)), Errno.EACCES, "below 1024: for root only");
        text.Done($"bind({second}, 127.0.0.1:0)", process.Bind(second, TourMachine.AddressOf(0)));
        byte[] address = new byte[128];
        process.GetSockName(second, address).OrThrow();
        text.Line($"getsockname({second}) says port {TourMachine.PortOf(address)}", "the kernel chose it");

        text.Say("With the last socket the binding goes, and the door is free for the next.");
        text.Done($"close({listener})", process.Close(listener));
        int third = text.Done("socket(AF_INET, SOCK_STREAM, 0)", process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0), "the lowest free number again");
        text.Done($"bind({third}, 127.0.0.1:8080)", process.Bind(third, TourMachine.AddressOf(8080)));
    }
}
