namespace Portico.Cli.Tests;

/// <summary>What the tour claims, line by line, as it comes from the kernel. (Where a claim does not hold, the tour itself throws.)</summary>
public sealed class TourTests
{
    public static TheoryData<string, string[]> Claims => new()
    {
        {
            "ports",
            [
                "https    is behind port 443", "socket(AF_INET, SOCK_STREAM, 0) = 3", "bind(3, 127.0.0.1:8080) = 0", "bind(4, 127.0.0.1:8080) = -1 EADDRINUSE",
                "bind(4, 127.0.0.1:80) = -1 EACCES", "getsockname(4) says port ", "close(3) = 0", "socket(AF_INET, SOCK_STREAM, 0) = 3",
            ]
        },
        {
            "handshake",
            [
                "connect(4, 127.0.0.1:8080) = 0", "CLOSED -> SYN-SENT: connect", "-> 8080   SYN", "LISTEN -> SYN-RECEIVED: SYN received", "SYN,ACK", "SYN-SENT -> ESTABLISHED: SYN,ACK received",
                "SYN-RECEIVED -> ESTABLISHED: ACK received", "accept(3) = 5", "5 bytes of data",
                "the server has read \"hello\"", "ESTABLISHED -> FIN-WAIT-1: close", "ESTABLISHED -> CLOSE-WAIT: FIN received", "read(5, ...) = 0", "CLOSE-WAIT -> LAST-ACK",
                "FIN-WAIT-2 -> TIME-WAIT", "in TIME-WAIT: 1", "A minute later", "TIME-WAIT -> CLOSED: time is over", "connections in TIME-WAIT: 0",
            ]
        },
        {
            "clients",
            [
                "the server's listener is descriptor 0; its connections are 1 to 10000", "descriptor     1: port 8080 here",
                "descriptor 10000: port 8080 here", "descriptors that the server has open: 10,001",
            ]
        },
        {
            "descriptors",
            ["O_CREAT|O_RDWR) = 3", "SOCK_STREAM, 0) = 4", "close(3) = 0", "eventfd(0, 0) = 3", "dup(5) = 6", "lseek(6, 0, SEEK_CUR) = 3", "lseek(7, 0, SEEK_CUR) = 0", "by the child = -1 EBADF"]
        },
        {
            "files",
            [
                "a file:", "-1 EPERM", "a pipe:", "is ready", "a terminal:", "it has read \"hi\" and an end of line", "an eventfd:", "it has read the number 7", "a socket:", "close(",
            ]
        },
        {
            "limits",
            [
                "descriptors open: 6 of 6", "eventfd(0, 0) = -1 EMFILE", "counter ProcessFileLimit: 1", "setrlimit(RLIMIT_NOFILE, 16) = 0", "eventfd(0, 0) = 6",
                "counter OpenFiles: 3", "counter OpenFiles: 6", "by the second process = -1 ENFILE", "counter SystemFileLimit: 1", "counter OpenFiles: 3",
                "by the second process = 0", "connections in TIME-WAIT: 5", "127.0.0.1:8080) = -1 EADDRNOTAVAIL", "127.0.0.1:8081) = 0", "in TIME-WAIT: 0", "127.0.0.1:8080) = 0",
            ]
        },
    };

    [Theory]
    [MemberData(nameof(Claims))]
    public void A_chapter_says_what_the_kernel_does(string chapter, string[] claims)
    {
        string told = Tell(chapter);
        int at = 0;
        foreach (string claim in claims)
        {
            int found = told.IndexOf(claim, at, StringComparison.Ordinal);
            Assert.True(found >= 0, $"\"{claim}\" does not follow in:\n{told}");
            at = found + claim.Length;
        }
    }

    [Fact]
    public void Every_chapter_has_its_claims_and_all_are_told_in_order_without_colours()
    {
        Assert.Equal(Tour.Chapters.Select(chapter => chapter.Name), Claims.Select(row => (string)row[0]));
        string told = Tell();
        string[] lines = told.Split('\n');
        Assert.DoesNotContain('\e', told);
        IEnumerable<string> titles = lines.Zip(lines.Skip(1)).Where(pair => pair.Second.StartsWith("===", StringComparison.Ordinal)).Select(pair => pair.First);
        Assert.Equal(Tour.Chapters.Select((chapter, index) => $"{index + 1}. {chapter.Title}"), titles);
        Assert.All(lines, line => Assert.True(line.Length <= 100, line));
    }

    private static string Tell(params string[] chapters)
    {
        StringWriter output = new();
        Tour.Run(output, chapters, inRealTime: false, hasColours: false);
        return output.ToString();
    }
}
