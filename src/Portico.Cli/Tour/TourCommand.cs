using System.CommandLine;

namespace Portico.Cli;

/// <summary><c>portico tour</c>: what a port, a socket and a descriptor are, shown by a kernel that runs meanwhile.</summary>
internal static class TourCommand
{
    public static Command Create()
    {
        Argument<string[]> chapters = new("chapter")
        {
            Arity = ArgumentArity.ZeroOrMore,
            Description = $"What to show, of {string.Join(", ", Tour.Chapters.Select(chapter => chapter.Name))}; all of it where nothing is named.",
        };
        chapters.AcceptOnlyFromAmong([.. Tour.Chapters.Select(chapter => chapter.Name)]);
        Option<bool> realTime = new("--real-time") { Description = "Wait where TCP waits (a minute) instead of moving the clock on." };
        Command tour = new("tour", "A guided tour: ports, sockets, descriptors and their limits, each line printed from a kernel that runs in this process.");
        tour.Arguments.Add(chapters);
        tour.Options.Add(realTime);
        tour.SetAction(result =>
        {
            string[] wanted = result.GetValue(chapters) ?? [];
            bool hasColours = !Console.IsOutputRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
            using StreamWriter output = new(Terminal.Output) { AutoFlush = true };
            Tour.Run(output, wanted, result.GetValue(realTime), hasColours);
            output.Flush();
            return 0;
        });
        return tour;
    }
}
