namespace Portico.Cli;

/// <summary>Prints JSON objects that come one by one as one array, an object a line.</summary>
internal sealed class JsonLines(Stream output)
{
    private bool _any;

    public void Add(ReadOnlySpan<byte> item)
    {
        output.Write(_any ? ",\n "u8 : "["u8);
        output.Write(item);
        _any = true;
    }

    public void End() => output.Write(_any ? "]\n"u8 : "[]\n"u8);
}
