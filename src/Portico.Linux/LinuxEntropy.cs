namespace Portico.Linux;

/// <summary>Random numbers of the kernel's, by getrandom(2): the runtime's generator loads OpenSSL first, which takes milliseconds.</summary>
public static unsafe class LinuxEntropy
{
    /// <summary>A number that nobody can guess.</summary>
    public static ulong NextUInt64()
    {
        ulong number;
        return LibC.GetRandom(&number, 8, 0) == 8 ? number : throw LinuxException.Last("getrandom");
    }
}
