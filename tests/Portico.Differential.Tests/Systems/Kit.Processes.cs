using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using Portico.Kernel;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

// Processes and signals. Numbers of processes are written down as the names that the case gives them.
internal sealed unsafe partial class Kit
{
    private const int BytesOfSet = 8;

    /// <summary>Bytes of siginfo_t.</summary>
    private const int BytesOfInfo = 128;

    private Dictionary<long, string> _names = new() { [0] = "nobody" };

    private long? _id;

    /// <summary>The process's number, which it is asked for while it can still answer.</summary>
    public long Id => _id ??= Raw(getpid);

    /// <summary>A child, which has everything blocked.</summary>
    public Kit Fork(string name)
    {
        _names.TryAdd(Id, "the case");
        Kit child = new(system.Fork(), _log, name + ": ") { _names = _names, _ends = _ends };
        _names[child.Id] = name;
        return child;
    }

    /// <summary>A child that leads a session of its own.</summary>
    public Kit Leader(string name = "leader")
    {
        Kit child = Fork(name);
        child.Raw(setsid);
        return child;
    }

    public void Exit(int status = 0) => Raw(exit, status);

    /// <summary>wait4(2): the child, and how it ended.</summary>
    public long Wait4(long pid, WaitOptions options = 0)
    {
        int status = -1;
        long result = Raw(wait4, pid, (long)(&status), (long)options, 0);
        Note($"wait4 of {NameOf(pid)} {options} = {ShowPid(result)} status {status:X}");
        return result;
    }

    /// <summary>waitid(2): what it returns, and all that it has put into the siginfo_t, which has been full of 0xFF.</summary>
    public void Waitid(WaitIdType type, long id, WaitOptions options)
    {
        byte[] info = new byte[BytesOfInfo];
        info.AsSpan().Fill(0xFF);
        fixed (byte* p = info)
        {
            long result = Raw(waitid, (long)type, id, (long)p, (long)options, 0);
            int user = At(info, 20);
            Note($"waitid {type} {NameOf(id)} {options} = {Show(result)}: signal {At(info, 0)} errno {At(info, 4)} code {At(info, 8)} of {NameOf(At(info, 16))}"
                + $" user {(user != 0 && user == Raw(getuid) ? 0 : user)} status {At(info, 24)} rest {(info.AsSpan(28).ContainsAnyExcept((byte)0xFF) ? "changed" : "as it was")}");
        }
    }

    /// <summary>rt_sigtimedwait(2), with a time-out in milliseconds; null for none.</summary>
    public long Sigtimedwait(ulong set, long? milliseconds = 0)
    {
        (long result, byte[] info) = RawSigtimedwait(set, milliseconds);
        NoteSignal(result, info);
        return result;
    }

    /// <summary>The same, on a thread, for as long as it takes.</summary>
    public Task<(string Call, long Result, byte[] Bytes)> StartSigtimedwait(ulong set, long? milliseconds = null) =>
        Start("sigtimedwait", () => (RawSigtimedwait(set, milliseconds).Result, []));

    private (long Result, byte[] Info) RawSigtimedwait(ulong set, long? milliseconds)
    {
        byte[] info = new byte[BytesOfInfo];
        long* time = stackalloc long[2] { (milliseconds ?? 0) / 1000, (milliseconds ?? 0) % 1000 * 1_000_000 };
        fixed (byte* p = info)
        {
            return (Raw(rt_sigtimedwait, (long)(&set), (long)p, milliseconds == null ? 0 : (long)time, BytesOfSet), info);
        }
    }

    private void NoteSignal(long result, byte[] info) => Note(result < 0
        ? $"sigtimedwait = {Show(result)}"
        : $"sigtimedwait = {result}: signal {At(info, 0)} errno {At(info, 4)} code {At(info, 8)} of {NameOf(At(info, 16))} user {(At(info, 20) == (int)Raw(getuid) ? "the same" : At(info, 20))}"
            + $" value {Convert.ToHexString(info.AsSpan(24, 8))}");

