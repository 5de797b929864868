using System.CommandLine;
using System.Globalization;
using System.Text;

namespace Portico.Cli;

/// <summary><c>portico plot</c>: a picture of a TCP connection in a capture.</summary>
internal static class PlotCommand
{
    public static Command Create()
    {
        Argument<string?> file = new("file") { Arity = ArgumentArity.ZeroOrOne, Description = "The capture: pcapng or pcap, of portico run --pcap, tcpdump or any other tool." };
        Option<string?> output = new("--output", "-o") { Description = "Where the picture goes; - for standard output. The capture's name with .svg where nothing is said.", HelpName = "FILE" };
        Option<int> number = new("--connection", "-c") { Description = "Which connection, by its number in --list; the one with the most bytes where nothing is said.", HelpName = "N" };
        Option<bool> reverse = new("--reverse", "-r") { Description = "The other direction: that with fewer bytes." };
        Option<bool> list = new("--list", "-l") { Description = "List the connections of the capture, and draw nothing." };
        Command plot = new("plot", "Draws a TCP connection of a capture as SVG: bytes over time with ACKs, window and SACK, throughput, round-trip time, bytes in flight.");
        plot.Arguments.Add(file);
        plot.Options.Add(output);
        plot.Options.Add(number);
        plot.Options.Add(reverse);
        plot.Options.Add(list);
        plot.SetAction(result =>
        {
            if (result.GetValue(file) is not string name)
            {
                Terminal.Error("plot: no capture named: see portico plot --help");
                return CommandLine.OwnFailure;
            }

            try
            {
                CaptureFile capture = CaptureFile.Read(File.ReadAllBytes(name));
                List<CapturedConnection> connections = CapturedConnections.Find(capture);
                if (connections.Count == 0)
                {
                    throw new InvalidDataException("has no TCP connection");
                }

                if (result.GetValue(list))
                {
                    List(connections, capture);
                    return 0;
                }

                CapturedConnection chosen = Choose(connections, result.GetValue(number));
                bool fromFirst = chosen.BytesFromFirst >= chosen.BytesFromSecond != result.GetValue(reverse);
                string picture = PlotPage.Draw(chosen, fromFirst, capture.Interfaces[chosen.InterfaceId].Name);
                Write(result.GetValue(output) ?? Path.ChangeExtension(name, ".svg"), picture);
                return 0;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Terminal.Error($"plot: {e.Message}");
            }
            catch (InvalidDataException e)
            {
                Terminal.Error($"plot: {name} {e.Message}");
            }

            return CommandLine.OwnFailure;
        });
        return plot;
    }

    /// <summary>The connection of that number; for 0 the one with the most bytes, where it was recorded beside the sender of them.</summary>
    private static CapturedConnection Choose(List<CapturedConnection> connections, int number) => number switch
    {
        0 => connections.MaxBy(c => (Math.Max(c.BytesFromFirst, c.BytesFromSecond), c.IsBeside(c.BytesFromFirst >= c.BytesFromSecond)))!,
        _ when number > 0 && number <= connections.Count => connections[number - 1],
        _ => throw new InvalidDataException($"has no connection {number}: they count from 1 to {connections.Count}"),
    };

    private static void List(List<CapturedConnection> connections, CaptureFile capture)
    {
        StringBuilder text = new();
        text.Append("  N  BEGIN          BYTES OUT      BYTES IN  SEGMENTS  AT            CONNECTION\n");
        foreach (CapturedConnection c in connections)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"{c.Number,3}  {c.Segments[0].Seconds,-10:0.000000} {c.BytesFromFirst,13} {c.BytesFromSecond,13} {c.Segments.Count,9}  {capture.Interfaces[c.InterfaceId].Name,-12}  {c.First} → {c.Second}\n");
        }

        Terminal.Output.Write(Encoding.UTF8.GetBytes(text.ToString()));
        Terminal.Flush();
    }

    private static void Write(string path, string picture)
    {
        if (path == "-")
        {
            Terminal.Output.Write(Encoding.UTF8.GetBytes(picture));
            Terminal.Flush();
            return;
        }

        File.WriteAllText(path, picture);
    }
}
