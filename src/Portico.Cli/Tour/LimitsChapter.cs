using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>EMFILE, ENFILE and EADDRNOTAVAIL: reached, read in the counters, and left behind.</summary>
internal static class LimitsChapter
{
    public static void Tell(TourMachine machine, TourText text)
    {
        TellOfNumbers(machine, text);
        TellOfTheKernel(machine, text);
        TellOfPorts(machine, text);
    }

    private static void TellOfNumbers(TourMachine machine, TourText text)
    {
        Process process = machine.NewProcess("small", new ResourceLimit(6, 16));
        text.Say("A process may have only so many descriptors: RLIMIT_NOFILE. This one may have 6, so that numbers end at 5.");
        for (int i = 0; i < 6; i++)
        {
            process.Eventfd(0, EventfdFlags.None).OrThrow();
        }

        text.Line($"descriptors open: {machine.Ask(() => process.Descriptors.Count)} of 6");
        text.Fails("eventfd(0, 0)", process.Eventfd(0, EventfdFlags.None), Errno.EMFILE, "this process has too many");
        text.Line($"counter ProcessFileLimit: {machine.Counter(KernelCounter.ProcessFileLimit)}");
        text.Done("setrlimit(RLIMIT_NOFILE, 16)", process.SetRlimit(Resource.RLIMIT_NOFILE, new ResourceLimit(16, 16)));
        text.Done("eventfd(0, 0)", process.Eventfd(0, EventfdFlags.None));
        process.Exit();
    }

    private static void TellOfTheKernel(TourMachine machine, TourText text)
    {
        long open = machine.Counter(KernelCounter.OpenFiles);
        machine.Set(() => machine.Kernel.Settings.file_max = open + 3);
        Process first = machine.NewProcess("first");
        Process second = machine.NewProcess("second");
        text.Say($"The kernel has a limit for all processes together, containers included: fs.file-max, which is {open + 3} here for a moment.");
        text.Line($"counter OpenFiles: {open}");
        for (int i = 0; i < 3; i++)
        {
            text.Done("eventfd(0, 0) by the first process", first.Eventfd(0, EventfdFlags.None));
        }

        text.Line($"counter OpenFiles: {machine.Counter(KernelCounter.OpenFiles)}");
        text.Fails("eventfd(0, 0) by the second process", second.Eventfd(0, EventfdFlags.None), Errno.ENFILE, "all of them have too many");
        text.Line($"counter SystemFileLimit: {machine.Counter(KernelCounter.SystemFileLimit)}");
        first.Exit();
        text.Line($"the first process ends; counter OpenFiles: {machine.Counter(KernelCounter.OpenFiles)}");
        text.Done("eventfd(0, 0) by the second process", second.Eventfd(0, EventfdFlags.None));
        machine.Set(() => machine.Kernel.Settings.file_max = 1 << 20);
    }

    private static void TellOfPorts(TourMachine machine, TourText text)
    {
        Process process = machine.Process;
        machine.Set(() =>
        {
            machine.Network.LocalPorts.SetRange(40_000, 40_004);
            machine.Network.Tcp.Settings.tcp_tw_reuse = 0;
        });
        (int listener, byte[] address) = machine.Listen(process, 8080);
        text.Say("A client's end needs a port. They come from net.ipv4.ip_local_port_range, here 40000 to 40004; and a client that closes first "
            + "leaves its port in TIME-WAIT for a minute. Five short connections to one server use all of them up.");
        for (int i = 0; i < 5; i++)
        {
            int once = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
            process.Connect(once, address).OrThrow();
            int server = process.Accept4(listener, default, out _, 0).OrThrow();
            process.Close(once).OrThrow();
            process.Close(server).OrThrow();
        }

        text.Line($"connections in TIME-WAIT: {machine.Ask(() => machine.Network.Tcp.TimeWaitCount)}");
        int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        text.Fails($"connect({client}, 127.0.0.1:8080)", process.Connect(client, address), Errno.EADDRNOTAVAIL, "no port is left for that server");
        (_, byte[] other) = machine.Listen(process, 8081);
        int elsewhere = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        text.Done($"connect({elsewhere}, 127.0.0.1:8081)", process.Connect(elsewhere, other), "another server: another pair of ends");
        machine.Pass(Duration.FromSeconds(61));
        text.Line($"a minute later; connections in TIME-WAIT: {machine.Ask(() => machine.Network.Tcp.TimeWaitCount)}");
        text.Done($"connect({client}, 127.0.0.1:8080)", process.Connect(client, address));
    }
}
