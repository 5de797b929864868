using System.Buffers.Binary;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>A system call that is being made: its arguments as the kernel takes them, and its result beside the script's.</summary>
internal sealed class CallFrame(ScriptRun run, CallEvent call)
{
    public ScriptRun Run => run;

    public CallEvent Call => call;

    public CallMemory Memory => run.Memory;

    /// <summary>When the call returned, in the script's time.</summary>
    public long ReturnTime { get; private set; }

    public ScriptFailure Fail(string reason, string? expected = null, string? actual = null) => new(call.Position, $"{call.Name}: {reason}", expected, actual);

    public void RequireArguments(params ReadOnlySpan<int> counts)
    {
        if (!counts.Contains(call.Arguments.Count))
        {
            throw Fail($"expected {string.Join(" or ", counts.ToArray())} arguments, found {call.Arguments.Count}");
        }
    }

    public Expression Argument(int index) => call.Arguments[index];

    public bool IsEllipsis(int index) => Argument(index) is EllipsisExpression;

    public void RequireEllipsis(int index)
    {
        if (!IsEllipsis(index))
        {
            throw Fail($"argument {index + 1} has to be ...");
        }
    }

    /// <summary>The value of an argument that is a number.</summary>
    public long Number(int index) => Evaluate(Argument(index));

    public int Int(int index) => (int)Number(index);

    /// <summary>The value of [number].</summary>
    public long Bracketed(int index) =>
        Argument(index) is ListExpression { Items: [Expression item] } ? Evaluate(item) : throw Fail($"argument {index + 1} has to be [number]");

    /// <summary>The process's descriptor for the script's.</summary>
    public int Fd(int index) => run.ToLiveFd(this, Int(index));

    /// <summary>A buffer of bytes of 0 for ..., null for NULL.</summary>
    public nint Buffer(int index, long bytes) =>
        IsEllipsis(index) ? Allocate(bytes)
        : Argument(index) is IntegerExpression { Value: 0 } or WordExpression { Name: "NULL" } ? 0
        : throw Fail($"argument {index + 1} has to be ... or NULL");

    /// <summary>So many bytes of 0, of which there are not too many for a script.</summary>
    public nint Allocate(long bytes)
    {
        const long BytesMax = 1 << 26;
        return bytes <= BytesMax ? Memory.Allocate(Math.Max(0, bytes)) : throw Fail($"expected at most {BytesMax} bytes");
    }

    public long Evaluate(Expression expression)
    {
        switch (expression)
        {
            case IntegerExpression integer:
                return integer.Value;
            case WordExpression word:
                return ScriptSymbols.Find(word.Name) ?? throw Fail($"'{word.Name}' is no constant that is known");
            case OrExpression or:
                return Evaluate(or.Left) | Evaluate(or.Right);
            case FunctionExpression { Name: "htons", Arguments: [Expression argument] }:
                return BinaryPrimitives.ReverseEndianness((ushort)Evaluate(argument));
            case FunctionExpression { Name: "inet_addr", Arguments: [StringExpression text] } when TryAddress(text, out IpAddress address) && address.IsIpv4:
                return BinaryPrimitives.ReverseEndianness(address.Ipv4Value);
            default:
                throw Fail($"expected a number at {expression.Position}");
        }
    }

    public static bool TryAddress(StringExpression text, out IpAddress address) => IpAddress.TryParse(System.Text.Encoding.ASCII.GetString(text.Bytes), out address);

    /// <summary>Makes the call and compares what it returns with the script.</summary>
    public long Invoke(SyscallNumber number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0, bool returnsFd = false)
    {
        long result = LinuxAbi.Invoke(run.Process, number, a0, a1, a2, a3, a4, a5);
        ReturnTime = run.Clock.Now;
        run.TraceCall(this, result);
        CheckResult(result, returnsFd);
        return result;
    }

    private void CheckResult(long result, bool returnsFd)
    {
        if (call.Result is EllipsisExpression)
        {
            return;
        }

        long expected = Evaluate(call.Result);
        Errno error = result < 0 ? (Errno)(-result) : Errno.None;
        Errno expectedError = call.ErrorName == null ? Errno.None
            : ScriptSymbols.FindErrno(call.ErrorName) ?? throw Fail($"'{call.ErrorName}' is no errno");
        long value = result < 0 ? -1 : result;
        bool isSame = returnsFd && expected >= 0 ? value >= 0 : value == expected;
        if (!isSame || (error != expectedError && (call.ErrorName != null || expected >= 0)))
        {
            throw Fail("the result is another", Show(expected, expectedError), Show(value, error));
        }
    }

    private static string Show(long value, Errno error) => error == Errno.None ? $"{value}" : $"{value} {error}";
}
