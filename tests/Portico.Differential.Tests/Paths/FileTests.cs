using System.Text;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Paths;

/// <summary>What happens to files over several calls.</summary>
public sealed class FileTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    [Fact]
    public void A_file_without_a_name_lives_until_it_is_closed() => BothKernels.Run(kit =>
    {
        long fd = kit.Open("file", O_RDWR | O_CREAT);
        kit.WriteBytes(fd, "still here"u8);
        kit.OnPath(unlink, "file");
        kit.Status(fd);
        kit.ReadAt(fd, 100, 0);
        kit.Make("file", "another");
        kit.ReadAt(fd, 100, 0);
        kit.LinkDescriptor(fd, "again");
        kit.Call(close, fd);
        kit.Status("file");
    });

    [Fact]
    public void A_file_made_without_a_name_can_be_given_one() => BothKernels.Run(kit =>
    {
        long fd = kit.Open(".", O_TMPFILE | O_RDWR, 0x180);
        kit.WriteBytes(fd, "unnamed"u8);
        kit.Status(fd);
        kit.List(kit.Open(".", O_RDONLY));
        long other = kit.Open(".", O_TMPFILE | O_WRONLY | O_EXCL);
        kit.Status(other);
        kit.Open(".", O_TMPFILE | O_RDONLY);
        kit.Open("missing", O_TMPFILE | O_RDWR);
    });

    [Fact]
    public void Writes_to_append_go_to_the_end_whoever_wrote_before() => BothKernels.Run(kit =>
    {
        kit.Make("file", "begin");
        long append = kit.Open("file", O_RDWR | O_APPEND);
        long plain = kit.Open("file", O_RDWR);
        kit.WriteBytes(append, "-one"u8);
        kit.Call(lseek, append, 0, (long)SeekWhence.SEEK_CUR);
        kit.Call(lseek, append, 0, (long)SeekWhence.SEEK_SET);
        kit.Read(append, 3);
        kit.WriteBytes(plain, "BEGIN"u8);
        kit.WriteBytes(append, "-two"u8);
        kit.WriteAt(append, "-three", 0);
        kit.Call(lseek, append, 0, (long)SeekWhence.SEEK_CUR);
        kit.Fcntl(append, FcntlCommand.F_SETFL, 0);
        kit.WriteBytes(append, "!"u8);
        kit.ReadAt(plain, 100, 0);
    });

    [Fact]
    public void Descriptions_of_one_file_have_positions_of_their_own_and_duplicates_share_one() => BothKernels.Run(kit =>
    {
        kit.Make("file", "0123456789");
        long first = kit.Open("file", O_RDONLY);
        long second = kit.Open("file", O_RDONLY);
        long duplicate = kit.Call(dup, first);
        kit.Read(first, 3);
        kit.Read(second, 3);
        kit.Read(duplicate, 3);
        kit.Call(lseek, duplicate, 1, (long)SeekWhence.SEEK_CUR);
        kit.Read(first, 10);
        kit.Read(second, 10);
    });

    [Fact]
    public void A_directory_can_be_removed_under_its_process() => BothKernels.Run(kit =>
    {
        kit.Mkdir("here");
        kit.OnPath(chdir, "here");
        kit.WorkingDirectory();
        kit.WorkingDirectory(5);
        kit.OnPath(rmdir, "../here");
        kit.WorkingDirectory();
        kit.Open("new", O_CREAT | O_RDWR);
        kit.Mkdir("new");
        kit.Status(".");
        kit.Status("..");
        kit.OnPath(chdir, ".");
        kit.Open(".", O_RDONLY);
        kit.OnPath(chdir, "..");
        kit.WorkingDirectory();
    });

    [Fact]
    public void A_directory_keeps_its_names_when_it_is_moved() => BothKernels.Run(kit =>
    {
        kit.Mkdir("a");
        kit.Mkdir("a/b");
        kit.Mkdir("c");
        kit.OnPath(chdir, "a/b");
        kit.Rename("../../a", "../../c/moved");
        kit.WorkingDirectory();
        kit.Status("../../../c");
        kit.Rename("../../../c", "inside");
        kit.Rename("../../../c/moved", "../../../c/moved/b/x");
    });

    [Fact]
    public void The_umask_takes_bits_away() => BothKernels.Run(kit =>
    {
        foreach (int mask in (int[])[0, 0x3F, 0x1FF, 0xFFF, 0x12])
        {
            kit.Call(umask, mask);
            kit.Make("file", "", 0xFFF);
            kit.Status("file");
            kit.OnPath(unlink, "file");
            kit.Mkdir("directory", 0xFFF);
            kit.Status("directory");
            kit.OnPath(rmdir, "directory");
        }
    });

    [Fact]
    public void A_directory_is_listed_while_it_changes() => BothKernels.Run(kit =>
    {
        for (int i = 0; i < 40; i++)
        {
            kit.Make($"file{i}");
        }

        long fd = kit.Open(".", O_RDONLY);
        kit.List(fd, 200);
        for (int i = 0; i < 40; i += 2)
        {
            kit.OnPath(unlink, $"file{i}");
        }

        kit.List(fd, 200);
        kit.List(fd, 8192);
        kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_SET);
        kit.List(fd, 8192);
    });

    [Fact]
    public void A_FIFO_waits_for_its_other_end() => BothKernels.Run(kit =>
    {
        kit.OnPath(mknod, "fifo", 0x11A4);
        kit.Open("fifo", O_WRONLY | O_NONBLOCK);
        var opening = kit.Start("open to read", () => (kit.RawOpen("fifo", O_RDONLY), []));
        Kit.Settle();
        kit.NoteWhetherDone("open", opening);
        long writer = kit.Open("fifo", O_WRONLY);
        kit.Join(opening);
        kit.WriteBytes(writer, "through a name"u8);
        kit.Read(opening.Result.Result, 100);
        kit.Call(close, writer);
        kit.Read(opening.Result.Result, 100);
        kit.Poll(0, (opening.Result.Result, (SocketEvents)0x7FFF));
    });

    [Fact]
    public void A_FIFO_hangs_up_only_once_a_writer_has_come_and_gone() => BothKernels.Run(kit =>
    {
        kit.OnPath(mknod, "fifo", 0x11A4);
        long reader = kit.Open("fifo", O_RDONLY | O_NONBLOCK);
        kit.Poll(0, (reader, (SocketEvents)0x7FFF));
        kit.Read(reader, 10);
        long writer = kit.Open("fifo", O_WRONLY | O_NONBLOCK);
        kit.Poll(0, (reader, (SocketEvents)0x7FFF), (writer, (SocketEvents)0x7FFF));
        kit.WriteBytes(writer, "x"u8);
        kit.Call(close, writer);
        kit.Poll(0, (reader, (SocketEvents)0x7FFF));
        kit.Read(reader, 10);
        kit.Poll(0, (reader, (SocketEvents)0x7FFF));
        long again = kit.Open("fifo", O_WRONLY);
        kit.Poll(0, (reader, (SocketEvents)0x7FFF));
        kit.Call(close, reader);
        kit.WriteBytes(again, "x"u8);
        kit.Status(again);
    });

    [Fact]
    public void An_open_at_the_limit_makes_nothing() => BothKernels.Run(kit =>
    {
        kit.Rlimit(Resource.RLIMIT_NOFILE, 3, 1024);
        kit.Open("file", O_CREAT | O_RDWR);
        kit.Memfd("memory", 0);
        kit.Status("file");
        kit.Rlimit(Resource.RLIMIT_NOFILE, 1024, 1024);
    });

    [Fact]
    public void A_name_of_a_memfd_has_a_longest() => BothKernels.Run(kit =>
    {
        foreach (int length in (int[])[0, 1, 249, 250, 255])
        {
            kit.Memfd(new string('m', length), 0);
        }

        kit.Memfd("m", (MemfdFlags)0x4000_0000);
        kit.Memfd("m", MemfdFlags.MFD_EXEC | MemfdFlags.MFD_NOEXEC_SEAL);
    });

    [Fact]
    public void Times_are_as_they_were_set() => BothKernels.Run(kit =>
    {
        kit.Make("file");
        kit.SetTimes("file", 1_000_000_001, 5, 2_000_000_002, 999_999_999);
        kit.ShowTimes("file");
        kit.SetTimes("file", 7, Kit.Omit, 3, 0);
        kit.ShowTimes("file");
        kit.SetTimes("file", 7, 1_000_000_000, 3, 0);
        kit.SetTimes("missing", 7, 0, 3, 0);
        kit.SetTimes("missing", 7, Kit.Omit, 3, Kit.Omit);
    });

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Any_sequence_of_calls_leaves_the_same_bytes(int seed) => BothKernels.Run(kit =>
    {
        Random random = new(seed);
        long[] fds = [kit.Open("file", O_RDWR | O_CREAT), kit.Open("file", O_RDWR), kit.Open("file", O_RDWR | O_APPEND)];
        for (int i = 0; i < 80; i++)
        {
            long fd = fds[random.Next(fds.Length)];
            int size = random.Next(3) == 0 ? random.Next(40_000) : random.Next(5000);
            switch (random.Next(9))
            {
                case < 3:
                    byte[] data = new byte[size];
                    random.NextBytes(data);
                    kit.WriteBytes(fd, data);
                    break;
                case 3:
                    kit.Read(fd, size);
                    break;
                case 4:
                    kit.Call(lseek, fd, random.Next(100_000), (long)SeekWhence.SEEK_SET);
                    break;
                case 5:
                    kit.Call(ftruncate, fd, random.Next(120_000));
                    break;
                case 6:
                    kit.WriteAt(fd, Encoding.ASCII.GetString(new byte[random.Next(50)]), random.Next(200_000));
                    break;
                case 7:
                    kit.Call(lseek, fd, random.Next(120_000), (long)(random.Next(2) == 0 ? SeekWhence.SEEK_DATA : SeekWhence.SEEK_HOLE));
                    break;
                default:
                    kit.ReadAt(fd, 100_000, random.Next(50_000));
                    break;
            }

            kit.Status(fd);
        }

        kit.ReadAt(fds[0], 300_000, 0);
    });

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Any_sequence_of_calls_leaves_the_same_tree(int seed) => BothKernels.Run(kit =>
    {
        Random random = new(seed);
        string[] names = ["a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/b/c", "b/a/b"];
        string Any() => names[random.Next(names.Length)];
        for (int i = 0; i < 120; i++)
        {
            switch (random.Next(9))
            {
                case 0 or 1:
                    kit.Mkdir(Any());
                    break;
                case 2:
                    kit.Make(Any(), "x");
                    break;
                case 3:
                    kit.OnPath(random.Next(2) == 0 ? rmdir : unlink, Any());
                    break;
                case 4:
                    kit.Link(Any(), Any());
                    break;
                case 5:
                    kit.Symlink(Any(), Any());
                    break;
                case 6:
                    kit.Rename(Any(), Any(), (RenameFlags)random.Next(3));
                    break;
                case 7:
                    kit.Status(Any());
                    break;
                default:
                    kit.Rename(Any(), Any());
                    break;
            }
        }

        foreach (string name in names.Append("."))
        {
            kit.Status(name, AtFlags.AT_SYMLINK_NOFOLLOW);
            long fd = kit.Open(name, O_RDONLY | O_DIRECTORY);
            if (fd >= 0)
            {
                kit.List(fd, 8192);
                kit.Call(close, fd);
            }
        }
    });
}
