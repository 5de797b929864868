namespace Portico.Cli;

/// <summary>The chapters of the tour, in order.</summary>
internal static class Tour
{
    public static readonly (string Name, string Title, Action<TourMachine, TourText> Tell)[] Chapters =
    [
        ("ports", "What a port is", PortsChapter.Tell),
        ("handshake", "A connection, packet by packet", HandshakeChapter.Tell),
        ("clients", "10,000 clients are 10,000 sockets", ClientsChapter.Tell),
        ("descriptors", "Descriptors: 0, 1, 2, 3 and onward", DescriptorsChapter.Tell),
        ("files", "The same calls on everything", FilesChapter.Tell),
        ("limits", "When it runs out", LimitsChapter.Tell),
    ];

    /// <summary>Tells what is wanted, or all; each chapter has a machine of its own.</summary>
    public static void Run(TextWriter output, IReadOnlyCollection<string> wanted, bool inRealTime, bool hasColours)
    {
        TourText text = new(output, hasColours);
        int number = 0;
        foreach ((string name, string title, Action<TourMachine, TourText> tell) in Chapters)
        {
            number++;
            if (wanted.Count == 0 || wanted.Contains(name))
            {
                text.Title($"{number}. {title}");
                using TourMachine machine = new(inRealTime);
                tell(machine, text);
            }
        }
    }
}
