using Portico.Bench;
using Portico.Bench.Micro;

// The commands that come with other parts of the repository stand beside the table; each has its own files.
return args switch
{
    ["against", .. string[] rest] => AgainstCommand.Run(rest),
    ["hostile", .. string[] rest] => HostileCommand.Run(rest),
    ["micro", .. string[] rest] => MicroCommand.Run(rest),
    ["soak", .. string[] rest] => SoakCommand.Run(rest),
    ["--help" or "-h", ..] => BenchOptions.PrintHelp(),
    _ => Table.Run(args),
};