    /// <summary>rt_sigqueueinfo(2), or with a thread rt_tgsigqueueinfo(2), with a siginfo_t that has something in all of its fields.</summary>
    public void Queue(long pid, int signal, int code, int value = 0x1234567, long? thread = null)
    {
        byte* info = stackalloc byte[BytesOfInfo];
        new Span<byte>(info, BytesOfInfo).Clear();
        int* words = (int*)info;
        (words[0], words[1], words[2], words[4], words[5], words[6], words[7]) = (99, 5, code, 4321, 77, value, 3);
        long result = thread == null ? Raw(rt_sigqueueinfo, pid, signal, (long)info) : Raw(rt_tgsigqueueinfo, pid, (long)thread, signal, (long)info);
        Note($"queue {signal} code {code} = {Show(result)}");
    }

    private string ShowPid(long result) => result <= 0 ? Show(result) : NameOf(result);

    /// <summary>A call that returns the number of a process, a group or a session.</summary>
    public void Ask(SyscallNumber number, long argument = 0)
    {
        long result = Raw(number, argument);
        Note($"{number} of {NameOf(argument)} is {(result < 0 ? Show(result) : NameOf(result))}");
    }

    public void NotePid(string what, int pid) => Note($"{what} {NameOf(pid)}");

    private string NameOf(long pid) => _names.GetValueOrDefault(pid, "another");

    public long Kill(long pid, int signal)
    {
        long result = Raw(kill, pid, signal);
        Note($"kill {signal} = {Show(result)}");
        return result;
    }

    public long Tgkill(long pid, int signal)
    {
        long result = Raw(tgkill, pid, pid, signal);
        Note($"tgkill {signal} = {Show(result)}");
        return result;
    }

    public void Mask(int how, ulong set)
    {
        ulong before = 0;
        long result = Raw(rt_sigprocmask, how, (long)(&set), (long)(&before), BytesOfSet);
        Write($"rt_sigprocmask {how} {set:X} was {before:X}", result);
    }

    public void Pending()
    {
        ulong set = 0;
        long result = Raw(rt_sigpending, (long)(&set), BytesOfSet);
        Write($"pending{Names(set)}", result);
    }

    /// <summary>0 for the default, 1 to ignore, 2 for a handler that does nothing.</summary>
    public void Action(int signal, int handler, ulong flags = 0)
    {
        const ulong SA_RESTORER = 0x400_0000;
        (long code, long restorer) = LinuxProcess.Handler;
        ulong* action = stackalloc ulong[4] { handler == 2 ? (ulong)code : (ulong)handler, flags | SA_RESTORER, (ulong)restorer, 0 };
        ulong* before = stackalloc ulong[4];
        long result = Raw(rt_sigaction, signal, (long)action, (long)before, BytesOfSet);
        Write($"rt_sigaction {signal} was {(result < 0 ? "" : before[0] > 1 ? "caught" : before[0].ToString(CultureInfo.InvariantCulture))}", result);
    }

    public long Signalfd(ulong set, SignalfdFlags flags = SignalfdFlags.SFD_NONBLOCK, long fd = -1)
    {
        long result = Raw(signalfd4, fd, (long)(&set), BytesOfSet, (long)flags);
        Write($"signalfd4 {set:X} {flags}", result);
        return result;
    }

    /// <summary>Reads signals, as many as fit into so many bytes.</summary>
    public long ReadSignals(long fd, int bytes = 1280)
    {
        byte[] buffer = new byte[Math.Max(bytes, 1)];
        fixed (byte* p = buffer)
        {
            long result = Raw(read, fd, (long)p, bytes);
            Write($"read {bytes}", result);
            long uid = Raw(getuid);
            for (int i = 0; i + 128 <= result; i += 128)
            {
                ReadOnlySpan<byte> info = buffer.AsSpan(i, 128);
                Note($"  signal {At(info, 0)} errno {At(info, 4)} code {At(info, 8)} of {NameOf(At(info, 12))} user {(At(info, 12) == 0 || At(info, 16) == uid ? "the same" : At(info, 16))}"
                    + $" rest {Convert.ToHexString(info[20..56])}");
            }

            return result;
        }
    }

    private static int At(ReadOnlySpan<byte> info, int offset) => BinaryPrimitives.ReadInt32LittleEndian(info[offset..]);

    public static ulong Set(params ReadOnlySpan<int> signals)
    {
        ulong set = 0;
        foreach (int signal in signals)
        {
            set |= 1UL << (signal - 1);
        }

        return set;
    }

    private static string Names(ulong set)
    {
        string names = "";
        for (; set != 0; set &= set - 1)
        {
            names += $" {BitOperations.TrailingZeroCount(set) + 1}";
        }

        return names;
    }
}
