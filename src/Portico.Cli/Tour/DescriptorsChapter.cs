using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>Numbers, descriptions and files: three things.</summary>
internal static class DescriptorsChapter
{
    public static void Tell(TourMachine machine, TourText text)
    {
        Process process = machine.Process;
        text.Say("To a program a socket is a number: a descriptor, an index into a table that each process has. 0, 1 and 2 are there when a "
            + "program begins (input, output, errors). What is opened gets the lowest number that is free.");
        int file = text.Done("open(\"/tmp/note\", O_CREAT|O_RDWR)", process.Open("/tmp/note", OpenFlags.O_CREAT | OpenFlags.O_RDWR, 0x180));
        int socket = text.Done("socket(AF_INET, SOCK_STREAM, 0)", process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0));
        text.Done($"close({file})", process.Close(file));
        int again = text.Done("eventfd(0, 0)", process.Eventfd(0, EventfdFlags.None), "the number of the file, nothing of it");
        TourText.Must(again == file && socket == file + 1, "the lowest free number");

        text.Say("dup gives the same open file a second number: one position for both. A second open gives another, with a position of its own.");
        int one = text.Done("open(\"/tmp/note\", O_RDWR)", process.Open("/tmp/note", OpenFlags.O_RDWR));
        int two = text.Done($"dup({one})", process.Dup(one));
        int other = text.Done("open(\"/tmp/note\", O_RDWR)", process.Open("/tmp/note", OpenFlags.O_RDWR));
        text.Done($"write({one}, \"abc\")", process.Write(one, "abc"u8));
        long shared = text.Done($"lseek({two}, 0, SEEK_CUR)", process.Lseek(two, 0, SeekWhence.SEEK_CUR), "the duplicate has moved, too");
        long own = text.Done($"lseek({other}, 0, SEEK_CUR)", process.Lseek(other, 0, SeekWhence.SEEK_CUR), "this one has not");
        TourText.Must(shared == 3 && own == 0, "a position belongs to the open file");

        text.Say("Numbers are a process's own. A child begins with copies; what it closes stays open for its parent.");
        Process child = process.Fork();
        text.Line($"fork: process {child.Id}, child of {child.ParentId}");
        text.Done($"close({one}) by the child", child.Close(one));
        text.Done($"write({one}, \"d\") by the parent", process.Write(one, "d"u8));
        text.Fails($"write({one}, \"d\") by the child", child.Write(one, "d"u8), Errno.EBADF, "no such number here");
    }
}
