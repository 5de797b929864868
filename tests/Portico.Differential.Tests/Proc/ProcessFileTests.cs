using Portico.Differential.Tests.Descriptors;
using Portico.Differential.Tests.Sockets;
using Portico.Differential.Tests.Systems;
using Portico.Differential.Tests.Unix;
using Portico.Kernel;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Proc;

/// <summary>/proc/PID: links to what is open, what is known of it, limits, and the texts that programs parse.</summary>
public sealed class ProcessFileTests
{
    private const string Own = "/proc/thread-self";

    private static readonly (string, string)[] s_masks =
    [
        (@"\[\d+\]", "[N]"), (@"^(mnt_id|ino|eventfd-id):\s*\d+$", "$1: N"), ("ino:[0-9a-f]+ sdev:[0-9a-f]+", "ino: sdev:"), ("^.*/case(?=/|$)", ""), (@"#\d+", "#N"),
    ];

    private static readonly Dictionary<string, Func<Kit, long>> s_kinds =
        new([.. FileKinds.All, .. NamedFileKinds.All, .. SocketKinds.All, .. UnixKinds.All]);

    public static TheoryData<string> Kinds => [.. s_kinds.Keys];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_open_has_a_link_and_a_text(string kind) => BothKernels.Run(kit =>
    {
        long fd = s_kinds[kind](kit);
        kit.NonBlocking(fd);
        kit.ShowText($"{Own}/fdinfo/{fd}", s_masks);
        kit.Fcntl(fd, FcntlCommand.F_SETFD, 1);
        kit.ShowText($"{Own}/fdinfo/{fd}", s_masks);
        kit.Note(Kit.Masked(LinkOf(kit, $"{Own}/fd/{fd}"), s_masks));
        kit.Status($"{Own}/fd/{fd}", AtFlags.AT_SYMLINK_NOFOLLOW);
        kit.Status($"{Own}/fdinfo/{fd}");
    });

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_link_leads_to_the_open_file(string kind) => BothKernels.Run(kit =>
    {
        long fd = s_kinds[kind](kit);
        kit.NonBlocking(fd);
        kit.Status($"{Own}/fd/{fd}");
        long again = kit.Open($"{Own}/fd/{fd}", O_RDONLY | O_NONBLOCK);
        kit.Note(Kit.Masked(LinkOf(kit, $"{Own}/fd/{again}"), s_masks));
        kit.Open($"{Own}/fd/{fd}", O_RDONLY | O_NOFOLLOW);
        kit.Read(again, 4);
        kit.Open($"{Own}/fd/{fd}/", O_RDONLY);
    });

    [Fact]
    public void Descriptors_are_listed_as_they_come_and_go() => BothKernels.Run(kit =>
    {
        long directory = kit.Open($"{Own}/fd", O_RDONLY | O_DIRECTORY);
        kit.Call(dup2, 0, 40);
        kit.Call(dup2, 0, 7);
        kit.List(directory);
        kit.Call(close, 7);
        kit.Call(lseek, directory, 0, (long)SeekWhence.SEEK_SET);
        kit.List(directory, 60);
        kit.List(directory, 60);
        kit.List(directory, 60);
        kit.List(directory, 60);
        kit.List(directory, 60);
        kit.Status($"{Own}/fd");
        kit.List(kit.Open($"{Own}/fdinfo", O_RDONLY | O_DIRECTORY));
        foreach (string name in (string[])["7", "007", "+0", "-1", "0x0", "0", "99", "name", "4294967296"])
        {
            kit.Status($"{Own}/fd/{name}", AtFlags.AT_SYMLINK_NOFOLLOW);
            kit.Status($"{Own}/fdinfo/{name}");
        }
    });

    [Fact]
    public void A_text_about_a_descriptor_that_is_closed_is_not_there() => BothKernels.Run(kit =>
    {
        kit.Call(dup2, 0, 7);
        long info = kit.Open($"{Own}/fdinfo/7", O_RDONLY);
        kit.Call(close, 7);
        kit.Read(info, 100);
    });

    [Fact]
    public void Limits_have_their_columns() => BothKernels.Run(kit =>
    {
        kit.Rlimit(Resource.RLIMIT_NOFILE, 777, 1024);
        string text = kit.ReadText($"{Own}/limits");
        kit.Note(text.Split('\n')[8]);
        kit.Note(Kit.Masked(text, (@"(unlimited|\d+) +", "V ")));
        kit.Note(string.Join(' ', text.Split('\n').Select(line => line.Length)));
        kit.Rlimit(Resource.RLIMIT_NOFILE, 1024, 1024);
    });

    [Fact]
    public void The_status_names_ids_and_descriptors() => BothKernels.Run(kit =>
    {
        string[] wanted = ["Umask", "Tgid", "Ngid", "Pid", "PPid", "TracerPid", "Uid", "Gid", "FDSize", "Groups", "NStgid", "NSpid", "NSpgid", "NSsid", "Kthread"];
        kit.Call(umask, 0x3F);
        foreach (string line in kit.ReadText($"{Own}/status").Split('\n').Where(line => wanted.Contains(line.Split(':')[0])))
        {
            kit.Note(line.StartsWith("Umask", StringComparison.Ordinal) ? line : Kit.Masked(line, (@"\d+", "N")));
        }

        kit.Note(Kit.Masked(kit.ReadText($"{Own}/stat"), (@"\(.*\)", "(name)"), (@"-?\d+", "N"), (" [RSD] ", " S ")));
    });

