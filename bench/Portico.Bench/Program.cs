using Portico.Bench.Micro;

if (args is ["micro", .. string[] rest])
{
    return MicroCommand.Run(rest);
}

Console.Error.WriteLine("usage: Portico.Bench micro [--filter <pattern>] [other BenchmarkDotNet options]");
return 2;
