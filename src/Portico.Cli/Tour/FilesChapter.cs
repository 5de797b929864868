using System.Text;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>read, write, close and epoll do not care what a number stands for.</summary>
internal static class FilesChapter
{
    public static void Tell(TourMachine machine, TourText text)
    {
        Process process = machine.Process;
        text.Say("Behind a descriptor may be a file, a pipe, a terminal, a counter or a connection. read, write and close are the same for all.");
        int file = process.Open("/tmp/note", OpenFlags.O_CREAT | OpenFlags.O_RDWR, 0x180).OrThrow();
        process.Pipe2(0, out int pipeOut, out int pipeIn).OrThrow();
        (int listener, byte[] address) = machine.Listen(process, 8080);
        int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Connect(client, address).OrThrow();
        int server = process.Accept4(listener, default, out _, 0).OrThrow();
        int master = process.Open("/dev/ptmx", OpenFlags.O_RDWR | OpenFlags.O_NOCTTY).OrThrow();
        int number = 0;
        process.Ioctl(master, IoctlRequest.TIOCSPTLCK, ref number).OrThrow();
        process.Ioctl(master, IoctlRequest.TIOCGPTN, ref number).OrThrow();
        int terminal = process.Open($"/dev/pts/{number}", OpenFlags.O_RDWR | OpenFlags.O_NOCTTY).OrThrow();
        int counter = process.Eventfd(0, EventfdFlags.None).OrThrow();
        (string What, int Output, int Input, byte[] Bytes)[] all =
        [
            ("a file", file, file, "hi\n"u8.ToArray()),
            ("a pipe", pipeIn, pipeOut, "hi\n"u8.ToArray()),
            ("a terminal", master, terminal, "hi\n"u8.ToArray()),
            ("an eventfd", counter, counter, BitConverter.GetBytes(7L)),
            ("a socket", client, server, "hi\n"u8.ToArray()),
        ];
        int epoll = text.Done("epoll_create1(0)", process.EpollCreate1(0), "one number to wait for many others");
        byte[] buffer = new byte[64];
        EpollEvent[] events = new EpollEvent[8];
        foreach ((string what, int output, int input, byte[] bytes) in all)
        {
            text.Line($"{what}:");
            if (what == "a file")
            {
                text.Fails($"  epoll_ctl({epoll}, ADD, {input})", Watch(process, epoll, input), Errno.EPERM, "a file is always ready: no need to wait");
            }
            else
            {
                text.Done($"  epoll_ctl({epoll}, ADD, {input})", Watch(process, epoll, input));
                TourText.Must(process.EpollWait(epoll, events, 0).Raw == 0, "nothing is ready yet");
            }

            text.Done($"  write({output}, ...)", process.Write(output, bytes));
            if (what == "a file")
            {
                process.Lseek(file, 0, SeekWhence.SEEK_SET).OrThrow();
            }
            else
            {
                int ready = text.Done($"  epoll_wait({epoll})", process.EpollWait(epoll, events, 0), $"descriptor {events[0].Data} is ready");
                TourText.Must(ready == 1 && (int)events[0].Data == input, "what was written to is ready");
            }

            int count = text.Done($"  read({input}, ...)", process.Read(input, buffer));
            TourText.Must(buffer.AsSpan(0, count).SequenceEqual(bytes), "what was written has been read");
            string shown = what == "an eventfd" ? $"the number {BitConverter.ToInt64(buffer)}" : $"\"{Encoding.ASCII.GetString(buffer, 0, count).TrimEnd()}\" and an end of line";
            text.Line($"  it has read {shown}");
            text.Done($"  close({input})", process.Close(input));
        }
    }

    private static SyscallResult Watch(Process process, int epoll, int fd) =>
        process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, fd, new EpollEvent(EpollFlags.EPOLLIN, (ulong)fd));
}