    [Fact]
    public void The_text_of_a_signalfd_has_its_set() => BothKernels.Run(kit =>
    {
        long fd = kit.Signalfd(Kit.Set((int)Signal.SIGUSR1, (int)Signal.SIGRTMAX));
        kit.ShowText($"{Own}/fdinfo/{fd}", s_masks);
        kit.Signalfd(Kit.Set((int)Signal.SIGTERM, (int)Signal.SIGKILL), fd: fd);
        kit.ShowText($"{Own}/fdinfo/{fd}", s_masks);
    });

    [Fact]
    public void The_status_shows_sets_of_signals_and_where_a_process_belongs() => BothKernels.RunAsRoot(kit =>
    {
        string[] wanted = ["NSpgid", "NSsid", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"];
        Kit leader = kit.Leader();
        leader.Mask(2, 0xFFFF_FF00);
        leader.Action((int)Signal.SIGUSR1, 1);
        leader.Action((int)Signal.SIGUSR2, 2);
        kit.Kill(leader.Id, (int)Signal.SIGUSR2);
        kit.Tgkill(leader.Id, (int)Signal.SIGTERM);
        Kit follower = leader.Fork("follower");
        foreach (Kit process in (Kit[])[leader, follower])
        {
            // Children of a case begin without handlers on Linux.
            IEnumerable<string> shown = process == leader ? wanted : wanted.Where(static name => name != "SigCgt");
            foreach (string line in kit.ReadText($"/proc/{process.Id}/status").Split('\n').Where(line => shown.Contains(line.Split(':')[0])))
            {
                kit.Note(line.Replace($"{leader.Id}", "leader", StringComparison.Ordinal));
            }

            string[] fields = kit.ReadText($"/proc/{process.Id}/stat").Split(") ")[1].Split(' ');
            kit.Note(string.Join(' ', fields.Skip(2).Take(2)).Replace($"{leader.Id}", "leader", StringComparison.Ordinal) + $" {fields[4]} {fields[5]} {fields[17]}");
        }
    });

    [Fact]
    public void A_name_can_be_given_and_is_cut() => BothKernels.RunAsRoot(kit =>
    {
        string before = kit.ReadText($"{Own}/comm");
        kit.WriteSetting($"{Own}/comm", "a name that is too long");
        kit.Note(kit.ReadText("/proc/self/comm").Length > 0 ? "has a name" : "has none");
        kit.WriteSetting($"{Own}/comm", before.TrimEnd('\n'));
    });

    [Fact]
    public void Texts_are_read_in_pieces_from_anywhere() => BothKernels.Run(kit =>
    {
        long fd = kit.Open($"{Own}/limits", O_RDONLY);
        kit.ReadAsText(fd, 26);
        kit.ReadAsText(fd, 52);
        kit.Call(lseek, fd, 10, (long)SeekWhence.SEEK_SET);
        kit.ReadAsText(fd, 20);
        kit.ReadAt(fd, 20, 5);
        kit.ReadAsText(fd, 20);
        kit.Call(lseek, fd, 5, (long)SeekWhence.SEEK_CUR);
        kit.ReadAsText(fd, 20);
        kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_END);
        kit.Call(lseek, fd, -1, (long)SeekWhence.SEEK_SET);
        kit.Call(lseek, fd, 100_000, (long)SeekWhence.SEEK_SET);
        kit.ReadAsText(fd, 20);
        kit.WriteBytes(fd, "x"u8);
        kit.Call(ftruncate, fd, 0);
        kit.Status(fd);
    });

    [Fact]
    public void Nothing_is_made_or_removed_here() => BothKernels.Run(kit =>
    {
        foreach (string directory in (string[])["/proc", Own, $"{Own}/fd", "/proc/sys", "/proc/sys/net"])
        {
            kit.Status(directory, isOutside: true);
            kit.Open($"{directory}/new", O_CREAT | O_WRONLY);
            kit.Mkdir($"{directory}/new");
        }

        kit.Open("/proc/99999999", O_RDONLY);
        kit.Open("/proc/self/task/99999999", O_RDONLY);
        kit.ReadLink("/proc/self/nothing");
        kit.ReadLink("/proc/net");
    });

    [Fact]
    public void Links_lead_to_directories_of_the_process() => BothKernels.Run(kit =>
    {
        kit.Mkdir("below");
        kit.OnPath(chdir, "below");
        kit.Note(Kit.Masked(LinkOf(kit, $"{Own}/cwd"), s_masks));
        kit.ReadLink($"{Own}/root");
        kit.Make($"{Own}/cwd/made", "here");
        kit.Status("made");
        kit.OnPath(chdir, "..");
    });

    private static unsafe string LinkOf(Kit kit, string path)
    {
        byte[] target = new byte[300];
        fixed (byte* p = System.Text.Encoding.UTF8.GetBytes(path + "\0"), into = target)
        {
            long length = kit.Raw(readlinkat, Kit.AtCwd, (long)p, (long)into, target.Length);
            return length < 0 ? Kit.Show(length) : System.Text.Encoding.UTF8.GetString(target, 0, (int)length);
        }
    }
}
